"""The process that finds key points in frames, and the pipe to it.

An extractor is a program of its own, in an environment of its own: it reads frames on stdin and writes key points to
stdout, in the protocol that `extractor_protocol.py` describes. It ends with whoever started it.
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self, TypeVar, cast

import numpy as np

from data_engineering.keypoints import KEYPOINTS
from data_engineering.reasons import ClipError

if sys.platform == "linux":
    import fcntl

Result = TypeVar("Result")

_PROTOCOL = 1
_REQUEST = struct.Struct("<III")
_CLIP, _FRAME = 0, 1
_ANSWER = len(KEYPOINTS) * 3 * 4
# The longest first line that is read, bytes.
_HELLO_BYTES = 65_536
# Bytes that wait in the pipe; Linux lets anybody have so many.
_PIPE = 1024**2
# Seconds: to start (MediaPipe takes 3 on an idle machine), and for one frame (it takes 0.05).
_START, _STALL = 120.0, 60.0


@dataclass(frozen=True)
class Model:
    """A file that an extractor's wheel does not carry.

    Attributes:
        url: Where it is fetched.
        sha256: Of its bytes.
    """

    url: str
    sha256: str


@dataclass(frozen=True)
class Program:
    """An extractor: which program, and what it says that it is.

    Attributes:
        script: A Python script with inline metadata (PEP 723), from which uv makes its environment.
        name: What the program calls itself.
        version: Of the library that it runs.
        settings: What that library is told.
        model: What it needs beside its environment.
        python: The interpreter to run it with; None for the environment's.
        arguments: What it is called with.
    """

    script: Path
    name: str
    version: str
    settings: dict[str, Any] = field(default_factory=dict)
    model: Model | None = None
    python: str | None = None
    arguments: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """What key points were made by, as their file tells it; others are stale."""
        return {"name": self.name, "version": self.version, "settings": self.settings}


HOLISTIC = Program(
    Path(__file__).with_name("extractor_mediapipe.py"),
    "mediapipe-holistic",
    "0.10.21",
    {"model_complexity": 1, "min_detection_confidence": 0.5, "min_tracking_confidence": 0.5},
)
"""MediaPipe's Holistic with the models that its wheel carries."""

_TASK = Model(
    "https://storage.googleapis.com/mediapipe-models/holistic_landmarker/holistic_landmarker/float16/1/"
    "holistic_landmarker.task",
    "e2dab61191e2dcd0a15f943d8e3ed1dce13c82dfa597b9dd39f562975a50c3f8",
)
HOLISTIC_TASK = Program(
    Path(__file__).with_name("extractor_mediapipe_tasks.py"),
    "mediapipe-tasks-holistic",
    "1.2.2",
    {"model": _TASK.sha256[:12]},
    model=_TASK,
)
"""Newer MediaPipe's Holistic Landmarker; its model file is fetched once."""


class Extractor:
    """A running extractor.

    Args:
        program: Which; its `python` must be known (`environment.prepared`).

    Raises:
        ClipError: crashed, if it does not start or is another than it should be.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own script, no shell
                [program.python or sys.executable, "-I", str(program.script), *program.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                env=os.environ | {"GLOG_minloglevel": "2", "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        except OSError as error:
            self._words.close()
            raise ClipError("crashed", f"the extractor does not start: {error.strerror or error}") from error
        self._sink, self._source = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        if sys.platform == "linux":
            # A frame of 1280 x 720 is 43 times as large as a pipe is at first; each filling takes a turn of both ends.
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._sink.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        try:
            self._check(self._within(_START, self._hello))
        except BaseException:
            self.close()
            raise

    def points(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Finds the key points of a clip.

        Args:
            frames: uint8 (H, W, 3) RGB, in order; taken while the extractor is busy with the one before.

        Yields:
            float32 (64, 3) a frame: x, y in pixels, and a score from 0 to 1; all zero where nothing was found.

        Raises:
            ClipError: crashed or timeout; the process is of no use any more.
        """
        self._within(_STALL, self._send, _REQUEST.pack(_CLIP, 0, 0))
        busy = False
        for frame in frames:
            # Given before the answer to the one before is read, so that the extractor never waits for either.
            self._within(_STALL, self._send, *_packed(frame))
            if busy:
                yield self._within(_STALL, self._answer)
            busy = True
        if busy:
            yield self._within(_STALL, self._answer)

    def close(self) -> None:
        """Ends the process."""
        for stream in (self._sink, self._source):
            with contextlib.suppress(OSError):  # what was left to write has nobody to read it
                stream.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _within(self, seconds: float, function: Callable[..., Result], *arguments: Any) -> Result:
        """Calls a function that waits for the extractor, which is killed if that takes too long."""
        watch = threading.Timer(seconds, self._process.kill)
        watch.start()
        try:
            return function(*arguments)
        except (EOFError, OSError) as error:
            if watch.finished.is_set():
                raise ClipError("timeout", f"the extractor gave no answer within {seconds:g} s") from error
            raise ClipError("crashed", f"the extractor ended: {self._last_words()}") from error
        finally:
            watch.cancel()

    def _send(self, *parts: bytes | memoryview) -> None:
        for part in parts:
            self._sink.write(part)
        self._sink.flush()

    def _answer(self) -> np.ndarray:
        answer = self._source.read(_ANSWER)
        if len(answer) < _ANSWER:
            raise EOFError
        points = np.frombuffer(answer, "<f4").reshape(-1, 3).astype(np.float32)
        # An extractor is not believed: what is no number was not found, and a score is a share.
        points[~np.isfinite(points).all(axis=1) | (points[:, 2] <= 0)] = 0
        np.minimum(points[:, 2], 1, out=points[:, 2])
        return points

    def _hello(self) -> bytes:
        line = self._source.readline(_HELLO_BYTES)
        if not line:
            raise EOFError
        return line

    def _check(self, line: bytes) -> None:
        """Refuses an extractor of another protocol, version or order of points."""
        try:
            told = json.loads(line)
            same = {name: told[name] for name in ("name", "version", "settings")} == self._program.identity
            same = same and told["protocol"] == _PROTOCOL and told["keypoints"] == list(KEYPOINTS)
        except (ValueError, TypeError, KeyError):
            same = False
        if not same:
            raise ClipError("crashed", f"{self._program.script.name} is another extractor than {self._program.name}")

    def _last_words(self) -> str:
        status = self._process.wait()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - 2000))
        lines = [line.strip() for line in self._words.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else f"status {status}"


def _packed(frame: np.ndarray) -> tuple[bytes, memoryview]:
    height, width = frame.shape[:2]
    return _REQUEST.pack(_FRAME, width, height), np.ascontiguousarray(frame).data.cast("B")
