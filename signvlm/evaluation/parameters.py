"""What of a sign was recognised: by minimal pair, and by the parameters that signs are made of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.phonology_file import channels, load_phonology, minimal_pairs, rows_of
from signvlm.evaluation.answers import glosses_of, log_probs_of
from signvlm.evaluation.intervals import interval, ratio_of, value_of


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
    is wrong, and so is an unreadable clip. A clip is as many choices as its sign has pairs, which hang together.

    Args:
        clips: {gloss, signer_id, exact: [{gloss, log_prob}, ...]} each.
        pairs: (gloss, gloss, the parameter in which they differ) each.
        samples: Bootstrap resamples.
        seed: Seeds them.

    Returns:
        `accuracy` over the choices and its `interval`; `by_parameter` {parameter: {choices, accuracy}}; `pairs`
        [{glosses, parameter, choices, right}], the worst first. None where no clip is of such a pair.
    """
    others: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, (one, other, _) in enumerate(pairs):
        others[one].append((number, other))
        others[other].append((number, one))
    shown = [clip for clip in clips if clip["gloss"] in others]
    if not shown:
        return None
    choices, right = np.zeros(len(pairs), dtype=np.int64), np.zeros(len(pairs), dtype=np.int64)
    won = []
    for clip in shown:
        scores = dict(zip(glosses_of(clip["exact"]), log_probs_of(clip["exact"]).tolist(), strict=True))
        numbers, against = zip(*others[clip["gloss"]], strict=True)
        own = scores.get(clip["gloss"], -np.inf)
        chosen = np.array([own > scores.get(gloss, -np.inf) for gloss in against])
        choices[[*numbers]] += 1
        right[[*numbers]] += chosen
        won.append(int(chosen.sum()))
    # A sign of ten pairs is ten choices of one clip: what is drawn for the interval is the clip with all of them.
    figure = ratio_of(won, [len(others[clip["gloss"]]) for clip in shown])
    ends = interval(figure, [str(clip["signer_id"]) for clip in shown], samples=samples, seed=seed)
    asked = [number for number in range(len(pairs)) if choices[number]]
    parameters = np.array([parameter for _, _, parameter in pairs])
    found = [
        {
            "glosses": [*pairs[number][:2]],
            "parameter": pairs[number][2],
            "choices": int(choices[number]),
            "right": int(right[number]),
        }
        for number in asked
    ]
    return {
        "accuracy": value_of(figure),
        "interval": [ends.low, ends.high],
        "by_parameter": {
            name: {
                "choices": int(choices[parameters == name].sum()),
                "accuracy": float(right[parameters == name].sum() / choices[parameters == name].sum()),
            }
            for name in dict.fromkeys(pairs[number][2] for number in asked)
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
