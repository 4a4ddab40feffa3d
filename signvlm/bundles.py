"""What bundles of every family have in common: whose they are, their configuration, their glossary, their place."""

import shutil
from pathlib import Path
from typing import Literal

from data_engineering.clip import read_json
from data_engineering.errors import ConfigError
from signvlm.config import Config, load

POSE_WEIGHTS = "pose.safetensors"
ADAPTER = "adapter_config.json"
_GIVE = "give a run's adapter/ with --checkpoint"


def family_of(folder: Path) -> Literal["vlm", "pose"]:
    """Tells from a bundle's files which family it is of; `vlm` where they do not tell."""
    return "pose" if (folder / POSE_WEIGHTS).is_file() else "vlm"


def read_bundle_config(folder: Path, family: str) -> Config:
    """Reads the configuration that a bundle was trained with.

    Args:
        folder: The bundle.
        family: Which it should be of, by model.family.

    Raises:
        ConfigError: The folder is not a bundle of that family; the message names what is missing.
    """
    its_own = family_of(folder)
    if folder.is_dir() and any(folder.glob("*.safetensors")) and its_own != family:
        raise ConfigError(
            f"{folder}: is a bundle of the {its_own} family, and model.family is {family}; leave the configuration to "
            f"the bundle (no --config), or {_GIVE} of the {family} family"
        )
    whole = (folder / "config.json").is_file()  # a language model trained without LoRA, maybe in several files
    weights = ("model*.safetensors",) if whole else (ADAPTER, "adapter_model.safetensors")
    for name in ("config.yaml", "glossary.json", *((POSE_WEIGHTS,) if family == "pose" else weights)):
        if not any(folder.glob(name)):
            kind = "a bundle over key points" if family == "pose" else "an adapter bundle"
            raise ConfigError(f"{folder}: not {kind} (no {name}); {_GIVE}")
    return load(folder / "config.yaml")


def read_glossary(folder: Path) -> tuple[str, ...]:
    """Reads a bundle's glosses.

    Raises:
        ConfigError: glossary.json is not a list of glosses.
        RunError: It is missing or no JSON.
    """
    glossary = read_json(folder / "glossary.json", _GIVE)
    if not isinstance(glossary, list) or not all(isinstance(gloss, str) for gloss in glossary) or not glossary:
        raise ConfigError(f"{folder / 'glossary.json'}: not a list of glosses; {_GIVE}")
    return tuple(glossary)


def replace(folder: Path, part: Path) -> None:
    """Renames a whole bundle to its place; an earlier one there is removed once it stands.

    Raises:
        OSError: It cannot be renamed.
    """
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old)
    else:
        part.rename(folder)
