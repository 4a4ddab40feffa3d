"""When a clip's phases begin and end: rest, preparation, stroke, retraction, rest."""

from dataclasses import dataclass

import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.signer import Signer

PHASES = ("rest", "preparation", "stroke", "retraction")
# Seconds. Eight frames over a clip of about 2.9 s see a repeat of this length at least twice.
_MIN_STROKE, _SECONDS_PER_REPEAT = 1.0, 0.88


@dataclass(frozen=True, slots=True)
class Timing:
    """When a clip's phases begin and end, in seconds."""

    preparation: float
    stroke: float
    retraction: float
    rest: float
    duration: float

    def phases(self, times: Array) -> Array:
        """Returns the index into `PHASES` at each time."""
        bounds = [0.0, self.preparation, self.stroke, self.retraction, self.rest]
        return np.array([0, 1, 2, 3, 0])[np.searchsorted(bounds, times, side="right") - 1]

    def progress(self, times: Array) -> tuple[Array, Array]:
        """Returns (u, w): the stroke's progress and the weight of the signing pose against rest, both 0..1."""
        u = np.clip((times - self.stroke) / (self.retraction - self.stroke), 0, 1)
        up = ease((times - self.preparation) / (self.stroke - self.preparation))
        down = ease((times - self.retraction) / (self.rest - self.retraction))
        return u, up * (1 - down)


def ease(x: Array) -> Array:
    """Minimum-jerk progress (Flash & Hogan 1985): 10x^3 - 15x^4 + 6x^5 on [0, 1]."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x * x)


def timing(sign: Sign, signer: Signer, rng: np.random.Generator) -> Timing:
    """Draws a clip's timing: longer strokes for repeats, all of it at the signer's pace."""
    pace = signer.speed * rng.uniform(0.92, 1.08)
    stroke = max(_MIN_STROKE, _SECONDS_PER_REPEAT * sign.repeats) * rng.uniform(0.97, 1.1)
    lengths = np.array([rng.uniform(0.03, 0.15), 0.45 / pace, stroke / pace, 0.45 / pace, rng.uniform(0.03, 0.15)])
    return Timing(*(float(value) for value in np.cumsum(lengths)))
