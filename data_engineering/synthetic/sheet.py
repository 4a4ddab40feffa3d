"""Contact sheets of the avatar: `python -m data_engineering.synthetic.sheet [--sign GLOSS ...] [--out DIR]`.

A sheet a sign (signers down, the clip across), a sheet a signer (`--signer N`: every sign's stroke), and without either
three of everything: signs, signers, handshapes. The signs are ASL-LIKE and simplified: a measuring instrument, not
teaching material; every sheet says so.
"""

import argparse
import dataclasses
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from data_engineering.synthetic.clips import render_clip
from data_engineering.synthetic.hand import HANDSHAPES
from data_engineering.synthetic.phonology import Sign, describe
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from data_engineering.synthetic.timing import PHASES, timing

NOTICE = (
    "ASL-like, simplified signs of an avatar: a measuring instrument, not ASL and not teaching material. "
    "No Deaf signer has reviewed them."
)
_MARGIN, _TITLE, _CAPTION = 8, 54, 22

Picture = tuple[str, np.ndarray]
"""A caption, and uint8 (H, W, 3) RGB."""


def sheet(title: str, rows: list[list[Picture]]) -> np.ndarray:
    """Lays out captioned pictures.

    Args:
        title: Printed on top, above the notice.
        rows: Of captioned pictures, all of one size.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    height, width = rows[0][0][1].shape[:2]
    columns = max(len(row) for row in rows)
    page = np.full((_TITLE + len(rows) * (height + _CAPTION), _MARGIN + columns * (width + _MARGIN), 3), 250, np.uint8)
    _write(page, title, (_MARGIN, 22), 0.6, (20, 20, 24))
    _write(page, NOTICE, (_MARGIN, 42), 0.42, (110, 110, 116))
    for down, row in enumerate(rows):
        for across, (caption, picture) in enumerate(row):
            top, left = _TITLE + down * (height + _CAPTION), _MARGIN + across * (width + _MARGIN)
            page[top : top + height, left : left + width] = picture
            _write(page, caption, (left + 2, top + height + 15), 0.40, (60, 60, 66))
    return page


def _write(page: np.ndarray, text: str, place: tuple[int, int], size: float, color: tuple[int, int, int]) -> None:
    cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def sign_sheet(sign: Sign, signers: int, num_frames: int = 8, size: int = 200) -> np.ndarray:
    """A sign by signers 0, 1, ...: a row each, the clip from left to right, with the phase below each frame."""
    words = ", ".join(f"{key} {value}" for key, value in describe(sign).items())
    rows = []
    for number in range(signers):
        filmed = _filmed(sign, number, number, num_frames, size)
        first, picture = filmed[0]
        rows.append([(f"{_name(number)}: {first}", picture), *filmed[1:]])
    return sheet(f"{sign.gloss}: {words}", rows)


def signer_sheet(signs: dict[str, Sign], number: int, columns: int = 4, size: int = 128) -> np.ndarray:
    """One signer in the strokes of signs: the first, the middle and the last frame that a model would see of each."""
    cells = []
    for place, sign in enumerate(signs.values()):
        filmed = _filmed(sign, number, place, 12, size)
        stroke = [picture for phase, picture in filmed if phase == "stroke"]
        shown = [stroke[0], stroke[len(stroke) // 2], stroke[-1]]
        cells.append([(sign.gloss if at == 0 else "", picture) for at, picture in enumerate(shown)])
    rows = [list(chain(*cells[start : start + columns])) for start in range(0, len(cells), columns)]
    return sheet(f"{_name(number)} in the strokes of {len(signs)} signs", rows)


def signers_sheet(sign: Sign, count: int, columns: int = 6, size: int = 240) -> np.ndarray:
    """Many signers at mid-stroke of one sign."""
    pictures = [(_name(number), _filmed(sign, number, number, 3, size)[1][1]) for number in range(count)]
    return sheet(f"Signers, in mid-stroke of {sign.gloss}", _wrap(pictures, columns))


def signs_sheet(signs: dict[str, Sign], columns: int = 10, size: int = 176) -> np.ndarray:
    """Every sign at mid-stroke, each by another signer."""
    pictures = [(sign.gloss, _filmed(sign, n, n, 3, size)[1][1]) for n, sign in enumerate(signs.values())]
    return sheet(f"{len(signs)} signs in mid-stroke", _wrap(pictures, columns))


def handshapes_sheet(columns: int = 6, size: int = 220) -> np.ndarray:
    """Every handshape, palm to the viewer and back to the viewer, cut close."""
    pictures = []
    for number, shape in enumerate(HANDSHAPES):
        for palm in ("forward", "back"):
            sign = Sign("", shape=shape, location="high", contact="palm", palm=palm)
            signer = dataclasses.replace(_signer(number), yaw=0.0, roll=0.0, noise=0.0, habit=(0, 0, 0), crf=18)
            frames, points = render_clip(sign, signer, 0, num_frames=3, size=3 * size)
            hand = points[1, 18:60].reshape(2, 21, 3)[int(signer.right_handed), :, :2].mean(axis=0) * 3 * size
            x, y = (int(np.clip(value - size / 2, 0, 2 * size)) for value in hand)
            pictures.append((f"{shape}, palm {palm}", frames[1, y : y + size, x : x + size]))
    return sheet("Handshapes", _wrap(pictures, columns))


def _signer(number: int) -> Signer:
    return Signer.sample(np.random.default_rng([7, number]))


def _name(number: int) -> str:
    return f"signer {number}" if _signer(number).right_handed else f"signer {number} (left-handed)"


def _filmed(sign: Sign, number: int, seed: int, num_frames: int, size: int) -> list[Picture]:
    """A clip's frames as the pipeline samples them, each under its phase."""
    signer = _signer(number)
    frames, _ = render_clip(sign, signer, seed, num_frames=num_frames, size=size)
    # The clip's own timing: the first thing that its seed draws.
    when = timing(sign, signer, np.random.default_rng(seed))
    centres = (np.arange(num_frames) + 0.5) * (when.duration / num_frames)
    times = np.floor(centres * signer.fps) / signer.fps
    return [(PHASES[phase], frame) for phase, frame in zip(when.phases(times), frames, strict=True)]


