"""What a user gets wrong about configuration, data root and index: one clear line, and nothing half-written."""

import json
import shutil
from pathlib import Path

import pytest
from clips import write_clip, write_index
from small_world import GLOSSES, World, data, paint, write_data

# The configuration: nothing is loaded for it, whatever the verb

VERBS = [["validate"], ["preprocess"], ["train"], ["eval"], ["predict", "x.mp4"], ["download"], ["doctor"]]
VERBS += [["push"], ["merge", "--out", "model"]]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "mine.yaml: no such configuration file; shipped ones: demo.yaml, internvl3_5_1b.yaml, "),
        ("data: [\n", "not valid YAML"),
        ("data:\n  rot: x\n", "mine.yaml:2: unknown key data.rot; did you mean root?"),
        ("preprocess:\n  size: big\n", "mine.yaml:2: preprocess.size should be a valid integer"),
    ],
    ids=["missing", "malformed", "unknown key", "wrong type"],
)
def test_a_configuration_that_is_wrong(
    untouched, tmp_path: Path, verb: list[str], text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / "mine.yaml").write_text(text)
    assert words in untouched(2, *verb, "--config", "mine.yaml")


@pytest.mark.parametrize("verb", [["train"], ["train", "--inspect", "1"], ["eval"], ["predict", "x.mp4"]])
def test_a_key_that_a_library_does_not_know(world: World, untouched, verb: list[str]) -> None:
    line = untouched(2, *verb, "--config", world.config, "--set", "training.learning_rat=1")
    assert "unknown key training.learning_rat; did you mean learning_rate?" in line


@pytest.mark.parametrize("override", ["training.eval_strategy=sometimes", "training.lr_scheduler_type=cosin"])
def test_a_value_that_a_library_does_not_know_opens_no_run(world: World, untouched, override: str, tmp_path) -> None:
    line = untouched(
        2, "train", "--config", world.config, "--set", override, "--set", f"training.output_dir={tmp_path / 'run'}"
    )
    assert f"training: {override.partition('=')[2]} is not a valid" in line


# The data root and the index


@pytest.mark.parametrize("verb", [["preprocess"], ["train"], ["train", "--inspect", "1"], ["eval"]])
def test_a_split_that_the_clips_were_not_validated_with(world: World, untouched, verb: list[str]) -> None:
    line = untouched(1, *verb, "--config", world.config, "--set", "data.split=gloss")
    assert "made with data.split official, the configuration says gloss; run `signvlm validate` with it" in line


@pytest.mark.parametrize("verb", ["validate", "train"])
def test_a_data_root_that_is_not_there(world: World, untouched, tmp_path: Path, verb: str) -> None:
    assert untouched(2, verb, *data(world, tmp_path / "absent")).startswith(
        f"data.root: {tmp_path / 'absent'} is no folder"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("moved permanently", "is not JSON"),
        (
            '{"videos": []}',
            "a list of {gloss, instances}, or of {path, gloss} for your own clips, is expected",
        ),
        ("[1, 2]", "is not WLASL-shaped"),
        ("[]", "holds no entry"),
        ('[{"gloss": "no", "instances": [{"video_id": "../../etc/passwd"}]}]', "holds no usable clip"),
    ],
)
def test_an_index_that_is_none(world: World, untouched, tmp_path: Path, text: str, words: str) -> None:
    write_data(tmp_path / "data").write_text(text)
    line = untouched(2, "validate", *data(world, tmp_path / "data"))
    assert line.startswith(f"data.index: {tmp_path / 'data' / 'index.json'} ")
    assert words in line


def test_an_index_that_is_not_there(world: World, untouched, tmp_path: Path) -> None:
    write_data(tmp_path / "data").unlink()
    assert "index.json does not exist" in untouched(2, "validate", *data(world, tmp_path / "data"))


def test_a_glossary_that_matches_nothing(world: World, untouched, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    (tmp_path / "words.txt").write_text("boook\n")
    line = untouched(2, "validate", *data(world, tmp_path / "data", "data.glossary=words.txt"))
    assert "none of the 1 words of words.txt is a gloss of the index ('boook': the nearest is book)" in line


def test_stages_out_of_order_name_the_one_that_is_missing(world: World, untouched, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    for verb in ("preprocess", "train"):
        assert untouched(1, verb, *data(world, tmp_path / "data")).endswith("run `signvlm validate`")
    line = untouched(2, "eval", *data(world, tmp_path / "data"))
    assert "run `signvlm train` first, or give --checkpoint DIR" in line


def test_no_clip_is_there(world: World, refused, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "raw_videos")
    line = refused(1, "validate", *data(world, tmp_path / "data"))
    assert line.endswith("holds none of the expected clips; run `signvlm download` or copy them there")


def test_no_clip_is_left_after_validation(world: World, refused, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    for path in (tmp_path / "data" / "raw_videos").iterdir():
        path.write_text("<html>gone</html>")
    line = refused(1, "validate", *data(world, tmp_path / "data"))
    assert "none of 9 clips can be used (9 html)" in line
    assert len(json.loads((tmp_path / "data" / "datasets" / "corrupted_videos.json").read_text())) == 9
    assert "holds no clip" in refused(1, "preprocess", *data(world, tmp_path / "data"))
    assert "the train split has no readable clip" in refused(1, "train", *data(world, tmp_path / "data"))
    assert not (tmp_path / "data" / "frames").exists()
    assert not (tmp_path / "data" / "runs").exists()


def test_one_gloss_only(world: World, call, untouched, tmp_path: Path) -> None:
    write_data(tmp_path / "data", ("book",))
    assert call("validate", *data(world, tmp_path / "data")).status == 0
    line = untouched(2, "train", *data(world, tmp_path / "data"))
    assert line.endswith("1 gloss has clips, and there is nothing to tell apart; widen data.glossary or add clips")


def test_one_clip_a_gloss_trains_but_cannot_be_evaluated(world: World, call, refused, tmp_path: Path) -> None:
    """Without a validation clip the last model is kept and said so; without a test clip there is no figure."""
    (tmp_path / "data" / "raw_videos").mkdir(parents=True)
    for name, gloss in enumerate(GLOSSES):
        write_clip(tmp_path / "data" / "raw_videos" / f"{name}.mp4", frames=20, paint=paint(gloss))
    write_index(
        tmp_path / "data" / "index.json",
        [{"video_id": str(name), "gloss": gloss, "split": "train"} for name, gloss in enumerate(GLOSSES)],
    )
    options = data(world, tmp_path / "data", "training.max_steps=1")
    for verb in ("validate", "preprocess"):
        assert call(verb, *options).status == 0
    trained = call("train", *options)
    assert trained.status == 0
    assert "never evaluated, last step kept" in trained.out
    assert "the test split has no readable clip" in refused(1, "eval", *options)


def test_frames_made_with_other_settings(world: World, untouched) -> None:
    line = untouched(1, "train", "--config", world.config, "--set", "preprocess.margin=0.3")
    assert line.endswith("frames: was made with other `preprocess` settings; run `signvlm preprocess`")


def test_a_split_that_is_none(world: World, untouched) -> None:
    line = untouched(2, "eval", "--config", world.config, "--split", "dev")
    assert line == "--split dev: no such split; choose one of train, validation, test"
