"""Figures by group: for each gloss, for each signer. A clip's signer is "" where nobody named one."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from signvlm.evaluation import accuracy


def per_gloss(
    places: NDArray[np.int64], truth: Sequence[str], first: Sequence[str | None]
) -> dict[str, dict[str, float | int]]:
    """Returns {gloss: {clips, top1, top5, f1}} of the glosses that clips show, in alphabetical order.

    Args:
        places: (clips,) where the true gloss was answered, 0 for nowhere.
        truth: The true glosses.
        first: The first answers, None for none.
    """
    glosses = sorted(set(truth))
    labels = {gloss: index for index, gloss in enumerate(glosses)}
    f1 = f1_score(
        [labels[gloss] for gloss in truth],
        [labels.get(answer or "", accuracy.NOBODY) for answer in first],
        labels=range(len(glosses)),
        average=None,
        zero_division=0,
    )
    own = np.array([labels[gloss] for gloss in truth])
    return {gloss: {**_rates(places[own == index]), "f1": float(f1[index])} for gloss, index in labels.items()}


def count_signers(signers: Iterable[object]) -> dict[str, int]:
    """Returns how many people are named, `signers`, and how many clips name nobody, `signer_unknown`."""
    names = [str(signer) for signer in signers]
    return {"signers": len({*names} - {""}), "signer_unknown": names.count("")}


def per_signer(places: NDArray[np.int64], signers: Sequence[object]) -> dict[str, Any]:
    """Returns the least, the middle and the greatest top-1 of the signers, and {signer: {clips, top1, top5}}.

    Clips that name no signer are nobody's; without a named one the three figures are None.

    Returns:
        {min, median, max, of: {...}}, the signers with the fewest right first.
    """
    names = np.array([str(signer) for signer in signers])
    of = {str(name): _rates(places[names == name]) for name in np.unique(names) if name}
    of = dict(sorted(of.items(), key=lambda item: (item[1]["top1"], -item[1]["clips"], item[0])))
    top1 = [rates["top1"] for rates in of.values()]
    if not top1:
        return {"min": None, "median": None, "max": None, "of": {}}
    return {"min": min(top1), "median": median(top1), "max": max(top1), "of": of}


def _rates(places: NDArray[np.int64]) -> dict[str, float | int]:
    return {
        "clips": int(places.size),
        "top1": accuracy.per_instance(accuracy.hits(places, 1)),
        "top5": accuracy.per_instance(accuracy.hits(places, 5)),
    }
