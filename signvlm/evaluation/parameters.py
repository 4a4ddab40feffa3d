"""What of a sign was recognised: by minimal pair, and by the parameters that signs are made of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.phonology_file import channels, load_phonology, minimal_pairs, rows_of
from signvlm.evaluation.intervals import interval, mean_of


def phonology_of(path: Path, glossary: Sequence[str]) -> dict[str, Any]:
    """Reads what a results file keeps of `data.phonology`.

    Returns:
        `file`; `signs` {gloss: {parameter: value}} of the glosses that it knows; `pairs` [[gloss, gloss, parameter]]
        that differ in exactly one parameter.

    Raises:
        ConfigError: The file is missing or malformed.
    """
    rows = rows_of(load_phonology(path), glossary)
    return {
        "file": path.name,
        "signs": {gloss: channels(row) for gloss, row in rows.items()},
        "pairs": [list(pair) for pair in minimal_pairs(rows)],
    }


def pair_accuracy(
    clips: Sequence[Mapping[str, Any]], pairs: Sequence[Sequence[str]], *, samples: int, seed: int
) -> dict[str, Any] | None:
    """Returns how often, of the two signs of a minimal pair, the one that was signed scored higher.

    Each clip of either sign is a forced choice between the two, whatever else the glossary holds; chance is 1/2, a tie
    is wrong, and so is an unreadable clip.

    Args:
        clips: {gloss, signer_id, exact: [{gloss, log_prob}, ...]} each.
        pairs: (gloss, gloss, the parameter in which they differ) each.
        samples: Bootstrap resamples.
        seed: Seeds them.

    Returns:
        `accuracy` over the choices and its `interval`; `by_parameter` {parameter: {choices, accuracy}}; `pairs`
        [{glosses, parameter, choices, right}], the worst first. None where no clip is of such a pair.
    """
    by_gloss: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        by_gloss[clip["gloss"]].append(index)
    scores = [_scores(clip) if clip["gloss"] in by_gloss else {} for clip in clips]
    found: list[dict[str, Any]] = []
    right: list[bool] = []
    signers: list[str] = []
    parameters: list[str] = []
    for one, other, parameter in pairs:
        choices = [
            (index, _score(scores[index], true) > _score(scores[index], false))
            for true, false in ((one, other), (other, one))
            for index in by_gloss.get(true, ())
        ]
        if choices:
            won = sum(chosen for _, chosen in choices)
            found.append({"glosses": [one, other], "parameter": parameter, "choices": len(choices), "right": won})
        right += [chosen for _, chosen in choices]
        signers += [str(clips[index]["signer_id"]) for index, _ in choices]
        parameters += [parameter] * len(choices)
    if not right:
        return None
    ends = interval(mean_of(right), signers, hits=right, samples=samples, seed=seed)
    chosen, names = np.array(right), np.array(parameters)
    return {
        "accuracy": float(chosen.mean()),
        "interval": [ends.low, ends.high],
        "by_parameter": {
            name: {"choices": int((names == name).sum()), "accuracy": float(chosen[names == name].mean())}
            for name in dict.fromkeys(parameters)
        },
        "pairs": sorted(found, key=lambda pair: (pair["right"] / pair["choices"], -pair["choices"], pair["glosses"])),
    }


def parameter_accuracy(
    truth: Sequence[str], first: Sequence[str | None], signs: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, Any]]:
    """Returns, for each parameter, how often the first answer had the true sign's value of it.

    Args:
        truth: The true glosses.
        first: The first answers, None for none. An answer that `signs` lacks has no value, and so is wrong.
        signs: {gloss: {parameter: value}}; clips of other glosses do not count.

    Returns:
        {parameter: {clips, accuracy, values: {value: {clips, accuracy}}}}, values with the fewest right first.
    """
    asked: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for gloss, answer in zip(truth, first, strict=True):
        given = signs.get(answer or "", {})
        for name, value in signs.get(gloss, {}).items():
            asked[name][value].append(given.get(name) == value)
    return {name: _by_value(values) for name, values in asked.items()}


def _by_value(values: Mapping[str, list[bool]]) -> dict[str, Any]:
    everything = [hit for hits in values.values() for hit in hits]
    rates = {value: {"clips": len(hits), "accuracy": sum(hits) / len(hits)} for value, hits in values.items()}
    return {
        "clips": len(everything),
        "accuracy": sum(everything) / len(everything),
        "values": dict(sorted(rates.items(), key=lambda item: (item[1]["accuracy"], -item[1]["clips"], item[0]))),
    }


def _scores(clip: Mapping[str, Any]) -> dict[str, float]:
    return {each["gloss"]: -np.inf if each["log_prob"] is None else each["log_prob"] for each in clip["exact"]}


def _score(scores: Mapping[str, float], gloss: str) -> float:
    return scores.get(gloss, -np.inf)
