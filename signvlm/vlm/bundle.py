"""The adapter bundle: everything a trained recogniser is, in one folder, saved whole or not at all and loaded back.

adapter_config.json, adapter_model.safetensors   LoRA and the trained projector (model.safetensors without LoRA)
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
from signvlm.card import model_card
from signvlm.config import Config, ModelSettings, load
from signvlm.hardware import Hardware
from signvlm.vlm.model import load_base, torch_device, unwrap
from signvlm.vlm.recognizer import VLMRecognizer


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
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        model.save_pretrained(str(part))
        processor.save_pretrained(part)
        for weights in part.glob("*.safetensors"):
            weights.chmod(0o644)  # safetensors writes 0600, which no one else could load
        write_json(part / "glossary.json", list(glossary))
        write_json(part / "metrics.json", metrics)
        config.save(part / "config.yaml")
        write_text(part / "README.md", model_card(part, name=folder.name))
        if folder.exists():
            old = folder.with_name(f".{folder.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
            part.rename(folder)
            shutil.rmtree(old)
        else:
            part.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(f"{folder}: cannot be written ({error}); free space or choose another folder") from error


def read_bundle_config(folder: Path) -> Config:
    """Reads the configuration that a bundle was trained with.

    Raises:
        ConfigError: The folder is not a bundle; the message names what is missing.
    """
    whole = (folder / "config.json").is_file()  # a language model trained without LoRA, maybe in several files
    weights = ("model*.safetensors",) if whole else ("adapter_config.json", "adapter_model.safetensors")
    for name in ("config.yaml", "glossary.json", *weights):
        if not any(folder.glob(name)):
            raise ConfigError(f"{folder}: not an adapter bundle (no {name}); give a run's adapter/ with --checkpoint")
    return load(folder / "config.yaml")


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
    glossary = read_json(folder / "glossary.json", "give a run's adapter/ with --checkpoint")
    if not isinstance(glossary, list) or not all(isinstance(gloss, str) for gloss in glossary) or not glossary:
        raise ConfigError(f"{folder / 'glossary.json'}: not a list of glosses; give a run's adapter/ with --checkpoint")
    if (folder / "adapter_config.json").is_file():
        base, its_processor = load_base(settings, hardware, config.quantization)
        try:
            processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
            model: PreTrainedModel | PeftModel = PeftModel.from_pretrained(
                base, str(folder), torch_device=str(torch_device(hardware))
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError, json.JSONDecodeError) as error:
            reason = " ".join(str(error).split())[:240]
            raise ConfigError(f"{folder}: the adapter does not fit {settings.base} ({reason})") from error
        if processor.tokenizer.get_vocab() != its_processor.tokenizer.get_vocab():
            raise ConfigError(f"{folder}: the adapter does not fit {settings.base} (it has another vocabulary)")
    else:
        whole = settings.model_copy(update={"base": str(folder), "revision": None})
        model, processor = load_base(whole, hardware, config.quantization)
    return VLMRecognizer(
        unwrap(model).eval(),
        processor,
        prompt=settings.prompt,
        glossary=tuple(glossary),
        num_frames=config.preprocess.num_frames,
        hardware=hardware,
        generation=config.generation,
        chunk_size=config.evaluation.chunk_size,
    )
