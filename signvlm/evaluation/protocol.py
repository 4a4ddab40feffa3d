"""What the WLASL authors compute, labelled as theirs.

Source: Li et al., "Word-level Deep Sign Language Recognition from Video", WACV 2020, and the authors' repository
(dxli94/WLASL, code/I3D/test_i3d.py and datasets/nslt_dataset_all.py).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signvlm.evaluation import accuracy

DEFAULT = "default"
WLASL_OFFICIAL = "wlasl-official"
PROTOCOLS = (DEFAULT, WLASL_OFFICIAL)
_KS = (1, 5, 10)
_SUBSETS = (100, 300, 1000, 2000)


def wlasl_official(clips: Sequence[Mapping[str, Any]], rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns top-1/5/10 per instance and per class as the authors' script does.

    A clip without a file, or one that does not decode, is left out: their loader skips the one, and fails on the other.
    A gloss without a clip is left out of the mean over classes; theirs would be NaN. Raises ValueError without a clip.

    Args:
        clips: {gloss, unreadable?} each.
        rankings: Each clip's answers of the whole glossary, best first.
    """
    read = [(clip["gloss"], ranking) for clip, ranking in zip(clips, rankings, strict=True) if "unreadable" not in clip]
    truth = [gloss for gloss, _ in read]
    places = accuracy.places([ranking for _, ranking in read], [(gloss,) for gloss in truth])
    figures: dict[str, float] = {"clips": len(read)}
    for k in _KS:
        figures[f"top{k}_per_instance"] = accuracy.per_instance(accuracy.hits(places, k))
        figures[f"top{k}_per_class"] = accuracy.per_class(accuracy.hits(places, k), truth)
    return figures


def deviations(split: str, data: Mapping[str, Any], glossary_size: int, lost: int, limited: bool) -> list[str]:
    """Returns in words what keeps the figures from standing beside the authors' published ones.

    Args:
        split: The evaluated split.
        data: The configuration's `data` section. A `split` that is the authors' own file, by its name `nslt_K.json`,
            gives the subset and the official clips, as their loader takes them.
        glossary_size: Glosses that could be answered.
        lost: Indexed clips of the split that are missing or unreadable.
        limited: Whether only a sample was asked.
    """
    said = [
        "The authors' published I3D figures come from a model trained on train and validation, whose iteration was "
        "chosen on the test clips; this model was trained on train alone and chosen on validation."
    ]
    if "wlasl" not in str(data.get("index", "")).lower():
        said.append("The index is not WLASL's, so these are other clips than theirs.")
    first = re.fullmatch(r"first-([0-9]+)", str(data.get("glossary") or ""))
    own = re.fullmatch(f"nslt_({'|'.join(map(str, _SUBSETS))})[.]json", Path(str(data.get("split"))).name)
    # The glossary and the file both choose among the glosses: the fewer count.
    asked = min((int(subset[1]) for subset in (first, own) if subset), default=None)
    if (asked or glossary_size) not in _SUBSETS:
        said.append(f"{glossary_size} glosses are none of the authors' subsets ({', '.join(map(str, _SUBSETS))}).")
    if asked and asked != glossary_size:
        said.append(f"Of the {asked} glosses asked for {glossary_size} have a clip and could be answered.")
    if not (own or data.get("split") == "official") or split != "test":
        said.append(f"The clips are the {split} split of `data.split: {data.get('split')}`, not the official test.")
    if lost:
        clips = "clip of the split is" if lost == 1 else "clips of the split are"
        said.append(f"{lost} {clips} missing or unreadable and, as in the authors' script, left out.")
    if limited:
        said.append("Only a sample of the clips was asked.")
    return said
