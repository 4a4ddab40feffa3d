"""What a model is shown: the film, drawings of the key points found in it, or both; and what is drawn from what."""

import json

import numpy as np
import pytest
from avatar_poses import avatar_pose
from clips import write_clip, write_index

from data_engineering.clip import SPLITS, Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import load_frames, row_frames, row_points, settings_key
from data_engineering.pose.kept import keep, refuse
from data_engineering.pose.normalize import normalized
from data_engineering.pose.record import Pose, pose_path, read_pose
from data_engineering.pose.skeleton import skeleton_frames
from data_engineering.preprocess import preprocess
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row, validated_rows
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.synthetic.dataset import known_signs
from data_engineering.synthetic.plan import Recipe, plan
from data_engineering.synthetic.reels import make
from data_engineering.synthetic.signs import load_signs
from data_engineering.validate import validate

FILM = PreprocessSettings(size=32, num_frames=4, workers=1)
DRAWN, BOTH = (FILM.model_copy(update={"view": view}) for view in ("skeleton", "rgb+skeleton"))
IDS = ("a", "b", "c")
BY = {"name": "avatar", "version": "1"}


@pytest.fixture
def data(tmp_path):
    """Three validated clips with key points, the splits going round."""
    root = tmp_path / "data"
    (root / "raw_videos").mkdir(parents=True)
    for number, video_id in enumerate(IDS):
        write_clip(root / "raw_videos" / f"{video_id}.mp4", frames=8 + number, rate=10)
    index = write_index(root / "index.json", [{"video_id": video_id, "gloss": video_id} for video_id in IDS])
    settings = DataSettings(root=root, index=index)
    validate(settings, DownloadSettings(), ValidateSettings(workers=1), FILM, "Which sign?", progress=False)
    for number, row in enumerate(validated_rows(root)):
        keep(root, row, avatar_pose("MOTHER", number)[0], BY)
    return settings


def nobody(pose: Pose) -> Pose:
    return Pose(pose.points * 0, pose.times, pose.size)


def test_drawings_are_of_the_clips_key_points_and_told_when(data):
    preprocess(data, DRAWN, progress=False)
    row = load_frames(data.root, DRAWN)["train"][0]
    pose = read_pose(pose_path(data.root, "a"))
    points = normalized(pose.points, pose.size)
    assert (row_frames(row) == skeleton_frames(points, 4, 32)).all()
    assert np.abs(row_points(row) - points).max() < 0.01
    assert set(np.float32(row["timestamps"])) <= set(pose.times)
    assert row["timestamps"] == sorted(row["timestamps"])


def test_both_are_the_film_and_after_it_the_drawings(data):
    rows = validated_rows(data.root)
    film, drawings, both = (row_frames(decode_row(rows[1], settings)) for settings in (FILM, DRAWN, BOTH))
    assert BOTH.shown_frames == len(both) == 8
    assert (both == np.concatenate([film, drawings])).all()
    preprocess(data, BOTH, progress=False)
    assert (row_frames(load_frames(data.root, BOTH)["validation"][0]) == both).all()


def test_rows_of_the_film_hold_no_key_points_and_ask_for_none(data):
    for video_id in IDS:
        pose_path(data.root, video_id).unlink()
    preprocess(data, FILM, progress=False)
    assert "points" not in load_frames(data.root, FILM)["train"].column_names
    assert len({settings_key(settings) for settings in (FILM, DRAWN, BOTH)}) == 3


def test_key_points_that_nobody_extracted_are_asked_for(data):
    pose_path(data.root, "b").unlink()
    with pytest.raises(RunError, match=r"1 of 3 clips have no key points .* \(b\); run `signvlm pose`"):
        preprocess(data, DRAWN, progress=False)
    pose_path(data.root, "b").write_bytes(b"no key points")
    with pytest.raises(RunError, match="run `signvlm pose`"):
        preprocess(data, DRAWN, progress=False)
    with pytest.raises(RunError, match="delete it and run `signvlm pose`"):
        decode_row(validated_rows(data.root)[1], DRAWN)


def test_a_clip_in_which_nobody_was_found_is_quarantined(data):
    row = validated_rows(data.root)[2]
    keep(data.root, row, nobody(avatar_pose("MOTHER", 0)[0]), BY)
    report = preprocess(data, DRAWN, progress=False)
    assert report.refused[0].startswith("c no_person: no body was found in any of")
    (corrupted,) = json.loads(Manifests(data.root).corrupted.read_text())
    assert (corrupted["video_id"], corrupted["reason"]) == ("c", "no_person")
    assert [len(rows) for rows in load_frames(data.root, DRAWN).values()] == [1, 1, 0]


def test_a_clip_that_extraction_refused_is_quarantined_for_its_reason(data):
    refuse(data.root, validated_rows(data.root)[1], ClipError("no_person", "nobody in 9 frames"), BY)
    assert preprocess(data, DRAWN, progress=False).refused == ["b no_person: nobody in 9 frames"]


def test_key_points_extracted_anew_make_the_frames_stale_and_only_those_are_drawn_again(data):
    preprocess(data, DRAWN, progress=False)
    assert preprocess(data, DRAWN, progress=False).reused == 3
    keep(data.root, validated_rows(data.root)[1], avatar_pose("CAR", 5)[0], BY)
    with pytest.raises(RunError, match="run `signvlm preprocess`"):
        load_frames(data.root, DRAWN)
    assert preprocess(data, DRAWN, progress=False).reused == 2
    row = load_frames(data.root, DRAWN)["validation"][0]
    pose = read_pose(pose_path(data.root, "b"))
    assert (row_frames(row) == skeleton_frames(normalized(pose.points, pose.size), 4, 32)).all()


def test_another_view_is_another_set_of_frames(data):
    preprocess(data, FILM, progress=False)
    with pytest.raises(RunError, match="other `preprocess` settings"):
        load_frames(data.root, DRAWN)
    assert preprocess(data, DRAWN, progress=False).reused == 0
    assert preprocess(data, FILM, progress=False).reused == 0


def test_more_frames_are_stored_of_a_film_only(data):
    for settings in (DRAWN, BOTH):
        many = settings.model_copy(update={"stored_frames": 8})
        with pytest.raises(ConfigError, match=r"stored_frames: 8, but with the view .* set it to null"):
            preprocess(data, many, progress=False)


def test_an_avatars_dataset_brings_its_key_points(tmp_path):
    recipe = Recipe(known_signs(("MOTHER",), load_signs()), dict.fromkeys(SPLITS, 1), 1, 0, {}, size=64)
    for reel in plan(recipe):
        make(reel, recipe, tmp_path, keypoints=True, resume=False)
    written = sorted((tmp_path / "poses").iterdir())
    assert [path.stem for path in written] == sorted(path.stem for path in (tmp_path / "raw_videos").glob("*.mp4"))
    for path in written:
        pose = read_pose(path)
        exact = np.load(tmp_path / "keypoints" / f"{path.stem}.npz")
        assert np.abs(pose.points[..., :2] - exact["points"])[pose.found].max() < 0.3
        assert pose.times[0] == pytest.approx(exact["first_frame"] / exact["fps"])
        assert (pose.points[..., 2][exact["visible"]] == 1).all()
