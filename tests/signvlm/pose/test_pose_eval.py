"""A recogniser over key points behind the seam: evaluated, compared, predicted and pushed as every other."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from data_engineering.clip import read_json
from data_engineering.container import inspect
from data_engineering.errors import ConfigError, RunError
from data_engineering.pose.kept import keep
from data_engineering.pose.record import Pose, pose_path, read_pose
from data_engineering.reasons import ClipError
from signvlm import SignRecognizer
from signvlm.config import load
from signvlm.eval import evaluate_checkpoint
from signvlm.evaluation.compare import compare
from signvlm.extraction import Extraction
from signvlm.hub import push
from signvlm.loading import load_recognizer
from signvlm.pose.prepare import prepared
from signvlm.pose.reader import PoseReader
from signvlm.predict import predict
from signvlm.train import train


@pytest.fixture(scope="module")
def done(poses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return train(load(poses.config, [f"training.output_dir={folder}", "pose.epochs=12"]))


@pytest.fixture(scope="module")
def config(poses, done):
    return load(poses.config, [f"training.output_dir={done.folder}"])


@pytest.fixture(scope="module")
def evaluated(config):
    return evaluate_checkpoint(config, progress=False)


def test_the_whole_glossary_is_ranked_by_probabilities_that_sum_to_one(evaluated):
    assert evaluated.data["modes"] == ["exact"]
    assert len(evaluated.data["clips"]) == 6
    for clip in evaluated.data["clips"]:
        scores = [answer["log_prob"] for answer in clip["exact"]]
        assert scores == sorted(scores, reverse=True)
        assert np.exp(scores).sum() == pytest.approx(1, abs=1e-4)
    assert evaluated.summary["exact"]["top1"] >= 0.6


def test_results_predictions_and_report_are_written_beside_the_bundle(evaluated, done):
    assert evaluated.path == done.folder / "evaluation_results.json"
    assert evaluated.paths.predictions.read_text().count("exact") == 6
    page = evaluated.report.read_text()
    assert "Exact ranking of the whole glossary" in page
    assert "data:image/webp" not in page  # these clips have key points alone
    assert len(evaluated.data["occlusion"]) == 2
    assert all(len(each["drops"]) == 8 for each in evaluated.data["occlusion"])


def test_a_temperature_is_fitted_on_the_validation_clips_or_said_why_not(evaluated, done):
    assert (done.bundle / "calibration.json").is_file()
    assert evaluated.data["calibration"] or "every clip was right" in evaluated.data["not_calibrated"]


def test_clips_without_usable_key_points_count_as_wrong(poses, done, tmp_path):
    root = shutil.copytree(poses.root, tmp_path / "own")
    config = load(poses.config, [f"data.root={root}", f"data.index={root / 'index.json'}"])
    tested = [row for row in read_json(root / "datasets" / "wlasl_validated.json", "") if row["split"] == "test"]
    nobody = Pose(np.zeros((20, 64, 3), np.float32), np.arange(20, dtype=np.float32), (64, 48))
    keep(root, tested[0], nobody, {})
    bundle = shutil.copytree(done.bundle, tmp_path / "bundle")
    results = evaluate_checkpoint(config, bundle, progress=False)
    assert results.data["clips"][0]["unreadable"] == "no_person: no body was found in any of 20 frames"
    assert results.data["unreadable"] == 1


def test_runs_are_compared(evaluated, done, config, poses, tmp_path):
    other = train(load(poses.config, [f"training.output_dir={tmp_path / 'other'}", "pose.epochs=1"]))
    evaluate_checkpoint(config, other.bundle, progress=False)
    compared = compare([done.folder, other.folder], samples=50)
    assert compared.clips == 6
    assert compared.mode == "exact"


def test_an_interrupted_evaluation_goes_on(config, done, evaluated, monkeypatch):
    from signvlm.pose.recognizer import PoseRecognizer

    asked = []
    score = PoseRecognizer.log_probs

    def counted(self, clips):
        asked.append(len(clips))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return score(self, clips)

    monkeypatch.setattr(PoseRecognizer, "log_probs", counted)
    few = config.evaluation.model_copy(update={"batch_size": 4, "occlusion": 0})
    small = config.model_copy(update={"evaluation": few})
    with pytest.raises(KeyboardInterrupt):
        evaluate_checkpoint(small, progress=False)
    again = evaluate_checkpoint(small, progress=False)
    assert asked == [4, 2, 2]
    assert again.summary["exact"]["top1"] == evaluated.summary["exact"]["top1"]


# Bundles


def test_a_bundle_of_the_other_family_is_refused_by_name(config, done, tmp_path):
    other = load("params/demo.yaml", [f"data.root={config.data.root}"])
    with pytest.raises(ConfigError, match=r"is a bundle of the pose family, and model.family is vlm"):
        load_recognizer(other, done.bundle)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "config.yaml", "glossary.json"):
        (adapter / name).write_text("{}")
    with pytest.raises(ConfigError, match=r"is a bundle of the vlm family, and model.family is pose"):
        load_recognizer(config, adapter)


def test_what_only_a_language_model_has_is_refused(config, done, tmp_path):
    from signvlm.inspection import inspect as inspect_rows
    from signvlm.vlm.merge import merge

    with pytest.raises(ConfigError, match=r"is a bundle of the pose family, and model.family is vlm"):
        merge(config, done.bundle, tmp_path / "merged", dtype="float32")
    with pytest.raises(ConfigError, match=r"--inspect: shows prompts and pixels"):
        inspect_rows(config, 1)
    beams = config.evaluation.model_copy(update={"modes": ("beam",)})
    with pytest.raises(ConfigError, match=r"does not answer by 'beam'; choose from exact"):
        evaluate_checkpoint(config.model_copy(update={"evaluation": beams}), done.bundle, progress=False)


def test_a_python_program_loads_it_by_its_folder(done):
    with SignRecognizer.from_pretrained(done.bundle) as recognizer:
        assert recognizer.glossary == ("EAT", "BOOK", "UP")
        assert recognizer.device in ("cpu", "cuda")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda bundle: (bundle / "pose.safetensors").write_bytes(b"PK\x03\x04"),
            "not the weights of conv_gru",
        ),
        (lambda bundle: (bundle / "glossary.json").write_text('["EAT"]'), "not the weights of conv_gru with 1 glosses"),
        (lambda bundle: (bundle / "glossary.json").write_text("{}"), "not a list of glosses"),
        (lambda bundle: (bundle / "glossary.json").unlink(), "no glossary.json"),
        (lambda bundle: _spoil_weights(bundle / "pose.safetensors"), "weights that are no numbers"),
    ],
)
def test_a_broken_bundle_is_refused(config, done, tmp_path, spoil, message):
    bundle = shutil.copytree(done.bundle, tmp_path / "bundle")
    spoil(bundle)
    with pytest.raises(ConfigError, match=message):
        load_recognizer(config, bundle)


def _spoil_weights(path: Path) -> None:
    weights = load_file(path)
    weights["head.bias"] = weights["head.bias"] * np.nan
    save_file(weights, path)


def test_it_is_pushed_with_its_card(done):
    upload = push(done.bundle, "someone/signs", dry_run=True)
    names = {name for name, _ in upload.files}
    assert {"README.md", "config.yaml", "glossary.json", "pose.safetensors"} <= names
    assert 'from_pretrained("someone/signs")' in upload.card
    assert "library_name: signvlm" in upload.card


# Prediction


def extracted(poses) -> dict[str, Pose]:
    rows = read_json(poses.root / "datasets" / "wlasl_validated.json", "")
    tested = [row["video_id"] for row in rows if row["split"] == "test"]
    return {name: read_pose(pose_path(poses.root, name)) for name in tested}


def test_a_file_of_ones_own_goes_through_extraction_whose_time_is_told(poses, config, done):
    loaded = load_recognizer(config, done.bundle)
    [(name, pose), *_] = extracted(poses).items()
    reader = PoseReader(loaded.config, Extraction(config, lambda path: (pose, 1.25)))
    [prediction] = predict(loaded.recognizer, loaded.config, [Path("own.mp4")], top=None, reader=reader)
    assert prediction.extraction_seconds == 1.25
    assert prediction.record()["extraction_seconds"] == 1.25
    assert prediction.lines()[0] == "own.mp4  (key points found in 1.25 s)"
    assert sum(answer.probability for answer in prediction.answers) == pytest.approx(1)
    assert name in {clip["clip_id"] for clip in read_json(done.folder / "evaluation_results.json", "")["clips"]}


def test_a_clip_of_the_data_root_needs_no_extraction(poses, config, done):
    loaded = load_recognizer(config, done.bundle)

    def never(path):
        raise AssertionError(path)

    clip = poses.root / "raw_videos" / f"{next(iter(extracted(poses)))}.mp4"
    [prediction] = predict(
        loaded.recognizer, loaded.config, [clip], reader=PoseReader(loaded.config, Extraction(config, never))
    )
    assert prediction.answers
    assert prediction.extraction_seconds is None
    assert prediction.indexed


def test_what_is_no_clip_has_its_reason_and_the_rest_goes_on(poses, config, done):
    loaded = load_recognizer(config, done.bundle)
    pose = next(iter(extracted(poses).values()))
    found = {
        "good": pose,
        "nobody": Pose(np.zeros_like(pose.points), pose.times, pose.size),
        "one": Pose(pose.points[:1], pose.times[:1], pose.size),
    }

    def extract(path):
        if path.stem == "broken":
            raise ClipError("undecodable", "no codec")
        return found[path.stem], 0.5

    clips = [Path(f"{name}.mp4") for name in ("broken", "nobody", "one", "good")]
    reader = PoseReader(loaded.config, Extraction(config, extract))
    told = list(predict(loaded.recognizer, loaded.config, clips, batch_size=4, reader=reader))
    assert [prediction.error for prediction in told] == [
        "undecodable: no codec",
        f"no_person: nobody in any of {len(pose.points)} frames",
        "too_short: key points of 1 frame; a sign takes two at least",
        None,
    ]
    assert all(prediction.remedy for prediction in told[:3])


def test_frames_in_memory_and_pictures_go_through_a_video(poses, config, done, tmp_path):
    loaded = load_recognizer(config, done.bundle)
    pose, films = next(iter(extracted(poses).values())), []

    def extract(path):
        films.append((path.suffix, inspect(path, 10**6).width, inspect(path, 10**6).height))
        return pose, 0.5

    reader = PoseReader(loaded.config, Extraction(config, extract))
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (33, 24), (9, 9, 9)).save(folder / f"{number}.png")
    clips = [np.zeros((4, 31, 40, 3), np.uint8), folder]
    told = list(predict(loaded.recognizer, loaded.config, clips, reader=reader))
    assert [prediction.error for prediction in told] == [None, None]
    assert films == [(".mp4", 40, 30), (".mp4", 32, 24)]
    Image.new("RGB", (50, 24), (9, 9, 9)).save(folder / "9.png")
    [prediction] = predict(loaded.recognizer, loaded.config, [folder], reader=reader)
    assert prediction.error == "undecodable: pictures of several sizes are no clip of one camera"


# Preparation


def test_the_rate_of_a_file_does_not_matter(poses):
    pose = next(iter(extracted(poses).values()))
    halves = np.stack([pose.times, pose.times + np.median(np.diff(pose.times)) / 2], axis=1).ravel()
    double = Pose(np.repeat(pose.points, 2, axis=0), halves.astype(np.float32), pose.size)
    one, other = prepared(pose, 15.0), prepared(double, 15.0)
    assert abs(len(one) - len(other)) <= 2
    few = min(len(one), len(other))
    assert np.abs(one[:few, 9:11, :2] - other[:few, 9:11, :2]).mean() < 0.1


def test_a_point_is_never_invented_far_from_where_it_was_found(poses):
    pose = next(iter(extracted(poses).values()))
    points = pose.points.copy()
    points[:, 17:38] = 0
    shown = prepared(Pose(points, pose.times, pose.size), 15.0)
    assert not shown[:, 17:38].any()


def test_times_that_stand_still_and_films_that_never_end_give_a_clip_all_the_same(poses):
    pose = next(iter(extracted(poses).values()))
    assert len(prepared(Pose(pose.points, np.zeros_like(pose.times), pose.size), 15.0)) >= 2
    long = Pose(np.repeat(pose.points, 40, axis=0), np.arange(40 * len(pose.points), dtype=np.float32), pose.size)
    assert len(prepared(long, 15.0)) == 256


def test_results_of_these_weights_and_key_points_alone_are_gone_on_with(poses, config):
    from signvlm.corpus import load_corpus

    reader = load_recognizer(config, None).reader
    corpus = load_corpus(config)
    assert reader.fingerprint(corpus, "test") == reader.fingerprint(corpus, "test")
    assert reader.fingerprint(corpus, "test") != reader.fingerprint(corpus, "validation")


def test_without_key_points_evaluation_names_the_verb(poses, done, tmp_path):
    root = shutil.copytree(poses.root, tmp_path / "own")
    shutil.rmtree(root / "poses")
    config = load(poses.config, [f"data.root={root}", f"data.index={root / 'index.json'}"])
    with pytest.raises(RunError, match=r"6 of 6 clips have no key points.*run `signvlm pose`"):
        evaluate_checkpoint(config, done.bundle, progress=False)
    assert json.loads((root / "datasets" / "corrupted_videos.json").read_text()) == []
