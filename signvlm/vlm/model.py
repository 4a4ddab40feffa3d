"""The base model, its quantization and its adapters: loaded, checked, counted."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig, PreTrainedModel, ProcessorMixin

from data_engineering.errors import ConfigError, RunError
from signvlm.config import ModelSettings, shipped
from signvlm.hardware import Hardware
from signvlm.vlm.anatomy import LANGUAGE_MODEL, anatomy, read_config
from signvlm.vlm.tower import take_tower_out, towerless

# Anchored at the language model: a bare list of names, or "all-linear", would adapt the vision tower too.
LANGUAGE_TARGETS = r".*language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_PARTIAL = {"layers_to_transform", "layers_pattern", "exclude_modules"}  # what leaves layers out on purpose
ATTENTION = ("sdpa", "eager")  # what ranking's tree masks run on


def load_base(
    settings: ModelSettings, hardware: Hardware, quantization: dict[str, Any], *, tower: bool = True
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Loads the base model and its processor onto the chosen device.

    Args:
        settings: Which base, revision and attention implementation.
        hardware: Device, dtype and whether to quantize, as `hardware.select` chose.
        quantization: BitsAndBytesConfig keys; without bnb_4bit_compute_dtype the compute dtype is the training's.
        tower: Whether to load the vision tower too; without it the model is shown the tower's output.

    Raises:
        ConfigError: No such base, or one that this class of models cannot load.
        RunError: The base cannot be fetched, or 4-bit weights appeared outside the language model.
    """
    base = str(shipped(settings.base))
    attention, _ = choose_attention(settings.attention, hardware)
    try:
        parts = anatomy(read_config(settings))
    except (OSError, ValueError, KeyError, AttributeError, HFValidationError) as error:
        raise _cannot_load(base, error) from error
    processor = load_processor(settings)
    # safetensors only: a pickle runs code on whoever loads it.
    options: dict[str, Any] = {"trust_remote_code": False, "use_safetensors": True, "revision": settings.revision}
    dtype = getattr(torch, hardware.dtype)
    try:
        if hardware.load_in_4bit:
            options["quantization_config"] = _bits_and_bytes(quantization, dtype, parts.unquantized)
            options["device_map"] = {"": hardware.device}
        if not tower:
            options["config"] = towerless(settings)
        model = AutoModelForImageTextToText.from_pretrained(base, dtype=dtype, attn_implementation=attention, **options)
    except (OSError, ValueError, KeyError, HFValidationError) as error:
        raise _cannot_load(base, error) from error
    if not tower:
        take_tower_out(model)
    if hardware.load_in_4bit:
        for layer in check_quantized(model, options["quantization_config"].llm_int8_skip_modules):
            # On some CPUs a layer repacks itself for evaluation and rounds its scales to bfloat16, for good: training
            # would go on from other weights than those that were loaded.
            layer.support_avx512bf16_for_cpu = False
    else:
        torch.nn.Module.to(model, torch_device(hardware))
    return model, processor


def choose_attention(asked: str, hardware: Hardware) -> tuple[str, str]:
    """Returns the attention implementation, by transformers' name, and why.

    Raises:
        ConfigError: The one asked for cannot rank.
    """
    if asked == "auto":
        if hardware.device == "cpu" and hardware.dtype == "bfloat16":
            return "eager", "auto: in bfloat16 torch's own is slower on a CPU"
        return "sdpa", "auto: torch's own, which takes the fastest kernel that there is"
    if asked not in ATTENTION:
        raise ConfigError(f"model.attention: {asked!r} cannot rank; choose one of auto, {', '.join(ATTENTION)}")
    return asked, "asked for"


def load_processor(settings: ModelSettings) -> ProcessorMixin:
    """Loads the base's processor alone.

    Raises:
        ConfigError: No such base, or one without a processor for videos.
        RunError: It cannot be fetched.
    """
    base = str(shipped(settings.base))
    try:
        processor = AutoProcessor.from_pretrained(base, revision=settings.revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError, HFValidationError) as error:
        raise _cannot_load(base, error) from error
    if not isinstance(processor, ProcessorMixin):
        # AutoProcessor falls back to a bare tokenizer where there is nothing else.
        raise ConfigError(f"model.base: {base} has no processor for videos; give a vision-language model")
    return processor


def torch_device(hardware: Hardware) -> torch.device:
    """Returns torch's device for the selector's choice; DirectML's is known to torch under a name of its own."""
    if hardware.device == "directml":
        return importlib.import_module("torch_directml").device()
    return torch.device(hardware.device)


def add_adapters(model: PreTrainedModel, lora: dict[str, Any] | None) -> PreTrainedModel | PeftModel:
    """Makes the language model trainable through LoRA (or whole, where `lora` is None), and the projector in full.

    Trainable weights are kept in float32: a projector in half precision would round small updates away.

    Raises:
        ConfigError: `lora` does not suit this model, or puts an adapter outside the language model.
    """
    projector = anatomy(model.config).projector
    if lora is None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(LANGUAGE_MODEL in name or projector in name)
        return model
    keys = {"target_modules": LANGUAGE_TARGETS, "task_type": "CAUSAL_LM", "modules_to_save": [projector], **lora}
    named = sum(re.fullmatch(LANGUAGE_TARGETS, name) is not None for name, _ in model.named_modules())
    try:
        adapted = get_peft_model(model, LoraConfig(**keys))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"lora: does not suit this model ({_one_line(error)}); see lora.target_modules") from error
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    found = check_adapters(adapted)
    if keys["target_modules"] == LANGUAGE_TARGETS and not _PARTIAL & keys.keys() and found != named:
        raise RunError(f"lora: {found} of the language model's {named} layers have adapters; report this model")
    return adapted


