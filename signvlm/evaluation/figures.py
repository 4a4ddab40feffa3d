"""From what an evaluation asked and was answered to its figures: a pure function of what the results file holds."""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signvlm.evaluation import accuracy
from signvlm.evaluation.answers import glosses_of
from signvlm.evaluation.breakdown import count_signers, per_gloss, per_signer
from signvlm.evaluation.intervals import Interval, Sums, interval, macro_f1_of, mean_of
from signvlm.evaluation.parameters import pair_accuracy, parameter_accuracy
from signvlm.evaluation.protocol import WLASL_OFFICIAL, wlasl_official
from signvlm.evaluation.ranking_metric import KS, RankingMetric
from signvlm.evaluation.reliability import reliability, scores_of
from signvlm.evaluation.synonyms import Synonyms


def summarise(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns {mode: figures}, every fraction between 0 and 1; docs/evaluation_results.md names each.

    Args:
        data: What evaluation_results.json holds, `summary` aside.
    """
    return {mode: _figures(data, mode) for mode in data["modes"]}


def _figures(data: Mapping[str, Any], mode: str) -> dict[str, Any]:
    clips, glossary = data["clips"], data["glossary"]
    ranked = mode == "exact"
    settings = data["run"]["evaluation"]
    drawn = {"samples": settings["bootstrap_samples"], "seed": settings["seed"]}
    truth = [clip["gloss"] for clip in clips]
    signers = [str(clip["signer_id"]) for clip in clips]
    rankings = [glosses_of(clip[mode]) for clip in clips]
    given = [ranking for ranking in rankings if ranking]
    first = [ranking[0] if ranking else None for ranking in rankings]
    places = accuracy.places(rankings, [(gloss,) for gloss in truth])
    figures: dict[str, Any] = _accuracies(truth, places, first, ranked=ranked)
    intervals = _intervals(truth, places, first, signers, ranked=ranked, drawn=drawn)

    counts = _counts(data)
    top1_all = None
    if counts["limited"] is None:
        # What a sample says about the clips that nobody has is nothing.
        everyone = [*signers, *(str(clip["signer_id"]) for clip in data["missing"])]
        right = np.concatenate([accuracy.hits(places, 1), np.zeros(len(data["missing"]), dtype=bool)])
        top1_all = accuracy.per_instance(right)
        intervals["top1_all"] = interval(mean_of(right), everyone, **drawn)
    chance = {f"top{k}": min(k, len(glossary)) / len(glossary) for k in KS}
    figures |= {
        "top1_all": top1_all,
        "intervals": {name: [each.low, each.high] for name, each in intervals.items()},
        "interval_methods": {name: each.method for name, each in intervals.items()},
        "chance": chance,
        "above_chance": intervals["top1"].low > chance["top1"],
        "out_of_glossary": accuracy.out_of_glossary(given, glossary),
        "out_of_glossary_top1": accuracy.out_of_glossary([ranking[:1] for ranking in given], glossary),
        "classes": len(set(truth)),
        "classes_without_clips": accuracy.without_clips(glossary, truth),
        "glosses_outside_glossary": sorted(set(truth) - set(glossary)),
        "synonym_aware": _synonym_aware(data, truth, rankings, signers, drawn),
        "per_signer": per_signer(places, signers),
        "per_gloss": per_gloss(places, truth, first),
        "calibration": _calibration(data) if ranked else None,
        "minimal_pairs": None,
        "parameters": None,
        "protocol": None,
    }
    if data["phonology"]:
        figures["parameters"] = parameter_accuracy(truth, first, data["phonology"]["signs"])
        if ranked:
            figures["minimal_pairs"] = pair_accuracy(clips, data["phonology"]["pairs"], **drawn)
    if ranked and data["protocol"] == WLASL_OFFICIAL and given:
        figures["protocol"] = wlasl_official(clips, rankings)
    return {**figures, **counts, **_cost(data, mode), **count_signers(signers)}


def _accuracies(
    truth: Sequence[str], places: NDArray[np.int64], first: Sequence[str | None], *, ranked: bool
) -> dict[str, float | None]:
    """The plain figures; what needs more answers than a beam gives is None unless the whole glossary is ranked."""
    classes = {gloss: index for index, gloss in enumerate(sorted(set(truth)))}
    with tempfile.TemporaryDirectory() as cache:  # it makes itself a folder, and keeps nothing there
        figures: dict[str, float | None] = RankingMetric(keep_in_memory=True, cache_dir=cache).compute(
            references=[classes[gloss] for gloss in truth],
            places=places.tolist(),
            answers=[classes.get(answer or "", accuracy.NOBODY) for answer in first],
        )
    if not ranked:
        figures |= dict.fromkeys(("top10", "per_class_top10", "mean_rank", "mrr"))
    return figures


def _intervals(
    truth: Sequence[str],
    places: NDArray[np.int64],
    first: Sequence[str | None],
    signers: Sequence[str],
    *,
    ranked: bool,
    drawn: Mapping[str, int],
) -> dict[str, Interval]:
    classes = {gloss: index for index, gloss in enumerate(sorted(set(truth)))}
    figures: dict[str, Sums] = {}
    for k in KS if ranked else KS[:2]:
        figures[f"top{k}"] = mean_of(accuracy.hits(places, k))
        figures[f"per_class_top{k}"] = mean_of(accuracy.hits(places, k), truth)
    answers = [classes.get(answer or "", accuracy.NOBODY) for answer in first]
    figures["macro_f1"] = macro_f1_of([classes[gloss] for gloss in truth], answers)
    if ranked:
        figures["mrr"] = mean_of(accuracy.reciprocal(places))
    return {name: interval(sums, signers, **drawn) for name, sums in figures.items()}


def _synonym_aware(
    data: Mapping[str, Any],
    truth: Sequence[str],
    rankings: Sequence[Sequence[str]],
    signers: Sequence[str],
    drawn: Mapping[str, int],
) -> dict[str, Any] | None:
    """The same figures where a synonym of the true gloss is right, too; None where the glossary has no synonyms."""
    groups = data["synonyms"]["groups"]
    if not groups:
        return None
    synonyms = Synonyms(tuple(map(tuple, groups)))
    places = accuracy.places(rankings, [synonyms.accepted(gloss) for gloss in truth])
    figures: dict[str, Any] = {"clips": sum(len(synonyms.accepted(gloss)) > 1 for gloss in truth), "intervals": {}}
    for k in (1, 5):
        right = accuracy.hits(places, k)
        for name, value, sums in (
            (f"top{k}", accuracy.per_instance(right), mean_of(right)),
            (f"per_class_top{k}", accuracy.per_class(right, truth), mean_of(right, truth)),
        ):
            ends = interval(sums, signers, **drawn)
            figures[name] = value
            figures["intervals"][name] = [ends.low, ends.high]
    return figures


def _calibration(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Reliability before and after temperature scaling; None where no clip was answered."""
    scores, truth = scores_of(data["clips"], data["glossary"])
    if not len(scores):
        return None
    fitted = data["calibration"]
    return {
        "temperature": fitted and fitted["temperature"],
        "fitted_on": fitted and fitted["fitted_on"],
        "not_calibrated": data.get("not_calibrated"),
        "uncalibrated": reliability(scores, truth),
        "calibrated": reliability(scores, truth, fitted["temperature"]) if fitted else None,
    }


def _counts(data: Mapping[str, Any]) -> dict[str, Any]:
    asked, on_disk, missing = len(data["clips"]), data["on_disk"], len(data["missing"])
    unreadable = data["unreadable"]
    return {
        "clips": asked,
        "on_disk": on_disk,
        "unreadable": unreadable,
        "missing": missing,
        "coverage": (on_disk - unreadable) / (on_disk + missing),
        "limited": f"{asked} of {on_disk}" if asked < on_disk else None,
    }


def _cost(data: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Seconds a clip (a batch's, shared among its clips) and the most memory in use."""
    seconds = data["timing"][mode]
    return {
        "seconds": sum(seconds),
        "seconds_per_clip": sum(seconds) / max(1, len(seconds)),
        "latency": {"median": float(np.median(seconds)), "p95": float(np.quantile(seconds, 0.95))} if seconds else None,
        "peak_memory_bytes": data["memory"]["bytes"].get(mode),
        "peak_memory_of": data["memory"]["of"],
    }
