"""The 64 key points: each where its joint is drawn, to half a pixel, and visible where nothing is in front of it."""

import copy
import dataclasses

import numpy as np
import pytest

from data_engineering.keypoints import KEYPOINTS
from data_engineering.synthetic.body import LANDMARKS, Figure, outlines
from data_engineering.synthetic.camera import Shot, film, keypoints
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.motion import perform
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.render import draw
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from data_engineering.synthetic.timing import timing

SIGNS = load_signs()
HAND_JOINTS = [name.removeprefix("left_hand_") for name in KEYPOINTS if name.startswith("left_hand_")]
STILL = np.zeros((2, 1, 2))
FAR = np.array([60.0, 60.0, 0.0])
"""A place that no camera here sees."""


def signer_of(seed, **changes):
    calm = {"noise": 0.0, "exposure": 0.0, "background": "plain", "light": (1.0, 1.0, 1.0)}
    return dataclasses.replace(Signer.sample(np.random.default_rng(seed)), **{**calm, **changes})


def mid_stroke(sign, signer, seed=0):
    """One frame of a sign: its figure and the performance."""
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    performance = perform(sign, signer, np.array([(when.stroke + when.retraction) / 2]), when, rng)
    return Figure(signer, performance, *outlines(signer)), performance


def joints_by_name(figure, signer):
    """Where the body has each key point, in the signer's space, told from anatomy alone: {name: (3,)}."""
    # Figures are built right-handed, +x being the dominant side, and mirrored by the camera for left-handers.
    words = ("right", "left") if signer.right_handed else ("left", "right")
    place = {}
    for side, word in enumerate(words):
        shoulder, elbow, wrist = figure.points[0, figure.slices[f"arm{side}"]]
        hand = figure.points[0, figure.slices[f"hand{side}"]]
        place |= {f"{word}_shoulder": shoulder, f"{word}_elbow": elbow, f"{word}_wrist": wrist}
        place |= {f"{word}_hand_{name}": point for name, point in zip(HAND_JOINTS, hand, strict=True)}
        legs = figure.points[0, figure.slices["hips"]]
        # Hip, knee and ankle, each on both sides.
        place |= {f"{word}_{name}": legs[2 * row + side] for row, name in enumerate(("hip", "knee", "ankle"))}
        for name in ("eye", "ear"):
            landmark = figure.slices["landmarks"].start + LANDMARKS.index(f"{name}{'+-'[side]}")
            place[f"{word}_{name}"] = place[f"face_{word}_{name}"] = figure.points[0, landmark]
    nose = figure.points[0, figure.slices["landmarks"].start + LANDMARKS.index("nose")]
    return place | {"nose": nose, "face_nose": nose}


def marker_at(joint, label, figure, performance, signer):
    """Draws a ball at a joint, alone before the camera; returns its middle in pixels of the frame."""
    ball = copy.copy(figure)
    ball.points = np.broadcast_to(FAR, figure.points.shape).copy()
    nothing = film(ball, performance.frames, signer, np.random.default_rng(7))
    ball.points[:, ball.slices["hand0"]] = joint
    shot = film(ball, performance.frames, signer, np.random.default_rng(7))
    left, top = np.floor(label) - 32
    area, size = (left, top, left + 64, top + 64), (64, 64)
    drawn, empty = (next(draw(each, performance, signer, area, size, STILL)).astype(int) for each in (shot, nothing))
    rows, columns = np.nonzero(np.abs(drawn - empty).sum(axis=-1) > 60)
    return np.array([columns.mean() + 0.5 + left, rows.mean() + 0.5 + top])


