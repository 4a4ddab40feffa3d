"""What follows from the number of a step: the learning rate, and the side of the images."""

import math

from signvlm.keypoints.settings import KeypointSettings


def learning_rate(step: int, settings: KeypointSettings) -> float:
    """Returns the learning rate of a step, from 0: up a straight line, then down half a cosine to nothing."""
    rising = max(1, round(settings.warmup * settings.steps))
    if step < rising:
        return settings.learning_rate * (step + 1) / rising
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, settings.steps - rising)))


def sides(settings: KeypointSettings) -> list[int]:
    """Returns the side of the squares for each step: half the size first, as far as `half_size` says."""
    small = round(settings.half_size * settings.steps)
    return [settings.size // 2] * small + [settings.size] * (settings.steps - small)
