"""Copies are known by what they show; clips of one signer in one studio are no copies of each other."""

import base64
import time

import cv2
import numpy as np
import pytest

from data_engineering.perceptual import clip_looks, look_alikes


def signing(seed: int, pictures: int = 30, studio: int = 0) -> np.ndarray:
    """A hand's way, by `seed`, before a wall and a body, by `studio`."""
    rng = np.random.default_rng(studio)
    wall = cv2.resize(rng.integers(80, 160, (6, 8)).astype(np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC)
    cv2.circle(wall, (64, 34), 14, 210, -1)
    cv2.rectangle(wall, (40, 50), (88, 96), 40, -1)
    way = np.random.default_rng(1000 + seed).uniform(20, 76, (5, 2))
    frames = []
    for moment in np.linspace(0, 4, pictures):
        step = min(int(moment), 3)
        place = way[step] + (moment - step) * (way[step + 1] - way[step])
        frame = wall.copy()
        cv2.circle(frame, (int(place[0]) + 16, int(place[1])), 9, 230, -1)
        frames.append(frame)
    return np.stack(frames)


def reencoded(frames: np.ndarray) -> np.ndarray:
    """Halved and compressed."""
    copies = []
    for frame in frames:
        _, jpeg = cv2.imencode(".jpg", cv2.resize(frame, None, fx=0.5, fy=0.5), [cv2.IMWRITE_JPEG_QUALITY, 30])
        copies.append(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE))
    return np.stack(copies)


@pytest.mark.parametrize("change", [reencoded, lambda frames: frames[np.arange(len(frames)) % 3 > 0]])
def test_a_copy_is_found_in_another_size_and_at_another_frame_rate(change) -> None:
    looks = {str(seed): clip_looks(signing(seed)) for seed in range(40)}
    looks["copy"] = clip_looks(change(signing(7)))
    assert look_alikes(looks) == [["7", "copy"]]


def test_other_signs_of_one_signer_in_one_studio_are_no_copies() -> None:
    assert look_alikes({str(seed): clip_looks(signing(seed)) for seed in range(60)}) == []


def test_the_same_looks_are_one_group_however_many_and_none_give_none() -> None:
    look = clip_looks(signing(1))
    assert look_alikes({str(number): look for number in range(500)}) == [[str(number) for number in range(500)]]
    assert look_alikes({}) == []
    assert look_alikes({"alone": look}) == []


def test_twice_the_clips_take_far_less_than_four_times_as_long() -> None:
    looks = [clip_looks(signing(seed, pictures=8, studio=seed % 50)) for seed in range(2000)]
    seconds = []
    for count in (1000, 2000):
        given = {str(number): look for number, look in enumerate(looks[:count])}
        times = []
        for _ in range(5):
            began = time.process_time()
            look_alikes(given)
            times.append(time.process_time() - began)
        seconds.append(min(times))
    assert seconds[1] < 3.3 * seconds[0]


def test_one_picture_has_looks_too() -> None:
    looks = {f"{studio}{take}": clip_looks(signing(1, studio=studio)[:1]) for studio in (1, 2) for take in "ab"}
    assert {len(base64.b64decode(look)) for look in looks.values()} == {16 + 216}
    assert look_alikes(looks) == [["1a", "1b"], ["2a", "2b"]]
