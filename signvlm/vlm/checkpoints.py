"""A run's checkpoints: which can be gone on from, and what is done with one that is broken."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from data_engineering.errors import ConfigError
from signvlm.console import note
from signvlm.runs import runs

STATE = "trainer_state.json"  # the last file of a checkpoint
NEEDED = (STATE, "optimizer.pt", "scheduler.pt")


def checkpoints(folder: Path) -> list[Path]:
    """Returns a run's checkpoints, the newest first; what was never finished is none."""
    steps = {
        int(match[1]): path
        for path in folder.iterdir()
        if (match := re.fullmatch(r"checkpoint-([0-9]+)", path.name)) and (path / STATE).is_file()
    }
    return [steps[step] for step in sorted(steps, reverse=True)]


def resumable(output_dir: Path) -> tuple[Path, Path]:
    """Returns the newest run that has a sound checkpoint, and that checkpoint; newer ones that are broken are told.

    Raises:
        ConfigError: There is none.
    """
    broken = 0
    for folder in reversed(runs(output_dir)):
        for checkpoint in checkpoints(folder):
            reason = fault(checkpoint)
            if reason is None:
                return folder, checkpoint
            broken += 1
            note(f"warning: {checkpoint} is broken ({reason}) and passed over")
    what = f"none of its {broken} checkpoints is sound" if broken else "no checkpoint to resume from"
    raise ConfigError(f"{output_dir}: {what}; run `signvlm train` without --resume")


def fault(checkpoint: Path) -> str | None:
    """Reads a checkpoint through, and returns what is wrong with it; None where nothing is."""
    for name in NEEDED:
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
    weights = list(checkpoint.glob("*.safetensors"))
    if not weights and not list(checkpoint.glob("pytorch_model_fsdp*")):
        return "it has no weights"
    try:
        for path in [checkpoint / STATE, *weights, *checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]:
            if not _sound(path):
                return f"{path.name} is damaged"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _sound(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            return "global_step" in json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:  # knows from the header how long the file must be
                return all(torch.isfinite(file.get_tensor(key)).all() for key in file.keys())  # noqa: SIM118
        with zipfile.ZipFile(path) as archive:  # as torch.save writes it, a checksum an entry
            return archive.testzip() is None
    except (ValueError, TypeError, SafetensorError, zipfile.BadZipFile, RuntimeError):
        return False


def set_aside(folder: Path, checkpoint: Path) -> None:
    """Renames the checkpoints newer than the one that is gone on from, which would be taken for the newest again."""
    for newer in checkpoints(folder):
        if newer == checkpoint:
            return
        aside = newer.with_name(f"broken-{newer.name}")
        shutil.rmtree(aside, ignore_errors=True)
        newer.rename(aside)
        note(f"{newer} is now {aside.name}")


def remove_unfinished(folder: Path) -> int:
    """Removes what was written of a checkpoint that did not fit on the disk; returns how many whole ones there are."""
    for path in folder.glob("checkpoint-*"):
        if not (path / STATE).is_file():
            shutil.rmtree(path, ignore_errors=True)
    return len(checkpoints(folder))
