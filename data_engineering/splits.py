"""Which clips train, validate and test, and what leaks between them.

WLASL's own splits share nearly every signer and some identical videos between training and test (Li et al., WACV 2020,
split by clip). `signer` and `gloss` draw splits that do not; `leakage` puts figures on any of them.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from data_engineering.clip import SPLITS, Clip
from data_engineering.errors import ConfigError
from data_engineering.hosts import media_key
from data_engineering.wlasl import SPLIT_NAMES

HELD_OUT = 0.15  # the share of clips aimed at for validation, and again for test

_RECORD = ("video_id", "gloss", "split", "signer_id", "url", "frame_start", "frame_end")


def assign(clips: Sequence[Clip], split: str, seed: int) -> dict[str, str]:
    """Assigns every clip to train, validation or test.

    In `signer` and `gloss`, clips cut alike from one address (`same_cut`) always stay on one side. What a split cannot
    cover, such as glosses without a test clip, is in `leakage(...)["glosses_without"]`.

    Args:
        clips: The selected clips.
        split: `official` (the index's own), `signer` (nobody signs on two sides; a gloss leaves train only where no
            other choice of signers exists), `gloss` (70/15/15 within each gloss, train first), or a JSON file
            {video_id: split} or {video_id: {"subset": split}}, as WLASL's nslt files.
        seed: Seeds `signer` and `gloss`; the same clips and seed give the same splits.

    Returns:
        {video_id: split} with every clip in the given order.

    Raises:
        ConfigError: The file is unreadable, names other splits, or leaves out a clip; or fewer than three signers.
    """
    if split == "official":
        return {clip.video_id: clip.split for clip in clips}
    if split == "signer":
        return _by_signer(clips, random.Random(seed))  # noqa: S311  a draw of clips, not of keys
    if split == "gloss":
        return _by_gloss(clips, random.Random(seed))  # noqa: S311
    return _from_file(clips, Path(split))


def same_cut(clip: Clip | Mapping[str, Any]) -> Hashable:
    """Returns what clips share that show the same frames by their index entry: address and range.

    A clip without an address shares nothing with any other.
    """
    record = _record(clip)
    if not record["url"]:
        return record["video_id"]
    return media_key(record["url"]), record["frame_start"], record["frame_end"]


def leakage(clips_or_rows: Iterable[Clip | Mapping[str, Any]]) -> dict[str, Any]:
    """Counts what the splits of clips or manifest rows share, by each one's own `split`.

    Returns:
        clips, glosses, signers: {split: count}.
        glosses_without: {split: sorted glosses that have clips, but none in that split}.
        signers_shared: {"train-test": count, ...} of signers who sign on both sides.
        same_cut, same_file: {groups: of two or more alike, across: of them in several splits, test_in_train: test clips
            that train holds as well}, by address and range, and by the file's hash where a row has `media.sha256`
            (`hashed` counts those).
        test_by_train_signers: Test clips whose signer is also in train.
    """
    records = [_record(item) for item in clips_or_rows]
    signers = {split: {r["signer_id"] for r in records if r["split"] == split} for split in SPLITS}
    glosses = {split: {r["gloss"] for r in records if r["split"] == split} for split in SPLITS}
    every_gloss = set().union(*glosses.values())
    hashed = [r for r in records if r.get("media", {}).get("sha256")]
    return {
        "clips": {split: sum(r["split"] == split for r in records) for split in SPLITS},
        "glosses": {split: len(glosses[split]) for split in SPLITS},
        "signers": {split: len(signers[split]) for split in SPLITS},
        "glosses_without": {split: sorted(every_gloss - glosses[split]) for split in SPLITS},
        "signers_shared": {f"{a}-{b}": len(signers[a] & signers[b]) for a, b in combinations(SPLITS, 2)},
        "test_by_train_signers": sum(r["split"] == "test" and r["signer_id"] in signers["train"] for r in records),
        "same_cut": _alike((same_cut(r), r["split"]) for r in records),
        "same_file": {**_alike((r["media"]["sha256"], r["split"]) for r in hashed), "hashed": len(hashed)},
    }


def _record(item: Clip | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(item, Clip):
        return item
    return {name: getattr(item, name) for name in _RECORD}


def _alike(pairs: Iterable[tuple[Hashable, str]]) -> dict[str, int]:
    groups: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, split in pairs:
        groups[key][split] += 1
    several = [group for group in groups.values() if group.total() > 1]
    return {
        "groups": len(several),
        "across": sum(len(group) > 1 for group in several),
        "test_in_train": sum(group["test"] for group in several if group["train"]),
    }


def _by_signer(clips: Sequence[Clip], rng: random.Random) -> dict[str, str]:
    """Moves whole signers out of train until validation and test each hold their share.

    Signers are taken in random order; one is moved if the side has room and each of the signer's glosses keeps somebody
    in train. A side that stayed empty gets the signer who takes the fewest glosses out of train.
    """
    groups = _signer_groups(clips)
    if len(groups) < len(SPLITS):
        raise ConfigError(
            f"data.split: signer needs at least {len(SPLITS)} signers who share no clip, the selected clips have "
            f"{len(groups)}; take gloss or official"
        )
    rng.shuffle(groups)
    in_train = Counter(gloss for group in groups for gloss in {clip.gloss for clip in group})
    room = {"test": HELD_OUT * len(clips), "validation": HELD_OUT * len(clips)}
    held: dict[str, list[list[Clip]]] = {"test": [], "validation": []}

    def losses(group: list[Clip]) -> int:
        return sum(in_train[gloss] == 1 for gloss in {clip.gloss for clip in group})

    def move(group: list[Clip], side: str) -> None:
        groups.remove(group)
        held[side].append(group)
        room[side] -= len(group)
        in_train.subtract({clip.gloss for clip in group})

    for group in list(groups):
        side = max(room, key=lambda name: room[name])
        if len(group) <= room[side] and not losses(group):
            move(group, side)
    for side in held:
        if not held[side]:
            move(min(groups, key=lambda group: (losses(group), len(group))), side)
    sides = {clip.video_id: side for side, moved in held.items() for group in moved for clip in group}
    return {clip.video_id: sides.get(clip.video_id, "train") for clip in clips}


def _signer_groups(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Returns the clips by signer; signers to whom the index gives the same cut are one (WLASL has two such pairs)."""
    parent: dict[Hashable, Hashable] = {}

    def find(node: Hashable) -> Hashable:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for clip in clips:
        parent[find(("cut", same_cut(clip)))] = find(("signer", clip.signer_id))
    groups: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[find(("signer", clip.signer_id))].append(clip)
    return list(groups.values())


