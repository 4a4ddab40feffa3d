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


def save_calibration(bundle: Path, calibration: Calibration) -> None:
    """Writes calibration.json into a bundle; raises RunError when it cannot."""
    write_json(bundle / FILE, dataclasses.asdict(calibration))


def load_calibration(bundle: Path) -> Calibration | None:
    """Reads a bundle's calibration.json; None where it has none, which means a temperature of 1 that nobody fitted.

    Raises:
        RunError: The file is broken.
    """
    path = bundle / FILE
    if not path.is_file():
        return None
    told = read_json(path, _FIT_AGAIN)
    try:
        temperature, fitted_on = float(told["temperature"]), str(told["fitted_on"])
        clips, key = int(told.get("clips", 0)), str(told.get("key", ""))
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
