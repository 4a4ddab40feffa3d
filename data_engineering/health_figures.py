"""Figures for the health report that need counting: who signs, what is short of clips, what is the same, how large."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from data_engineering.clip import SPLITS, Clip
from data_engineering.splits import same_cut

FEW = 5
"""A gloss with fewer usable clips is listed: one to validate with, one to test with, three to learn from."""
_BINS = 12
_SIZES = 12


def few_clips(clips: Sequence[Clip], rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Returns {gloss: {expected, train, validation, test}} of the glosses with fewer than `FEW` usable clips."""
    expected = Counter(clip.gloss for clip in clips)
    usable: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        usable[row["gloss"]][row["split"]] += 1
    return {
        gloss: {"expected": count} | {split: usable[gloss][split] for split in SPLITS}
        for gloss, count in expected.items()
        if usable[gloss].total() < FEW
    }


def signers(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns {signer_id, clips, glosses, train, validation, test} of each signer, the one with most clips first."""
    by_signer: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_signer[str(row["signer_id"])].append(row)
    return [
        {"signer_id": name, "clips": len(own), "glosses": len({row["gloss"] for row in own})}
        | {split: sum(row["split"] == split for row in own) for split in SPLITS}
        for name, own in sorted(by_signer.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    ]


def copies(
    rows: Sequence[Mapping[str, Any]], same: Sequence[Sequence[str]], alike: Sequence[Sequence[str]]
) -> list[dict[str, Any]]:
    """Returns the groups of clips that are the same, those across splits and glosses first.

    Args:
        rows: Validated rows.
        same: The groups of them that are one file's (`splits.same_files`).
        alike: The groups of them that show the same (`perceptual.look_alikes`).

    Returns:
        {how: `file` | `cut` | `looks`, clips: [{video_id, gloss, split, signer_id}], glosses, splits: counts} a group:
        identical files with one range, one address and range, or frames that show the same. A group is named by the
        first of these that holds for all of it, and given once.
    """
    found: dict[tuple[str, ...], str] = {}
    by_id = {row["video_id"]: row for row in rows}
    cuts: dict[Hashable, list[str]] = defaultdict(list)
    for row in rows:
        cuts[same_cut(row)].append(row["video_id"])
    repeated = [group for group in cuts.values() if len(group) > 1]
    for how, groups in (("file", same), ("cut", repeated), ("looks", alike)):
        for group in groups:
            found.setdefault(tuple(sorted(group)), how)
    described = []
    for ids, how in found.items():
        clips = [{key: by_id[i][key] for key in ("video_id", "gloss", "split", "signer_id")} for i in ids]
        glosses, splits = ({clip[key] for clip in clips} for key in ("gloss", "split"))
        described.append({"how": how, "glosses": len(glosses), "splits": len(splits), "clips": clips})
    return sorted(described, key=lambda group: (-group["splits"], -group["glosses"], -len(group["clips"])))


def measures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns how long, how large and how fast the clips are.

    Returns:
        seconds (of the kept range), frames_per_second, megabytes: {min, median, max, bins: [{low, high, clips}]};
        sizes: {"320x240": clips}, the most frequent first, with "others".
    """
    media = [row["media"] for row in rows]
    sizes = Counter(f"{found['width']}x{found['height']}" for found in media)
    listed = dict(sizes.most_common(_SIZES))
    if others := len(media) - sum(listed.values()):
        listed["others"] = others
    return {
        "seconds": _spread([found["end"] - found["start"] for found in media]),
        "frames_per_second": _spread([found["fps"] for found in media]),
        "megabytes": _spread([found["bytes"] / 1e6 for found in media]),
        "sizes": listed,
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"min": None, "median": None, "max": None, "bins": []}
    # The longest hundredth goes into the last bin, or it would flatten all others.
    top = float(np.percentile(values, 99))
    counts, edges = np.histogram(np.minimum(values, top), bins=_BINS)
    bins = [
        {"low": round(float(low), 3), "high": round(float(high), 3), "clips": int(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    bins[-1]["high"] = round(float(max(values)), 3)
    return {
        "min": round(float(min(values)), 3),
        "median": round(float(np.median(values)), 3),
        "max": round(float(max(values)), 3),
        "bins": bins,
    }
