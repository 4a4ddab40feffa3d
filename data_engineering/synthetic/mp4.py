"""Frames into an mp4: h264 by PyAV's own libx264, on one thread, so that the same frames give the same bytes."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

# mbtree looks at memory that nobody wrote (seen with x264 as of PyAV 18 under presets veryfast and slower): the
# same frames gave up to five different files. superfast leaves it out; it is named for who changes the preset.
_ENCODER = {"preset": "superfast", "threads": "1", "x264-params": "mbtree=0"}


def write_mp4(path: Path, frames: Iterable[np.ndarray], *, fps: int, crf: int, width: int, height: int) -> int:
    """Encodes frames.

    Args:
        path: The file; written whole or not at all.
        frames: uint8 (height, width, 3) RGB.
        fps: Frames a second.
        crf: x264's constant rate factor (18 is near transparent, 38 poor).
        width: Pixels, even.
        height: Pixels, even.

    Returns:
        How many frames were written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        # bitexact: no library version and no date in the file. faststart: as sites serve it, header first.
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(part), "w", format="mp4", options=options) as container:
            stream = container.add_stream("libx264", rate=fps, options={"crf": str(crf), **_ENCODER})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.thread_count = 1
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
                count += 1
            container.mux(stream.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count
