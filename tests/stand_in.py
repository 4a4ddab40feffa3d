"""A tiny extractor of the same protocol as the real one, which finds in a frame whatever its colour tells it to.

Grey is a person, with a right hand where it is bright; yellow is nobody; blue is a person whose nose is no number;
cyan is somebody else, at the other side; magenta are two people, of whom it takes the left one unless there is nothing
there; red makes it die with a word; green makes it never answer. Of a person the left ankle is (number of the frame in
its clip, grey level). The file that STAND_IN_LOG names gets a line a process.
"""

import json
import os
import select
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np

SIDES, FINGERS = ("left", "right"), ("index", "middle", "ring", "little")
BODY = [
    f"{side}_{part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES
]
HAND = ["wrist", *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip"))]
HAND += [f"{finger}_{joint}" for finger in FINGERS for joint in ("mcp", "pip", "dip", "tip")]
FACE = [f"face_{part}" for part in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
KEYPOINTS = ["nose", *BODY, *(f"{side}_hand_{joint}" for side in SIDES for joint in HAND), *FACE]
SHOULDERS, WRISTS, ANKLE = slice(5, 7), slice(9, 11), 15
LEFT_HAND, RIGHT_HAND = slice(17, 38), slice(38, 59)
BRIGHT = 100


def person(number: int, level: float, width: int, height: int) -> np.ndarray:
    points = np.ones((64, 3), "<f4")
    points[:, :2] = width / 2, height / 4
    points[SHOULDERS, :2] = [(0.6 * width, height / 2), (0.4 * width, height / 2)]
    # The hands rise in the clip's second frame, and stay there.
    points[WRISTS, 1] = height / 2 if number else 2 * height
    points[ANKLE, :2] = number, level
    points[LEFT_HAND] = 0
    points[RIGHT_HAND, 2] = level > BRIGHT
    return points


def answer(frame: np.ndarray, number: int) -> np.ndarray:
    height, width = frame.shape[:2]
    level = float(frame.mean())
    red, green, blue = (bool(part > 128) for part in np.median(frame[frame.max(axis=2) > 20], axis=0))
    found = person(number, level, width, height)
    if (red, green, blue) == (True, False, False):
        sys.exit("it was red")
    if (red, green, blue) == (False, True, False):
        time.sleep(600)
    if (red, green, blue) == (True, True, False):
        found[:] = 0
    if (red, green, blue) == (False, False, True):
        found[0] = np.nan
    if (red, green, blue) == (True, False, True):
        found[:, 0] += width / 4 if frame[:, : width // 4].max() < 20 else -width / 4
    if (red, green, blue) == (False, True, True):
        found[:, 0] += 2 * width
    return found


def end_with_stdin() -> None:
    watch = select.poll()
    watch.register(sys.stdin.fileno(), 0)
    watch.poll()
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_stdin, daemon=True).start()
    if log := os.environ.get("STAND_IN_LOG"):
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()}\n")
    version = os.environ.get("STAND_IN_VERSION", "1")
    told = {"protocol": 1, "name": "stand-in", "version": version, "settings": {"depth": 2}, "keypoints": KEYPOINTS}
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(json.dumps(told).encode() + b"\n")
    sink.flush()
    number = 0
    while request := source.read(12):
        kind, width, height = struct.unpack("<III", request)
        if kind == 0:
            number = 0
            continue
        frame = np.frombuffer(source.read(width * height * 3), np.uint8).reshape(height, width, 3)
        sink.write(answer(frame, number).astype("<f4").tobytes())
        sink.flush()
        number += 1


if __name__ == "__main__":
    main()
