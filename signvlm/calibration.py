"""What turns a glossary's scores into probabilities that can be believed: calibration.json of an adapter bundle.

`signvlm eval` fits one number, the temperature, on validation clips (Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017, section 4.2) and leaves it in the bundle; whoever shows a probability divides the scores by it.
"""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from data_engineering.clip import read_json, write_json
from data_engineering.errors import RunError
from signvlm.recognizer import RULED_OUT

FILE = "calibration.json"
_FIT_AGAIN = "remove it, and `signvlm eval` fits it again"


@dataclass(frozen=True)
class Uncalibrated:
    """Why there is no temperature.

    Attributes:
        reason: In words, as it follows `no temperature was fitted:`.
        fitted_on: In words, which clips were tried; "" for none.
        clips: How many clips that were.
        key: As a Calibration's.
    """

    reason: str
    fitted_on: str = ""
    clips: int = 0
    key: str = ""


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature.

    Attributes:
        temperature: Above 0; log-probabilities are divided by it, then normalised over the glossary. Above 1 the
            model was too sure of itself, below 1 not sure enough.
        fitted_on: In words, e.g. `95 validation clips`.
        clips: How many clips that were.
        key: Identifies the weights and settings that gave the scores; "" where nobody checks.
    """

    temperature: float
    fitted_on: str
    clips: int = 0
    key: str = ""


def save_calibration(bundle: Path, calibration: Calibration | Uncalibrated) -> None:
    """Writes calibration.json into a bundle, with no temperature where none was found; RunError when it cannot."""
    temperature = {"temperature": None} if isinstance(calibration, Uncalibrated) else {}
    write_json(bundle / FILE, temperature | dataclasses.asdict(calibration))


def load_calibration(bundle: Path) -> Calibration | None:
    """Reads a bundle's temperature; None where it has none, which means one of 1 that nobody fitted.

    Raises:
        RunError: The file is broken.
    """
    found = read_calibration(bundle)
    return found if isinstance(found, Calibration) else None


def read_calibration(bundle: Path) -> Calibration | Uncalibrated | None:
    """Reads a bundle's calibration.json: the temperature, or why there is none; None where nobody tried.

    Raises:
        RunError: The file is broken.
    """
    path = bundle / FILE
    if not path.is_file():
        return None
    told = read_json(path, _FIT_AGAIN)
    try:
        fitted_on, clips, key = str(told["fitted_on"]), int(told.get("clips", 0)), str(told.get("key", ""))
        if told["temperature"] is None:
            return Uncalibrated(str(told["reason"]), fitted_on, clips, key)
        temperature = float(told["temperature"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise RunError(f"{path}: not {{temperature, fitted_on}}; {_FIT_AGAIN}") from error
    if not (math.isfinite(temperature) and temperature > 0):
        raise RunError(f"{path}: temperature {temperature} is no number above 0; {_FIT_AGAIN}")
    return Calibration(temperature, fitted_on, clips, key)


def log_shares(log_probs: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Returns float64 (..., G): the logarithm of each gloss's probability within the glossary.

    Args:
        log_probs: (..., G) scores of every gloss; minus infinity for one that the model rules out.
        temperature: What the scores are divided by.
    """
    scores = np.maximum(np.asarray(log_probs, dtype=np.float64), RULED_OUT)
    return log_softmax(scores / temperature, axis=-1)
