"""What a user gets wrong, one by one, from the command line: one clear line, exit 1 or 2, nothing half-written."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
import pytest
import torch
from clips import write_clip, write_index
from small_world import GLOSSES, World, paint, write_data

from signvlm.vlm.tiny import save_tiny


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def untouched(refused: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Like `refused`, and nothing below the test's directory has changed afterwards."""

    def untouched(status: int, *arguments: object) -> str:
        before = files(tmp_path)
        line = refused(status, *arguments)
        assert files(tmp_path) == before
        return line

    return untouched


def data(world: World, root: Path, *overrides: str) -> list[object]:
    """Options that point the shared configuration at another data root."""
    pairs = [f"data.root={root}", f"data.index={root / 'index.json'}", *overrides]
    return ["--config", world.config, *(part for pair in pairs for part in ("--set", pair))]


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


# The model


def test_a_base_that_is_none(world: World, untouched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # as the environment sets it at the start
    (tmp_path / "notes").mkdir()
    for verb in (["train"], ["train", "--inspect", "1"]):
        for base, status, words in (
            (tmp_path / "notes", 2, "is not a model folder that can be loaded"),
            ("no where", 2, "is neither a folder here nor a Hub id (user/name)"),
            ("nobody/nothing", 1, "check the name, the network, or HF_TOKEN in .env"),
        ):
            line = untouched(
                status,
                *verb,
                *("--config", world.config, "--set", f"model.base={base}"),
                *("--set", f"training.output_dir={tmp_path / 'run'}"),
            )
            assert line.startswith(f"model.base: {base} ")
            assert words in line


def test_adapters_outside_the_language_model(world: World, untouched, tmp_path: Path) -> None:
    output = f"training.output_dir={tmp_path / 'run'}"
    options = ["--config", world.config, "--set", output, "--set"]
    line = untouched(2, "train", *options, "lora.target_modules=[q_proj]")
    assert "adapters landed outside the language model" in line
    assert "see lora.target_modules" in untouched(2, "train", *options, "lora.target_modules=nothing")


def test_nothing_to_resume(world: World, untouched, tmp_path: Path) -> None:
    output = f"training.output_dir={tmp_path / 'run'}"
    line = untouched(2, "train", "--resume", "--config", world.config, "--set", output)
    assert line.endswith("no checkpoint to resume from; run `signvlm train` without --resume")


# A checkpoint that is none


def truncate(folder: Path) -> None:
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def retype(folder: Path) -> None:
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"r": 16}))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder that is not there": (shutil.rmtree, "not an adapter bundle (no config.yaml)"),
    "an empty folder": (
        lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()],
        "not an adapter bundle (no config.yaml)",
    ),
    "no weights": (lambda f: (f / "adapter_model.safetensors").unlink(), "(no adapter_model.safetensors)"),
    "no adapter's settings": (lambda f: (f / "adapter_config.json").unlink(), "(no adapter_config.json)"),
    "no glossary": (lambda f: (f / "glossary.json").unlink(), "(no glossary.json)"),
    "a glossary cut short": (lambda f: (f / "glossary.json").write_text('["no",'), "glossary.json: not JSON"),
    "a glossary of another kind": (lambda f: (f / "glossary.json").write_text('{"no": 1}'), "not a list of glosses"),
    "an empty glossary": (lambda f: (f / "glossary.json").write_text("[]"), "not a list of glosses"),
    "a gloss twice": (lambda f: (f / "glossary.json").write_text('["no", "no"]'), "the same tokens"),
    "a malformed configuration": (lambda f: (f / "config.yaml").write_text("a: ["), "config.yaml:1: not valid YAML"),
    "weights cut short": (truncate, "the adapter does not fit"),
    "empty weights": (lambda f: (f / "adapter_model.safetensors").write_bytes(b""), "the adapter does not fit"),
    "weights of another rank": (retype, "the adapter does not fit"),
    "broken settings": (lambda f: (f / "adapter_config.json").write_text("{"), "the adapter does not fit"),
    "a broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), "the adapter does not fit"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "the adapter does not fit"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_checkpoint_that_is_none(world: World, call, tmp_path: Path, kind: str) -> None:
    spoil, words = BROKEN[kind]
    bundle = tmp_path / "adapter"
    shutil.copytree(world.bundle, bundle)
    spoil(bundle)
    before = files(tmp_path)
    clip = world.root / "raw_videos" / "00007.mp4"
    for arguments in (["predict", clip], ["eval", "--limit", "1"]):
        called = call(*arguments, "--config", world.config, "--checkpoint", bundle)
        last = called.err.splitlines()[-1]
        assert called.status in (1, 2), called
        assert called.out == ""
        assert last.startswith("error: ")
        assert str(bundle) in last or "tokens" in last
        assert words in last
        assert "unexpected" not in last
        assert "Traceback" not in called.err
    assert files(tmp_path) == before


