"""A dataset of the avatar: mp4 files and a WLASL-shaped index over them, signs x signers x takes, rendered in parallel.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material.
"""

import difflib
import json
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from data_engineering.clip import SPLITS, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.synthetic import listing
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.plan import Plan, Recipe, Reel, plan
from data_engineering.synthetic.reels import Made, make

# Files in flight a worker: enough that none waits, few enough that a dataset of any size is planned, not held.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written.

    Attributes:
        clips: How many, in each split; copies count.
        signers: Signer ids of each split; a copy in another split does not count.
        broken: video_id to kind.
        compiled: video_ids cut from a longer file.
        frames: How many were rendered.
        copies: video_id to that of the clip it is a copy of.
        mislabelled: The video_id of the copy under a wrong gloss, if there is one.
        across: video_ids of copies in another split than their original.
        written: Files and folders.
    """

    clips: dict[str, int]
    signers: dict[str, tuple[int, ...]]
    broken: dict[str, str]
    compiled: tuple[str, ...]
    frames: int = 0
    copies: dict[str, str] = field(default_factory=dict)
    mislabelled: str = ""
    across: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()


def render_dataset(
    recipe: Recipe,
    root: Path,
    index: Path,
    *,
    workers: int,
    keypoints: bool = False,
    resume: bool = False,
    progress: bool = True,
) -> Summary:
    """Renders what a recipe asks for; the same recipe on the same versions gives the same bytes.

    Beside the index go the class list, the splits as WLASL's nslt files have them, the signs' phonology (for
    `data.phonology`), avatar.json (the recipe, its signs and signers) and avatar.jsonl (what is known of each clip).

    Args:
        recipe: What to render.
        root: Data root; files go to `<root>/raw_videos/<video_id>.mp4`.
        index: The WLASL-shaped JSON, written last.
        workers: Processes.
        keypoints: Write each clip's exact key points to `<root>/keypoints/<video_id>.npz`, and, as extraction would
            have left them, to `<root>/poses/<video_id>.safetensors`.
        resume: Leave the files of an interrupted call with the same recipe as they are.
        progress: Whether to show a bar on stderr.

    Raises:
        ConfigError: The recipe cannot be met, or (with `resume`) the folder holds something else.
        RunError: A worker died, or the folder cannot be written.
    """
    reels = plan(recipe)
    beside = index.parent
    kept = listing.recipe_record(recipe, version("signvlm"))
    if resume:
        _check_folder(root, beside / listing.RECIPE, kept)
    listing.write_recipe(beside / listing.RECIPE, recipe, version("signvlm"))
    clips: list[tuple[Plan, dict[str, Any], int]] = []
    frames = 0
    part = beside / f".{listing.TRUTH}.part"
    total = sum(len(reel.clips) + len(reel.copies) for reel in reels)
    with (
        part.open("w", encoding="utf-8") as truth,
        tqdm(total=total, desc="render", unit="clip", disable=not progress) as bar,
    ):
        for made, rendered in _rendered(reels, recipe, root, workers=workers, keypoints=keypoints, resume=resume):
            clips += [(one.plan, one.instance, listing.clip_length(one)) for one in made]
            truth.writelines(json.dumps(one.truth, ensure_ascii=False) + "\n" for one in made)
            frames += rendered
            bar.update(len(made))
    part.replace(beside / listing.TRUTH)
    listing.write_phonology(beside / listing.PHONOLOGY, recipe.signs)
    written = listing.write_lists(index, clips, recipe.signs)
    folders = [root / "raw_videos", *([root / "keypoints", root / "poses"] if keypoints else [])]
    notes = [beside / name for name in (listing.RECIPE, listing.TRUTH, listing.PHONOLOGY)]
    return _summary(reels, frames, (*folders, *notes, *written))


def known_signs(glosses: Sequence[str], signs: Mapping[str, Sign]) -> tuple[Sign, ...]:
    """Returns the signs of these glosses.

    Raises:
        ConfigError: One of them is not there.
    """
    for gloss in glosses:
        if gloss not in signs:
            near = (
                ", ".join(difflib.get_close_matches(gloss.upper(), signs, 3, 0.4))
                or ", ".join(list(signs)[:8]) + ", ..."
            )
            raise ConfigError(f"gloss {gloss!r}: no sign of the avatar; params/signs.yaml has {near}")
    return tuple(signs[gloss] for gloss in glosses)


def _check_folder(root: Path, recipe_file: Path, recipe: dict[str, Any]) -> None:
    """Refuses a folder that holds anything but an unfinished, or finished, dataset of the same recipe."""
    if not recipe_file.is_file():
        if root.is_dir() and any(root.iterdir()):
            raise ConfigError(f"{root}: is not empty and holds no dataset of the avatar; name an empty or a new folder")
        return
    held = read_json(recipe_file, "name an empty or a new folder")
    held = held.get("recipe") if isinstance(held, dict) else None
    if held != recipe:
        held = held if isinstance(held, dict) else {}
        names = ", ".join(name for name in recipe if held.get(name) != recipe[name])
        raise ConfigError(
            f"{root}: holds a dataset made otherwise ({names}); ask for the same again to go on with it, or name a new "
            "folder"
        )


def _rendered(
    reels: Sequence[Reel], recipe: Recipe, root: Path, *, workers: int, keypoints: bool, resume: bool
) -> Iterator[tuple[list[Made], int]]:
    """Yields each file's clips and rendered frames, in order."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
        jobs: deque[Future[tuple[list[Made], int]]] = deque()
        waiting = iter(reels)
        try:
            while True:
                while len(jobs) < _AHEAD * workers and (reel := next(waiting, None)) is not None:
                    jobs.append(pool.submit(make, reel, recipe, root, keypoints=keypoints, resume=resume))
                if not jobs:
                    return
                yield jobs.popleft().result()
        except BrokenProcessPool as error:
            raise RunError(
                f"{root}: a rendering process was killed, most likely for memory; run again with fewer workers"
            ) from error
        except BaseException:  # an interrupt too: what is queued must not be rendered before it is heard
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start() -> None:
    """Sets a worker up: one thread, and Ctrl-C is the parent's to hear."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _summary(reels: Sequence[Reel], frames: int, written: tuple[Path, ...]) -> Summary:
    originals = [clip for reel in reels for clip in reel.clips]
    copies = [copy for reel in reels for copy in reel.copies]
    split_of = {clip.video_id: clip.split for clip in originals}
    return Summary(
        clips={split: sum(clip.split == split for clip in (*originals, *copies)) for split in SPLITS},
        signers={
            split: tuple(sorted({clip.signer_id for clip in originals if clip.split == split})) for split in SPLITS
        },
        broken={clip.video_id: clip.broken for clip in originals if clip.broken},
        compiled=tuple(clip.video_id for reel in reels if reel.compiled for clip in reel.clips),
        frames=frames,
        copies={copy.video_id: copy.copy_of for copy in copies},
        mislabelled=next((copy.video_id for copy in copies if copy.mislabelled), ""),
        across=tuple(copy.video_id for copy in copies if copy.split != split_of[copy.copy_of]),
        written=written,
    )
