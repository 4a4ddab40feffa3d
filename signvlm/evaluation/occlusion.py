"""Which frames mattered: by how much an answer's log-odds fall when one frame is blanked.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2, in time
instead of in space. What a blank is, the clips say: `SplitClips.blanked`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from data_engineering.reasons import ClipError
from signvlm.calibration import log_shares
from signvlm.evaluation.clips import SplitClips
from signvlm.recognizer import Recognizer


def drops(
    recognizer: Recognizer, shown: np.ndarray, blanked: Sequence[np.ndarray], gloss: str, batch_size: int
) -> NDArray[np.float64]:
    """Returns float64 (N,): by how much the gloss's log-odds within the glossary fall, in nats, blank by blank.

    Log-odds, log(p / (1 - p)), because the probability of a sure answer hardly moves whatever is blanked.

    Args:
        recognizer: Whatever scores a glossary.
        shown: The clip.
        blanked: N clips, each of them without one frame or part of it.
        gloss: The answer to explain, one of the glossary.
        batch_size: Clips scored at once.
    """
    asked = [shown, *blanked]
    scores = [
        row
        for start in range(0, len(asked), batch_size)
        for row in recognizer.log_probs(asked[start : start + batch_size])
    ]
    shares = log_shares(scores)
    own = recognizer.glossary.index(gloss)
    odds = shares[:, own] - logsumexp(np.delete(shares, own, axis=1), axis=1)
    return odds[0] - odds[1:]


def explain(
    recognizer: Recognizer,
    clips: SplitClips,
    answered: Sequence[Mapping[str, Any]],
    *,
    count: int,
    batch_size: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Explains the first answers to a seeded draw of clips.

    Args:
        recognizer: Whatever scores a glossary.
        clips: The split.
        answered: Clips with their `exact` answers.
        count: How many to draw.
        batch_size: Clips scored at once.
        seed: Seeds the draw.

    Returns:
        {clip_id, answer, drops: [nats a frame]} each.
    """
    drawn = np.random.default_rng(seed).permutation(len(answered))[:count]
    place = {clip["clip_id"]: index for index, clip in enumerate(clips)}
    explained = []
    for clip in (answered[index] for index in sorted(drawn)):
        answer = clip["exact"][0]["gloss"]
        try:
            shown = clips.shown(place[clip["clip_id"]])
        except ClipError:
            continue  # gone since it was answered
        fallen = drops(recognizer, shown, clips.blanked(shown), answer, batch_size)
        explained.append({"clip_id": clip["clip_id"], "answer": answer, "drops": [round(float(x), 4) for x in fallen]})
    return explained
