"""Which clips a configuration asks for, whether or not their files are there; what every later stage counts against."""

from dataclasses import dataclass, replace

from data_engineering.clip import Clip
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