@pytest.mark.parametrize(
    ("gloss", "changes"),
    [
        ("PLAY", {"right_handed": True, "roll": 0.0, "yaw": 0.0}),
        ("HELP", {"right_handed": False, "roll": 2.5, "yaw": -12.0}),
        ("FATHER", {"right_handed": True, "roll": -2.5, "yaw": 12.0, "shake": 0.0015}),
        ("BOOK", {"right_handed": False, "roll": -1.0, "zoom": 1.07, "shift": (0.06, -0.02), "width": 426}),
    ],
)
def test_every_key_point_lies_on_its_joint_to_half_a_pixel(gloss, changes):
    signer = signer_of(6, skin=(255, 0, 255), wall=(40, 200, 40), **changes)
    figure, performance = mid_stroke(SIGNS[gloss], signer)
    labels = keypoints(film(figure, performance.frames, signer, np.random.default_rng(7)), signer)[0][0]
    joints = joints_by_name(figure, signer)
    assert set(joints) == set(KEYPOINTS)
    for name, label in zip(KEYPOINTS, labels, strict=True):
        assert marker_at(joints[name], label, figure, performance, signer) == pytest.approx(label, abs=0.5), name


def picture_of(shot, performance, signer, arms=(0, 1)):
    """The frame with these arms only: int (H, W, 3)."""
    points = shot.points.copy()
    for side in {0, 1} - set(arms):
        for part in (f"arm{side}", f"hand{side}"):
            points[:, shot.slices[part]] = -900.0
    shown = Shot(points, shot.depth, shot.slices, shot.scale, shot.facing)
    area, size = (0.0, 0.0, float(signer.width), float(signer.height)), (signer.width, signer.height)
    return next(draw(shown, performance, signer, area, size, STILL)).astype(int)


def test_a_key_point_is_visible_where_the_picture_shows_nothing_before_it():
    """Taking an arm away changes the picture where the arm was before something; that is where points are hidden."""
    face, hands = [], []
    two_hands = [SIGNS[gloss] for gloss in ("GOOD", "HELP", "WORK", "COFFEE", "NAME", "SCHOOL")]
    on_face = [Sign("", location=place, palm="back") for place in ("nose", "cheek", "temple", "mouth", "forehead")]
    for seed, sign in enumerate(2 * (two_hands + on_face)):
        signer = signer_of(seed, width=480, height=360, shake=0.0)
        figure, performance = mid_stroke(sign, signer, seed)
        shot = film(figure, performance.frames, signer, np.random.default_rng(0))
        labels, _, clear = (part[0] for part in keypoints(shot, signer))
        whole = picture_of(shot, performance, signer)
        before = {
            arms: np.abs(whole - picture_of(shot, performance, signer, arms)).sum(axis=-1) > 12
            for arms in ((), (0,), (1,))
        }
        words = ("right", "left") if signer.right_handed else ("left", "right")
        for name, (x, y), seen in zip(KEYPOINTS, labels.astype(int), clear, strict=True):
            if not (0 <= x < signer.width and 0 <= y < signer.height):
                continue
            if name in ("face_nose", "face_left_eye", "face_right_eye"):
                face.append((before[()][y, x], not seen))
            for side in (0, 1):
                # A hand also hides parts of itself; what the other arm hides of it is asked here.
                if name.startswith(f"{words[side]}_hand") and before[(side,)][y, x]:
                    hands.append(not seen)
    covered, hidden = np.array(face).T
    assert 0.1 < covered.mean() < 0.9
    # Outlines are a little wider than the bones that hide.
    assert (covered == hidden).mean() > 0.93
    assert len(hands) > 10
    assert np.mean(hands) > 0.93


def test_what_is_out_of_the_frame_is_not_visible():
    below = [index for index, name in enumerate(KEYPOINTS) if name.endswith(("knee", "ankle"))]
    for seed, gloss in enumerate(("FATHER", "BYE", "MORE")):
        signer = signer_of(seed)
        points = record(SIGNS[gloss], signer, seed)[0].keypoints
        seen = points[..., 3] == 1
        assert not seen[:, below].any()
        x, y = points[seen][:, :2].T
        assert ((x > 0) & (x < signer.width) & (y > 0) & (y < signer.height)).all()
        assert seen[:, KEYPOINTS.index("left_shoulder")].all()
