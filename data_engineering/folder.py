"""Your own clips, read where they lie: a folder per gloss, `GLOSS/clip.mp4` or `GLOSS/SIGNER/clip.mp4`.

Any video's suffix will do; names that begin with a dot are passed over. What is no clip is refused by name, and nothing
outside the folder is reached. Nothing is copied or renamed. `clip_list` reads lists of such clips.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_engineering import fields
from data_engineering.clip import Clip
from data_engineering.clip_list import is_list, read_csv, read_json_lines, read_records
from data_engineering.index_file import Index, Refusal, first_line, load_json, usable
from data_engineering.intake import take
from data_engineering.names import shown
from data_engineering.wlasl import read_entries

_VIDEO = re.compile(r"\.(3g2|3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|swf|ts|vob|webm|wmv)", re.IGNORECASE)
_LINKED = "a link to a folder, which is not followed; put the folder itself here"


def read_clips(path: Path) -> Index:
    """Reads whatever `data.index` names: a folder or a list of your own clips, or a WLASL-shaped index.

    Raises:
        ConfigError: It is missing or none of these, or holds no usable clip.
    """
    if path.is_dir():
        return read_folder(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if suffixes[-1:] in ([".csv"], [".tsv"]):
        return read_csv(path)
    if suffixes[-1:] in ([".jsonl"], [".ndjson"]):
        return read_json_lines(path)
    entries = load_json(path)
    return read_records(path, entries) if is_list(entries) else read_entries(path, entries)


def own_folder(index: Path) -> Path:
    """Returns the folder that the clips of an own index must not leave: the index itself, or the one of the list."""
    return (index if index.is_dir() else index.parent).resolve()


def read_folder(folder: Path) -> Index:
    """Reads a folder per gloss; clips come in the order of their names.

    The gloss is its folder's name, the signer the name of a folder in it; a clip directly in the gloss's folder has no
    known signer. Ids are made of the path below the folder, so that they last when clips are added or the folder moves.

    Raises:
        ConfigError: It holds no usable clip.
    """
    # A path that begins with "/" is a file to every decoder; "pipe:0" alone would not be one.
    base = folder.absolute()
    index = Index([], [], [])
    seen: dict[str, str] = {}
    for entry in _listed(base, "", index):
        if entry.is_dir(follow_symlinks=False):
            _read_gloss(base, entry, index, seen)
        else:
            index.refused.append(Refusal(shown(entry.name), _beside(entry)))
    return usable(folder, index)


def _read_gloss(base: Path, folder: os.DirEntry[str], index: Index, seen: dict[str, str]) -> None:
    held = 0
    for entry in _listed(base, folder.name, index):
        if entry.is_dir(follow_symlinks=False):
            inside = f"{folder.name}/{entry.name}"
            for clip in _listed(base, inside, index):
                held += 1
                if clip.is_dir(follow_symlinks=False):
                    reason = "a folder deeper than GLOSS/SIGNER; move its clips up"
                    index.refused.append(Refusal(shown(f"{inside}/{clip.name}"), reason))
                else:
                    below = f"{inside}/{clip.name}"
                    read = partial(_clip, base, folder.name, entry.name, below, clip)
                    take(index, seen, shown(below), {}, read)
        else:
            held += 1
            below = f"{folder.name}/{entry.name}"
            take(index, seen, shown(below), {}, partial(_clip, base, folder.name, "", below, entry))
    if not held:
        index.refused.append(Refusal(shown(folder.name), "a gloss's folder without a clip"))


def _clip(base: Path, gloss: str, signer: str, below: str, entry: os.DirEntry[str]) -> Clip:
    """Returns the clip that a file is; raises ValueError with the reason where it is none."""
    if entry.is_symlink() and entry.is_dir():
        raise ValueError(_LINKED)
    if not _VIDEO.fullmatch(Path(entry.name).suffix):
        raise ValueError("not a video by its name, such as .mp4, .mov, .webm")
    if not below.isprintable():
        raise ValueError("the name holds unprintable characters; rename it")
    named = {"gloss": _composed(gloss), "signer_id": _composed(signer)}
    signed = {"signer_id": named["signer_id"]}
    return fields.clip_of(fields.text(named, "gloss"), signed, fields.own_id(below), str(base / below))


def _listed(base: Path, below: str, index: Index) -> Iterator[os.DirEntry[str]]:
    """The visible entries of a folder by name; one that cannot be read is refused."""
    try:
        with os.scandir(base / below) as entries:
            yield from sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        index.refused.append(Refusal(shown(below) or ".", f"cannot be read ({error.strerror or first_line(error)})"))


def _beside(entry: os.DirEntry[str]) -> str:
    return _LINKED if entry.is_dir() else "lies beside the glosses' folders; put clips into the folder of their gloss"


def _composed(name: str) -> str:
    """The name as most systems write it: macOS takes "é" apart."""
    return unicodedata.normalize("NFC", name).strip()
