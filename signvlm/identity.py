"""What a bundle's answers depend on, as one short text: its files, its base, how clips are framed and asked about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_engineering.state import digest, sha256
from signvlm.calibration import FILE
from signvlm.config import Config, shipped

_KINDS = {".safetensors", ".json", ".jinja", ".txt", ".model"}
# Written beside the weights, and changing no answer.
_ASIDE = {"metrics.json", FILE}


def identify(hashes: Mapping[str, str], config: Config, *, load_in_4bit: bool) -> str:
    """Identifies the scores that a bundle gives to a clip, up to rounding.

    Args:
        hashes: Of its files, as `hashes_of` gives them.
        config: The configuration in force.
        load_in_4bit: Whether the base is quantized.
    """
    framing = config.preprocess.model_dump(mode="json", exclude={"workers", "stored_frames"})
    return digest([hashes, _base(config), config.model.prompt, framing, load_in_4bit])


def files_of(bundle: Path) -> str:
    """Identifies a bundle's files, which tells whether results are of these weights."""
    return digest(hashes_of(bundle))


def hashes_of(bundle: Path) -> dict[str, str]:
    """Returns {name: sha256} of a bundle's files that decide its answers."""
    return {path.name: sha256(path) for path in sorted(bundle.iterdir()) if _decides(path)}


def _decides(path: Path) -> bool:
    results = path.name.startswith("evaluation_")
    return path.is_file() and path.suffix in _KINDS and path.name not in _ASIDE and not results


def _base(config: Config) -> Any:
    """A model of the Hub by its name and revision, a folder by the sizes and times of its weights."""
    folder = shipped(config.model.base)
    if not folder.is_dir():
        return config.model.base, config.model.revision
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.safetensors"))]
