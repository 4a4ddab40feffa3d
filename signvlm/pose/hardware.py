"""Where a network over key points runs: it is small, so anything does, and always in full precision."""

import torch

from data_engineering.errors import ConfigError
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware, select


def choose_hardware(config: Config) -> Hardware:
    """Chooses the device and prints what it chose and why.

    Raises:
        ConfigError: The device asked for is not there, or has no recurrent layers.
    """
    asked = config.model.device
    if asked == "directml":
        raise ConfigError("model.device: a network over key points runs on cuda, mps or cpu; set model.device=auto")
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    hardware = select(asked, "float32", load_in_4bit=False, workers=0)
    note(hardware.reasons[0])
    return hardware


def torch_device(hardware: Hardware) -> torch.device:
    """Returns torch's own name of the device."""
    return torch.device(hardware.device)
