"""The WLASL index read as hostile input: every entry becomes a `Clip` or a `Refusal` that says where and why.

The index is a list of {gloss, instances: [{video_id, split, signer_id, url, bbox, frame_start, ...}]} (WLASL v0.3, Li
et al., WACV 2020). One bad entry never stops the others.
"""

from functools import partial
from pathlib import Path
from typing import Any

from data_engineering import fields
from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.index_file import Index, Refusal, load_json, usable
from data_engineering.intake import take


def read_index(path: Path) -> Index:
    """Reads a WLASL-shaped index: `read_entries` of a JSON file, or of the same compressed with gzip.

    Raises:
        ConfigError: The file is missing, not JSON, not WLASL-shaped, or holds no usable entry.
    """
    return read_entries(path, load_json(path))


def read_entries(path: Path, entries: Any) -> Index:
    """Reads the content of a WLASL-shaped index.

    `val` becomes `validation`; fields that `Clip` does not name are kept in `Clip.extra`. A missing or null `bbox`, and
    a well-formed one without area (listed in `Index.adjusted`), becomes None: the clip is still a clip. A bbox that is
    not four finite numbers is a broken entry and refused. Only `gloss` and `video_id` must be there; without a split a
    clip has "" until `data.split` gives it one, and "" is a signer whom nobody named.

    Args:
        path: Where it was read, for the errors.
        entries: What was read.

    Raises:
        ConfigError: It is not WLASL-shaped, or holds no usable entry.
    """
    if not isinstance(entries, list):
        raise ConfigError(_not_wlasl(path, f"a JSON {fields.kind(entries)}"))
    if not entries:
        raise ConfigError(f"data.index: {path} holds no entry; give a WLASL index such as WLASL_v0.3.json")
    if not any(isinstance(entry, dict) and "gloss" in entry and "instances" in entry for entry in entries):
        raise ConfigError(_not_wlasl(path, f"a list of {len(entries)} other things"))

    index = Index([], [], [])
    seen: dict[str, str] = {}
    for number, entry in enumerate(entries):
        where = f"[{number}]"
        try:
            gloss, instances = _entry(entry)
        except ValueError as error:
            index.refused.append(Refusal(where, str(error)))
            continue
        for position, instance in enumerate(instances):
            take(index, seen, f"{where}.instances[{position}]", instance, partial(_clip, gloss, instance))
    return usable(path, index)


def _entry(entry: Any) -> tuple[str, list[Any]]:
    if not isinstance(entry, dict):
        raise ValueError(f"a {fields.kind(entry)} where {{gloss, instances}} belongs")
    instances = entry.get("instances")
    if not isinstance(instances, list):
        raise ValueError(f"instances is a {fields.kind(instances)}, not a list")
    try:
        return fields.text(entry, "gloss"), instances
    except ValueError as error:
        raise ValueError(f"{error}; its {len(instances)} instances are left out") from None


def _clip(gloss: str, instance: Any) -> Clip:
    if not isinstance(instance, dict):
        raise ValueError(f"a {fields.kind(instance)} where an instance belongs")
    return fields.clip_of(gloss, instance, fields.video_id(instance))


def _not_wlasl(path: Path, found: str) -> str:
    return (
        f"data.index: {path} is not WLASL-shaped: a list of {{gloss, instances}}, or of {{path, gloss}} for your own "
        f"clips, is expected, not {found}"
    )
