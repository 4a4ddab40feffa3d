"""A model whose vision tower has been left out: what it is shown is the tower's output already."""

from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, ProcessorMixin
from transformers.modeling_outputs import BaseModelOutputWithPooling

from data_engineering.errors import ConfigError
from data_engineering.state import sha256
from signvlm.config import Config, ModelSettings, shipped
from signvlm.hardware import Hardware
from signvlm.vlm.anatomy import read_config

# Models whose projector reads `vision_tower(pixel_values=...).last_hidden_state` and nothing else of the tower.
SEPARABLE = ("internvl",)


class StoredTower(torch.nn.Module):
    """Stands in for the tower: a batch's `pixel_values` are what the tower made of them, (frames, tokens, width)."""

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Returns what it is given as the last hidden state."""
        return BaseModelOutputWithPooling(last_hidden_state=pixel_values)


def check_separable(config: Config) -> None:
    """Refuses a cache of features that the training could not use.

    Raises:
        ConfigError: The model's tower cannot be left out, or what is saved would have to hold it.
    """
    if config.lora is None:
        raise ConfigError(
            "features.cache: without LoRA the whole model is saved, tower included; set lora, or turn it off"
        )
    kind = read_config(config.model).model_type
    if kind not in SEPARABLE:
        raise ConfigError(
            f"features.cache: the vision tower of {config.model.base} ({kind}) cannot be left out; "
            f"turn it off (it works for {', '.join(SEPARABLE)})"
        )


def towerless(settings: ModelSettings) -> PretrainedConfig:
    """Returns the base's configuration without the layers of its tower, so that loading never reads them."""
    config = read_config(settings)
    config.vision_config.num_hidden_layers = 0
    return config


def take_tower_out(model: PreTrainedModel) -> torch.nn.Module:
    """Takes a model's tower out and puts a `StoredTower` in its place; returns the tower."""
    tower = model.model.vision_tower
    model.model.vision_tower = StoredTower()
    return tower


def tower_key(settings: ModelSettings, processor: ProcessorMixin, hardware: Hardware, attention: str) -> dict[str, Any]:
    """Returns what decides the tower's output besides the clip: weights, processor, dtype, attention.

    A base of the Hub is known by its commit, a folder by the hashes of its files.
    """
    base = shipped(settings.base)
    if base.is_dir():
        files = sorted(path for path in base.iterdir() if path.suffix == ".safetensors" or path.name == "config.json")
        weights = {path.name: sha256(path) for path in files}
    else:
        weights = {settings.base: str(read_config(settings)._commit_hash)}
    return {
        "weights": weights,
        "processor": processor.video_processor.to_dict(),
        "dtype": hardware.dtype,
        "attention": attention,
    }
