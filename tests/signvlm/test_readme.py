"""Every command and every line of Python in the README runs; what cannot run here is named, with the reason."""

import dataclasses
import inspect
import re
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clips import write_clip, write_index
from markdown_blocks import blocks, commands, prose
from pose_clips import PROGRAM, write_kinds
from ruamel.yaml import YAML
from small_world import COLOURS, GLOSSES, paint, performed, write_data

import data_engineering.pose.extractor
import signvlm
import signvlm.demo
import signvlm.extraction
from data_engineering.errors import ConfigError
from data_engineering.pose.one_file import FileExtractor
from signvlm.config import DEFAULT_CONFIG, Config, load, shipped

ROOT = Path(signvlm.__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = [block for block in blocks(TEXT) if block.language == "sh"]
PYTHON = [block for block in blocks(TEXT) if block.language == "python"]
INLINE = re.findall(r"`((?:uv|pip|tensorboard|signvlm) [^`]+)`", prose(TEXT))
SETTINGS = set(re.findall(r"--set ([a-z_]+\.\w+=[^`\s]+)", TEXT)) - {"section.key=value"}

INDEX = "fetches packages from an index"
ELSEWHERE = {
    "pip install uv": INDEX,
    "uv sync": INDEX,
    "uv sync --extra directml": INDEX,
    "uv sync --reinstall-package NAME": INDEX,
    "uv pip install --torch-backend=auto --reinstall torch torchvision": INDEX,
    "uv pip uninstall decord decord2": "takes this environment apart",
    "uv run pytest": "is what runs this",
    "uv run --no-sync signvlm demo": "the same as above without uv's own work",
}
SMALLER = {"--signs 100 --signers 12,3,5": "--signs 2 --signers 1,1,1 --clips-per-cell 1 --size 64 --workers 1"}

Call = Callable[..., tuple[int, str, str]]


def run(command: list[str], call: Call) -> None:
    """Runs a command of the README in this process, where `call` is."""
    line = " ".join(command)
    if line in ELSEWHERE:
        return
    for long, short in SMALLER.items():
        line = line.replace(long, short)
    words = line.split()
    if words[:2] == ["uv", "run"]:
        words = words[2:]
    if words[0] == "tensorboard":
        watch(words)
        return
    assert words[0] == "signvlm", f"{line}: can it run here? if not, name it above, with the reason"
    done = call(*words[1:])
    assert done.status == 0, f"{line}\n{done.err}"


def watch(words: list[str]) -> None:
    """Starts TensorBoard as the command does, and asks it what it has; an empty one has nothing."""
    from tensorboard import program

    board = program.TensorBoard()
    board.configure([*words, "--port", "0"])
    with urllib.request.urlopen(f"{board.launch()}data/plugin/scalars/tags") as answer:
        assert b"train/loss" in answer.read()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder from the loopback address; gives its own."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def configure(path: Path, name: str, **sections: dict[str, object]) -> None:
    """Writes a shipped configuration with some of its keys changed; where it stands it wins over the shipped one."""
    tree = YAML(typ="safe", pure=True).load(shipped(name).read_text(encoding="utf-8"))
    for section, keys in sections.items():
        tree[section] = {**(tree.get(section) or {}), **keys}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(tree, stream)


def test_every_block_has_its_test() -> None:
    """A new one wants a place to run in, below."""
    assert [block.heading for block in SHELL] == [
        *("signvlm", "signvlm", "With clips of your own", "Without a GPU: key points", "With WLASL", "With WLASL")
    ]
    assert [block.heading for block in PYTHON] == ["With WLASL"]


def test_the_demo_and_a_data_set_of_the_avatar(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo on fewer signs and people; what it makes of them is tested elsewhere."""
    monkeypatch.setattr(signvlm.demo, "GLOSSES", ("MOTHER", "BOOK"))
    monkeypatch.setattr(signvlm.demo, "SIGNERS", {"train": 1, "validation": 1, "test": 1})
    monkeypatch.setattr(signvlm.demo, "BROKEN", {"train": (), "validation": (), "test": ()})
    monkeypatch.setattr(signvlm.demo, "HEIGHT", 96)
    small = {"num_train_epochs": 1, "per_device_train_batch_size": 2}
    configure(tmp_path / "params" / "demo.yaml", "demo.yaml", training=small, evaluation={"occlusion": 1})
    for command in [*commands(SHELL[0].text), *commands(SHELL[1].text)]:
        run(command, call)
    assert (tmp_path / "signvlm-demo" / "runs" / "demo" / "report.html").is_file()
    assert (tmp_path / "avatar" / "index.json").is_file()


def test_clips_of_ones_own(call: Call, tmp_path: Path) -> None:
    for number, gloss in enumerate(GLOSSES):
        for signer in range(3):
            folder = tmp_path / "my_signs" / gloss / f"signer {signer}"
            folder.mkdir(parents=True)
            write_clip(folder / "clip.mp4", frames=16, paint=performed(gloss, 3 * number + signer))
    for command in commands(SHELL[2].text):
        run(command, call)
    assert (tmp_path / "work" / "frames").is_dir()


def test_key_points_in_four_commands(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an extractor that needs no network; what MediaPipe finds is tested where it can be had."""
    monkeypatch.setattr(data_engineering.pose.extractor, "HOLISTIC", PROGRAM)
    monkeypatch.setattr(signvlm.extraction, "FileExtractor", partial(FileExtractor, program=PROGRAM))
    short = {"max_steps": 2, "eval_steps": 2, "save_steps": 2, "per_device_train_batch_size": 4}
    configure(tmp_path / "params" / "skeleton.yaml", "skeleton.yaml", training=short, validate={"workers": 1})
    for number, gloss in enumerate(GLOSSES):
        for take in range(4):
            clip = tmp_path / "my_clips" / gloss / f"{take}.mp4"
            clip.parent.mkdir(parents=True, exist_ok=True)
            write_kinds(clip, *["person"] * (5 + 4 * number + take))
    shutil.copy(clip, tmp_path / "new_clip.mp4")
    for command in commands(SHELL[3].text):
        run(command, call)
    assert list((tmp_path / "data" / "my_clips" / "poses").glob("*.safetensors"))


def test_wlasl_from_the_index_to_a_push_and_what_is_said_of_each_verb(
    call: Call, tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the default configuration's file, on a tiny base, the clips on a loopback server."""
    configure(
        tmp_path / DEFAULT_CONFIG,
        Path(DEFAULT_CONFIG).name,
        data={"glossary": None},
        download={"allow_hosts": ["127.0.0.1"], "pause": 0, "backoff": 0},
        validate={"workers": 1},
        preprocess={"num_frames": 4, "stored_frames": 6, "size": 64, "workers": 1},
        model={"base": str(base), "device": "cpu"},
        training={"num_train_epochs": 1, "dataloader_num_workers": 0, "logging_steps": 1},
        evaluation={"batch_size": 4, "bootstrap_samples": 50, "occlusion": 1},
    )
    write_data(tmp_path / "hosts")
    clip = tmp_path / "hosts" / "raw_videos" / "00001.mp4"
    shutil.copy(clip, tmp_path / "my_clip.mp4")
    (tmp_path / "clips").mkdir()
    shutil.copy(clip, tmp_path / "clips" / "one.mp4")
    with serving(clip.parent) as address:
        (tmp_path / "data" / "wlasl").mkdir(parents=True)
        index = (tmp_path / "hosts" / "index.json").read_text(encoding="utf-8")
        (tmp_path / "data" / "wlasl" / "WLASL_v0.3.json").write_text(index.replace("https://example.org", address))
        walk = commands(SHELL[4].text)
        for command in walk:
            run(command, call)
        finished = tmp_path / "data" / "wlasl" / "runs" / "internvl3_5_2b"
        for name in ("first", "second"):
            shutil.copytree(finished, finished.with_name(name))
        for line in dict.fromkeys(INLINE):
            for command in commands(line):
                if command not in walk and ["uv", "run", *command] not in walk:
                    run(command, call)
    shutil.copytree(finished / "adapter", tmp_path / "my-adapter")
    for block in PYTHON:
        exec(block.text, {})


def test_the_smoke_run(call: Call, tmp_path: Path) -> None:
    (tmp_path / "clips" / "raw_videos").mkdir(parents=True)
    names = {"00001": "book", "00002": "no"}
    for name, gloss in names.items():
        write_clip(tmp_path / "clips" / "raw_videos" / f"{name}.mp4", frames=16, paint=paint(gloss))
    write_index(tmp_path / "clips" / "index.json", [{"video_id": n, "gloss": g} for n, g in names.items()])
    for command in commands(SHELL[5].text):
        run(command, call)
    assert (tmp_path / "clips" / "datasets" / "health.html").is_file()
    assert set(names.values()) <= set(COLOURS)


# What the remedies name


@pytest.mark.parametrize("override", sorted(SETTINGS))
def test_every_setting_is_one(override: str) -> None:
    from signvlm.passthrough import check_passthrough

    config = load(DEFAULT_CONFIG, [override])
    check_passthrough(config)


def test_every_key_is_one() -> None:
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, GenerationConfig
    from trl import SFTConfig

    libraries = {
        "training": {field.name for field in dataclasses.fields(SFTConfig)},
        "lora": {field.name for field in dataclasses.fields(LoraConfig)},
        "quantization": set(inspect.signature(BitsAndBytesConfig).parameters),
        "generation": set(GenerationConfig().to_dict()),
    }
    sections = {field.alias or name: field.annotation for name, field in Config.model_fields.items()}
    for key in set(re.findall(r"`([a-z_]+\.[a-z_]+)`", TEXT)):
        section, _, name = key.partition(".")
        if section not in sections:
            continue
        known = libraries.get(section) or sections[section].model_fields  # type: ignore[union-attr]
        assert name in known, key


def test_a_setting_that_is_none_would_be_noticed() -> None:
    with pytest.raises(ConfigError, match="did you mean"):
        load(DEFAULT_CONFIG, ["evaluation.batchsize=1"])


def test_every_reason_and_file_that_it_names_is_there() -> None:
    from data_engineering.reasons import REMEDIES

    assert {"moov_missing", "html", "empty", "not_video"} <= set(REMEDIES)
    for name in set(re.findall(r"`((?:params|benchmarks|docs)/[\w./]+)`", TEXT)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    "symptom",
    [
        *("moov atom", "requires_grad", "use_cache", "out of memory", "stuck at 0 %", "slow loading"),
        *("training too slow", "loss does not decrease", "TensorBoard is empty", "bad predictions", "overfitting"),
        "ImportError",
    ],
)
def test_the_symptoms_that_people_search_for_are_answered(symptom: str) -> None:
    table = TEXT.partition("## Troubleshooting")[2]
    assert any(symptom in row.split("|")[1] for row in table.splitlines() if row.startswith("| "))


def test_it_says_plainly_what_the_avatars_signs_are() -> None:
    top = TEXT.partition("## ")[0]
    assert "not ASL" in top
    assert "No Deaf signer has reviewed them" in top
    assert "docs/avatar.jpg" in top
    assert "docs/report.png" in top
