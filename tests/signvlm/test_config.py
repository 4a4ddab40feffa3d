"""A configuration: YAML and overrides in, a checked record out; what is wrong is named by place, key and remedy."""

from pathlib import Path

import pytest

from data_engineering.errors import ConfigError, RunError
from signvlm.config import DEFAULT_CONFIG, load, shipped

SHIPPED = (
    *("demo.yaml", "internvl3_5_1b.yaml", "internvl3_5_2b.yaml", "internvl3_5_4b.yaml", "pose.yaml"),
    *("qwen2_5_vl_3b.yaml", "skeleton.yaml", "wlasl_smoke.yaml"),
)


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path | str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(path, overrides)
    message = str(error.value)
    assert "\n" not in message
    return message


# Reading


def test_numbers_and_words_are_those_of_yaml_1_2(write) -> None:
    file = write("training:\n  learning_rate: 1e-4\n  run_name: no\n  seed: 010\ndata:\n  glossary: on\n")
    config = load(file)
    assert config.training == {"learning_rate": 1e-4, "run_name": "no", "seed": 10}
    assert config.data.glossary == "on"


def test_an_empty_file_is_the_defaults_and_a_configuration_is_named_by_its_file(write) -> None:
    config = load(write("", "quick.yaml"))
    assert config.name == "quick"
    assert config.output_dir == Path("data/wlasl/runs/quick")
    assert config.preprocess.num_frames == 8


def test_training_output_dir_says_where_runs_go(write) -> None:
    assert load(write("training:\n  output_dir: elsewhere/runs\n")).output_dir == Path("elsewhere/runs")


def test_text_in_any_script_is_kept(write) -> None:
    assert load(write("model:\n  prompt: ¿Qué seña? 手語\n")).model.prompt == "¿Qué seña? 手語"


def test_a_tag_builds_no_object(write, tmp_path: Path) -> None:
    mark = tmp_path / "built"
    file = write(f"model:\n  prompt: !!python/object/apply:os.mkdir [{mark}]\n")
    refusal(file)
    assert not mark.exists()


# Overrides


def test_an_override_is_yaml_and_the_last_one_wins(write) -> None:
    file = write("training:\n  learning_rate: 1\n")
    config = load(
        file,
        [
            "training.learning_rate=3",
            "training.learning_rate=1e-4",
            "evaluation.modes=[exact]",
            "data.glossary=no",
            "data.note=a=b",
            "lora.r=4",
        ],
    )
    assert config.training["learning_rate"] == 1e-4
    assert config.evaluation.modes == ("exact",)
    assert config.data.glossary == "no"
    assert config.data.note == "a=b"
    assert config.lora == {"r": 4}


def test_a_section_that_was_null_can_be_set_again(write) -> None:
    assert load(write("lora: null\n"), ["lora.r=4"]).lora == {"r": 4}
    assert load(write("lora:\n  r: 4\n"), ["lora=null"]).lora is None


@pytest.mark.parametrize("override", ["learning_rate", "=3", "training..seed=1", ".=1", ""])
def test_an_override_of_another_form_is_refused_with_an_example(write, override: str) -> None:
    message = refusal(write(""), override)
    assert message.startswith(f"--set {override}: ")
    assert "--set training.learning_rate=1e-4" in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.rooot=x", "unknown key data.rooot; did you mean root?"),
        ("preprocess.num_frames=many", "preprocess.num_frames should be a valid integer (it is 'many')"),
        ("data.note=[1", "the value is not YAML"),
        ("data.root.x=1", "root is a value, not a section"),
    ],
)
def test_what_an_override_did_is_blamed_on_it_and_not_on_the_file(write, override: str, words: str) -> None:
    message = refusal(write("data:\n  root: x\npreprocess:\n  num_frames: 8\n"), override)
    assert message.startswith(f"--set {override}: ")
    assert words in message


