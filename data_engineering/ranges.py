"""Which part of a file is the sign: the index's frames at its own clock, against the length that the file has."""

import math

from data_engineering.reasons import ClipError

# So much may be missing at a clip's end: containers promise up to 3 frames more than decode.
_SLACK_FRAMES, _SLACK_SHARE = 3, 0.05


def plan_range(
    duration: float, frame_start: int, frame_end: int, fps: float, trimmed: bool
) -> tuple[float, float, str | None]:
    """Decides which part of a file is the sign, from the index and the file's length.

    Args:
        duration: Of the file, seconds.
        frame_start: First frame of the sign, 1-indexed at `fps`.
        frame_end: Last frame at `fps`, -1 for the end of the file.
        fps: The clock of the two (WLASL: 25, whatever the file's rate), frames a second.
        trimmed: The file is already cut.

    Returns:
        Start and end in seconds (infinity: to the end of the file), and a note where something was decided.
    """
    whole = (0.0, math.inf)
    length = duration * fps
    first = max(frame_start, 1)
    if trimmed or (first == 1 and frame_end < 0):
        return *whole, None
    if frame_end < 0:
        if length > first:
            return (
                (first - 1) / fps,
                math.inf,
                f"cut to the index's range: from frame {first} of {length:.0f} to the end",
            )
        return *whole, f"whole file used: the index begins at frame {first}, the file has {length:.0f}"
    wanted = frame_end - first + 1
    spare = slack(wanted)
    if wanted > 0 and length >= frame_end - spare and length > first:
        if first == 1 and length <= frame_end + spare:
            return *whole, None
        return (
            (first - 1) / fps,
            frame_end / fps,
            f"cut to the index's range: frames {first}-{frame_end} of {length:.0f}",
        )
    if abs(length - wanted) <= 2 * spare:
        return *whole, f"already cut: {length:.0f} frames, the index's range has {wanted}"
    return *whole, f"whole file used: the index says frames {first}-{frame_end}, the file has {length:.0f}"


def slack(frames: int) -> float:
    """Returns how many of so many frames may be missing or damaged: a note, and no reason to refuse a clip."""
    return max(_SLACK_FRAMES, _SLACK_SHARE * frames)


def missing(decoded: int, expected: int) -> list[str]:
    """Returns a note where a few frames are missing at the end.

    Raises:
        ClipError: truncated, where many are.
    """
    absent = expected - decoded
    if absent > slack(expected):
        raise ClipError("truncated", f"{decoded} of {expected} frames decode")
    return [f"frames missing at the end: {absent} of {expected}"] if absent > 0 else []
