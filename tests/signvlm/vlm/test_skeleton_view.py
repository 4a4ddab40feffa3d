"""Drawings in training, evaluation and prediction: varied as key points, shown as they are wherever answers count."""

import numpy as np
import pytest
import torch
from avatar_poses import avatar_pose
from small_world import write_config, write_data

from data_engineering.clip import read_json
from data_engineering.pose.kept import keep
from data_engineering.pose.record import pose_path, read_pose
from data_engineering.preprocess import preprocess
from data_engineering.rows import decode_row, validated_rows
from data_engineering.validate import validate
from signvlm.config import AugmentationSettings, load
from signvlm.corpus import load_corpus
from signvlm.eval import evaluate_checkpoint
from signvlm.hardware import Hardware
from signvlm.loading import load_recognizer
from signvlm.predict import predict
from signvlm.reader import FrameReader
from signvlm.train import train
from signvlm.vlm.examples import as_examples
from signvlm.vlm.features import Features

SIGNS = ("MOTHER", "CAR", "BOOK")
CPU = Hardware("cpu", "float32", False, 0, False, ())
STILL = AugmentationSettings(temporal_jitter=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A validated data root with the key points of an avatar that knows a sign a gloss."""
    root = tmp_path_factory.mktemp("drawn") / "data"
    write_data(root)
    config = load(write_config(root.parent / "small.yaml", root, root))
    validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt, progress=False)
    sign_of: dict[str, str] = {}
    for number, row in enumerate(validated_rows(root)):
        sign = sign_of.setdefault(row["gloss"], SIGNS[len(sign_of) % len(SIGNS)])
        keep(root, row, avatar_pose(sign, number)[0], {"name": "avatar"})
    return root


@pytest.fixture
def configured(root, base, tmp_path):
    """The small configuration with a view, its frames preprocessed in a root of its own that shares the clips."""

    def configure(view, *overrides, stored=True):
        folder = tmp_path / view
        folder.mkdir()
        for part in ("raw_videos", "poses", "index.json", "datasets"):
            (folder / part).symlink_to(root / part)
        file = write_config(tmp_path / f"{view}.yaml", folder, base)
        config = load(file, [f"preprocess.view={view}", *overrides])
        if stored:
            preprocess(config.data, config.preprocess, progress=False)
        return config

    return configure


def frames_of(rows, config, augmentation, seed=0):
    torch.manual_seed(seed)
    return [example["frames"] for example in as_examples(rows, config.preprocess, augmentation)]


def test_training_varies_the_points_and_whatever_is_answered_is_shown_as_it_is(configured):
    config = configured("skeleton")
    rows = load_corpus(config).rows["train"]
    plain, again = frames_of(rows, config, None), frames_of(rows, config, None, seed=1)
    assert all((one == other).all() for one, other in zip(plain, again, strict=True))
    varied, other, same = (frames_of(rows, config, STILL, seed) for seed in (1, 2, 1))
    assert all(frames.shape == (4, 64, 64, 3) and frames.dtype == np.uint8 for frames in varied)
    assert any((one != two).any() for one, two in zip(plain, varied, strict=True))
    assert any((one != two).any() for one, two in zip(varied, other, strict=True))
    assert all((one == two).all() for one, two in zip(varied, same, strict=True))


def test_no_strength_leaves_drawings_as_they_are_and_mirror_turns_them_round(configured):
    config = configured("skeleton")
    rows = load_corpus(config).rows["train"]
    still = STILL.model_copy(update={"points": 0.0})
    # The row's key points are rounded to half precision.
    for one, other in zip(frames_of(rows, config, None), frames_of(rows, config, still), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1
    (mirrored, *_) = frames_of(rows, config, still.model_copy(update={"mirror": 1.0}))
    (plain, *_) = frames_of(rows, config, still)
    body, other = plain[:, :32].astype(int), mirrored[:, :32, ::-1][..., [1, 0, 2]]
    assert np.abs(body - other).mean() < 3


def test_film_and_drawings_are_mirrored_together(configured):
    config = configured("rgb+skeleton")
    rows = load_corpus(config).rows["train"]
    still = STILL.model_copy(update={"points": 0.0})
    (plain, *_), (mirrored, *_) = (
        frames_of(rows, config, still.model_copy(update={"mirror": mirror})) for mirror in (0.0, 1.0)
    )
    assert plain.shape == mirrored.shape == (8, 64, 64, 3)
    assert (mirrored[:4] == plain[:4, :, ::-1]).all()
    assert (mirrored[4:] != plain[4:]).any()


def test_without_stored_frames_the_same_is_drawn(configured):
    stored = configured("skeleton")
    kept = frames_of(load_corpus(stored).rows["train"], stored, None)
    rows = [row for row in validated_rows(stored.data.root) if row["split"] == "train"]
    fresh = [np.frombuffer(decode_row(row, stored.preprocess)["frames"], np.uint8) for row in rows]
    assert all((one.ravel() == other).all() for one, other in zip(kept, fresh, strict=True))


@pytest.mark.parametrize("view", ["skeleton", "rgb+skeleton"])
def test_a_run_on_drawings_trains_and_is_evaluated_like_any(configured, view):
    config = configured(view)
    done = train(config)
    evaluate_checkpoint(config, done.bundle, progress=False)
    told = read_json(done.folder / "evaluation_results.json", "")
    assert [clip["clip_id"] for clip in told["clips"] if clip["exact"]] == ["00007", "00008"]
    assert (done.folder / "report.html").is_file()
    loaded = load_recognizer(config, done.bundle)
    clips = [config.data.root / "raw_videos" / f"{name}.mp4" for name in ("00007", "00008")]
    answers = list(predict(loaded.recognizer, loaded.config, clips, None, reader=loaded.reader))
    assert all(answer.indexed for answer in answers)
    best = [[gloss for gloss, *_ in answer.answers] for answer in answers]
    assert best == [[one["gloss"] for one in clip["exact"]] for clip in told["clips"] if clip["exact"]]


class Found:
    """Stands in for the extractor, which needs an environment of its own: every file has the same key points."""

    def __init__(self, pose):
        self.pose, self.asked = pose, []

    def file(self, path):
        self.asked.append(path)
        return self.pose, 0.25


@pytest.mark.parametrize("view", ["skeleton", "rgb+skeleton"])
def test_a_file_that_no_index_knows_is_extracted_and_drawn_alike(configured, view):
    config = configured(view, stored=False)
    row = validated_rows(config.data.root)[3]
    found = Found(read_pose(pose_path(config.data.root, row["video_id"])))
    reader = FrameReader(config, found)
    file = config.data.root / "raw_videos" / f"{row['video_id']}.mp4"
    shown, seconds = reader.file(file)
    assert (found.asked, seconds) == ([file], 0.25)
    known, nothing = reader.row(row)
    assert (shown[-4:] == known[-4:]).all()
    assert len(shown) == config.preprocess.shown_frames
    assert (found.asked, nothing) == ([file], None)  # what `signvlm pose` left is not sought again


@pytest.mark.parametrize("view", ["skeleton", "rgb+skeleton"])
def test_the_towers_output_is_kept_of_drawings_too_and_made_anew_for_other_key_points(configured, view):
    config = configured(view, "features.cache=true", "features.views=2")
    corpus = load_corpus(config)
    features = Features(config, corpus, CPU)
    features.complete()
    plain = features.clips["train"][0][0].path
    (example, *_) = features.examples("train", vary=False)
    assert example["frames"].shape[0] == config.preprocess.shown_frames
    row = next(row for row in corpus.manifest if row["video_id"] == example["clip_id"])
    poses = config.data.root / "poses"
    kept = {path.name: path.read_bytes() for path in poses.iterdir()}
    poses.unlink()  # a link to the clips that these tests share
    poses.mkdir()
    for name, content in kept.items():
        (poses / name).write_bytes(content)
    keep(config.data.root, row, avatar_pose("CAR", 9)[0], {"name": "avatar"})
    preprocess(config.data, config.preprocess, progress=False)
    assert Features(config, load_corpus(config), CPU).clips["train"][0][0].path != plain
