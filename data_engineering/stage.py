"""Which clips a configuration asks for, whether or not their files are there; what every later stage counts against."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_engineering.clip import Clip, Manifests, read_json
from data_engineering.errors import RunError
from data_engineering.glossary import select
from data_engineering.settings import DataSettings
from data_engineering.splits import assign
from data_engineering.wlasl import Refusal, read_index


@dataclass(frozen=True, slots=True)
class Expected:
    """The clips that should be there.

    Attributes:
        clips: In the order of the index, each with the split assigned to it.
        glosses: Their glosses, in the order of the index.
        refused: Index entries that were not usable.
        adjusted: Index entries that were used with a correction.
        unmatched: Words of the glossary that the index does not have, with the nearest that it has.
    """

    clips: tuple[Clip, ...]
    glosses: tuple[str, ...]
    refused: tuple[Refusal, ...]
    adjusted: tuple[Refusal, ...]
    unmatched: tuple[tuple[str, tuple[str, ...]], ...]


def expected(data: DataSettings) -> Expected:
    """Reads the index, applies the glossary, assigns the splits.

    Raises:
        ConfigError: The index, the glossary or the split is wrong.
    """
    index = read_index(data.index)
    selection = select(index.clips, data.glossary)
    splits = assign(selection.clips, data.split, data.seed)
    return Expected(
        clips=tuple(replace(clip, split=splits[clip.video_id]) for clip in selection.clips),
        glosses=selection.glosses,
        refused=tuple(index.refused),
        adjusted=tuple(index.adjusted),
        unmatched=tuple(selection.unmatched),
    )


def selection(data: DataSettings) -> dict[str, Any]:
    """Returns what decides the clips and their splits, as health.json keeps it; files by their name."""
    return {
        "index": data.index.name,
        "glossary": data.glossary and Path(data.glossary).name,
        "split": Path(data.split).name,
        "seed": data.seed if data.split in ("signer", "gloss") else None,
    }


def check_selection(data: DataSettings) -> None:
    """Refuses manifests that were made of another selection than the configuration's, such as another split.

    Raises:
        RunError: They were, or there are none.
    """
    path = Manifests(data.root).health
    health = read_json(path, "run `signvlm validate`")
    made = health.get("selection") if isinstance(health, dict) else None
    if not isinstance(made, dict):
        raise RunError(f"{path}: does not say how its clips were selected; run `signvlm validate`")
    for key, value in selection(data).items():
        if made.get(key) != value:
            raise RunError(
                f"{path}: was made with data.{key} {_word(made.get(key))}, the configuration says {_word(value)}; "
                "run `signvlm validate` with it"
            )


def _word(value: Any) -> str:
    return "null" if value is None else str(value)