def test_an_adapter_of_another_base(world: World, untouched, tmp_path: Path) -> None:
    """Its shapes would fit; its tokens mean something else."""
    other = save_tiny(tmp_path / "other", ["quite other words, of which there are many"] * 4)
    bundle = tmp_path / "adapter"
    shutil.copytree(world.bundle, bundle, ignore=shutil.ignore_patterns("base"))
    settings = (bundle / "config.yaml").read_text()
    (bundle / "config.yaml").write_text(settings.replace(str(world.base), str(other)))
    clip = world.root / "raw_videos" / "00007.mp4"
    line = untouched(2, "predict", clip, "--config", world.config, "--checkpoint", bundle)
    assert f"the adapter does not fit {other}" in line


@pytest.mark.parametrize(
    "verb", [["predict", "x.mp4"], ["eval"], ["merge", "--out", "model"], ["push", "--repo", "me/mine"]]
)
def test_a_repository_that_is_none(world: World, untouched, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    """A mistyped folder may have the form of one."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    line = untouched(1, *verb, "--config", world.config, "--checkpoint", "runs/adapterr")
    assert line == (
        "runs/adapterr: no such folder here, and the Hub cannot be reached; check the network and HF_ENDPOINT, "
        "or name a folder"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dry-run"], "--repo: missing; give --repo USER/NAME, or set hub.repo"),
        (["--repo", "no where", "--dry-run"], "'no where' is no repository name"),
        (["--repo", "me/mine", "--manifest", "--checkpoint", "."], "--manifest: goes by itself, without --checkpoint"),
        (["--repo", "me/mine", "--manifest", "--set", "data.root=absent"], "wlasl_validated.json: not there; run"),
    ],
)
def test_a_push_that_cannot_be(world: World, untouched, arguments: list[str], words: str) -> None:
    assert words in untouched(2, "push", "--config", world.config, *arguments)


def test_a_base_that_is_a_pickle_is_not_loaded(world: World, untouched, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(world.base, base, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save({}, base / "pytorch_model.bin")
    output = f"training.output_dir={tmp_path / 'run'}"
    line = untouched(2, "train", "--config", world.config, "--set", f"model.base={base}", "--set", output)
    assert line.startswith(f"model.base: {base} is not a model folder that can be loaded")


def test_a_split_that_is_none(world: World, untouched) -> None:
    line = untouched(2, "eval", "--config", world.config, "--split", "dev")
    assert line == "--split dev: no such split; choose one of train, validation, test"


# A disk that is full: no file may grow beyond so many bytes


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Within it, a write beyond the limit fails as on a full disk; workers inherit it."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("verb", "limit", "file"), [("validate", 1_000, "wlasl_cleaned.json"), ("preprocess", 20_000, "frames")]
)
def test_a_full_disk_ends_a_stage_and_leaves_what_was_there(
    world: World, call, refused, tmp_path: Path, verb: str, limit: int, file: str
) -> None:
    write_data(tmp_path / "data")
    options = data(world, tmp_path / "data")
    if verb == "preprocess":
        assert call("validate", *options).status == 0
    before = files(tmp_path)
    with full_disk(limit):
        line = refused(1, verb, *options)
    assert line.startswith(str(tmp_path / "data"))
    assert f"{file}: cannot be written (" in line
    assert "free space" in line
    assert files(tmp_path) == before
    assert call(verb, *options).status == 0  # and with space it goes on


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "Error while serializing"), (1.1, "a file was cut short")], ids=["adapter", "optimizer"]
)
def test_a_full_disk_ends_training_without_half_a_checkpoint(
    world: World, refused, tmp_path: Path, share: float, words: str
) -> None:
    """Files as large as the adapter fit where the optimizer's state, twice as large, does not."""
    run = tmp_path / "run"
    with full_disk(int(share * (world.bundle / "adapter_model.safetensors").stat().st_size)):
        line = refused(1, "train", "--config", world.config, "--set", f"training.output_dir={run}")
    assert line.startswith(f"{run}: a checkpoint cannot be written (")
    assert words in line
    assert line.endswith("free space, then train again")
    assert not list(run.glob("checkpoint-*"))
    assert not (run / "adapter").exists()


def test_more_frames_than_the_disk_could_hold_are_refused_before_the_first_is_written(
    world: World, refused, tmp_path: Path
) -> None:
    huge = ["preprocess.size=2048", "preprocess.stored_frames=10000000"]
    root = tmp_path / "data"
    shutil.copytree(world.root, root, ignore=shutil.ignore_patterns("frames", "runs"))
    line = refused(1, "preprocess", *data(world, root, *huge))
    assert "MB are free; free space, or lower preprocess.size or preprocess.stored_frames" in line
    assert not (root / "frames").exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_that_may_not_be_written(world: World, refused, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    (tmp_path / "data").chmod(0o555)
    try:
        assert "cannot be written (Permission denied)" in refused(1, "validate", *data(world, tmp_path / "data"))
    finally:
        (tmp_path / "data").chmod(0o755)


def test_a_file_where_a_folder_should_be(world: World, refused, tmp_path: Path) -> None:
    """What a missing permission does, for root too."""
    (tmp_path / "runs").write_text("in the way")
    output = f"training.output_dir={tmp_path / 'runs' / 'small'}"
    line = refused(1, "train", "--config", world.config, "--set", output)
    assert "cannot be written (" in line
