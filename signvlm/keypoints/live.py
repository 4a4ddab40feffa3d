"""`signvlm keypoints live`: key points over a camera's picture, in a window or into an mp4 file."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_engineering.errors import ConfigError
from data_engineering.synthetic.mp4 import write_mp4
from signvlm.keypoints.overlay import draw
from signvlm.keypoints.predict import Finder

_TITLE = "signvlm keypoints: q ends"
_FPS, _CRF = 25, 23  # of the mp4 where the camera does not say, and its quality
_ENDS = {ord("q"), 27}  # 27: Escape


@dataclass(frozen=True)
class Watched:
    """What was seen.

    Attributes:
        frames: How many.
        rate: Of them a second, reading and drawing included.
        points: Points a frame at or above the threshold, on average.
    """

    frames: int
    rate: float
    points: float


def live(finder: Finder, camera: str, *, threshold: float, out: Path | None, seconds: float | None) -> Watched:
    """Draws what is found in a camera's frames until `q`, the end of the recording, or the time is up.

    Args:
        finder: The detector.
        camera: A camera's number, or a video file.
        threshold: Points of a lower score are left out.
        out: An mp4 file to write; None shows a window.
        seconds: How long; None without end.

    Raises:
        ConfigError: The camera gives no picture, or this OpenCV has no windows.
        OSError: The file cannot be written.
    """
    if out is None:
        check_windows()
    capture = cv2.VideoCapture(int(camera) if camera.isdecimal() else camera)
    try:
        good, first = capture.read()
        if not good:
            what = "camera" if camera.isdecimal() else "video"
            raise ConfigError(f"--camera {camera}: this {what} gives no picture; name another number, or a video file")
        height, width = (side - side % 2 for side in first.shape[:2])  # h264 wants even ones
        counts: list[int] = []
        started = time.perf_counter()

        def drawn() -> Iterator[np.ndarray]:
            for frame in itertools.chain([first], _frames(capture)):
                image = cv2.cvtColor(frame[:height, :width], cv2.COLOR_BGR2RGB)
                points = finder.find(image)
                counts.append(int((points[:, 2] >= threshold).sum()))
                yield draw(image, points, threshold)
                if seconds is not None and time.perf_counter() - started >= seconds:
                    return

        if out is not None:
            fps = round(capture.get(cv2.CAP_PROP_FPS)) or _FPS
            write_mp4(out, drawn(), fps=fps, crf=_CRF, width=width, height=height)
        else:
            _show(drawn())
    finally:
        capture.release()
    return Watched(len(counts), len(counts) / (time.perf_counter() - started), float(np.mean(counts)))


def check_windows() -> None:
    """Makes sure that this OpenCV can open a window.

    Raises:
        ConfigError: It is a headless one.
    """
    try:
        cv2.namedWindow(_TITLE)
    except cv2.error as error:
        raise ConfigError(
            "this OpenCV has no windows (opencv-python-headless, or no display); give --out FILE.mp4, or install "
            "opencv-python in its place"
        ) from error


def _frames(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while True:
        good, frame = capture.read()
        if not good:
            return
        yield frame


def _show(pictures: Iterator[np.ndarray]) -> None:
    try:
        for picture in pictures:
            cv2.imshow(_TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            if cv2.waitKey(1) & 0xFF in _ENDS or cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
                return
    finally:
        cv2.destroyAllWindows()
