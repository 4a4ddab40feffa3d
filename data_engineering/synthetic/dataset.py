"""A dataset of the avatar: mp4 files and a WLASL-shaped index over them, signs x signers x takes, rendered in parallel.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material.
"""

import difflib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from data_engineering.clip import SPLITS, video_path, write_json
from data_engineering.errors import ConfigError
from data_engineering.synthetic.break_files import KINDS, break_file
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

# WLASL counts frames at 25 a second, whatever the file's own rate.
_CLOCK = 25
# One clip in so many lies in a longer file with another sign, and is cut from it by frame_start and frame_end.
_COMPILED = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """One file to render.

    Attributes:
        video_id: Five digits.
        sign: The clip's sign.
        split: `train`, `validation` or `test`.
        signer_id: From 1.
        take: Counts the clips of one sign and signer, from 0.
        seed: Of the clip.
        before: A sign before this one in the same file, or None; `after` likewise.
        after: See `before`.
        broken: The kind of `break_files.KINDS`, or "".
    """

    video_id: str
    sign: Sign
    split: str
    signer_id: int
    take: int
    seed: int
    before: Sign | None = None
    after: Sign | None = None
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What `write_dataset` wrote.

    Attributes:
        clips: How many, in each split.
        signers: Signer ids of each split.
        broken: video_id to kind.
        compiled: video_ids cut from a longer file.
        frames: How many were rendered.
    """

    clips: dict[str, int]
    signers: dict[str, tuple[int, ...]]
    broken: dict[str, str]
    compiled: tuple[str, ...]
    frames: int = field(default=0)


def signer_of(seed: int, signer_id: int) -> Signer:
    """Returns a dataset's signer; the same seed and id give the same person."""
    return Signer.sample(np.random.default_rng([seed, signer_id]))


def write_dataset(
    root: Path,
    index: Path,
    *,
    glosses: Sequence[str],
    train_signers: int,
    validation_signers: int,
    test_signers: int,
    clips_per_cell: int,
    seed: int,
    broken: Mapping[str, Sequence[str]],
    workers: int,
    progress: bool = True,
) -> Summary:
    """Renders a dataset.

    Args:
        root: Data root; files go to `<root>/raw_videos/<video_id>.mp4`.
        index: The WLASL-shaped JSON, written last.
        glosses: Signs of params/signs.yaml.
        train_signers: How many people sign in train; no one signs in two splits.
        validation_signers: The same for validation (the index calls it `val`).
        test_signers: The same for test.
        clips_per_cell: Clips of each gloss by each signer.
        seed: Draws signers, clips, and which files are broken or compiled.
        broken: Split (`train`, `validation`, `test`) to kinds of `break_files.KINDS`; each kind named breaks one file.
        workers: Processes.
        progress: Whether to show a bar on stderr.

    Raises:
        ConfigError: A gloss is no sign of the avatar, or a split has fewer clips than files to break.
    """
    counts = dict(zip(SPLITS, (train_signers, validation_signers, test_signers), strict=True))
    plans = _plan(_known(glosses), counts, clips_per_cell, seed, broken)
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        jobs = {pool.submit(_render, plan, root, seed): plan.video_id for plan in plans}
        bar = tqdm(as_completed(jobs), total=len(jobs), desc="render", unit="clip", disable=not progress)
        try:
            instances = {jobs[job]: job.result() for job in bar}
        except BaseException:  # an interrupt too: what is queued must not be rendered before it is heard
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    write_json(index, _index(plans, instances))
    return Summary(
        clips={split: sum(plan.split == split for plan in plans) for split in SPLITS},
        signers={split: tuple(sorted({plan.signer_id for plan in plans if plan.split == split})) for split in SPLITS},
        broken={plan.video_id: plan.broken for plan in plans if plan.broken},
        compiled=tuple(plan.video_id for plan in plans if plan.before or plan.after),
        frames=sum(frames for _, frames in instances.values()),
    )


def indexed_gloss(gloss: str) -> str:
    """Returns a sign's gloss as WLASL's index spells glosses: in lower case, words apart."""
    return gloss.lower().replace("-", " ")


def _known(glosses: Sequence[str]) -> list[Sign]:
    signs = load_signs()
    for gloss in glosses:
        if gloss not in signs:
            near = (
                ", ".join(difflib.get_close_matches(gloss.upper(), signs, 3, 0.4))
                or ", ".join(list(signs)[:8]) + ", ..."
            )
            raise ConfigError(f"gloss {gloss!r}: no sign of the avatar; params/signs.yaml has {near}")
    return [signs[gloss] for gloss in glosses]


