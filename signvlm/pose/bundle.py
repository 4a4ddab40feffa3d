"""The bundle of the recogniser over key points: all that it is, in one folder, saved whole or not at all.

pose.safetensors                         the network's weights
glossary.json                            the glosses, a list
config.yaml, metrics.json, README.md     the merged configuration, how training went, the model card
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from data_engineering.clip import write_json, write_text
from data_engineering.errors import ConfigError, RunError
from signvlm.bundles import POSE_WEIGHTS, read_glossary, replace
from signvlm.card import model_card
from signvlm.config import Config
from signvlm.pose.network import build
from signvlm.pose.recognizer import PoseRecognizer


def save_bundle(
    folder: Path, network: nn.Module, glossary: tuple[str, ...], config: Config, metrics: dict[str, Any]
) -> None:
    """Writes a bundle to a temporary name beside `folder`, then renames it; an earlier bundle there is replaced.

    Raises:
        RunError: The disk is full or the folder cannot be written; an earlier bundle stays as it was.
    """
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
        save_file(weights, part / POSE_WEIGHTS)
        (part / POSE_WEIGHTS).chmod(0o644)  # safetensors writes 0600, which no one else could load
        write_json(part / "glossary.json", list(glossary))
        write_json(part / "metrics.json", metrics)
        config.save(part / "config.yaml")
        write_text(part / "README.md", model_card(part, name=folder.name))
        replace(folder, part)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(f"{folder}: cannot be written ({error}); free space or choose another folder") from error


def load_bundle(folder: Path, config: Config, device: torch.device) -> PoseRecognizer:
    """Loads a bundle as a recogniser.

    Args:
        folder: The bundle.
        config: As it was trained.
        device: What to run on.

    Raises:
        ConfigError: Its weights cannot be read, or are not of the network that its configuration names.
    """
    glossary = read_glossary(folder)
    network = build(config.pose, len(glossary))
    try:
        network.load_state_dict(load_file(folder / POSE_WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ConfigError(
            f"{folder / POSE_WEIGHTS}: not the weights of {config.pose.network} with {len(glossary)} glosses "
            f"({reason}); give a whole bundle, or train again"
        ) from error
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ConfigError(f"{folder / POSE_WEIGHTS}: holds weights that are no numbers; train again")
    return PoseRecognizer(network.to(device), glossary, device)
