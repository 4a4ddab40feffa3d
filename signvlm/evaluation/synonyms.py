"""Glosses that name the same sign: the index lists one recording under several of them, or a user says so.

WLASL lists 804 recordings under two to five glosses each (last / ago / past / before, like / same, eat / food). A model
that answers `food` to a clip of `eat` has recognised the sign, yet a strict figure counts it as wrong; both are given.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from data_engineering.errors import ConfigError
from data_engineering.splits import file_key, same_cut

# WLASL's recording of most glosses has five; a file under more is a host's placeholder, not a sign.
_MOST = 6


@dataclass(frozen=True)
class Synonyms:
    """Which answers count as right besides the gloss itself.

    Two glosses are synonyms where one group holds both. It is not passed on: of A = B and B = C, A = C does not follow.

    Attributes:
        groups: Glosses that name one sign, in the glossary's order.
        source: In words, where they are from.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    source: str = ""
    _accepted: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        accepted: dict[str, set[str]] = defaultdict(set)
        for group in self.groups:
            for gloss in group:
                accepted[gloss] |= set(group)
        object.__setattr__(self, "_accepted", {gloss: frozenset(each) for gloss, each in accepted.items()})

    def accepted(self, gloss: str) -> frozenset[str]:
        """Returns the gloss and its synonyms."""
        return self._accepted.get(gloss, frozenset((gloss,)))


def synonyms_of_media(rows: Iterable[Mapping[str, Any]], glossary: Sequence[str]) -> Synonyms:
    """Finds glosses under which the data root holds one recording: one stretch of one file, or of one address.

    Args:
        rows: Manifest rows; `media.sha256` where a row has it, `media.start` and `media.end` where it is cut from
            its file: signs cut from one long recording are no synonyms.
        glossary: The glosses that can be recognised.
    """
    media: dict[Any, set[str]] = defaultdict(set)
    for row in rows:
        media["cut", same_cut(row)].add(row["gloss"])
        if row.get("media", {}).get("sha256"):
            media["file", file_key(row["media"])].add(row["gloss"])
    groups = [glosses for glosses in media.values() if 1 < len(glosses) <= _MOST]
    return Synonyms(_ordered(groups, glossary), "recordings that the index lists under several glosses")


def synonyms_of_file(path: Path, glossary: Sequence[str]) -> Synonyms:
    """Reads a user's groups: YAML or JSON, a list of lists of glosses. Glosses outside the glossary are left out.

    Raises:
        ConfigError: The file cannot be read, or is no list of lists of texts.
    """
    shape = "write a list of lists of glosses, e.g. - [eat, food]"
    try:
        groups = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"evaluation.synonyms: {path} cannot be read ({error}); {shape}") from error
    except (YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"evaluation.synonyms: {path} is not YAML ({reason}); {shape}") from error
    if not isinstance(groups, list) or not all(
        isinstance(group, list) and all(isinstance(gloss, str) for gloss in group) for group in groups
    ):
        raise ConfigError(f"evaluation.synonyms: {path} holds something else; {shape}")
    return Synonyms(_ordered(groups, glossary), path.name)


def _ordered(groups: Iterable[Iterable[str]], glossary: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    place = {gloss: index for index, gloss in enumerate(glossary)}
    known = {tuple(sorted({gloss for gloss in group if gloss in place}, key=place.__getitem__)) for group in groups}
    return tuple(sorted((group for group in known if len(group) > 1), key=lambda group: [place[g] for g in group]))