# What is wrong


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("data:\n  root: x\nmodle:\n  base: x\n", 3, "unknown key modle; did you mean model?"),
        ("data:\n  root: x\n  glosary: core\n", 3, "unknown key data.glosary; did you mean glossary?"),
        ("validate:\n  timout: 3\n", 2, "unknown key validate.timout; did you mean timeout?"),
        ("validate_:\n  timeout: 3\n", 1, "unknown key validate_; did you mean validate?"),
        ("name: x\n", 1, "unknown key name; known: augmentation, data, download"),
        ("source: x\n", None, "unknown key source"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_nearest_right_one(write, text, line, words) -> None:
    file = write(text)
    message = refusal(file)
    assert message.startswith(f"{file}:{line}: " if line else f"{file}: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("preprocess:\n  num_frames: many\n", 2, "preprocess.num_frames should be a valid integer"),
        ("preprocess:\n  num_frames: true\n", 2, "preprocess.num_frames should be a valid integer (it is True)"),
        ("preprocess:\n  num_frames: 0\n", 2, "preprocess.num_frames should be greater than 0 (it is 0)"),
        ("preprocess: 3\n", 1, "preprocess should be a section of keys (it is 3)"),
        ("data:\n", 1, "data should be a section of keys (it is None)"),
        ("training: [1]\n", 1, "training should be a section of keys"),
        ("loss:\n  label_smoothing: .nan\n", 2, "loss.label_smoothing should be a finite number"),
        ("loss:\n  label_smoothing: 1\n", 2, "loss.label_smoothing should be less than 1"),
        (
            "model:\n  device: gpu\n",
            2,
            "model.device should be 'auto', 'cuda', 'directml', 'mps' or 'cpu'",
        ),
        (
            "evaluation:\n  modes: [exact, beem]\n",
            2,
            "evaluation.modes.1 should be 'beam', 'beam_constrained'",
        ),
        ("model:\n  prompt: ''\n", 2, "model.prompt"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_it_should_be(write, text, line, words) -> None:
    file = write(text)
    message = refusal(file)
    assert message.startswith(f"{file}:{line}: ")
    assert words in message


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: }\n", 2), ("data:\n\troot: x\n", 2), ("data:\n  root: x\n  root: y\n", 3), ("a: 1\n---\nb: 2\n", 2)],
)
def test_malformed_yaml_is_refused_with_its_line(write, text: str, line: int) -> None:
    file = write(text)
    assert refusal(file).startswith(f"{file}:{line}: not valid YAML (")


@pytest.mark.parametrize("text", ["- a\n- b\n", "hello\n"])
def test_a_file_without_sections_is_refused(write, text: str) -> None:
    file = write(text)
    assert refusal(file) == f"{file}: holds no sections of keys; see params/demo.yaml"


def test_a_missing_file_is_told_with_the_shipped_ones(tmp_path: Path) -> None:
    for path in (tmp_path / "nope.yaml", "params/nope.yaml"):
        assert refusal(path) == f"{path}: no such configuration file; shipped ones: {', '.join(SHIPPED)}"


def test_a_folder_or_a_file_in_another_encoding_cannot_be_read(write, tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("model:\n  prompt: señal\n".encode("latin-1"))
    assert "cannot be read" in refusal(latin)


# Writing


@pytest.mark.parametrize("name", SHIPPED)
def test_a_saved_configuration_reads_back_equal(tmp_path: Path, name: str) -> None:
    awkward = ["data.glossary='no'", "training.run_name='1e-4'", "data.note='a: \"b\" # ä'", "training.seed=7"]
    config = load(f"params/{name}", awkward)
    config.save(tmp_path / "saved.yaml")
    saved = load(tmp_path / "saved.yaml")
    assert saved.model_dump() == config.model_dump()
    assert (saved.data.glossary, saved.training["run_name"]) == ("no", "1e-4")


def test_lora_left_out_and_lora_switched_off_stay_apart_when_saved(tmp_path: Path, write) -> None:
    for text, lora in (("", {}), ("lora: null\n", None)):
        load(write(text)).save(tmp_path / "saved.yaml")
        assert load(tmp_path / "saved.yaml").lora == lora


def test_a_configuration_that_cannot_be_written_leaves_nothing(tmp_path: Path, write) -> None:
    config = load(write(""))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        config.save(tmp_path / "file" / "config.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine.yaml"]


# What ships


def test_shipped_files_are_found_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SHIPPED:
        assert load(f"params/{name}").name == Path(name).stem
    assert load().name == Path(DEFAULT_CONFIG).stem
    assert shipped("params/signs.yaml").is_file()
    assert not shipped("params/no_such_base").exists()


def test_the_callers_own_file_goes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "demo.yaml").write_text("data:\n  root: mine\n")
    assert load("params/demo.yaml").data.root == Path("mine")


def test_the_real_models_configuration_is_the_one_that_was_ordered() -> None:
    config = load("params/internvl3_5_2b.yaml")
    assert config.model.base == "OpenGVLab/InternVL3_5-2B-HF"
    assert (config.preprocess.num_frames, config.preprocess.size) == (8, 448)
    assert config.quantization == {
        "load_in_4bit": "auto",
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    }
    assert config.lora is not None
    assert (config.lora["r"], config.lora["lora_alpha"], config.lora["lora_dropout"]) == (16, 32, 0.1)
    assert config.training == {
        "num_train_epochs": 10,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 8,
        "per_device_eval_batch_size": 2,
        "learning_rate": 2e-4,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 50,
        "weight_decay": 0.01,
        "logging_steps": 10,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
    }
    assert config.loss.label_smoothing == 0.1
    assert (config.selection.metric, config.selection.patience) == ("top1", 3)
    assert config.evaluation.batch_size == 2
    assert all((config.augmentation.brightness, config.augmentation.contrast, config.augmentation.saturation))
