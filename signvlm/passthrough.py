"""The sections that go to the libraries as they stand, checked against the libraries' own records."""

import dataclasses
import inspect
import typing
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


def check_passthrough(config: Config) -> None:
    """Checks `training`, `lora`, `quantization` and `generation` against trl, peft and transformers.

    Raises:
        ConfigError: A key that the library does not know (the nearest right one is named), a value of the wrong type,
            or a `training` key that signvlm must decide itself.
    """
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig, GenerationConfig
    from trl import SFTConfig

    for key, value in FIXED_TRAINING.items():
        if config.training.get(key, value) != value:
            advice = "; use loss.label_smoothing" if key == "label_smoothing_factor" else ""
            raise ConfigError(f"training.{key}: must be {value!r} here{advice}; remove it")
    _check("training", config.training, _init_hints(SFTConfig))
    if config.lora is not None:
        _check("lora", config.lora, _init_hints(LoraConfig))
    quantization = dict(config.quantization)
    if quantization.pop("load_in_4bit", "auto") not in ("auto", True, False):
        raise ConfigError("quantization.load_in_4bit: must be auto, true or false")
    _check("quantization", quantization, _init_hints(BitsAndBytesConfig))
    # GenerationConfig declares no types: its keys are those of an empty one.
    _check("generation", config.generation, dict.fromkeys(GenerationConfig().to_dict(), Any))


def _init_hints(record: type) -> dict[str, Any]:
    """Returns {argument: type} of a class's constructor; Any where it declares none that can be resolved."""
    try:
        hints = typing.get_type_hints(record if dataclasses.is_dataclass(record) else vars(record)["__init__"])
    except (NameError, TypeError):
        hints = {}
    names = [name for name, p in inspect.signature(record).parameters.items() if p.kind is not p.VAR_KEYWORD]
    return {name: hints.get(name, Any) for name in names}


def _check(section: str, values: dict[str, Any], hints: dict[str, Any]) -> None:
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"unknown key {section}.{key}{nearest(key, hints)}")
        try:
            adapter = TypeAdapter(hints[key] | None, config=ConfigDict(arbitrary_types_allowed=True))
            adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Input ")
            raise ConfigError(f"{section}.{key} {reason} (it is {value!r})") from error
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
            continue  # a type of the library's own that no YAML value could be checked against; the library will
