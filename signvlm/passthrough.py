"""The sections that go to the libraries as they stand, checked against the libraries' own records."""

import dataclasses
import inspect
import json
import typing
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from data_engineering.errors import ConfigError
from signvlm.config import Config, nearest

# What the trainer must decide by itself; a configuration that sets them otherwise would train on nothing or truncate.
FIXED_TRAINING = {
    "remove_unused_columns": False,
    "max_length": None,
    "packing": False,
    "padding_free": False,
    "assistant_only_loss": False,
    "label_smoothing_factor": 0.0,
}

# What the beams must decide by themselves, and the least of what they are.
FIXED_GENERATION = (
    *("eos_token_id", "pad_token_id", "return_dict_in_generate", "output_scores"),
    *("prefix_allowed_tokens_fn", "past_key_values", "inputs", "input_ids", "attention_mask"),
)

COUNTS = ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps")

# GenerationConfig declares no types; these are the keys that beams are set with.
GENERATION_TYPES = {
    "num_beams": int,
    "num_return_sequences": int,
    "max_new_tokens": int,
    "min_new_tokens": int,
    "length_penalty": float,
    "repetition_penalty": float,
    "no_repeat_ngram_size": int,
    "do_sample": bool,
    "early_stopping": bool | str,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "use_cache": bool,
}


def check_passthrough(config: Config) -> None:
    """Checks `training`, `lora`, `quantization` and `generation` against trl, peft and transformers.

    Raises:
        ConfigError: A key that the library does not know (the nearest right one is named), a value of the wrong type,
            or a `training` key that signvlm must decide itself.
    """
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, GenerationConfig
    from trl import SFTConfig

    from signvlm.vlm.beam import DEFAULTS

    source = config.source
    for key, value in FIXED_TRAINING.items():
        if config.training.get(key, value) != value:
            advice = "; use loss.label_smoothing" if key == "label_smoothing_factor" else ""
            raise ConfigError(f"{source}: training.{key} must be {value!r} here{advice}; remove it")
    _check(source, "training", config.training, _init_hints(SFTConfig))
    for key in COUNTS:
        value = config.training.get(key)
        if value is not None and value < 1:
            raise ConfigError(f"{source}: training.{key} should be at least 1 (it is {value})")
    if config.lora is not None:
        _check(source, "lora", config.lora, _init_hints(LoraConfig))
    quantization = dict(config.quantization)
    wanted = quantization.pop("load_in_4bit", "auto")
    if not (wanted == "auto" or isinstance(wanted, bool)):
        raise ConfigError(f"{source}: quantization.load_in_4bit must be auto, true or false (it is {wanted!r})")
    _check(source, "quantization", quantization, _init_hints(BitsAndBytesConfig))
    known = dict.fromkeys((key for key in GenerationConfig().to_dict() if not key.startswith("_")), Any)
    _check(source, "generation", config.generation, known | GENERATION_TYPES)
    for key in FIXED_GENERATION:
        if key in config.generation:
            raise ConfigError(f"{source}: generation.{key} is set by the beam search itself; remove it")
    beams = config.generation.get("num_beams")
    if beams is not None and beams < 2:
        raise ConfigError(
            f"{source}: generation.num_beams should be at least 2 (it is {beams}); for the one best gloss, "
            "evaluation.modes: [exact] ranks them all"
        )
    # What no declared type tells, the libraries' own constructors do.
    for section, record, values in (
        ("quantization", BitsAndBytesConfig, quantization),
        ("generation", GenerationConfig, {**DEFAULTS, **config.generation}),
    ):
        try:
            record(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(f"{source}: {section}: {' '.join(str(error).split())[:200]}") from error


def _init_hints(record: type) -> dict[str, Any]:
    """Returns {argument: type} of a class's constructor; Any where it declares none that can be resolved."""
    try:
        hints = typing.get_type_hints(record if dataclasses.is_dataclass(record) else vars(record)["__init__"])
    except (NameError, TypeError):
        hints = {}
    names = [name for name, p in inspect.signature(record).parameters.items() if p.kind is not p.VAR_KEYWORD]
    return {name: hints.get(name, Any) for name in names}


def _check(source: Path, section: str, values: dict[str, Any], hints: dict[str, Any]) -> None:
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"{source}: unknown key {section}.{key}{nearest(key, hints)}")
        try:
            adapter = TypeAdapter(hints[key] | None, config=ConfigDict(arbitrary_types_allowed=True))
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
            continue  # a type of the library's own that no YAML value could be checked against; the library will
        try:
            # Strict, since the library gets the value as it stands: the word `no` would be true to it. As JSON, so
            # that a list may be a tuple and a word an enumeration's member.
            adapter.validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Input ")
            raise ConfigError(f"{source}: {section}.{key} {reason} (it is {value!r})") from error
