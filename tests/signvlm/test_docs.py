"""The documents say what is so: the reference is the code's, formats are those of a real run, examples run."""

import ast
import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from click import Context
from clips import write_clip
from markdown_blocks import Block, blocks, commands, rows, section
from ruamel.yaml import YAML
from small_world import World, performed, write_config

import signvlm
from data_engineering.clip import read_json
from signvlm.cli import cli

ROOT = Path(signvlm.__file__).parent.parent
DOCS = ROOT / "docs"
FORMATS = (DOCS / "data_formats.md").read_text(encoding="utf-8")
API = (DOCS / "python_api.md").read_text(encoding="utf-8")
ADDING = (DOCS / "adding.md").read_text(encoding="utf-8")
NOT_HERE = {
    "demo": "takes minutes; tests/signvlm/test_demo.py runs it on fewer signs",
    "pose": "needs MediaPipe; tests/data_engineering/pose runs it on an extractor that does not",
    "keypoints": "trains for minutes; tests/signvlm/keypoints runs it on small images",
    "export": "takes a bundle over key points; tests/signvlm/pose/test_export.py runs it",
}

Call = Callable[..., tuple[int, str, str]]


def load_script(name: str) -> dict[str, Any]:
    """Returns the names that a file of scripts/ defines."""
    found: dict[str, Any] = {"__name__": name, "__file__": str(ROOT / "scripts" / f"{name}.py")}
    exec(compile(Path(found["__file__"]).read_text(encoding="utf-8"), found["__file__"], "exec"), found)
    return found


# The reference


def test_the_configuration_reference_is_the_codes() -> None:
    written = load_script("configuration_reference")["reference"]()
    committed = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert committed == written, "out of date: python scripts/configuration_reference.py, and commit what it wrote"


def test_the_reference_tells_type_bounds_default_and_meaning() -> None:
    lines = (DOCS / "configuration.md").read_text(encoding="utf-8").splitlines()
    [size] = [line for line in lines if line.startswith("| `preprocess.size` |")]
    assert size == "| `preprocess.size` | whole number ≥ 16, ≤ 2048 | `448` | Side of the square frames, in pixels. |"
    [repo] = [line for line in lines if line.startswith("| `hub.repo` |")]
    assert "| text or null | `null` |" in repo


# The Python interface, and what a run leaves


def run_blocks(told: list[Block], before: dict[str, Callable[[dict[str, Any]], None]]) -> dict[str, Any]:
    """Runs blocks one after the other; returns the names that they leave. `before` prepares what stands under one."""
    names: dict[str, Any] = {}
    for block in told:
        if block.heading in NOT_HERE:
            ast.parse(block.text)
            continue
        if block.heading in before:
            before[block.heading](names)
        exec(compile(block.text, f"docs: {block.heading}", "exec"), names)
    return names


