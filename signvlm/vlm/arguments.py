"""What a training runs on and with: the selector's choice of hardware, and trl's configuration under ours."""

import os
from pathlib import Path
from typing import Any

import torch
from transformers.integrations import get_available_reporting_integrations
from trl import SFTConfig

from data_engineering.errors import ConfigError
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware, select
from signvlm.passthrough import FIXED_TRAINING
from signvlm.vlm.model import choose_attention, torch_device
from signvlm.vlm.selection import SCORE


def choose_hardware(config: Config) -> Hardware:
    """Asks the selector with what the configuration gives, and prints what it chose and why."""
    hardware = select(
        config.model.device,
        config.model.dtype,
        config.quantization.get("load_in_4bit", "auto"),
        config.training.get("dataloader_num_workers"),
    )
    for reason in hardware.reasons:
        note(reason)
    note("attention: {} ({})".format(*choose_attention(config.model.attention, hardware)))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = hardware.tf32
    if hardware.device == "directml":  # accelerate does not know it by itself
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(torch_device(hardware))
    return hardware


def training_arguments(config: Config, hardware: Hardware, folder: Path, *, evaluates: bool) -> SFTConfig:
    """Builds trl's configuration: our defaults under the user's `training`, under what the trainer must decide itself.

    Args:
        config: The configuration.
        hardware: What the selector chose.
        folder: The run's folder.
        evaluates: Whether there are validation clips.
    """
    defaults: dict[str, Any] = {
        "bf16": hardware.dtype == "bfloat16",
        "fp16": hardware.dtype == "float16",
        "tf32": True if hardware.tf32 else None,
        "use_cpu": hardware.device == "cpu",
        "eval_strategy": "epoch" if evaluates else "no",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "load_best_model_at_end": evaluates,
        "gradient_checkpointing": False,  # where it is not given, layers are chosen by memory (signvlm.vlm.fit)
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "report_to": "none",
        "disable_tqdm": True,  # a bar of our own: the trainer's prints to stdout
        "ddp_find_unused_parameters": False,  # every weight that trains takes part in every step
        "dataloader_pin_memory": hardware.device == "cuda",
    }
    if hardware.device == "directml":
        defaults["optim"] = "adamw_torch"  # the fused one does not run there
    given = {key: value for key, value in config.training.items() if value is not None}
    decided: dict[str, Any] = {
        **FIXED_TRAINING,
        "output_dir": str(folder),
        "dataloader_num_workers": hardware.workers,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "prediction_loss_only": True,
        "label_names": ["labels"],
    }
    if evaluates and config.selection.metric == "top1" and os.environ.get("ACCELERATE_USE_FSDP") == "true":
        raise ConfigError(
            "selection.metric: ranking needs whole weights, and FSDP leaves each process a part; "
            "set selection.metric=loss, or launch without FSDP"
        )
    if evaluates:
        decided["metric_for_best_model"] = SCORE if config.selection.metric == "top1" else "eval_loss"
        decided["greater_is_better"] = config.selection.metric == "top1"
    else:
        decided["eval_strategy"] = "no"
        decided["load_best_model_at_end"] = False
    decided["report_to"] = _reports(given.get("report_to", [])) or "none"
    try:
        return SFTConfig(**{**defaults, **given, **decided})
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{config.source}: training: {' '.join(str(error).split())[:300]}") from error


def _reports(asked: str | list[str]) -> list[str]:
    """Returns whom transformers reports to.

    TensorBoard's events go to tb_logs/ through a callback of our own, in both generations of the libraries.

    Raises:
        ConfigError: One is not installed, or unknown.
    """
    there = get_available_reporting_integrations()
    names = [asked] if isinstance(asked, str) else list(asked)
    names = there if names == ["all"] else [name for name in names if name != "none"]
    for name in names:
        if name != "tensorboard" and name not in there:
            raise ConfigError(
                f"training.report_to: {name} is not installed or not one that transformers reports to; "
                f"uv pip install {name}, or choose of {', '.join(sorted({*there, 'tensorboard'}))}"
            )
    return [name for name in names if name != "tensorboard"]
