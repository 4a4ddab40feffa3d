"""What a reader wants out of an evaluation's clips: who is confused with whom, who fails, which clips are worth a look.

Pure functions over what evaluation_results.json holds, so that any figure can be rebuilt from that file alone.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from signvlm.calibration import log_shares
from signvlm.evaluation.answers import glosses_of, log_probs_of, scored

MODES = ("exact", "beam_constrained", "beam")  # the first one present is the one a report looks into
CONFUSIONS = 6
PICKED = 6


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one clip on disk went, in the mode looked into.

    Attributes:
        clip_id: The clip.
        gloss: Its true gloss.
        signer_id: Who signs.
        answers: The first answers, best first: (gloss, its share of the glossary's probability, after temperature
            scaling where a temperature was fitted; None for a beam's).
        rank: 1-based place of the true gloss, None if it was not answered.
        share: The true gloss's share of the glossary's probability; None for a beam's.
        others: The first answers of the other modes, {mode: glosses}.
        unreadable: Why the file could not be read, or "".
    """

    clip_id: str
    gloss: str
    signer_id: str
    answers: tuple[tuple[str, float | None], ...]
    rank: int | None
    share: float | None
    others: Mapping[str, tuple[str, ...]]
    unreadable: str

    @property
    def right(self) -> bool:
        """Whether the first answer is the true gloss."""
        return self.rank == 1


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of a gloss's or a signer's clips were right, and their most frequent wrong answer."""

    name: str
    right: int
    clips: int
    mistaken: str

    @property
    def fraction(self) -> float:
        """Right clips of all its clips."""
        return self.right / self.clips


@dataclass(frozen=True, slots=True)
class Confusion:
    """Two glosses taken for each other.

    Attributes:
        pair: The two glosses, the one more often mistaken first.
        mistakes: How often the first was taken for the second, and the second for the first.
        shown: For each a clip worth looking at: a mistaken one, else any; None where the split has none.
    """

    pair: tuple[str, str]
    mistakes: tuple[int, int]
    shown: tuple[Outcome | None, Outcome | None]


def looked_into(modes: Sequence[str]) -> str:
    """Returns the mode whose clips a report shows."""
    return next((mode for mode in MODES if mode in modes), modes[0])


def outcomes(results: Mapping[str, Any], mode: str, shown: int = 5) -> list[Outcome]:
    """Returns every clip on disk as an Outcome of one mode, in the file's order."""
    others = [each for each in results["modes"] if each != mode]
    fitted = results["calibration"]
    temperature = fitted["temperature"] if fitted else 1.0
    return [_outcome(clip, mode, others, shown, temperature) for clip in results["clips"]]


def _outcome(clip: Mapping[str, Any], mode: str, others: Sequence[str], shown: int, temperature: float) -> Outcome:
    given = clip[mode]
    glosses = glosses_of(given)
    shares: list[float | None] = [None] * len(given)
    if scored(given):
        shares = np.exp(log_shares(log_probs_of(given), temperature)).tolist()
    rank = glosses.index(clip["gloss"]) + 1 if clip["gloss"] in glosses else None
    return Outcome(
        clip_id=clip["clip_id"],
        gloss=clip["gloss"],
        signer_id=str(clip["signer_id"]),
        answers=tuple(zip(glosses, shares, strict=True))[:shown],
        rank=rank,
        share=shares[rank - 1] if rank else (0.0 if scored(given) else None),
        others={each: tuple(glosses_of(clip[each]))[:shown] for each in others},
        unreadable=clip.get("unreadable", ""),
    )


def rates(clips: Sequence[Outcome], name: Callable[[Outcome], str]) -> list[Rate]:
    """Returns how each group went, the worst first (of equal ones the larger); `name` says which group a clip is of."""
    groups = defaultdict(list)
    for clip in clips:
        groups[name(clip)].append(clip)
    found = []
    for key, members in groups.items():
        wrong = Counter(clip.answers[0][0] for clip in members if clip.answers and not clip.right)
        mistaken = wrong.most_common(1)[0][0] if wrong else ""
        found.append(Rate(key, sum(clip.right for clip in members), len(members), mistaken))
    return sorted(found, key=lambda rate: (rate.fraction, -rate.clips, rate.name))


def confusions(clips: Sequence[Outcome], most: int = CONFUSIONS) -> list[Confusion]:
    """Returns the pairs of glosses most often taken for each other, in either direction."""
    mistakes = Counter((clip.gloss, clip.answers[0][0]) for clip in clips if clip.answers and not clip.right)
    both = Counter({pair: mistakes[pair] + mistakes[pair[::-1]] for pair in mistakes})
    pairs: list[tuple[str, str]] = []
    for pair, _ in sorted(both.items(), key=lambda item: (-item[1], -mistakes[item[0]], item[0])):
        if pair[::-1] not in pairs:
            pairs.append(pair)
    return [
        Confusion(pair, (mistakes[pair], mistakes[pair[::-1]]), (_example(clips, *pair), _example(clips, *pair[::-1])))
        for pair in pairs[:most]
    ]


def _example(clips: Sequence[Outcome], gloss: str, mistaken: str) -> Outcome | None:
    """Returns a clip of the gloss: one taken for `mistaken` if there is any, else a right one, else another."""
    own = [clip for clip in clips if clip.gloss == gloss and clip.answers]
    return min(own, key=lambda clip: (clip.answers[0][0] != mistaken, not clip.right), default=None)


def picked(clips: Sequence[Outcome], seed: int, most: int = PICKED) -> dict[str, list[Outcome]]:
    """Returns clips worth a look, none twice.

    `worst`: wrong, the true gloss deepest down; `best`: right, the surest first; `sample`: a seeded draw from the rest,
    because the extremes show no typical clip.
    """
    answered = [clip for clip in clips if clip.answers]
    wrong = sorted((clip for clip in answered if not clip.right), key=_depth, reverse=True)
    right = sorted((clip for clip in answered if clip.right), key=lambda clip: -(clip.share or 0.0))
    rest = wrong[most:] + right[most:]
    drawn = np.random.default_rng(seed).permutation(len(rest))[:most]
    return {"worst": wrong[:most], "best": right[:most], "sample": [rest[index] for index in drawn]}


def _depth(clip: Outcome) -> tuple[float, float]:
    return (float("inf") if clip.rank is None else clip.rank, -(clip.share or 0.0))
