"""The folders of a run: a fresh one a training, the newest one for whatever comes after."""

import re
from pathlib import Path

from data_engineering.errors import ConfigError


def runs(output_dir: Path) -> list[Path]:
    """Returns the run folders that exist, oldest first: `<name>`, `<name>-2`, `<name>-3`, ..."""
    if not output_dir.parent.is_dir():
        return []
    numbered = {}
    for folder in output_dir.parent.iterdir():
        match = re.fullmatch(re.escape(output_dir.name) + r"(?:-([1-9][0-9]*))?", folder.name)
        if match and folder.is_dir():
            numbered[int(match[1] or 1)] = folder
    return [numbered[number] for number in sorted(numbered)]


def fresh_run(output_dir: Path) -> Path:
    """Returns the folder for a new run: `output_dir`, or the next number where that holds something already."""
    existing = [folder for folder in runs(output_dir) if any(folder.iterdir())]
    if not existing:
        return output_dir
    last = re.fullmatch(r".*-([1-9][0-9]*)", existing[-1].name[len(output_dir.name) :])
    return output_dir.with_name(f"{output_dir.name}-{int(last[1]) + 1 if last else 2}")


def newest_bundle(output_dir: Path) -> Path:
    """Returns the adapter of the newest run that finished.

    Raises:
        ConfigError: There is none.
    """
    for folder in reversed(runs(output_dir)):
        if (folder / "adapter").is_dir():
            return folder / "adapter"
    raise ConfigError(f"{output_dir}: holds no trained adapter; run `signvlm train` first, or give --checkpoint DIR")
