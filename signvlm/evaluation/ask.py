"""Ask a recogniser about clips, batch by batch, in every way of answering; what is answered is kept at once."""

import time
from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
from tqdm import tqdm

from data_engineering.errors import RunError
from data_engineering.reasons import ClipError
from signvlm.console import note
from signvlm.evaluation import accuracy
from signvlm.evaluation.answers import ExactAnswers
from signvlm.evaluation.clips import SplitClips
from signvlm.evaluation.partial import Partial
from signvlm.memory import peak_memory, reset_peak
from signvlm.recognizer import Recognizer


def ask(
    recognizer: Recognizer,
    clips: SplitClips,
    indices: Sequence[int],
    modes: Sequence[str],
    partial: Partial,
    *,
    batch_size: int,
    progress: bool,
    title: str,
) -> list[dict[str, Any]]:
    """Asks about the clips that `partial` does not have yet.

    Args:
        recognizer: Whatever answers clips.
        clips: The split.
        indices: Which of them.
        modes: Ways of answering, of the recogniser's own.
        partial: Where answers are kept.
        batch_size: Clips asked at once.
        progress: Whether to show a progress bar on stderr.
        title: The bar's name.

    Returns:
        A record a clip, in the order of `indices`: {clip_id, mode: answers, ...}, with {mode: seconds a clip} under
        "seconds" and {mode: bytes} under "memory"; or {clip_id, unreadable} where the file does not decode any more.

    Raises:
        RunError: A score that is not a number; a full disk.
    """
    left = [index for index in indices if clips[index]["clip_id"] not in partial.records]
    if len(left) < len(indices):
        note(f"going on: {len(indices) - len(left)} of {len(indices)} clips were answered before, {len(left)} remain")
    with tqdm(
        total=len(indices), initial=len(indices) - len(left), desc=title, unit="clip", disable=not progress
    ) as bar:
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            partial.add(_batch(recognizer, clips, batch, modes))
            bar.update(len(batch))
    return [partial.records[clips[index]["clip_id"]] for index in indices]


def _batch(
    recognizer: Recognizer, clips: SplitClips, indices: Sequence[int], modes: Sequence[str]
) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    shown: list[tuple[dict[str, Any], np.ndarray]] = []
    for index in indices:
        record: dict[str, Any] = {"clip_id": clips[index]["clip_id"]}
        records.append(record)
        try:
            shown.append((record, clips.shown(index)))
        except ClipError as error:
            record["unreadable"] = f"{error.reason}: {error.detail}"
    if not shown:
        return records
    for record, _ in shown:
        record |= {"seconds": {}, "memory": {}}
    asked = [each for _, each in shown]
    for mode in modes:
        reset_peak()
        started = time.perf_counter()
        answers = answers_in(recognizer, asked, mode, [record["clip_id"] for record, _ in shown])
        seconds = (time.perf_counter() - started) / len(shown)
        for (record, _), given in zip(shown, answers, strict=True):
            record[mode] = given
            record["seconds"][mode] = round(seconds, 6)
            record["memory"][mode] = peak_memory()[0]
    return records


def answers_in(
    recognizer: Recognizer, clips: Sequence[np.ndarray], mode: str, clip_ids: Sequence[str]
) -> Sequence[Sequence[Any]]:
    """Returns each clip's answers as the results file holds them, best first.

    With their scores for `exact`, else the glosses, duplicates merged.

    Raises:
        RunError: A score is not a number.
    """
    glossary = recognizer.glossary
    if mode != "exact":
        given = recognizer.answer(clips, mode)
        for clip_id, answers in zip(clip_ids, given, strict=True):
            _check_numbers(clip_id, [answer.gloss for answer in answers], [answer.log_prob for answer in answers])
        return [accuracy.canonical((answer.gloss for answer in answers), glossary) for answers in given]
    found: list[ExactAnswers] = []
    for clip_id, scores in zip(clip_ids, recognizer.log_probs(clips), strict=True):
        _check_numbers(clip_id, glossary, scores.tolist())
        found.append(ExactAnswers.of_scores(glossary, scores))
    return found


def _check_numbers(clip_id: str, glosses: Sequence[str], scores: Sequence[float]) -> None:
    for gloss, score in zip(glosses, scores, strict=True):
        if isnan(score):
            raise RunError(f"{clip_id}: the score of {gloss!r} is not a number; the model diverged, train it anew")