def _plan(
    signs: list[Sign], counts: dict[str, int], takes: int, seed: int, broken: Mapping[str, Sequence[str]]
) -> list[Plan]:
    """Decides every file; ids run through the glosses, as in WLASL."""
    rng = np.random.default_rng([seed, 0])
    people = list(chain.from_iterable([split] * count for split, count in counts.items()))
    cells = [
        (sign, split, number + 1, take)
        for sign in signs
        for number, split in enumerate(people)
        for take in range(takes)
    ]
    numbers = np.sort(rng.choice(np.arange(1000, 100_000), len(cells), replace=False))
    spoiled = _spoil(cells, broken, rng)
    plans = []
    for place, ((sign, split, signer_id, take), number) in enumerate(zip(cells, numbers, strict=True)):
        before = after = None
        others = [other for other in signs if other is not sign]
        if others and place not in spoiled and rng.random() < 1 / _COMPILED:
            other = others[int(rng.integers(len(others)))]
            before, after = (other, None) if rng.random() < 0.5 else (None, other)
        clip_seed = int(rng.integers(2**31))
        plans.append(
            Plan(f"{number:05d}", sign, split, signer_id, take, clip_seed, before, after, spoiled.get(place, ""))
        )
    return plans


def _spoil(
    cells: list[tuple[Sign, str, int, int]], broken: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> dict[int, str]:
    """Draws which files are broken: place in `cells` to kind."""
    spoiled: dict[int, str] = {}
    for split, kinds in broken.items():
        places = [place for place, cell in enumerate(cells) if cell[1] == split]
        unknown = [kind for kind in kinds if kind not in KINDS]
        if split not in SPLITS or unknown:
            raise ConfigError(
                f"broken: {split}: {unknown or split!r} unknown; splits: {', '.join(SPLITS)}; kinds: {', '.join(KINDS)}"
            )
        if len(kinds) > len(places):
            raise ConfigError(
                f"broken: {split}: {len(kinds)} files to break but only {len(places)} clips; name fewer kinds"
            )
        for place, kind in zip(rng.choice(places, len(kinds), replace=False).tolist(), kinds, strict=True):
            spoiled[place] = kind
    return spoiled


def _render(plan: Plan, root: Path, seed: int) -> tuple[dict[str, Any], int]:
    """Renders one file; returns its index entry and how many frames it has."""
    signer = signer_of(seed, plan.signer_id)
    recording, frames = record(plan.sign, signer, plan.seed)
    parts, start = [frames], 0
    for neighbour, clip_seed in ((plan.before, plan.seed + 1), (plan.after, plan.seed + 2)):
        if neighbour is not None:
            other, more = record(neighbour, signer, clip_seed)
            if neighbour is plan.before:
                parts, start = [more, *parts], len(other.phases)
            else:
                parts.append(more)
    path = video_path(root, plan.video_id)
    total = write_mp4(path, chain(*parts), fps=signer.fps, crf=signer.crf, width=signer.width, height=signer.height)
    if plan.broken:
        break_file(path, plan.broken)
    end = start + len(recording.phases)
    cut = len(parts) > 1
    entry = {
        "bbox": list(recording.bbox),
        "fps": _CLOCK,
        "frame_end": int(end / signer.fps * _CLOCK) if cut else -1,
        "frame_start": 1 + round(start / signer.fps * _CLOCK) if cut else 1,
        "instance_id": 0,
        "signer_id": plan.signer_id,
        "source": "avatar",
        "split": "val" if plan.split == "validation" else plan.split,
        "url": f"https://avatar.invalid/{plan.video_id}.mp4",
        "variation_id": 0,
        "video_id": plan.video_id,
    }
    return entry, total


def _index(plans: list[Plan], instances: dict[str, tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    """The index as WLASL has it: a list of glosses with their instances."""
    glosses: dict[str, list[dict[str, Any]]] = {}
    for plan in plans:
        entries = glosses.setdefault(indexed_gloss(plan.sign.gloss), [])
        entries.append(instances[plan.video_id][0] | {"instance_id": len(entries)})
    return [{"gloss": gloss, "instances": entries} for gloss, entries in glosses.items()]
