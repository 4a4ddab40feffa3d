"""Contact sheets of the avatar: `python -m data_engineering.synthetic.sheet --out DIR`.

One sheet a sign (signers down, the clip across), one of signers, one of handshapes, one of all signs at mid-stroke. The
signs are ASL-LIKE and simplified: a measuring instrument, not teaching material; every sheet says so.
"""

import argparse
import dataclasses
from pathlib import Path

import cv2
import numpy as np

from data_engineering.synthetic.clips import render_clip
from data_engineering.synthetic.hand import HANDSHAPES
from data_engineering.synthetic.phonology import Sign, describe
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

NOTICE = "ASL-like, simplified signs of an avatar: a measuring instrument, not teaching material."
_MARGIN, _TITLE, _CAPTION = 8, 54, 22


def sheet(title: str, rows: list[list[tuple[str, np.ndarray]]]) -> np.ndarray:
    """Lays out captioned pictures.

    Args:
        title: Printed on top, above the notice.
        rows: Of (caption, uint8 (H, W, 3)), all pictures of one size.

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


def sign_sheet(sign: Sign, signers: list[Signer], num_frames: int = 8, size: int = 200) -> np.ndarray:
    """A sign by several signers, the clip from left to right."""
    words = ", ".join(f"{key} {value}" for key, value in describe(sign).items())
    rows = []
    for number, signer in enumerate(signers):
        frames, _ = render_clip(sign, signer, number, num_frames=num_frames, size=size)
        rows.append([("", frame) for frame in frames])
    return sheet(f"{sign.gloss}: {words}", rows)


def signers_sheet(sign: Sign, count: int, columns: int = 6, size: int = 240) -> np.ndarray:
    """Many signers at mid-stroke of one sign."""
    pictures = []
    for number in range(count):
        frames, _ = render_clip(sign, _signer(number), number, num_frames=3, size=size)
        pictures.append((f"signer {number}", frames[1]))
    return sheet(f"Signers, in mid-stroke of {sign.gloss}", _wrap(pictures, columns))


def signs_sheet(signs: dict[str, Sign], columns: int = 10, size: int = 176) -> np.ndarray:
    """Every sign at mid-stroke."""
    pictures = []
    for number, sign in enumerate(signs.values()):
        frames, _ = render_clip(sign, _signer(number), number, num_frames=3, size=size)
        pictures.append((sign.gloss, frames[1]))
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


def _wrap(pictures: list[tuple[str, np.ndarray]], columns: int) -> list[list[tuple[str, np.ndarray]]]:
    return [pictures[start : start + columns] for start in range(0, len(pictures), columns)]


def main() -> None:
    """Writes the sheets as PNG files."""
    parser = argparse.ArgumentParser(description="Contact sheets of the avatar.", epilog=NOTICE)
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--signs", nargs="*", metavar="GLOSS", help="sheets of these signs only (default: all)")
    out = parser.parse_args().out
    wanted = parser.parse_args().signs
    signs = load_signs()
    out.mkdir(parents=True, exist_ok=True)
    pages = {
        f"sign_{gloss}": sign_sheet(signs[gloss], [_signer(number) for number in range(4)])
        for gloss in (signs if wanted is None else wanted)
    }
    if wanted is None:
        pages |= {
            "handshapes": handshapes_sheet(),
            "signers": signers_sheet(signs["FATHER"], 24),
            "signs": signs_sheet(signs),
        }
    for name, page in pages.items():
        cv2.imwrite(str(out / f"{name}.png"), cv2.cvtColor(page, cv2.COLOR_RGB2BGR))
    print(f"{len(pages)} sheets in {out}")


if __name__ == "__main__":
    main()
