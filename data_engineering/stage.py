"""Which clips a configuration asks for, whether or not their files are there; what every later stage counts against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_engineering.clip import Clip, Manifests, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.folder import own_folder, read_clips
from data_engineering.glossary import glossary_file, select
from data_engineering.index_file import Refusal
from data_engineering.settings import DataSettings
from data_engineering.splits import DRAWN, GivenSplit, as_given, assign, read_split, same_files
from data_engineering.state import sha256


@dataclass(frozen=True, slots=True)
class Expected:
    """The clips that should be there.

    Attributes:
        clips: In the order of the index, each with the split assigned to it.
        glosses: Their glosses, in the order of the index.
        refused: Index entries that were not usable.
        adjusted: Index entries that were used with a correction.
        unmatched: Words of the glossary that the index does not have, with the nearest that it has.
        notes: What else a user should know of the selection, a line each.
    """

    clips: tuple[Clip, ...]
    glosses: tuple[str, ...]
    refused: tuple[Refusal, ...]
    adjusted: tuple[Refusal, ...]
    unmatched: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()


def expected(data: DataSettings) -> Expected:
    """Reads the index, applies the glossary, assigns the splits.

    Raises:
        ConfigError: The index, the glossary or the split is wrong.
    """
    index = read_clips(data.index)
    _check_apart(data)
    chosen = select(index.clips, data.glossary)
    clips, refused, notes = chosen.clips, list(index.refused), []
    given: GivenSplit | None = None
    if data.split in _NEEDS:
        clips, lacking = _with_what_it_needs(clips, data)
        refused += lacking
    elif data.split not in DRAWN:
        given = read_split(Path(data.split))
        if given.selects:
            clips = _selected(clips, given, data)
            notes += _unknown(index.clips, given, data)
    splits = assign(clips, data.split, data.seed) if given is None else as_given(clips, given, data.split)
    kept = {clip.gloss for clip in clips}
    return Expected(
        clips=tuple(replace(clip, split=splits[clip.video_id]) for clip in clips),
        glosses=tuple(gloss for gloss in chosen.glosses if gloss in kept),
        refused=tuple(refused),
        adjusted=tuple(index.adjusted),
        unmatched=tuple(chosen.unmatched),
        notes=tuple(notes),
    )


def fetchable(data: DataSettings) -> Expected:
    """Returns what `expected` does, for clips that are to be fetched.

    Raises:
        ConfigError: Also where the clips are the user's own.
    """
    wanted = expected(data)
    if wanted.clips and wanted.clips[0].own_file:
        raise ConfigError(
            f"data.index: {data.index} names your own clips, which are read where they lie; run `signvlm validate`"
        )
    return wanted


def redrawn(
    wanted: Expected,
    data: DataSettings,
    media: Mapping[str, Mapping[str, Any]],
    alike: Sequence[Sequence[str]],
) -> Expected:
    """Returns the clips with a split that keeps copies together which only their files could tell.

    A split that is given, not drawn, stays.

    Args:
        wanted: As `expected` returned it.
        data: Which split, and its seed.
        media: What validation found of each file that is there, by video_id.
        alike: The groups of them that show the same (`perceptual.look_alikes`).
    """
    if data.split not in DRAWN:
        return wanted
    copies = [*same_files(media), *alike]
    if not copies:
        return wanted
    splits = assign(wanted.clips, data.split, data.seed, copies)
    return replace(wanted, clips=tuple(replace(clip, split=splits[clip.video_id]) for clip in wanted.clips))


# What a split takes from the index, and how to do without it.
_NEEDS = {
    "official": ("split", "split", "take data.split=gloss or signer, or give a split file"),
    "signer": ("signer_id", "signer", "name the signers, or take data.split=gloss"),
}


def _with_what_it_needs(clips: Sequence[Clip], data: DataSettings) -> tuple[list[Clip], list[Refusal]]:
    """Leaves out the clips whose entry lacks what the split is made of.

    Raises:
        ConfigError: All of them lack it.
    """
    field, word, remedy = _NEEDS[data.split]
    kept = [clip for clip in clips if getattr(clip, field) != ""]
    if not kept:
        raise ConfigError(f"data.split: {data.split}, but {data.index} names no clip's {word}; {remedy}")
    lacking = [clip for clip in clips if getattr(clip, field) == ""]
    return kept, [Refusal(clip.video_id, f"names no {word}, which data.split={data.split} needs") for clip in lacking]


def _selected(clips: Sequence[Clip], given: GivenSplit, data: DataSettings) -> list[Clip]:
    kept = [clip for clip in clips if clip.video_id in given.splits]
    if not kept:
        raise ConfigError(f"data.split: {data.split} names none of the selected clips of {data.index}; take another")
    return kept


def _unknown(clips: Sequence[Clip], given: GivenSplit, data: DataSettings) -> list[str]:
    """Says which entries of an nslt file the index does not have (12 of nslt_2000's; ignore them, say the authors)."""
    absent = sorted(given.splits.keys() - {clip.video_id for clip in clips})
    if not absent:
        return []
    named = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
    return [f"{len(absent)} of {len(given.splits)} entries of {data.split} are not in the index, ignored: {named}"]


def _check_apart(data: DataSettings) -> None:
    """Refuses a data root in the folder of clips, where what is written would be read as glosses."""
    if data.index.is_dir() and data.root.resolve().is_relative_to(own_folder(data.index)):
        raise ConfigError(
            f"data.root: {data.root} lies in the folder of clips {data.index}; name another, such as data/mine"
        )


def selection(data: DataSettings) -> dict[str, Any]:
    """Returns what decides the clips and their splits, as health.json keeps it: files by name, and by a short hash.

    A file that is not there, or a folder of clips, has no hash.
    """
    return {
        "index": data.index.absolute().name,
        "glossary": data.glossary and Path(data.glossary).name,
        "split": Path(data.split).name,
        "seed": data.seed if data.split in DRAWN else None,
        **{f"{key}_sha256": path and _hash(path) for key, path in _files(data).items()},
    }


def _files(data: DataSettings) -> dict[str, Path | None]:
    """The files that a selection is read from, None where a word stands for one."""
    split = None if data.split == "official" or data.split in DRAWN else Path(data.split)
    return {"index": data.index, "glossary": glossary_file(data.glossary), "split": split}


def _hash(path: Path) -> str | None:
    try:
        return sha256(path)[:12]
    except OSError:
        return None


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
    now = selection(data)
    for key, file in _files(data).items():
        # What was made of a file holds where the file is not at hand, as on another machine.
        was, told = made.get(f"{key}_sha256"), now.pop(f"{key}_sha256")
        if was and told and was != told and made.get(key) == now[key]:
            raise RunError(f"{path}: {file} (data.{key}) has changed since; run `signvlm validate`")
    for key, value in now.items():
        if made.get(key) != value:
            raise RunError(
                f"{path}: was made with data.{key} {_word(made.get(key))}, the configuration says {_word(value)}; "
                "run `signvlm validate` with it"
            )


def _word(value: Any) -> str:
    return "null" if value is None else str(value)
