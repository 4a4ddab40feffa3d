"""What follows from the number of a step: the side of the images, the learning rate, the Gaussians' width.

The network is convolutional, so that it can be trained on small images first, where a step costs a sixteenth, then on
larger ones ("progressive resizing"). At each size the learning rate rises and falls anew, for the network has to find
everything at twice the size (the restarts of Loshchilov and Hutter 2017, "SGDR", ICLR).
"""

import math

from signvlm.keypoints.settings import KeypointSettings


def sides(settings: KeypointSettings) -> list[int]:
    """Returns the side of the squares for each step: a quarter of the size first, then half of it, then all."""
    quarter = round(settings.quarter_size * settings.steps)
    half = min(round(settings.half_size * settings.steps), settings.steps - quarter)
    small = [settings.size // 4] * quarter + [settings.size // 2] * half
    return small + [settings.size] * (settings.steps - len(small))


def learning_rate(step: int, settings: KeypointSettings) -> float:
    """Returns the learning rate of a step, from 0: at each size up a straight line, then down half a cosine."""
    every = sides(settings)
    first, count = every.index(every[step]), every.count(every[step])
    rising = max(1, round(settings.warmup * count))
    at = step - first
    if at < rising:
        return settings.learning_rate * (at + 1) / rising
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (at - rising) / max(1, count - rising)))


def sigma(side: int, settings: KeypointSettings) -> float:
    """Returns the Gaussians' standard deviation in cells at a size: as wide on the body as at the full one."""
    return max(1.0, settings.sigma * side / settings.size)
