import numpy as np
import pytest

from data_engineering.settings import PreprocessSettings
from signvlm.evaluation.clips import SplitClips, without_each_frame
from signvlm.evaluation.occlusion import drops, explain


class LooksAtOneFrame:
    """Says `red` as far as one frame is red; the other frames tell it nothing."""

    glossary, modes = ("red", "green"), ("exact",)

    def __init__(self, frame: int) -> None:
        self.frame, self.largest = frame, 0

    def log_probs(self, clips):
        self.largest = max(self.largest, len(clips))
        red = np.array([clip[self.frame, ..., 0].mean() / 255 for clip in clips])
        return np.log(np.stack([0.05 + 0.9 * red, 0.95 - 0.9 * red], axis=1))


@pytest.mark.parametrize("frame", [0, 3, 7])
def test_the_frame_that_it_looks_at_is_the_one_that_matters(frame):
    frames = np.zeros((8, 4, 4, 3), np.uint8)
    frames[frame, ..., 0] = 255
    recogniser = LooksAtOneFrame(frame)
    found = drops(recogniser, frames, without_each_frame(frames), "red", batch_size=3)
    assert found.argmax() == frame
    assert np.delete(found, frame) == pytest.approx(0)
    assert found[frame] > 2
    assert recogniser.largest == 3


def test_a_blanked_frame_has_the_clips_mean_colour_and_the_others_stay():
    frames = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    for index, clip in enumerate(without_each_frame(frames)):
        assert (clip[index] == frames.reshape(-1, 3).mean(axis=0).round()).all()
        assert (np.delete(clip, index, 0) == np.delete(frames, index, 0)).all()


def test_the_draw_is_seeded_and_explains_the_first_answer(recogniser, dataset):
    clips = SplitClips(dataset, PreprocessSettings(num_frames=8, size=16))
    answered = [{**clip, "exact": [{"gloss": "blue", "log_prob": -1.0}]} for clip in clips]
    told = explain(recogniser, clips, answered, count=3, batch_size=4, seed=1)
    assert told == explain(recogniser, clips, answered, count=3, batch_size=9, seed=1)
    assert [each["answer"] for each in told] == ["blue"] * 3
    assert all(len(each["drops"]) == 8 for each in told)
    assert explain(recogniser, clips, answered, count=0, batch_size=4, seed=1) == []
