"""`predict`: files in, the likeliest glosses out; each clip is framed as the model was trained to see it."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clips import number, write_clip
from PIL import Image
from small_world import BROKEN, GLOSSES, World, paint

from data_engineering.clip import Manifests, read_json
from data_engineering.errors import RunError
from data_engineering.frames import load_frames, row_frames
from signvlm.config import load
from signvlm.media import read_clip
from signvlm.predict import predict
from signvlm.recognizer import Ranking


class Watcher:
    """A recogniser that keeps what it is shown; its answer is the same for every clip."""

    glossary = GLOSSES
    modes = ("exact",)

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []
        self.batches: list[int] = []

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        self.shown += clips
        self.batches.append(len(clips))
        scores = np.log([0.4, 0.2, 0.2]) - 10  # the rest of the probability lies outside the glossary
        return np.tile(scores.astype(np.float32), (len(clips), 1))

    def rank(self, clips: Sequence[np.ndarray], top: int, *, temperature: float, tolerance: float) -> list[Ranking]:
        return [Ranking.of(self.glossary, scores, top, temperature) for scores in self.log_probs(clips)]


def video(world: World, name: str) -> Path:
    return world.root / "raw_videos" / f"{name}.mp4"


# What the model is shown


def test_a_clip_of_the_data_root_is_shown_as_preprocessing_stored_it(world: World, tmp_path: Path, monkeypatch) -> None:
    config, watcher = load(world.config), Watcher()
    stored = {row["clip_id"]: row_frames(row) for row in load_frames(world.root, config.preprocess)["test"]}
    monkeypatch.chdir(tmp_path)
    ways = [video(world, "00007"), Path(os.path.relpath(video(world, "00007")))]
    (tmp_path / "link.mp4").symlink_to(video(world, "00007"))
    for prediction in predict(watcher, config, [*ways, Path("link.mp4")]):
        assert prediction.indexed
    for shown in watcher.shown:
        np.testing.assert_array_equal(shown, stored["00007"])


def test_another_file_is_framed_by_what_moves(world: World, tmp_path: Path) -> None:
    config, watcher = load(world.config), Watcher()
    copy = shutil.copy(video(world, "00007"), tmp_path / "copy.mp4")
    [of_index, of_copy] = predict(watcher, config, [video(world, "00007"), Path(copy)])
    assert (of_index.indexed, of_copy.indexed) == (True, False)
    assert of_copy.lines()[0] == f"{copy}  (not in the data root's index: framed by what moves)"
    boxed, moving = watcher.shown
    assert boxed.shape == moving.shape == (4, 64, 64, 3)
    assert not np.array_equal(boxed, moving)  # the index has a box around the signer


def test_with_the_crop_full_another_file_is_shown_whole(world: World, tmp_path: Path) -> None:
    config, watcher = load(world.config, ["preprocess.crop=full"]), Watcher()
    [_] = predict(watcher, config, [Path(shutil.copy(video(world, "00007"), tmp_path / "copy.mp4"))])
    [whole] = watcher.shown
    assert whole[:, :7].max() == 0  # a 64 x 48 frame, padded to a square
    assert whole[:, 9:55].min() > 0


def test_without_a_data_root_no_clip_is_known(world: World, tmp_path: Path) -> None:
    config = load(world.config, [f"data.root={tmp_path / 'nowhere'}"])
    [prediction] = predict(Watcher(), config, [video(world, "00007")])
    assert not prediction.indexed
    assert prediction.answers


def test_a_file_is_sampled_at_the_centres_of_equal_segments_without_its_black_ends(
    world: World, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=28, size=(64, 64), black_head=4, black_tail=4)
    config = load(world.config)
    frames = read_clip(path, config.preprocess, config.validate_)
    assert [number(frame) for frame in frames] == pytest.approx([6, 11, 16, 21], abs=1)


# What is said


def test_probabilities_are_shares_of_the_glossary(world: World) -> None:
    [prediction] = predict(Watcher(), load(world.config), [video(world, "00007")], top=2)
    assert [answer.gloss for answer in prediction.answers] == list(GLOSSES[:2])
    assert [answer.probability for answer in prediction.answers] == pytest.approx([0.5, 0.25])
    assert prediction.lines() == [str(video(world, "00007")), "   50.0%  no", "   25.0%  book"]


def test_a_temperature_flattens_the_probabilities_and_leaves_the_order(world: World) -> None:
    config, clip = load(world.config), video(world, "00007")
    [sharp] = predict(Watcher(), config, [clip], temperature=0.5)
    [flat] = predict(Watcher(), config, [clip], temperature=2.0)
    # shares of 2 : 1 : 1, to the power of 1 / temperature
    assert [answer.probability for answer in sharp.answers] == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert flat.answers[0].probability == pytest.approx(2**0.5 / (2**0.5 + 2))
    assert [answer.log_prob for answer in flat.answers] == [answer.log_prob for answer in sharp.answers]


def test_a_model_whose_scores_are_no_numbers_gives_no_answer(world: World) -> None:
    class Diverged(Watcher):
        def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
            return super().log_probs(clips) * np.nan

    with pytest.raises(RunError, match="it diverged; train it anew"):
        list(predict(Diverged(), load(world.config), [video(world, "00007")]))


def test_what_is_no_clip_has_its_reason_and_the_others_are_still_answered(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    clips = [tmp_path / "absent.mp4", video(world, "00007"), tmp_path / "empty.mp4", tmp_path, video(world, BROKEN)]
    clips += [Path("a\0b.mp4"), Path("a" * 5000)]
    watcher = Watcher()
    predictions = list(predict(watcher, load(world.config), clips))
    assert [prediction.clip for prediction in predictions] == clips
    reasons = [prediction.error and prediction.error.partition(":")[0] for prediction in predictions]
    assert reasons == ["absent", None, "empty", "not_a_file", "html", "absent", "unreadable"]
    assert predictions[0].record() == {
        "clip": str(clips[0]),
        "error": "absent: no such file",
        "remedy": "Check the path.",
    }
    assert predictions[3].lines() == [
        f"{tmp_path}: not_a_file: a folder without a video or an image; "
        "Name a clip, an image, or a folder that holds some."
    ]
    assert len(watcher.shown) == 1


def test_predictions_come_one_by_one(world: World) -> None:
    """A person with many clips sees the first answer before the last clip is read."""
    watcher = Watcher()
    predictions = predict(watcher, load(world.config), [video(world, "00007"), video(world, "00008")])
    next(predictions)
    assert len(watcher.shown) == 1


def test_a_batch_keeps_the_order_and_the_first_clip_does_not_wait_for_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    clips = [video(world, "00001"), video(world, "00002"), tmp_path / "empty.mp4", video(world, "00003")]
    watcher = Watcher()
    predictions = list(predict(watcher, load(world.config), [*clips, video(world, "00004")], batch_size=3))
    assert [prediction.clip for prediction in predictions] == [*clips, video(world, "00004")]
    assert [bool(prediction.answers) for prediction in predictions] == [True, True, False, True, True]
    assert watcher.batches == [1, 2, 1]


# From the command line, with a trained bundle


def test_predict_agrees_with_eval_to_the_last_digit(world: World, call) -> None:
    called = call("eval", "--config", world.config, "--checkpoint", world.bundle, "--set", "evaluation.modes=[exact]")
    assert called.status == 0
    clips = json.loads((world.run / "evaluation_results.json").read_text())["clips"]
    ranked = {clip["clip_id"]: clip["exact"] for clip in clips if not clip.get("unreadable")}
    assert set(ranked) == {"00007", "00008"}
    for name, answers in ranked.items():
        called = call("predict", video(world, name), "--config", world.config, "--json")
        said = json.loads(called.out)["answers"]
        assert [answer["gloss"] for answer in said] == [answer["gloss"] for answer in answers]
        assert [a["log_prob"] for a in said] == pytest.approx([a["log_prob"] for a in answers], abs=1e-4)


def test_json_is_one_object_a_clip_on_stdout_and_notes_are_on_stderr(world: World, call, tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<html>gone</html>")
    called = call("predict", "page.mp4", video(world, "00008"), "--config", world.config, "--json", "--top", 2)
    page, clip = map(json.loads, called.out.splitlines())
    assert called.status == 1
    assert page["error"].startswith("html: ")
    assert len(clip["answers"]) == 2
    assert clip["answers"][0]["log_prob"] >= clip["answers"][1]["log_prob"]
    assert f"checkpoint: {world.bundle}" in called.err
    assert called.err.splitlines()[-1] == "error: 1 of 2 clips could not be read; the reasons stand above"


def test_a_bundle_brings_its_configuration_with_it(world: World, call) -> None:
    called = call("predict", video(world, "00008"), "--checkpoint", world.bundle, "--top", 1)
    assert called.status == 0
    assert called.out.splitlines()[0] == str(video(world, "00008"))  # its data root is known: the clip is in its index


def test_a_terminal_is_not_given_control_characters(world: World, call, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.mp4").write_text("<html>")
    called = call("predict", "a\x1b[31m.mp4", "--config", world.config)
    assert "\x1b" not in called.out + called.err


def test_the_manifest_is_the_one_that_validate_wrote(world: World) -> None:
    rows = read_json(Manifests(world.root).validated, "")
    assert {row["video_id"] for row in rows} == {f"{number:05d}" for number in range(1, 9)}


# Inputs


def test_paths_come_from_stdin_and_folders_are_searched(world: World, call, tmp_path: Path) -> None:
    for name in ("take 2.mp4", "take 10.mp4"):
        shutil.copy(video(world, "00007"), tmp_path / name)
    (tmp_path / "frames").mkdir()
    for index in range(3):
        Image.fromarray(paint("no")(index)).save(tmp_path / "frames" / f"{index}.png")
    options = ["--config", world.config, "--json", "--top", 1, "--batch-size", 2]
    called = call("predict", "-", *options, stdin=f"{tmp_path}/take 2.mp4\n\nframes\r\nabsent.mp4")
    assert [Path(json.loads(line)["clip"]).name for line in called.out.splitlines()] == [
        *("take 2.mp4", "frames", "absent.mp4")
    ]
    assert called.err.splitlines()[-1].startswith("error: 1 of 3 clips could not be read")
    called = call("predict", tmp_path, *options)
    assert called.status == 0
    names = [Path(json.loads(line)["clip"]).name for line in called.out.splitlines()]
    assert names == ["take 2.mp4", "take 10.mp4", "frames"]


def test_timing_is_told_on_request(world: World, call) -> None:
    clips = [video(world, "00007"), video(world, "00008")]
    called = call("predict", *clips, "--config", world.config, "--timing")
    seconds = r"[0-9]+\.[0-9]{2}"
    said = rf"timing: model loaded in {seconds} s, first answer {seconds} s later, then {seconds} clips/s"
    assert re.fullmatch(said, called.err.splitlines()[-1])
    assert "timing" not in call("predict", *clips, "--config", world.config).err


def test_a_fitted_temperature_is_used(world: World, call, tmp_path: Path) -> None:
    shutil.copytree(world.bundle, tmp_path / "adapter")
    (tmp_path / "adapter" / "calibration.json").write_text('{"temperature": 1e6, "fitted_on": "nothing"}')
    arguments = ["predict", video(world, "00008"), "--json", "--checkpoint"]
    plain = json.loads(call(*arguments, world.bundle).out)["answers"]
    fitted = json.loads(call(*arguments, "adapter").out)["answers"]
    assert [answer["log_prob"] for answer in fitted] == [answer["log_prob"] for answer in plain]
    assert [answer["probability"] for answer in fitted] == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_json_stays_json_whatever_the_file_is_called(world: World, call, tmp_path: Path) -> None:
    name = "a\x7f\u202e\x1b[31m.mp4"
    (tmp_path / name).write_text("<html>")
    called = call("predict", name, "--config", world.config, "--json")
    assert json.loads(called.out)["clip"] == name
    assert called.out.strip().isprintable()