def _wrap(pictures: list[Picture], columns: int) -> list[list[Picture]]:
    return [pictures[start : start + columns] for start in range(0, len(pictures), columns)]


def main(arguments: list[str] | None = None) -> None:
    """Writes the sheets as PNG files."""
    parser = argparse.ArgumentParser(
        prog="python -m data_engineering.synthetic.sheet", description="Contact sheets of the avatar.", epilog=NOTICE
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sign", nargs="+", metavar="GLOSS", default=[], help="these signs of params/signs.yaml")
    which.add_argument("--all-signs", action="store_true", help="every sign")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--signers", type=int, default=6, metavar="N", help="a sheet a sign, N signers down (default: 6)")
    who.add_argument("--signer", type=int, metavar="N", help="one sheet, of signer N")
    parser.add_argument("--out", type=Path, default=Path("avatar-sheets"), help="folder (default: avatar-sheets)")
    given = parser.parse_args(arguments)
    signs = load_signs()
    for gloss in given.sign:
        if gloss not in signs:
            parser.error(f"--sign: {gloss} is not in params/signs.yaml; there are {', '.join(signs)}")
    if given.signers < 1 or (given.signer or 0) < 0:
        parser.error("--signers starts at 1, --signer at 0")
    every = given.all_signs or (given.signer is not None and not given.sign)
    chosen = signs if every else {gloss: signs[gloss] for gloss in given.sign}
    given.out.mkdir(parents=True, exist_ok=True)
    if given.signer is not None:
        pages = {f"signer_{given.signer}": signer_sheet(chosen, given.signer)}
    elif chosen:
        pages = {f"sign_{gloss}": sign_sheet(sign, given.signers) for gloss, sign in chosen.items()}
    else:
        pages = {
            "handshapes": handshapes_sheet(),
            "signers": signers_sheet(signs["FATHER"], 24),
            "signs": signs_sheet(signs),
        }
    for name, page in pages.items():
        path = given.out / f"{name}.png"
        cv2.imwrite(str(path), cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
        print(path)


if __name__ == "__main__":
    main()
