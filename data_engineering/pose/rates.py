"""How much of a clip an extractor found: what the health report sums up."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from data_engineering.keypoints import FACE, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.normalize import active, normalized
from data_engineering.pose.record import Pose

PARTS = ("pose", "face", "left_hand", "right_hand", "any_hand")
"""What is counted: both shoulders; a face's nose; a hand's wrist."""
COUNTED = frozenset({"frames", "active", *PARTS, "active_any_hand", "jumps"})
"""The names of `counted`'s figures."""
# The middles of two frames' bodies are further apart than this, in the clip's shoulder widths, only where the points
# have gone to somebody else: at 15 frames a second a person would have to move by 5 m a second.
_JUMP = 1.0


def counted(pose: Pose) -> dict[str, int]:
    """Counts a clip's frames by what was found in them.

    Returns:
        frames; active: those in which somebody signs; a count for each of PARTS; active_any_hand: frames of the active
        ones with a hand; jumps: times that the body is suddenly elsewhere, on another person.
    """
    found = pose.found
    hands = {"left_hand": found[:, LEFT_HAND.start], "right_hand": found[:, RIGHT_HAND.start]}
    body = found[:, SHOULDERS].all(axis=1)
    seen = {"pose": body, "face": found[:, FACE.start], **hands, "any_hand": hands["left_hand"] | hands["right_hand"]}
    points = normalized(pose.points, pose.size)
    start, end = active(points)
    middle = points[body][:, SHOULDERS, :2].mean(axis=1)
    steps = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    return {
        "frames": len(found),
        "active": end - start,
        **{part: int(seen[part].sum()) for part in PARTS},
        "active_any_hand": int(seen["any_hand"][start:end].sum()),
        "jumps": int((steps > _JUMP).sum()),
    }


def summed(clips: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """Sums the counts of clips.

    Returns:
        clips, frames; active, pose, face, left_hand, right_hand, any_hand: shares of all frames; active_any_hand: share
        of the active frames; None where there is no frame.
    """
    clips = list(clips)

    def share(part: str, of: str) -> float | None:
        total = sum(clip[of] for clip in clips)
        return round(sum(clip[part] for clip in clips) / total, 4) if total else None

    return {
        "clips": len(clips),
        "frames": sum(clip["frames"] for clip in clips),
        **{part: share(part, "frames") for part in ("active", *PARTS)},
        "active_any_hand": share("active_any_hand", "active"),
    }