@pytest.fixture(scope="module")
def lived(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Where docs/python_api.md was run from top to bottom, on a copy of the small world, and what it left."""
    place = tmp_path_factory.mktemp("api")
    shutil.copytree(world.root, place / "data", ignore=shutil.ignore_patterns("runs"))
    index = read_json(place / "data" / "index.json", "")
    # An address that is never asked: the attempt is noted all the same.
    gone = {**index[0]["instances"][0], "video_id": "00010", "url": "http://10.0.0.1/a.mp4"}
    index[0]["instances"].append(gone)
    (place / "data" / "index.json").write_text(json.dumps(index))
    write_config(place / "my.yaml", Path("data"), world.base)
    shutil.copytree(world.bundle, place / "my-adapter")
    (place / "clips").mkdir()
    for name in ("hello.mp4", "clips/one.mp4"):
        shutil.copy(world.root / "raw_videos" / "00007.mp4", place / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        told = [block for block in blocks(API) if block.language == "python"]
        another = {"compare": lambda names: shutil.copytree(names["training"].folder, "another-run")}
        yield place, run_blocks(told, another)


def test_what_python_can_call(lived: tuple[Path, dict[str, Any]]) -> None:
    place, names = lived
    assert names["report"].stage == "validate"
    assert names["frames"].dtype == np.uint8
    assert names["training"].bundle.is_dir()
    assert 0 <= names["results"].summary["exact"]["top1"] <= 1
    assert names["merged"].gap.largest < 1e-4
    assert names["upload"].url is None
    assert (place / "comparison.html").is_file()


def test_every_verb_has_its_place_in_the_python_interface() -> None:
    from signvlm.cli import cli

    told = re.findall(r"^### `(\w+)`$", API, re.MULTILINE)
    assert told == list(cli.commands)


# Formats


def described(heading: str) -> dict[str, bool]:
    """Returns {field: whether it need not be there} of a table of docs/data_formats.md."""
    return {name: what.startswith("Only ") for names, what in rows(section(FORMATS, heading)) for name in names}


def differences(value: Any, fields: dict[str, bool], at: str = "") -> set[str]:
    """Compares JSON with described fields: what is there and undescribed, and what is described and not there."""
    if at in fields:
        return set()
    if isinstance(value, list):
        return {each for item in value for each in differences(item, fields, f"{at}[]")}
    if not isinstance(value, dict):
        return {f"{at}: not described"}
    steps = {re.match(r"[^.\[]+", path[len(at) :].lstrip("."))[0] for path in fields if _below(path, at)}  # type: ignore[index]
    if not steps:
        return {f"{at}: not described"}
    [free] = [step for step in steps if step.startswith("{")] or [""]
    found: set[str] = set()
    for key, each in value.items():
        found |= differences(each, fields, f"{at}.{free or key}".lstrip("."))
    for step in steps - {free} - value.keys():
        below = [path for path in fields if path == f"{at}.{step}".lstrip(".")]
        if not below or not fields[below[0]]:
            found.add(f"{at}.{step}: not there")
    return found


def _below(path: str, at: str) -> bool:
    return path.startswith(f"{at}.") if at else True


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_manifests_are_as_described(lived: tuple[Path, dict[str, Any]]) -> None:
    root = lived[0] / "data"
    cleaned = described("`datasets/wlasl_cleaned.json`")
    for name, fields in {
        "index.json": described("`index.json`"),
        "datasets/wlasl_cleaned.json": cleaned,
        "datasets/wlasl_validated.json": cleaned | described("`datasets/wlasl_validated.json`"),
        "datasets/corrupted_videos.json": described("`datasets/corrupted_videos.json`"),
        "datasets/health.json": described("`datasets/health.json`"),
    }.items():
        assert differences(read_json(root / name, ""), fields) == set(), name
    [attempt] = lines(root / "downloads.jsonl")
    assert differences(attempt, described("`downloads.jsonl`")) == set()
    split = read_json(root / "datasets" / "split.json", "")
    assert set(split.values()) == {"train", "validation", "test"}


def test_a_comparison_that_would_not_notice_is_none() -> None:
    fields = {"a.b": False, "a.c": True, "m.{key}": False, "l[].x": False}
    assert differences({"a": {"b": 1}, "m": {"any": 1}, "l": [{"x": 1}]}, fields) == set()
    assert differences({"a": {"c": 1, "d": 1}, "m": {}, "l": []}, fields) == {"a.d: not described", "a.b: not there"}
    assert differences({"a": {"b": 1}, "m": {}, "l": [{"y": 1}], "n": 1}, fields) == {
        *("l[].y: not described", "l[].x: not there", "n: not described")
    }


def test_the_frames_are_as_described(lived: tuple[Path, dict[str, Any]]) -> None:
    from datasets import load_from_disk

    frames = load_from_disk(str(lived[0] / "data" / "frames"))
    assert set(frames["train"].column_names) == set(described("`frames/`"))
    row = frames["train"][0]
    assert np.frombuffer(row["frames"], "uint8").reshape(row["shape"]).shape == (4, 64, 64, 3)
    about = json.loads(frames["train"].info.description)
    assert set(about) == set(re.findall(r"`(fingerprint|settings|preprocess|clips)`", section(FORMATS, "`frames/`")))


def test_a_bundle_is_as_described(lived: tuple[Path, dict[str, Any]]) -> None:
    bundle = lived[1]["training"].bundle
    for name in ("metrics.json", "calibration.json"):
        assert differences(read_json(bundle / name, ""), described(f"`{name}`")) == set(), name
    glossary = read_json(bundle / "glossary.json", "")
    assert all(isinstance(gloss, str) for gloss in glossary)


def test_no_file_is_left_out(lived: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Of a data root, a run, a bundle: each file is of a described kind, and each kind that must be there is."""
    place, names = lived
    for heading, folder in {
        "A data root": place / "data",
        "A run": names["training"].folder,
        "A bundle": names["training"].bundle,
        "A data set of the avatar": place / "avatar",
    }.items():
        kinds = described(heading)
        if heading == "A data set of the avatar":
            kinds |= {"raw_videos/<video_id>.mp4": False}
        patterns = {
            kind: re.compile(re.sub(r"<\w+>", "[^/]*", kind.replace(".", r"\.")) + (".*" if kind.endswith("/") else ""))
            for kind in kinds
        }
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        files = [name for name in files if not any(part.startswith(".") for part in name.split("/"))]
        unknown = {name for name in files if not any(pattern.fullmatch(name) for pattern in patterns.values())}
        assert unknown - {"index.json"} == set(), heading
        absent = {kind for kind, optional in kinds.items() if not optional}
        absent -= {kind for kind in absent if any(patterns[kind].fullmatch(name) for name in files)}
        assert absent == set(), heading


def test_the_avatars_truth_is_as_described(lived: tuple[Path, dict[str, Any]]) -> None:
    for clip in lines(lived[0] / "avatar" / "avatar.jsonl"):
        assert differences(clip, described("`avatar.jsonl`")) == set()


def test_results_hold_nothing_that_is_not_described(lived: tuple[Path, dict[str, Any]]) -> None:
    told = set(re.findall(r"`(\w+)`", (DOCS / "evaluation_results.md").read_text(encoding="utf-8")))
    results = read_json(lived[1]["results"].path, "")
    assert results.keys() - told == set()
    for mode, figures in results["summary"].items():
        assert figures.keys() - told == set(), mode


# Adding things


@pytest.fixture
def adding(world: World, tmp_path: Path) -> Path:
    """A folder with what docs/adding.md speaks of."""
    (tmp_path / "lsa" / "all").mkdir(parents=True)
    for number, gloss in enumerate(("no", "book", "thank you"), 1):
        for signer in range(1, 4):
            name = f"{number:03d}_{signer:03d}_001.mp4"
            write_clip(tmp_path / "lsa" / "all" / name, frames=16, paint=performed(gloss, 10 * number + signer))
    shutil.copytree(world.root, tmp_path / "data", ignore=shutil.ignore_patterns("runs"))
    write_config(tmp_path / "my.yaml", Path("data"), world.base)
    shutil.copy(world.root / "raw_videos" / "00007.mp4", tmp_path / "hello.mp4")
    return tmp_path


def test_adding_a_data_set_a_model_and_a_sign(adding: Path, call: Call) -> None:
    names: dict[str, Any] = {}
    for block in blocks(ADDING):
        if block.language == "python":
            exec(compile(block.text, "docs/adding.md", "exec"), names)
        elif block.language == "yaml":
            [name] = re.findall(r"^# (\S+\.yaml)$", block.text, re.MULTILINE)
            (adding / name).write_text(block.text, encoding="utf-8")
        else:
            assert block.language == "sh"
            for command in commands(block.text):
                assert command[0] == "signvlm"
                done = call(*command[1:])
                assert done.status == 0, f"{command}\n{done.err}"
    rows = read_json(adding / "work" / "datasets" / "wlasl_validated.json", "")
    assert {row["gloss"] for row in rows} == {"opaque", "red", "green"}
    assert {row["signer_id"] for row in rows} == {"001", "002", "003"}
    assert names["results"].data["modes"] == ["exact"]
    assert names["results"].report.is_file()
    assert names["prediction"].answers[0].gloss == "no"
    assert {clip["sign"] for clip in lines(adding / "avatar" / "avatar.jsonl")} == {"MOTHER", "SNOW"}


# Several processes


def test_the_files_for_accelerate_hold_keys_that_it_knows(tmp_path: Path) -> None:
    told = blocks((DOCS / "several_gpus.md").read_text(encoding="utf-8"))
    files = [block.text for block in told if block.language == "yaml"]
    assert len(files) == 2
    for text in files:
        file = tmp_path / "accelerate.yaml"
        file.write_text(text)
        read = load_config_from_file(str(file))  # refuses others
        for key in getattr(read, "fsdp_config", None) or {}:
            assert f"--{key}" in launch_command_parser()._option_string_actions, key


def test_the_commands_for_several_processes_are_accelerates_and_ours(tmp_path: Path) -> None:
    told = blocks((DOCS / "several_gpus.md").read_text(encoding="utf-8"))
    launched = [words for block in told if block.language == "sh" for words in commands(block.text)]
    assert len(launched) == 4
    for words in launched:
        assert words[:2] == ["accelerate", "launch"]
        asked = launch_command_parser().parse_args(words[2:])
        assert (asked.module, asked.training_script) == (True, "signvlm")
        verb, *options = asked.training_script_args
        assert cli.commands[verb].make_parser(Context(cli)).parse_args(list(options))


# The rest


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))], ids=str)
def test_links_and_names_of_files_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
    }
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif "://" not in link:
            assert (path.parent / link.partition("#")[0]).exists(), link
    for name in re.findall(r"`((?:signvlm|data_engineering|params|tests|benchmarks|scripts)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name


def test_the_citation_is_valid_and_of_this_version() -> None:
    """By the required keys, and the keys allowed, of the Citation File Format 1.2.0."""
    told = YAML(typ="safe", pure=True).load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= told.keys()
    assert told.keys() <= {
        *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
        *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
        *("repository-code", "title", "type", "url", "version"),
    }
    assert told["cff-version"] == "1.2.0"
    assert told["type"] in ("software", "dataset")
    assert (told["version"], told["license"]) == (project["version"], project["license"])
    assert [author["name"] for author in told["authors"]] == [author["name"] for author in project["authors"]]
    for reference in told["references"]:
        assert {"authors", "title", "type"} <= reference.keys()


def test_the_changelog_names_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert version in text
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
