"""A signer who is small in a large frame is found by motion, whatever else changes in the picture."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_engineering.crop import Box, signer_box, window
from data_engineering.motion_crop import motion_box
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.survey import survey
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

WIDTH, HEIGHT, TALL, AT = 960, 540, 180, (520, 260)
SETTINGS = PreprocessSettings()
SIGNS = ("EAT", "HEARING", "BOOK")

Frames = list[np.ndarray]
Film = tuple[Frames, Box, np.ndarray]


@pytest.fixture(scope="module", params=SIGNS)
def film(request: pytest.FixtureRequest) -> Film:
    """An avatar a third as high as a 960 x 540 frame at about 15 frames a second, its box, and its hands and head."""
    signer = Signer.sample(np.random.default_rng(SIGNS.index(request.param)))
    recording, frames = record(load_signs()[request.param], signer, seed=1)
    step = max(1, round(recording.fps / 15))
    scale = TALL / recording.height
    wall = np.random.default_rng(0).integers(60, 200, (27, 48, 3)).astype(np.uint8)
    wall = cv2.resize(wall, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    placed = []
    for frame in list(frames)[::step]:
        small = cv2.resize(frame, (round(recording.width * scale), TALL), interpolation=cv2.INTER_AREA)
        picture = wall.copy()
        picture[AT[1] : AT[1] + TALL, AT[0] : AT[0] + small.shape[1]] = small
        placed.append(picture)
    corner = np.array(AT * 2)
    points = recording.keypoints[recording.keypoints[..., 3] > 0][:, :2] * scale + AT
    left, top, right, bottom = (float(value) for value in np.array(recording.bbox) * scale + corner)
    return placed, (left, top, right, bottom), points


def as_they_are(frames: Frames) -> Frames:
    return frames


def noisy(frames: Frames) -> Frames:
    rng = np.random.default_rng(1)
    return [np.clip(frame + rng.normal(0, 10, frame.shape), 0, 255).astype(np.uint8) for frame in frames]


def flickering(frames: Frames) -> Frames:
    """A lamp at the mains' frequency: 6 % brighter and darker."""
    return [
        np.clip(frame * (1 + 0.06 * np.sin(2.1 * index)), 0, 255).astype(np.uint8) for index, frame in enumerate(frames)
    ]


def shaking(frames: Frames) -> Frames:
    rng = np.random.default_rng(2)
    shifts = [np.array([[1, 0, x], [0, 1, y]], np.float32) for x, y in rng.normal(0, 2.5, (len(frames), 2))]
    return [
        cv2.warpAffine(frame, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        for frame, shift in zip(frames, shifts, strict=True)
    ]


def small(frames: Frames) -> np.ndarray:
    return np.stack(
        [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (128, 72), interpolation=cv2.INTER_AREA) for f in frames]
    )


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    shared = across * max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def check(found: Box, film: Film, least: float) -> None:
    _, box, points = film
    shown = window(found, WIDTH, HEIGHT, 1.0, SETTINGS)
    inside = ((points >= shown[:2]) & (points <= shown[2:])).all(axis=1).mean()
    assert inside >= 0.98
    assert overlap(shown, window(box, WIDTH, HEIGHT, 1.0, SETTINGS)) >= least


@pytest.mark.parametrize("change", [as_they_are, noisy, flickering, shaking])
def test_a_small_signer_is_found_with_head_and_hands(change: Callable[[Frames], Frames], film: Film) -> None:
    found = motion_box(small(change(film[0])))
    assert found is not None
    left, top, right, bottom = found
    check((left * WIDTH, top * HEIGHT, right * WIDTH, bottom * HEIGHT), film, least=0.5)


def test_a_poorly_encoded_file_whose_box_is_the_whole_frame_is_cropped_by_motion(film: Film, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, film[0], fps=15, crf=36, width=WIDTH, height=HEIGHT)
    media = survey(
        path,
        frame_start=1,
        frame_end=-1,
        fps=25,
        trimmed=True,
        validate=ValidateSettings(),
        preprocess=SETTINGS,
    )
    box, notes = signer_box((0, 0, WIDTH, HEIGHT), media.motion, media.width, media.height, SETTINGS)
    assert box is not None
    check(box, film, least=0.5)
    assert [note.partition(":")[0] for note in notes] == ["cropped by motion"]


def test_both_arms_count_and_the_head_above_hands_alone() -> None:
    """Two regions far apart, as in 62964; and hands that leave the head out, as in 60308."""
    pictures = np.full((16, 72, 128), 120, np.uint8)
    for index in range(16):
        pictures[index, 40 + index % 4 : 52 + index % 4, 40:48] = 220
        pictures[index, 40 + index % 4 : 52 + index % 4, 70:78] = 220
    left, top, right, bottom = motion_box(pictures) or (0, 0, 0, 0)
    assert left <= 40 / 128
    assert right >= 78 / 128
    assert bottom >= 54 / 72
    assert (bottom - top) * 72 >= (right - left) * 128


@pytest.mark.parametrize("kind", ["still", "noise", "cut", "clock"])
def test_where_nothing_moves_or_everything_does_there_is_no_box(kind: str) -> None:
    rng = np.random.default_rng(0)
    wall = rng.integers(40, 220, (72, 128))
    pictures = np.repeat(wall[None], 16, axis=0)
    if kind == "noise":
        pictures = pictures + rng.normal(0, 6, pictures.shape)
    if kind == "cut":
        pictures[8:] = rng.integers(40, 220, (72, 128))
    if kind == "clock":
        pictures[::2, 3:5, 120:123] = 255
    assert motion_box(np.clip(pictures, 0, 255).astype(np.uint8)) is None


def test_the_same_pictures_give_the_same_box_and_one_picture_gives_none() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (9, 40, 60)).astype(np.uint8)
    pictures[:, :30] = 100
    assert motion_box(pictures) == motion_box(pictures.copy())
    assert motion_box(pictures[:1]) is None


@pytest.mark.parametrize(
    ("crop", "bbox", "motion", "expected", "note"),
    [
        ("bbox", (100, 100, 500, 540), (1, 2, 3, 4), (100, 100, 500, 540), None),
        ("bbox", (0, 0, 960, 540), (200, 100, 500, 400), (200, 100, 500, 400), "cropped by motion"),
        ("bbox", None, (200, 100, 500, 400), (200, 100, 500, 400), "cropped by motion"),
        ("bbox", (0, 0, 960, 540), None, (0, 0, 960, 540), "nothing to crop to"),
        ("bbox", None, None, None, "nothing to crop to"),
        ("motion", (100, 100, 500, 540), (200, 100, 500, 400), (200, 100, 500, 400), "cropped by motion"),
        ("motion", (100, 100, 500, 540), None, None, "nothing to crop to"),
        ("full", (100, 100, 500, 540), (200, 100, 500, 400), None, None),
    ],
)
def test_motion_stands_in_for_a_box_that_tells_nothing(crop, bbox, motion, expected, note) -> None:
    box, notes = signer_box(bbox, motion, 960, 540, PreprocessSettings(crop=crop))
    assert box == expected
    assert [said.partition(":")[0] for said in notes] == ([note] if note else [])
