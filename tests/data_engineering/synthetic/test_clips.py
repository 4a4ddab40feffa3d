"""Clips of the avatar: the same call gives the same bytes, labels lie where things are drawn, as in the file."""

import dataclasses
import os
import subprocess
import sys

import av
import numpy as np
import pytest

from data_engineering.crop import window
from data_engineering.keypoints import KEYPOINTS
from data_engineering.settings import PreprocessSettings
from data_engineering.synthetic.body import Figure, outlines
from data_engineering.synthetic.camera import film, keypoints
from data_engineering.synthetic.clips import record, render_clip, render_video
from data_engineering.synthetic.motion import perform
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.render import draw
from data_engineering.synthetic.signer import FRAME_RATES, Signer
from data_engineering.synthetic.signs import load_signs, random_sign
from data_engineering.synthetic.timing import PHASES, timing

SIGNS = load_signs()


def signer_of(seed, **changes):
    return dataclasses.replace(Signer.sample(np.random.default_rng(seed)), **changes)


def still_shot(sign, signer, seed=0):
    """One mid-stroke frame: the shot and its performance."""
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    times = np.array([(when.stroke + when.retraction) / 2, when.retraction])
    performance = perform(sign, signer, times, when, rng)
    return film(Figure(signer, performance, *outlines(signer)), performance.frames, signer, rng), performance


def test_shapes_and_ranges():
    frames, points = render_clip(SIGNS["MOTHER"], signer_of(0), 0, num_frames=6, size=48)
    assert (frames.shape, frames.dtype) == ((6, 48, 48, 3), np.uint8)
    assert (points.shape, points.dtype) == ((6, 64, 3), np.float32)
    assert set(np.unique(points[..., 2])) <= {0.0, 1.0}
    shown = points[points[..., 2] == 1][:, :2]
    assert (shown > 0).all()
    assert (shown < 1).all()


def test_the_same_call_gives_the_same_pixels_and_another_seed_others():
    one, labels = render_clip(SIGNS["BOOK"], signer_of(1), 5)
    again, labels_again = render_clip(SIGNS["BOOK"], signer_of(1), 5)
    other, _ = render_clip(SIGNS["BOOK"], signer_of(1), 6)
    assert (one == again).all()
    assert (labels == labels_again).all()
    assert (one != other).any()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        render_video(SIGNS["EAT"], signer_of(2), 7, tmp_path / f"{name}.mp4")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]


