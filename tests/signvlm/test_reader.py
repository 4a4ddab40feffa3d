"""What a model of frames is shown of any clip: film, drawings of its key points, or both, whatever the clip is."""

import numpy as np
import pytest
from clips import write_clip

from data_engineering.pose.normalize import normalized
from data_engineering.pose.skeleton import skeleton_frames
from data_engineering.synthetic.exact import perform_pose
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from signvlm.config import load
from signvlm.extraction import Extraction
from signvlm.reader import FrameReader

POSE = perform_pose(load_signs()["EAT"], Signer.sample(np.random.default_rng(0)), np.random.default_rng(0))


@pytest.fixture
def reader():
    def make(view):
        config = load("params/demo.yaml", [f"preprocess.view={view}"])
        return FrameReader(config, Extraction(config, lambda path: (POSE, 0.75)))

    return make


def test_drawings_of_a_file_are_those_of_its_key_points(reader, tmp_path):
    read = reader("skeleton").file(tmp_path / "own.mp4")
    assert (read.clip == skeleton_frames(normalized(POSE.points, POSE.size), 8, 64)).all()
    assert read.seconds == 0.75


def test_film_and_drawings_stand_one_after_the_other(reader, tmp_path):
    path = tmp_path / "own.mp4"
    write_clip(path, frames=20)
    both, film = reader("rgb+skeleton").file(path), reader("rgb").file(path)
    assert both.clip.shape == (16, 64, 64, 3)
    assert (both.clip[:8] == film.clip).all()
    assert film.seconds is None


def test_frames_in_memory_are_drawn_too(reader):
    frames = np.zeros((10, 48, 64, 3), np.uint8)
    assert reader("skeleton").array(frames).clip.shape == (8, 64, 64, 3)
    assert reader("rgb+skeleton").array(frames).clip.shape == (16, 64, 64, 3)
    with pytest.raises(ValueError, match=r"frames must be uint8"):
        reader("skeleton").array(frames.astype(float))


def test_a_clip_of_the_data_root_whose_key_points_nobody_looked_for_is_extracted(reader, tmp_path):
    media = {"sha256": "a", "start": 0.0, "end": 1.0}
    row = {"video_id": "00001", "video_path": str(tmp_path / "00001.mp4"), "media": media}
    assert reader("skeleton").row(row).seconds == 0.75