def landing(model: torch.nn.Module) -> str:
    """Says where adapters and 4-bit layers lie: how many in the language model, how many elsewhere."""
    told = []
    for kind, has in (
        ("adapters", lambda m: isinstance(m, BaseTunerLayer)),
        # PEFT calls what wraps one Linear4bit too.
        ("4-bit layers", lambda m: type(m).__name__ == "Linear4bit" and not isinstance(m, BaseTunerLayer)),
    ):
        names = [name for name, module in model.named_modules() if has(module)]
        inside = sum(LANGUAGE_MODEL in name for name in names)
        if names:
            told.append(f"{kind}: {inside} in the language model, {len(names) - inside} elsewhere")
    return "; ".join(told) or "no adapters and no 4-bit layers"


def check_adapters(model: PeftModel) -> int:
    """Counts the adapted layers.

    Returns:
        How many layers of the language model have adapters.

    Raises:
        ConfigError: One lies elsewhere, or there is none.
    """
    adapted = [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    astray = [name for name in adapted if LANGUAGE_MODEL not in name]
    if astray:
        raise ConfigError(
            f"lora.target_modules: {len(astray)} of {len(adapted)} adapters landed outside the language model, "
            f"e.g. {astray[0]}; anchor the pattern, e.g. {LANGUAGE_TARGETS!r}"
        )
    if not adapted:
        raise ConfigError(f"lora.target_modules: matches no layer; use e.g. {LANGUAGE_TARGETS!r}")
    return len(adapted)


def check_quantized(model: PreTrainedModel, skipped: Sequence[str]) -> list[Any]:
    """Returns the 4-bit layers: all linear layers of the language model but those skipped, and none besides.

    Raises:
        RunError: One lies elsewhere, or one of the language model's is missing.
    """
    from bitsandbytes.nn import Linear4bit

    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    layers = {name: module for name, module in linear.items() if isinstance(module, Linear4bit)}
    astray = [name for name in layers if LANGUAGE_MODEL not in name]
    missing = [
        name
        for name in linear.keys() - layers.keys()
        if LANGUAGE_MODEL in name and not any(skip in name for skip in skipped)
    ]
    if astray or missing or not layers:
        found = f"outside the language model, e.g. {astray[0]}" if astray else "nowhere"
        found = f"not in all of the language model, e.g. not in {missing[0]}" if missing and layers else found
        raise RunError(f"quantization: 4-bit layers lie {found}; see quantization.llm_int8_skip_modules")
    return list(layers.values())


@dataclass(frozen=True)
class ParameterCount:
    """Trainable and total parameters, the packed 4-bit ones counted as the weights that they hold."""

    trainable: int
    total: int

    def __str__(self) -> str:
        return f"{self.trainable:,} of {self.total:,} parameters train ({100 * self.trainable / self.total:.2f} %)"


def count_parameters(model: torch.nn.Module) -> ParameterCount:
    """Counts parameters; a `Params4bit` packs two weights in a byte."""
    trainable = total = 0
    for parameter in model.parameters():
        count = parameter.numel()
        if type(parameter).__name__ == "Params4bit":
            count *= 2 * parameter.element_size()
        total += count
        trainable += count if parameter.requires_grad else 0
    return ParameterCount(trainable, total)


def unwrap(model: torch.nn.Module) -> PreTrainedModel:
    """Returns the image-text-to-text model inside a PEFT wrapper, adapters in place."""
    return cast(PreTrainedModel, model.get_base_model() if isinstance(model, PeftModel) else model)


def autocast(hardware: Hardware) -> torch.autocast:
    """The context in which the model runs: half precision where the device has it, so that dtypes never mix."""
    half = hardware.dtype in ("float16", "bfloat16")
    kind = torch_device(hardware).type if half else "cpu"
    return torch.autocast(kind, dtype=getattr(torch, hardware.dtype) if half else torch.bfloat16, enabled=half)


def _bits_and_bytes(quantization: dict[str, Any], dtype: torch.dtype, skipped: list[str]) -> BitsAndBytesConfig:
    # An explicit list replaces the defaults.
    keys = {"bnb_4bit_compute_dtype": dtype, "llm_int8_skip_modules": skipped, **quantization}
    return BitsAndBytesConfig(**{**keys, "load_in_4bit": True})


def _cannot_load(base: str, error: Exception) -> ConfigError | RunError:
    reason = _one_line(error)
    if Path(base).is_dir():
        return ConfigError(f"model.base: {base} is not a model folder that can be loaded ({reason}); give another")
    try:
        validate_repo_id(base)
    except HFValidationError:
        return ConfigError(f"model.base: {base} is neither a folder here nor a Hub id (user/name); correct it")
    return RunError(f"model.base: {base} cannot be loaded ({reason}); check the name, the network, or HF_TOKEN in .env")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:240]
