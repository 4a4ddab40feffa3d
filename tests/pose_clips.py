"""Clips whose colours tell the stand-in extractor what to find, and that extractor."""

import sys
import time
from pathlib import Path

import numpy as np
import psutil
from clips import write_clip

from data_engineering.pose.extractor import Program
from data_engineering.settings import PreprocessSettings, ValidateSettings

STAND_IN = Path(__file__).with_name("stand_in.py")
COLOURS = {
    "person": (150, 150, 150),
    "no hand": (80, 80, 80),
    "nobody": (180, 180, 40),
    "no number": (40, 40, 180),
    "somebody else": (40, 180, 180),
    "a pair": (180, 40, 180),
    "dies": (180, 40, 40),
    "hangs": (40, 180, 40),
}
PERSON = ("person",) * 5
SMALL = PreprocessSettings(size=32, num_frames=4, workers=1)
LIMITS = ValidateSettings(workers=1)
PROGRAM = Program(STAND_IN, "stand-in", "1", {"depth": 2}, python=sys.executable)
"""A real process that speaks the protocol."""


def coloured(*kinds: str) -> list[np.ndarray]:
    """A frame a kind, uint8 (48, 64, 3), each a little brighter than the one before, so that it is no still."""
    return [
        np.clip(np.full((48, 64, 3), COLOURS[kind]) + number, 0, 255).astype(np.uint8)
        for number, kind in enumerate(kinds)
    ]


def write_kinds(path: Path, *kinds: str, **more: object) -> Path:
    """A clip of 10 frames a second whose frames have the colours of these kinds."""
    frames = coloured(*kinds)
    frames[-1][:8, :8] = 255  # something moves
    return write_clip(path, frames=len(frames), rate=10, paint=lambda index: frames[index], **more)  # type: ignore[arg-type]


def gone(number: int, seconds: float = 20) -> bool:
    """Whether a process has ended, or does within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False
