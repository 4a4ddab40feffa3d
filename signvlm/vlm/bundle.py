"""The adapter bundle: everything a trained recogniser is, in one folder, saved whole or not at all and loaded back.

adapter_config.json, adapter_model.safetensors   LoRA and the trained projector (model.safetensors without LoRA)
base/                                            the base, where it is a small folder and not a model of the Hub
processor and tokenizer files                    as transformers writes them
glossary.json                                    the glosses, a list
config.yaml, metrics.json, README.md             the merged configuration, how training went, the model card
"""

import json
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoProcessor, PreTrainedModel, ProcessorMixin

from data_engineering.clip import read_json, write_json, write_text
from data_engineering.errors import ConfigError, RunError
from signvlm.bundles import ADAPTER, read_glossary, replace
from signvlm.card import model_card
from signvlm.config import Config, ModelSettings, shipped
from signvlm.hardware import Hardware
from signvlm.vlm.model import load_base, torch_device, unwrap
from signvlm.vlm.recognizer import VLMRecognizer

BASE = "base"
# A base up to this size travels with its adapters: the shipped one has 7 MB, and its next release other weights.
_SMALL_BASE = 100_000_000  # bytes
_BASE_SUFFIXES = {".safetensors", ".json", ".jinja", ".txt"}


def save_bundle(
    folder: Path,
    model: PreTrainedModel | PeftModel,
    processor: ProcessorMixin,
    glossary: tuple[str, ...],
    config: Config,
    metrics: dict[str, Any],
) -> None:
    """Writes a bundle to a temporary name beside `folder`, then renames it; an earlier bundle there is replaced.

    Raises:
        RunError: The disk is full or the folder cannot be written; an earlier bundle stays as it was.
    """
    part = write_bundle(folder, model, processor, glossary, config, metrics)
    try:
        replace(folder, part)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise _cannot_write(folder, error) from error


def write_bundle(
    folder: Path,
    model: PreTrainedModel | PeftModel,
    processor: ProcessorMixin,
    glossary: tuple[str, ...],
    config: Config,
    metrics: dict[str, Any],
) -> Path:
    """Writes a bundle to a temporary name beside `folder`, and returns that name; the caller renames it.

    Raises:
        RunError: The disk is full or the folder cannot be written; nothing is left.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        model.save_pretrained(str(part))
        processor.save_pretrained(part)
        if (part / ADAPTER).is_file():
            _name_base(part, config.model, getattr(unwrap(model).config, "_commit_hash", None))
        for weights in part.rglob("*.safetensors"):
            weights.chmod(0o644)  # safetensors writes 0600, which no one else could load
        write_json(part / "glossary.json", list(glossary))
        write_json(part / "metrics.json", metrics)
        config.save(part / "config.yaml")
        write_text(part / "README.md", model_card(part, name=folder.name))
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise _cannot_write(folder, error) from error
    return part


def _name_base(part: Path, settings: ModelSettings, commit: str | None) -> None:
    """Makes adapter_config.json name the base as others can find it; PEFT writes the path that it was loaded from.

    A model of the Hub is named by its id and the commit that was trained on. A folder is copied into the bundle where
    it is small, and named without its path.
    """
    base = shipped(settings.base)
    named = {"base_model_name_or_path": settings.base, "revision": commit or settings.revision}
    if base.is_dir():
        named = {"base_model_name_or_path": base.resolve().name, "revision": None}
        files = [path for path in sorted(base.iterdir()) if path.is_file() and path.suffix in _BASE_SUFFIXES]
        if sum(path.stat().st_size for path in files) <= _SMALL_BASE:
            (part / BASE).mkdir()
            for path in files:
                shutil.copyfile(path, part / BASE / path.name)
    adapter = read_json(part / ADAPTER, "train again")
    write_json(part / ADAPTER, adapter | named)


def _cannot_write(folder: Path, error: Exception) -> RunError:
    return RunError(f"{folder}: cannot be written ({error}); free space or choose another folder")


def base_settings(folder: Path, settings: ModelSettings) -> ModelSettings:
    """Returns which base a bundle's adapter belongs to: its own copy, else the commit that it was trained on.

    Args:
        folder: A bundle with an adapter.
        settings: As its configuration names the base.

    Raises:
        ConfigError: adapter_config.json is broken.
    """
    if (folder / BASE / "config.json").is_file():
        return settings.model_copy(update={"base": str(folder / BASE), "revision": None})
    try:
        revision = json.loads((folder / ADAPTER).read_text(encoding="utf-8")).get("revision")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{folder}: the adapter does not fit {settings.base} ({ADAPTER}: {error})") from error
    return settings.model_copy(update={"revision": revision or settings.revision})


def load_adapted(
    folder: Path, settings: ModelSettings, hardware: Hardware, quantization: dict[str, Any]
) -> tuple[PeftModel, ProcessorMixin]:
    """Loads a bundle's base under its adapter.

    Args:
        folder: A bundle with an adapter.
        settings: As its configuration names the base.
        hardware: What to run on.
        quantization: BitsAndBytesConfig keys.

    Raises:
        ConfigError: The adapter does not fit the base.
        RunError: The base cannot be fetched.
    """
    base, its_processor = load_base(base_settings(folder, settings), hardware, quantization)
    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        model = PeftModel.from_pretrained(base, str(folder), torch_device=str(torch_device(hardware)))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError, json.JSONDecodeError) as error:
        reason = " ".join(str(error).split())[:240]
        raise ConfigError(f"{folder}: the adapter does not fit {settings.base} ({reason})") from error
    if processor.tokenizer.get_vocab() != its_processor.tokenizer.get_vocab():
        raise ConfigError(f"{folder}: the adapter does not fit {settings.base} (it has another vocabulary)")
    return model, processor


def load_bundle(folder: Path, settings: ModelSettings, hardware: Hardware, config: Config) -> VLMRecognizer:
    """Loads a bundle as a recogniser.

    Args:
        folder: The bundle.
        settings: Which base, as the bundle's own configuration names it.
        hardware: What to run on.
        config: Gives generation, evaluation chunk and quantization keys.

    Raises:
        ConfigError: The folder is not a bundle, or its adapter does not fit the base.
        RunError: The base cannot be fetched.
    """
    glossary = read_glossary(folder)
    model: PreTrainedModel | PeftModel
    if (folder / ADAPTER).is_file():
        model, processor = load_adapted(folder, settings, hardware, config.quantization)
    else:
        whole = settings.model_copy(update={"base": str(folder), "revision": None})
        model, processor = load_base(whole, hardware, config.quantization)
    return VLMRecognizer(
        unwrap(model).eval(),
        processor,
        prompt=settings.prompt,
        glossary=glossary,
        num_frames=config.preprocess.shown_frames,
        hardware=hardware,
        generation=config.generation,
        chunk_size=config.evaluation.chunk_size,
    )