def _by_gloss(clips: Sequence[Clip], rng: random.Random) -> dict[str, str]:
    """Deals the cuts of each gloss out, each to the split that lacks most; a gloss's first cut always trains."""
    cuts: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        cuts[same_cut(clip)].append(clip)
    order = list(cuts.values())
    rng.shuffle(order)
    order.sort(key=len, reverse=True)  # large ones first, while there is room; stable, so equal ones stay shuffled

    lacking: dict[str, dict[str, int]] = {}
    for gloss, count in Counter(clip.gloss for clip in clips).items():
        held = max(1, round(HELD_OUT * count)) if count >= len(SPLITS) else 0
        lacking[gloss] = {"train": count - 2 * held, "test": held, "validation": held}
    trained: set[str] = set()
    assigned: dict[str, str] = {}
    for cut in order:
        touched = {clip.gloss for clip in cut}
        if touched <= trained:
            side = max(("train", "test", "validation"), key=lambda name: sum(lacking[gloss][name] for gloss in touched))
        else:
            side = "train"
        for clip in cut:
            assigned[clip.video_id] = side
            lacking[clip.gloss][side] -= 1
        if side == "train":
            trained |= touched
    return {clip.video_id: assigned[clip.video_id] for clip in clips}


def _from_file(clips: Sequence[Clip], path: Path) -> dict[str, str]:
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"data.split: {path} cannot be read ({error.strerror or error}); give official, signer, gloss or a file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"data.split: {path} is not JSON; write {{video_id: train | validation | test}}") from error
    if not isinstance(given, dict):
        raise ConfigError(f"data.split: {path} holds no object; write {{video_id: train | validation | test}}")
    assigned = {}
    for clip in clips:
        value = given.get(clip.video_id)
        name = value.get("subset") if isinstance(value, dict) else value
        if not isinstance(name, str) or name not in SPLIT_NAMES:
            said = "leaves out" if clip.video_id not in given else "gives no split of train, validation, test to"
            raise ConfigError(f"data.split: {path} {said} clip {clip.video_id} ({clip.gloss}); add it")
        assigned[clip.video_id] = SPLIT_NAMES[name]
    return assigned