def test_another_process_gives_the_same_bytes(tmp_path):
    script = (
        "import numpy as np, sys; from pathlib import Path;"
        "from data_engineering.synthetic.clips import render_video;"
        "from data_engineering.synthetic.signer import Signer; from data_engineering.synthetic.signs import load_signs;"
        "render_video(load_signs()['BOOK'], Signer.sample(np.random.default_rng(3)), 8, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "other.mp4")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    render_video(SIGNS["BOOK"], signer_of(3), 8, tmp_path / "here.mp4")
    assert (tmp_path / "other.mp4").read_bytes() == (tmp_path / "here.mp4").read_bytes()


def test_the_file_is_h264_at_the_signers_rate(tmp_path):
    signer = signer_of(3, fps=24, width=320, height=240)
    recording = render_video(SIGNS["YES"], signer, 1, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 24)
        assert (stream.width, stream.height) == (320, 240)
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == len(recording.phases) == len(recording.keypoints)
    assert recording.keypoints.shape == (frames, 64, 4)
    names = [PHASES[phase] for phase in dict.fromkeys(recording.phases.tolist())]
    assert names == list(PHASES)


def test_in_memory_a_clip_is_framed_as_the_pipeline_frames_its_file():
    signer = signer_of(4, shake=0.0, noise=0.0)
    sign, seed = SIGNS["DRINK"], 3
    _, points = render_clip(sign, signer, seed, num_frames=8, size=64)
    recording, _ = record(sign, signer, seed)
    area = window(recording.bbox, signer.width, signer.height, 1.0, PreprocessSettings())
    nose = recording.keypoints[:, 0, :2].mean(axis=0)
    expected = (nose - np.array(area[:2])) / (area[2] - area[0])
    assert points[:, 0, :2].mean(axis=0) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("right_handed", [True, False])
@pytest.mark.parametrize("joint", [0, 4, 8, 20])
def test_key_points_lie_where_joints_are_drawn_to_half_a_pixel(right_handed, joint):
    signer = signer_of(6, right_handed=right_handed, noise=0.0, exposure=0.0, background="plain", skin=(255, 0, 255))
    signer = dataclasses.replace(signer, width=320, height=240, shift=(0.0, 0.0))
    shot, performance = still_shot(SIGNS["PLAY"], signer)
    points, _, _ = keypoints(shot, signer)
    area, size = (35.0, 0.0, 285.0, 240.0), (250, 240)
    still = np.zeros((2, 2, 2))
    for side, word in ((0, "right" if right_handed else "left"), (1, "left" if right_handed else "right")):
        part = shot.slices[f"hand{side}"]
        # The whole hand drawn in on one joint is a disc around it: a marker, drawn by the renderer itself.
        marked, gone = shot.points.copy(), shot.points.copy()
        marked[:, part] = shot.points[:, part][:, joint : joint + 1]
        gone[:, part] = -500.0
        pictures = [
            next(draw(dataclasses.replace(shot, points=where), performance, signer, area, size, still))
            for where in (marked, gone)
        ]
        changed = np.abs(pictures[0].astype(int) - pictures[1]).sum(axis=-1) > 30
        rows, columns = np.nonzero(changed)
        label = points[0, KEYPOINTS.index(f"{word}_hand_wrist") + joint] - area[:2]
        assert [columns.mean() + 0.5, rows.mean() + 0.5] == pytest.approx(label, abs=0.5)


def test_a_hand_before_the_face_hides_it_and_nothing_else():
    signer = signer_of(8, yaw=0.0, roll=0.0, shift=(0.0, 0.0), zoom=1.0)
    cover = Sign("COVER", location="nose", contact="palm", palm="back", fingers="up")
    nose, mouth = KEYPOINTS.index("nose"), KEYPOINTS.index("face_nose")
    _, _, clear = keypoints(still_shot(cover, signer)[0], signer)
    assert not clear[0, nose]
    assert not clear[0, mouth]
    assert clear[0, KEYPOINTS.index("left_shoulder")]
    _, _, clear = keypoints(still_shot(dataclasses.replace(cover, location="neutral"), signer)[0], signer)
    assert clear[0, nose]


def test_left_is_the_signers_left_and_left_handers_are_mirrored():
    for right_handed in (True, False):
        shot, _ = still_shot(SIGNS["YES"], signer_of(9, right_handed=right_handed, yaw=0.0))
        points, _, _ = keypoints(shot, signer_of(9, right_handed=right_handed, yaw=0.0))
        at = dict(zip(KEYPOINTS, points[0], strict=True))
        for name in ("shoulder", "eye", "ear", "elbow"):
            assert at[f"left_{name}"][0] > at[f"right_{name}"][0], name
        # YES is signed high: the dominant hand is above the other.
        raised, resting = ("right", "left") if right_handed else ("left", "right")
        assert at[f"{raised}_wrist"][1] < at[f"{resting}_wrist"][1]


def test_hands_are_large_enough_to_read():
    for seed in range(12):
        signer = signer_of(seed)
        recording, _ = record(SIGNS["HELLO"], signer, seed)
        area = window(recording.bbox, signer.width, signer.height, 1.0, PreprocessSettings())
        word = "right" if signer.right_handed else "left"
        wrist, tip = (KEYPOINTS.index(f"{word}_hand_{name}") for name in ("wrist", "middle_tip"))
        hand = np.linalg.norm(recording.keypoints[:, tip, :2] - recording.keypoints[:, wrist, :2], axis=-1).max()
        assert hand > (area[3] - area[1]) / 6


def test_hands_stand_out_from_the_face_on_every_skin():
    """Along a line across a hand in front of the face, something differs clearly from the skin around it."""
    for seed in range(10):
        signer = signer_of(seed, noise=0.0, exposure=0.0)
        shot, performance = still_shot(Sign("X", location="mouth", contact="palm", palm="back"), signer)
        size = (signer.width, signer.height)
        still = np.zeros((2, 2, 2))
        picture = next(draw(shot, performance, signer, (0.0, 0.0, *map(float, size)), size, still)).astype(int)
        x, y = (int(value) for value in shot.part("hand0")[0, 9])
        row = picture[np.clip(y, 0, size[1] - 1), max(x - 40, 0) : x + 40].mean(axis=-1)
        assert np.abs(np.diff(row)).max() > 18, seed


def test_signers_vary():
    signers = [signer_of(seed) for seed in range(300)]
    assert 0.04 < np.mean([not signer.right_handed for signer in signers]) < 0.22
    assert {signer.fps for signer in signers} == set(FRAME_RATES)
    assert {signer.crf for signer in signers} >= {18, 38}
    assert len({round(signer.skin[0] / 25) for signer in signers}) >= 6


def test_random_signs_render():
    rng = np.random.default_rng(4)
    for seed in range(12):
        frames, points = render_clip(random_sign(rng), signer_of(seed), seed, size=32)
        assert frames.std() > 5
        assert np.isfinite(points).all()
