"""Which signs: a glossary matched against the glosses of an index.

A glossary writes YOU-PLURAL, DON'T WANT or TV; WLASL writes "don't want" and "tv". Words match without regard to case,
spaces, hyphens, underscores and apostrophes, and nothing else: what stays unmatched is reported with the nearest
glosses, never guessed.
"""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.shipped import shipped

_IGNORED = re.compile(r"[\s\-‐‑_'’‘ʼ`]+")  # noqa: RUF001  the dashes and apostrophes people type
_FIRST = re.compile(r"first-(\d{1,9})")
_NUMBER = re.compile(r"^\d+\t+")


@dataclass(frozen=True, slots=True)
class Selection:
    """The clips of a glossary.

    Attributes:
        clips: The selected clips in the order of the index.
        glosses: Their glosses, each once, in the order of the index.
        unmatched: Words of the glossary that no gloss matches, each with up to three of the nearest glosses.
    """

    clips: list[Clip]
    glosses: tuple[str, ...]
    unmatched: list[tuple[str, tuple[str, ...]]]


def select(clips: Sequence[Clip], glossary: str | None) -> Selection:
    """Selects the clips whose gloss a glossary names.

    Args:
        clips: The clips of an index, in its order.
        glossary: None for all; `core` for params/core_glossary.yaml; `first-K` for the first K glosses of the index
            (WLASL-K for the official one); else a file: one word a line (`#` opens a comment), or YAML or JSON with a
            list of words or a mapping of categories to such lists.

    Raises:
        ConfigError: The glossary cannot be read, or no gloss matches it.
    """
    glosses = tuple(dict.fromkeys(clip.gloss for clip in clips))
    if glossary is None:
        return Selection(list(clips), glosses, [])
    if first := _FIRST.fullmatch(glossary):
        count = int(first[1])
        if not 1 <= count <= len(glosses):
            raise ConfigError(f"data.glossary: {glossary} of an index with {len(glosses)} glosses; take null for all")
        return _chosen(clips, glosses[:count], [])

    words = read_words(_file_of(glossary))
    by_key: dict[str, list[str]] = {}
    for gloss in glosses:
        by_key.setdefault(match_key(gloss), []).append(gloss)
    wanted: dict[str, str] = {}
    for word in words:
        wanted.setdefault(match_key(word), word)
    unmatched = [(word, _nearest(key, by_key)) for key, word in wanted.items() if key not in by_key]
    matched = tuple(gloss for gloss in glosses if match_key(gloss) in wanted)
    if not matched:
        near = ", ".join(unmatched[0][1]) or "nothing similar"
        raise ConfigError(
            f"data.glossary: none of the {len(words)} words of {glossary} is a gloss of the index "
            f"({unmatched[0][0]!r}: the nearest is {near}); name other words, or null for every gloss"
        )
    return _chosen(clips, matched, unmatched)


def glossary_file(glossary: str | None) -> Path | None:
    """Returns the file whose words a glossary is, None for all glosses or the first of the index."""
    return None if glossary is None or _FIRST.fullmatch(glossary) else _file_of(glossary)


def _file_of(glossary: str) -> Path:
    return shipped("core_glossary.yaml") if glossary == "core" else Path(glossary)


def match_key(word: str) -> str:
    """Returns the form in which words are compared: folded case, without spaces, hyphens, underscores, apostrophes."""
    return _IGNORED.sub("", unicodedata.normalize("NFKC", word).casefold())


def read_words(path: Path) -> list[str]:
    """Reads a glossary file: its words in order.

    Of a class list (WLASL's wlasl_class_list.txt, lines of a number, a tab and a gloss) the glosses are taken. YAML
    scalars are taken as written, so that the signs no, yes, on, true and 1 stay words.

    Raises:
        ConfigError: The file is missing, unreadable, or holds something else than words.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"data.glossary: {path} cannot be read ({error.strerror or error}); give core, first-K or a file of words"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"data.glossary: {path} is not UTF-8 text; save it as such") from error
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        words = _yaml_words(path, text)
    else:
        lines = (_NUMBER.sub("", line.partition("#")[0]) for line in text.splitlines())
        words = [word for line in lines if (word := line.strip())]
    if not words:
        raise ConfigError(f"data.glossary: {path} holds no word; write one gloss a line")
    if bad := [word for word in words if not word.isprintable() or not match_key(word)]:
        raise ConfigError(f"data.glossary: {path} holds {ascii(bad[0])[:60]}, which is no word; remove it")
    return words


def _yaml_words(path: Path, text: str) -> list[str]:
    try:
        value: Any = YAML(typ="base", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ConfigError(f"data.glossary: {path} is not YAML ({reason}); write a list of words") from error
    lists = list(value.values()) if isinstance(value, dict) else [value]
    for words in lists:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ConfigError(f"data.glossary: {path} is neither a list of words nor categories of such lists")
    return [word.strip() for words in lists for word in words if word.strip()]


def _chosen(clips: Sequence[Clip], glosses: tuple[str, ...], unmatched: list[tuple[str, tuple[str, ...]]]) -> Selection:
    kept = set(glosses)
    return Selection([clip for clip in clips if clip.gloss in kept], glosses, unmatched)


def _nearest(key: str, by_key: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(by_key[near][0] for near in difflib.get_close_matches(key, by_key, n=3, cutoff=0.6))
