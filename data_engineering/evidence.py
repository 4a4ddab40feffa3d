"""What there is to see of a clip, for people: a few frames of a good one, a frame or the first bytes of a bad one."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from data_engineering.container import open_container, video_stream
from data_engineering.reasons import ClipError
from data_engineering.rows import row_clip_frames
from data_engineering.settings import PreprocessSettings
from data_engineering.sniff import check_file, sniff

WITH_A_FRAME = frozenset({"truncated", "too_short", "frozen", "black", "undecodable"})
"""Reasons under which a frame may be left to look at."""
# Reasons under which a file is not opened at all: it lies elsewhere, is none, or is beyond a limit.
_UNSEEN = {"absent", "not_a_file", "outside_root", "unreadable", "too_large"}
_THUMBNAILS, _BYTES = 5, 32


Draw = Callable[[Any], list[str]]


def show(job: tuple[Draw, Any]) -> list[str]:
    """Calls a function that draws with its argument, so that one pool of workers serves all; runs in a worker."""
    draw, argument = job
    return draw(argument)


def thumbnails(job: tuple[Mapping[str, Any], PreprocessSettings]) -> list[str]:
    """Returns a few small frames of a validated row as `data:` URIs; runs in a worker."""
    row, settings = job
    frames, _ = row_clip_frames(row, _THUMBNAILS, settings)
    return [jpeg_uri(frame) for frame in frames]


def last_frame(job: tuple[Path, int, int]) -> list[str]:
    """Returns the last frame that decodes of a broken clip, as a `data:` URI; runs in a worker.

    Args:
        job: The file, the height to show it at, and how many of its packets are tried.

    Raises:
        ClipError: Nothing decodes.
    """
    path, height, packets = job
    with open_container(path, sniff(path)) as container:
        stream = video_stream(container)
        shown: av.VideoFrame | None = None
        for count, packet in enumerate(container.demux(stream)):
            if count == packets:
                break
            try:
                decoded = packet.decode()
            except (av.FFmpegError, ValueError):
                continue
            shown = decoded[-1] if decoded else shown
        if shown is None:
            raise ClipError("no_frames", "nothing decodes")
        width = max(1, round(shown.width * height / shown.height))
        return [jpeg_uri(shown.to_ndarray(format="rgb24", width=min(width, 4 * height), height=height))]


def first_bytes(path: Path, reason: str) -> str | None:
    """Returns how a broken file begins, as text with a dot for what is no letter; None where it must not be opened."""
    if reason in _UNSEEN:
        return None
    try:
        check_file(path, max_bytes=2**62)
        with path.open("rb") as file:
            head = file.read(_BYTES)
    except (ClipError, OSError):
        return None
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in head)


def jpeg_uri(frame: np.ndarray) -> str:
    """Returns a picture, uint8 (H, W, 3) RGB, as a `data:` URI."""
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
