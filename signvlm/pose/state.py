"""Where a training over key points stands, in one file that is written after each epoch, whole or not at all.

Everything in it is a tensor or JSON: safetensors, no pickle. Orders and variations are drawn anew for each epoch from
the seed and its number, so there is no generator's state to keep.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_engineering.clip import write_bytes
from data_engineering.errors import ConfigError
from signvlm.runs import runs

FILE = "checkpoint.safetensors"


@dataclass
class State:
    """Where a training stands.

    Attributes:
        epoch: Rounds through the training clips that are done.
        network: The weights now.
        optimizer: AdamW's moments, {name: tensor} for each weight, by its number.
        best: The weights of the best evaluation; those of the last epoch where nothing is evaluated.
        history: The log, as `signvlm.selection` and the report read it.
        seconds: What the epochs took.
    """

    epoch: int = 0
    network: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


def write_state(folder: Path, state: State, key: str) -> None:
    """Writes a run's checkpoint.

    Args:
        folder: The run's.
        state: What to write.
        key: Identifies what is trained: clips, glossary, settings.

    Raises:
        RunError: The disk is full; the earlier checkpoint stays.
    """
    tensors = {f"network.{name}": value for name, value in state.network.items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for number, moments in state.optimizer.items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    told = {"epoch": state.epoch, "history": state.history, "seconds": state.seconds, "key": key}
    # Copies: safetensors refuses tensors that share their memory, as the best weights may with the newest.
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_bytes(folder / FILE, save(plain, metadata={"state": json.dumps(told)}))


def read_state(output_dir: Path, key: str) -> tuple[Path, State]:
    """Reads the checkpoint of the newest run that has one.

    Args:
        output_dir: Where runs go.
        key: As it was written with.

    Returns:
        The run's folder, and where its training stands.

    Raises:
        ConfigError: There is none, it is damaged, or of other clips or settings.
    """
    anew = "run `signvlm train` without --resume"
    folder = next((folder for folder in reversed(runs(output_dir)) if (folder / FILE).is_file()), None)
    if folder is None:
        raise ConfigError(f"{output_dir}: no checkpoint to resume from; {anew}")
    state = State()
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            told = json.loads(file.metadata()["state"])
            for name in file.keys():  # noqa: SIM118  it is no mapping
                part, _, rest = name.partition(".")
                if part == "optimizer":
                    number, _, moment = rest.partition(".")
                    state.optimizer.setdefault(int(number), {})[moment] = file.get_tensor(name)
                else:
                    {"network": state.network, "best": state.best}[part][rest] = file.get_tensor(name)
        state.epoch, state.history, state.seconds = int(told["epoch"]), list(told["history"]), float(told["seconds"])
        its_own = told["key"]
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{folder / FILE}: cannot be read ({' '.join(str(error).split())[:120]}); {anew}") from error
    if its_own != key:
        raise ConfigError(f"{folder / FILE}: is of other clips, glosses or settings than these; {anew}")
    return folder, state
