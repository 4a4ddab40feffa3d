"""Splits drawn at random under rules: whole signers, or 70/15/15 within each gloss; copies never part."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from data_engineering.clip import SPLITS, Clip
from data_engineering.errors import ConfigError

HELD_OUT = 0.15  # the share of clips aimed at for validation, and again for test


def linked(pairs: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, Hashable]:
    """Returns a name for each thing in the pairs, one and the same for all that pairs connect."""
    parent: dict[Hashable, Hashable] = {}

    def find(node: Hashable) -> Hashable:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in pairs:
        parent[find(one)] = find(other)
    return {node: find(node) for node in list(parent)}


def by_signer(clips: Sequence[Clip], copies: Mapping[str, Hashable], rng: random.Random) -> dict[str, str]:
    """Moves whole signers out of train until validation and test each hold about their share.

    Signers are taken in random order; one is moved if the side comes nearer to its share and each of the signer's
    glosses keeps somebody in train. A side that stayed empty gets the signer who takes the fewest glosses out of train.

    Args:
        clips: The clips.
        copies: {video_id: name}; clips of one name show the same.
        rng: The order of the signers.

    Raises:
        ConfigError: There are fewer than three signers.
    """
    groups = _signer_groups(clips, copies)
    if len(groups) < len(SPLITS):
        signers = [dict.fromkeys(str(clip.signer_id) for clip in group) for group in groups]
        joined = [", ".join(names) for names in signers if len(names) > 1]
        raise ConfigError(
            f"data.split: signer needs at least {len(SPLITS)} signers who share no clip, the selected clips have "
            f"{len(groups)}{f' (one and the same clip is given to {joined[0][:200]})' if joined else ''}; "
            "take gloss or official"
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
        if len(group) / 2 < room[side] and not losses(group):
            move(group, side)
    for side in held:
        if not held[side]:
            move(min(groups, key=lambda group: (losses(group), len(group))), side)
    sides = {clip.video_id: side for side, moved in held.items() for group in moved for clip in group}
    return {clip.video_id: sides.get(clip.video_id, "train") for clip in clips}


def by_gloss(clips: Sequence[Clip], copies: Mapping[str, Hashable], rng: random.Random) -> dict[str, str]:
    """Deals each gloss's clips out, copies together, to the split that lacks most; a gloss's first always trains.

    Args:
        clips: The clips.
        copies: {video_id: name}; clips of one name show the same.
        rng: The order of the clips.
    """
    alike: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        alike[copies[clip.video_id]].append(clip)
    order = list(alike.values())
    rng.shuffle(order)
    order.sort(key=len, reverse=True)  # large ones first, while there is room; stable, so equal ones stay shuffled

    lacking: dict[str, dict[str, int]] = {}
    for gloss, count in Counter(clip.gloss for clip in clips).items():
        held = max(1, round(HELD_OUT * count)) if count >= len(SPLITS) else 0
        lacking[gloss] = {"train": count - 2 * held, "test": held, "validation": held}
    trained: set[str] = set()
    assigned: dict[str, str] = {}
    for group in order:
        touched = {clip.gloss for clip in group}
        if touched <= trained:
            side = max(("train", "test", "validation"), key=lambda name: sum(lacking[gloss][name] for gloss in touched))
        else:
            side = "train"
        for clip in group:
            assigned[clip.video_id] = side
            lacking[clip.gloss][side] -= 1
        if side == "train":
            trained |= touched
    return {clip.video_id: assigned[clip.video_id] for clip in clips}


def _signer_groups(clips: Sequence[Clip], copies: Mapping[str, Hashable]) -> list[list[Clip]]:
    """Returns the clips by signer; signers who share a copied clip are one (WLASL has two such pairs)."""
    person = linked((("copy", copies[clip.video_id]), ("signer", str(clip.signer_id))) for clip in clips)
    groups: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[person["signer", str(clip.signer_id)]].append(clip)
    return list(groups.values())
