"""`signvlm predict`: clips → their likeliest glosses.

signvlm predict hello.mp4 --checkpoint data/wlasl/runs/internvl3_5_2b/adapter
signvlm predict clips/ --top 3 --json
find . -name '*.mp4' | signvlm predict - --checkpoint user/name --batch-size 8 --timing
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_engineering.clip import Manifests
from data_engineering.errors import RunError
from data_engineering.reasons import ClipError
from data_engineering.rows import validated_rows
from signvlm.config import Config
from signvlm.console import note
from signvlm.extraction import Extraction
from signvlm.media import REMEDIES
from signvlm.reader import FrameReader, Reader
from signvlm.recognizer import Ranking, Recognizer

TOLERANCE = 1e-3  # how far apart the bounds on a probability may be where only the best glosses are asked for


class RankedGloss(NamedTuple):
    """A gloss that a clip may show.

    Attributes:
        gloss: The gloss.
        log_prob: Natural logarithm of its probability under the model, not normalised over the glossary.
        probability: Its share among all glosses of the glossary, 0 to 1; to within 0.0005 where only the best were
            asked for; calibrated where a temperature was fitted.
    """

    gloss: str
    log_prob: float
    probability: float


@dataclass(frozen=True)
class Prediction:
    """A clip's likeliest glosses, or why there are none.

    Attributes:
        clip: The file; None for frames that came as an array.
        answers: Best first.
        error: Why there are none: `reason: detail`.
        remedy: What to do about that.
        indexed: Whether the data root's manifest told which part and which signer to look at.
        extraction_seconds: What finding the clip's key points took, for a recogniser over them; None where none had to
            be found.
    """

    clip: Path | None
    answers: tuple[RankedGloss, ...] = ()
    error: str | None = None
    remedy: str | None = None
    indexed: bool = False
    extraction_seconds: float | None = None

    def record(self) -> dict[str, Any]:
        """Returns what `--json` prints."""
        clip = None if self.clip is None else str(self.clip)
        if self.error is not None:
            return {"clip": clip, "error": self.error, "remedy": self.remedy}
        answers = [
            {"gloss": gloss, "log_prob": round(log_prob, 6), "probability": round(probability, 6)}
            for gloss, log_prob, probability in self.answers
        ]
        took = self.extraction_seconds
        return {"clip": clip, "answers": answers} | ({} if took is None else {"extraction_seconds": round(took, 3)})

    def lines(self) -> list[str]:
        """Returns what a person reads."""
        if self.error is not None:
            return [f"{self.clip}: {self.error}; {self.remedy}"]
        known = "" if self.indexed else "  (not in the data root's index: framed by what moves)"
        if self.extraction_seconds is not None:
            known = f"  (key points found in {self.extraction_seconds:.2f} s)"
        return [f"{self.clip}{known}", *(f"  {answer.probability:6.1%}  {answer.gloss}" for answer in self.answers)]


def predict(
    recognizer: Recognizer,
    config: Config,
    clips: Iterable[Path | np.ndarray],
    top: int | None = 5,
    *,
    batch_size: int = 1,
    temperature: float = 1.0,
    reader: Reader | None = None,
) -> Iterator[Prediction]:
    """Ranks the glossary for each clip, in order, as they come.

    Args:
        recognizer: Whatever answers clips.
        config: How clips are framed; its data root's manifest knows the signer's box of the clips it holds.
        clips: Files as `signvlm.media.read_clip` takes them, or uint8 (T, H, W, 3) RGB arrays; taken a batch ahead.
        top: Glosses a clip; None for all.
        batch_size: Clips answered together. The first is answered by itself, so that no one waits for a whole batch.
        temperature: Divides the log-probabilities before they become probabilities; 1 where none was fitted.
        reader: Makes clips into what the recogniser is shown; None for frames as `config` says.

    Yields:
        A prediction a clip; a file that is no clip has its error instead.

    Raises:
        ValueError: An array of another type or shape.
        RunError: The model answers with what is no number.
    """
    todo, size = iter(clips), 1
    reader = reader or FrameReader(config, Extraction(config))
    while batch := list(itertools.islice(todo, size)):
        read = [_read(clip, config, reader) for clip in batch]
        asked = [shown for shown, _ in read if shown is not None]
        best = len(recognizer.glossary) if top is None else top
        rankings = iter(recognizer.rank(asked, best, temperature=temperature, tolerance=TOLERANCE) if asked else ())
        for shown, prediction in read:
            if shown is None:
                yield prediction
            else:
                yield dataclasses.replace(prediction, answers=_answers(next(rankings)))
        size = batch_size


def _answers(ranking: Ranking) -> tuple[RankedGloss, ...]:
    if any(map(math.isnan, (*ranking.rest, *(answer.log_prob for answer in ranking.answers)))):
        raise RunError("the model's scores are not numbers: it diverged; train it anew, or use float32 (model.dtype)")
    return tuple(
        RankedGloss(gloss, log_prob, (least + most) / 2)
        for (gloss, log_prob), (least, most) in zip(ranking.answers, ranking.shares(), strict=True)
    )


def _read(clip: Path | np.ndarray, config: Config, reader: Reader) -> tuple[np.ndarray | None, Prediction]:
    """Returns what is shown of a clip (None where it is none), and the prediction so far: its name and any error."""
    if isinstance(clip, np.ndarray):
        read = reader.array(clip)
        return read.clip, Prediction(None, extraction_seconds=read.seconds)
    if "\0" in str(clip):
        return None, Prediction(clip, error="absent: no file can have this name", remedy=REMEDIES["absent"])
    row = None
    try:
        row = _known_clips(config.data.root).get(clip.resolve())
        read = reader.file(clip) if row is None else reader.row(row)
        return read.clip, Prediction(clip, indexed=row is not None, extraction_seconds=read.seconds)
    except (ClipError, OSError) as failure:  # OSError: a name too long to be looked up
        error = failure if isinstance(failure, ClipError) else ClipError("unreadable", str(failure.strerror))
        own = None if row is not None else REMEDIES.get(error.reason)
        return None, Prediction(clip, error=f"{error.reason}: {error.detail}", remedy=own or error.remedy)


def _known_clips(root: Path) -> dict[Path, dict[str, Any]]:
    manifest = Manifests(root).validated
    return _rows_by_file(root, manifest.stat().st_mtime_ns) if manifest.is_file() else {}


@functools.lru_cache(maxsize=1)
def _rows_by_file(root: Path, _written: int) -> dict[Path, dict[str, Any]]:
    """Reads the manifest once, not once a clip, as long as it stays as it is."""
    try:
        return {Path(row["video_path"]).resolve(): row for row in validated_rows(root)}
    except RunError as error:  # which boxes are known is of no matter to a file from elsewhere
        note(f"warning: {error}; every clip is framed by what moves")
        return {}
