"""Key points of a dataset's own made a clip's own: its frames, pixels and signer; or refused with the reason."""

import numpy as np
import pytest
from foreign_files import standing

from data_engineering.pose.foreign import Foreign, fitted, one_person
from data_engineering.pose.wholebody import picked
from data_engineering.reasons import ClipError


def person(frames: int, size: tuple[int, int] = (64, 48), at: float = 0.0) -> np.ndarray:
    """Somebody, `at` pixels right of the middle: (T, 1, 64, 3)."""
    points = picked(standing(range(133), frames, size))  # type: ignore[arg-type]
    points[..., 0] += at
    return points


def row(**media: object) -> dict:
    """A clip of 50 frames at 25 a second, of which frames 10 to 39 are kept."""
    usual = {"width": 64, "height": 48, "pixel_aspect": 1.0, "fps": 25.0, "duration": 2.0, "frames": 30}
    return {"bbox": None, "media": {**usual, "start": 0.4, "end": 1.6, **media}}


def refused(foreign: Foreign, clip: dict | None = None) -> str:
    with pytest.raises(ClipError) as error:
        fitted(foreign, clip or row())
    return str(error.value)


@pytest.mark.parametrize("fps", [25.0, 24.0, None])
def test_a_file_of_the_whole_clip_is_cut_to_its_kept_range(fps: float | None) -> None:
    pose = fitted(Foreign(person(50), (64, 48), fps), row())
    assert len(pose.points) == 30
    assert pose.times == pytest.approx(0.4 + np.arange(30) / 25, abs=1e-6)
    assert pose.points[0, 0, 1] == pytest.approx(24 + 1.0)  # frame 10
    assert pose.size == (64, 48)


@pytest.mark.parametrize("fps", [25.0, None])
def test_a_file_of_the_kept_range_alone_begins_there(fps: float | None) -> None:
    pose = fitted(Foreign(person(30), (64, 48), fps), row())
    assert len(pose.points) == 30
    assert pose.times == pytest.approx(0.4 + np.arange(30) / 25, abs=1e-6)
    assert pose.points[0, 0, 1] == pytest.approx(24)


def test_a_file_at_another_rate_keeps_its_own() -> None:
    pose = fitted(Foreign(person(25), (64, 48), 12.5), row())
    assert pose.times == pytest.approx(0.4 + np.arange(15) / 12.5, abs=1e-6)


def test_a_file_of_another_length_is_refused() -> None:
    told = refused(Foreign(person(80), (64, 48), 25))
    assert told == "bad_pose: 80 frames at 25 a second; the clip's file has 50 at 25, its kept range 30"
    assert refused(Foreign(person(40), None, None)).startswith("bad_pose: 40 frames; the clip's file has 50")


def test_points_are_scaled_to_the_clip_as_it_is_shown() -> None:
    half = fitted(Foreign(person(50, (32, 24)), (32, 24), 25), row())
    assert half.points[0, 0, :2] == pytest.approx((32, 2 * (12 + 1.0)), abs=1e-4)
    wide = fitted(Foreign(person(50), (64, 48), 25), row(pixel_aspect=2.0))
    assert wide.size == (128, 48)
    assert wide.points[0, 0, 0] == pytest.approx(64)


def test_a_file_of_another_picture_is_refused() -> None:
    told = refused(Foreign(person(50), (48, 64), 25))
    assert told == "bad_pose: made of a picture of 48 x 64, the clip has 64 x 48 pixels"
    assert "lie far outside 64 x 48 pixels" in refused(Foreign(person(50, (640, 480)), (64, 48), 25))
    shares = person(50) / (64, 48, 1)
    assert refused(Foreign(shares.astype(np.float32), (64, 48), 25)).endswith("are shares of the picture, not pixels")


def test_a_clip_without_anybody_is_refused() -> None:
    assert refused(Foreign(person(50) * 0, (64, 48), 25)) == "no_person: nobody in any of 30 frames"


def test_one_frame_is_a_clip_too() -> None:
    pose = fitted(Foreign(person(1), (64, 48), None), row(duration=0.04, frames=1, start=0.0, end=0.04))
    assert len(pose.points) == 1


def two(frames: int) -> np.ndarray:
    """A large person at the left and a small one at the right, who change places in the list in every frame."""
    large, small = person(frames, at=-20), person(frames, at=20)
    large[..., 1] = 24 + 4 * (large[..., 1] - 24) + np.linspace(0, 8, 64)
    both = np.concatenate([large, small], axis=1)
    both[1::2] = both[1::2, ::-1]
    return both


def test_of_two_people_the_larger_is_followed() -> None:
    points = one_person(two(6), None)
    assert (points[:, 0, 0] < 32).all()


def test_of_two_people_the_one_in_the_signers_box_is_followed() -> None:
    assert (one_person(two(6), (40, 0, 64, 48))[:, 0, 0] > 32).all()
    pose = fitted(Foreign(two(50), (64, 48), 25), {**row(), "bbox": (40, 0, 64, 48)})
    assert (pose.points[:, 0, 0] > 32).all()
    # A box that nobody is in tells nothing.
    assert (one_person(two(6), (0, 0, 2, 2))[:, 0, 0] < 32).all()


def test_somebody_else_far_away_is_nobody() -> None:
    people = two(6)[:, :1]  # now the one, now the other
    points = one_person(people, None)
    assert (points[..., 2] > 0).any(axis=1).tolist() == [True, False, True, False, True, False]


def test_somebody_half_out_of_the_frame_stays_as_found() -> None:
    people = person(50, at=30)
    pose = fitted(Foreign(people, (64, 48), 25), row())
    assert (pose.points[..., 0] > 64).any()
    assert pose.found.all()
