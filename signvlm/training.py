"""What every family's training leaves."""

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """What a training left.

    Attributes:
        folder: The run's folder.
        bundle: The bundle of the best model.
        metrics: What metrics.json holds.
    """

    folder: Path
    bundle: Path
    metrics: dict[str, Any]


def versions(names: Iterable[str]) -> dict[str, str | None]:
    """Returns the versions of libraries, None for one that is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
