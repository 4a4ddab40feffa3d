"""What a network over key points is given of a frame: places, hands about their own wrists, velocities, what was found.

Everything is computed inside the network, from shoulder-normalised points alone, so that an exported network takes the
same points as the one that was trained.
"""

import torch

from data_engineering.keypoints import BODY, KEYPOINTS, LEFT_HAND, RIGHT_HAND

BODY_POINTS = tuple(index for index, name in enumerate(KEYPOINTS[BODY]) if not name.endswith(("hip", "knee", "ankle")))
"""The body's points that sign: head and arms. Hips and legs are out of most pictures, and say nothing."""

HANDS = (LEFT_HAND, RIGHT_HAND)
HAND_JOINTS = LEFT_HAND.stop - LEFT_HAND.start
HAND_SCALE = 2.0  # a hand is about half a shoulder width long: about its wrist it is brought to the body's size
_SPEED = 4.0  # what moves fast goes about a quarter of a shoulder width in a 15th of a second


def split(points: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns places (B, T, 64, 2) and presence (B, T, 64), both zero where a point was not found and in padding.

    Args:
        points: float32 (B, T, 64, 3) as `data_engineering.pose.normalize.normalized` returns them.
        mask: float32 (B, T): 1 for a frame, 0 for padding.
    """
    found = (points[..., 2] > 0).to(points.dtype) * mask[..., None]
    return points[..., :2] * found[..., None], found


def velocity(places: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """Returns central differences in time, zero where a neighbour was not found and at both ends.

    Args:
        places: (B, T, K, 2).
        found: (B, T, K), 0 or 1.

    Returns:
        (B, T, K, 2), about -1 to 1.
    """
    ends = torch.zeros_like(places[:, :1])
    both = (found[:, 2:] * found[:, :-2])[..., None]
    inner = (places[:, 2:] - places[:, :-2]) * both * (_SPEED / 2)
    return torch.cat([ends, inner, ends], dim=1)[:, : places.shape[1]]


def hand(places: torch.Tensor, found: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns a hand's joints about its wrist, (B, T, 21, 2), about -1 to 1, and which of them were found (B, T, 21).

    Both hands come as a left one: the right hand's x is turned round, so that one network reads either.

    Args:
        places: (B, T, 64, 2) as `split` returns them.
        found: (B, T, 64).
        side: 0 for the left hand, 1 for the right one.
    """
    part = HANDS[side]
    known = found[..., part] * found[..., part.start : part.start + 1]
    about = (places[..., part, :] - places[..., part.start : part.start + 1, :]) * known[..., None] * HAND_SCALE
    turn = torch.tensor([1.0 - 2.0 * side, 1.0], dtype=about.dtype, device=about.device)
    return about * turn, known
