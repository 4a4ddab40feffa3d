"""`training`, `lora`, `quantization` and `generation` are the libraries' own keys, checked before anything loads."""

from pathlib import Path

import pytest

from data_engineering.errors import ConfigError
from signvlm.config import load
from signvlm.passthrough import FIXED_TRAINING, check_passthrough


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("")
    return path


@pytest.mark.parametrize("name", ["demo", "wlasl_smoke", "internvl3_5_2b"])
def test_what_ships_is_accepted(name: str) -> None:
    check_passthrough(load(f"params/{name}.yaml"))


@pytest.mark.parametrize(
    "override",
    [
        "training.learning_rate=1",
        "training.warmup_steps=50",
        "training.lr_scheduler_kwargs={num_cycles: 2}",
        "training.report_to=[wandb]",
        "training.max_length=null",
        "training.remove_unused_columns=false",
        "lora.target_modules=[q_proj, v_proj]",
        "lora.target_modules='.*q_proj'",
        "lora.rank_pattern={q_proj: 8}",
        "lora.init_lora_weights=pissa",
        "lora=null",
        "quantization.load_in_4bit=true",
        "quantization.bnb_4bit_compute_dtype=bfloat16",
        "generation.num_beams=8",
        "generation.length_penalty=1",
        "generation={num_beams: 3, num_return_sequences: 3}",
    ],
)
def test_the_libraries_whole_surface_is_open(empty: Path, override: str) -> None:
    check_passthrough(load(empty, [override]))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.learning_rat=1", "unknown key training.learning_rat; did you mean learning_rate?"),
        ("lora.rnk=3", "unknown key lora.rnk; did you mean"),
        ("lora.alpha=3", "unknown key lora.alpha; did you mean lora_alpha?"),
        (
            "quantization.bnb_4bit_quant=nf4",
            "unknown key quantization.bnb_4bit_quant; did you mean bnb_4bit_quant_type?",
        ),
        ("generation.num_beam=3", "unknown key generation.num_beam; did you mean num_beams?"),
        ("generation._from_model_config=true", "unknown key generation._from_model_config"),
        ("training.learning_rate=fast", "training.learning_rate should be a valid number (it is 'fast')"),
        ("training.learning_rate='1e-4'", "training.learning_rate should be a valid number (it is '1e-4')"),
        ("training.num_train_epochs=[1]", "training.num_train_epochs should be a valid number (it is [1])"),
        ("training.per_device_train_batch_size=true", "training.per_device_train_batch_size should be a valid integer"),
        ("training.per_device_eval_batch_size=0", "training.per_device_eval_batch_size should be at least 1 (it is 0)"),
        ("lora.r=many", "lora.r should be a valid integer (it is 'many')"),
        ("lora.bias=some", "lora.bias should be 'none', 'all' or 'lora_only' (it is 'some')"),
        ("quantization.load_in_4bit=maybe", "quantization.load_in_4bit must be auto, true or false (it is 'maybe')"),
        ("quantization.load_in_4bit=1", "quantization.load_in_4bit must be auto, true or false (it is 1)"),
        ("quantization.bnb_4bit_use_double_quant=3", "bnb_4bit_use_double_quant must be a boolean"),
        ("quantization.bnb_4bit_compute_dtype=bfloat17", "quantization: "),
        ("generation.num_beams=five", "generation.num_beams should be a valid integer (it is 'five')"),
        ("generation.num_beams=1", "generation.num_beams should be at least 2 (it is 1); for the one best gloss"),
        ("generation.pad_token_id=0", "generation.pad_token_id is set by the beam search itself; remove it"),
        ("generation.output_scores=true", "generation.output_scores is set by the beam search itself; remove it"),
        ("generation.num_beams=3", "generation: `num_return_sequences` (5)"),
    ],
)
def test_a_key_or_value_that_the_library_does_not_know_is_named(empty: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_passthrough(load(empty, [override]))
    assert str(error.value).startswith(f"{empty}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["training.bf16", "training.gradient_checkpointing", "lora.use_dora"])
def test_the_word_no_is_not_taken_for_a_switch(empty: Path, key: str) -> None:
    """In YAML 1.2 `no` is a word, and a word is true to Python: it would switch on what it means to switch off."""
    with pytest.raises(ConfigError, match=r"should be a valid boolean \(it is 'no'\)"):
        check_passthrough(load(empty, [f"{key}=no"]))


@pytest.mark.parametrize("key", FIXED_TRAINING)
def test_what_the_trainer_must_decide_cannot_be_set_otherwise(empty: Path, key: str) -> None:
    other = "128" if FIXED_TRAINING[key] is None else "true"
    with pytest.raises(ConfigError, match=rf"training\.{key} must be .* here.*; remove it"):
        check_passthrough(load(empty, [f"training.{key}={other}"]))


def test_smoothing_is_pointed_to_its_own_place(empty: Path) -> None:
    with pytest.raises(ConfigError, match=r"use loss\.label_smoothing"):
        check_passthrough(load(empty, ["training.label_smoothing_factor=0.1"]))
