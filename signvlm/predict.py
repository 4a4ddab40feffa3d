"""`signvlm predict`: clips → their likeliest glosses.

signvlm predict hello.mp4 --checkpoint data/wlasl/runs/internvl3_5_2b/adapter
signvlm predict clips/*.mp4 --top 3 --json
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.clip import Manifests
from data_engineering.frames import row_frames
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row, validated_rows
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.video import clip_frames, survey
from signvlm.config import Config
from signvlm.recognizer import Answer, Recognizer


@dataclass(frozen=True)
class Prediction:
    """A clip's likeliest glosses.

    Attributes:
        clip: The file.
        answers: Best first, with the log-probability under the model.
        probabilities: Each answer's share among all glosses of the glossary; not calibrated.
        error: Why there are none: `reason: detail`.
        indexed: Whether the data root's manifest told which part and which signer to look at.
    """

    clip: Path
    answers: tuple[Answer, ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str | None = None
    indexed: bool = False

    def record(self) -> dict[str, Any]:
        """Returns what `--json` prints."""
        if self.error is not None:
            return {"clip": str(self.clip), "error": self.error}
        answers = [
            {"gloss": answer.gloss, "log_prob": round(answer.log_prob, 6), "probability": round(share, 6)}
            for answer, share in zip(self.answers, self.probabilities, strict=True)
        ]
        return {"clip": str(self.clip), "answers": answers}

    def lines(self) -> list[str]:
        """Returns what a person reads."""
        if self.error is not None:
            return [f"{self.clip}: {self.error}"]
        ranked = zip(self.answers, self.probabilities, strict=True)
        known = "" if self.indexed else "  (not in the data root's index: the whole frame is shown)"
        return [f"{self.clip}{known}", *(f"  {share:6.1%}  {answer.gloss}" for answer, share in ranked)]


def predict(recognizer: Recognizer, config: Config, clips: Sequence[Path], top: int = 5) -> Iterator[Prediction]:
    """Ranks the glossary for each clip, one at a time, in order.

    Args:
        recognizer: Whatever answers clips.
        config: How clips are framed; its data root's manifest knows the signer's box of the clips it holds.
        clips: The files.
        top: Glosses a clip.

    Yields:
        A prediction a clip; a file that is no clip has its error instead.
    """
    known = _known_clips(config.data.root)
    for clip in clips:
        row = known.get(clip.resolve())
        try:
            if row is not None:
                frames = row_frames(decode_row(row, config.preprocess))
            else:
                frames = read_clip(clip, config.preprocess, config.validate_)
        except ClipError as error:
            yield Prediction(clip, error=f"{error.reason}: {error.detail}")
            continue
        [answers] = recognizer.answer([frames], "exact")
        total = np.logaddexp.reduce([answer.log_prob for answer in answers])
        probabilities = tuple(math.exp(answer.log_prob - total) for answer in answers[:top])
        yield Prediction(clip, tuple(answers[:top]), probabilities, indexed=row is not None)


def read_clip(path: Path, preprocess: PreprocessSettings, limits: ValidateSettings) -> np.ndarray:
    """Reads a file that no index describes: all of it, black ends cut, the whole frame.

    Returns:
        uint8 (num_frames, S, S, 3) RGB.

    Raises:
        ClipError: The file is no clip that decodes.
    """
    media = survey(path, frame_start=1, frame_end=-1, fps=25.0, trimmed=True, validate=limits, preprocess=preprocess)
    frames, _ = clip_frames(
        path,
        bbox=None,
        start=media.start,
        end=media.end,
        num_frames=preprocess.num_frames,
        preprocess=preprocess,
    )
    return frames


def _known_clips(root: Path) -> dict[Path, dict[str, Any]]:
    manifest = Manifests(root).validated
    if not manifest.is_file():
        return {}
    return {Path(row["video_path"]).resolve(): row for row in validated_rows(root)}
