"""Files broken on purpose, each as files break in the wild, so that the stages' refusals are exercised on every run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_engineering.synthetic.mp4 import write_mp4

_PAGE = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _page(path: Path) -> None:
    path.write_bytes(_PAGE)


def _noise(path: Path) -> None:
    size = max(path.stat().st_size // 2, 2048)
    path.write_bytes(np.random.default_rng(size).bytes(size))


def _headless(path: Path) -> None:
    """The header (moov) lost: what remains is samples nobody can find."""
    data = path.read_bytes()
    first = int.from_bytes(data[:4], "big")
    path.write_bytes(data[:first] + data[data.index(b"mdat") - 4 :])


def _stub(path: Path) -> None:
    """The download stopped after the header, before the first picture was whole."""
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 60])


def _black(path: Path) -> None:
    frames = (np.zeros((240, 320, 3), np.uint8) for _ in range(50))
    write_mp4(path, frames, fps=25, crf=28, width=320, height=240)


def _short(path: Path) -> None:
    frames = (np.full((240, 320, 3), 120, np.uint8) for _ in range(1))
    write_mp4(path, frames, fps=25, crf=28, width=320, height=240)


KINDS: dict[str, Callable[[Path], None]] = {
    "empty": _empty,
    "page": _page,
    "noise": _noise,
    "headless": _headless,
    "stub": _stub,
    "black": _black,
    "short": _short,
}
"""empty: 0 bytes; page: a site's error page; noise: random bytes; headless: no moov; stub: cut in the first picture;
black: only black frames; short: a single frame."""


def break_file(path: Path, kind: str) -> None:
    """Breaks a good mp4 in place; `kind` is one of `KINDS`."""
    KINDS[kind](path)
