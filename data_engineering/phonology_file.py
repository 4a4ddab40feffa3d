"""`data.phonology`: a file of glosses and their parameters, and the pairs that one parameter alone tells apart.

The parameters may be anybody's: handshape and location from a lexical database, a linguist's own columns, or the
avatar's. A file whose parameters are the avatar's (params/signs.yaml) is read as such: what an entry leaves out has the
avatar's usual value, and its twenty parameters count as five channels (`synthetic.phonology.CHANNELS`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from data_engineering.errors import ConfigError
from data_engineering.glossary import match_key
from data_engineering.shipped import shipped
from data_engineering.synthetic.phonology import ALLOWED, CHANNELS, PARAMETERS, Sign, differing_channels
from data_engineering.synthetic.signs import load_signs

Table = dict[str, dict[str, str]]
"""{gloss: {parameter: value}}; a parameter that a gloss does not have is absent from its row."""

_MAX_BYTES = 64 * 1024**2  # a lexical database of 100,000 signs has a tenth of it
# How YAML and JSON say that a value is not known.
_UNKNOWN = ("", "~", "null")
# Only the avatar's files call the handshape this.
_OF_THE_AVATAR = "shape"
_USUAL = Sign("")
_SHAPE = "write `gloss: {parameter: value, ...}`, one entry a gloss"


def load_phonology(path: Path) -> Table:
    """Reads a phonology file.

    Args:
        path: YAML or JSON, {gloss: {parameter: value}}; values are words or numbers, null where unknown.
            `params/NAME` falls back to the shipped file of that name.

    Returns:
        The rows in the file's order, every value as a word. The avatar's rows are complete: all of its parameters.

    Raises:
        ConfigError: The file is missing, or is not of that form; the message names the gloss.
    """
    file = path if path.exists() or path.parts[:1] != ("params",) else shipped(str(Path(*path.parts[1:])))
    entries = _read(file)
    if not entries:
        raise ConfigError(f"data.phonology: {file} holds no gloss; {_SHAPE}")
    if not isinstance(entries, Mapping):
        raise ConfigError(f"data.phonology: {file} holds a {type(entries).__name__}, not glosses; {_SHAPE}")
    table = {str(gloss): _row(file, str(gloss), entry) for gloss, entry in entries.items()}
    _check_keys(file, table)
    names = {name for row in table.values() for name in row}
    if _OF_THE_AVATAR in names and names <= set(ALLOWED):
        try:
            signs = load_signs(file)
        except ConfigError as error:
            raise ConfigError(f"data.phonology: {error}") from error
        return {gloss: {name: str(getattr(sign, name)) for name in PARAMETERS} for gloss, sign in signs.items()}
    return table


def rows_of(table: Mapping[str, Mapping[str, str]], glosses: Iterable[str]) -> Table:
    """Returns the rows of a dataset's glosses, under the dataset's spelling; glosses that the table lacks are left out.

    Words match as in a glossary: without regard to case, spaces, hyphens, underscores and apostrophes.
    """
    by_key = {match_key(gloss): row for gloss, row in table.items()}
    return {gloss: dict(by_key[match_key(gloss)]) for gloss in glosses if match_key(gloss) in by_key}


def channels(row: Mapping[str, str]) -> dict[str, str]:
    """Returns a row by channel: the avatar's parameters grouped (`CHANNELS`), anybody else's as they stand."""
    if not _is_avatar(row):
        return dict(row)
    return {channel: _words(row, names) for channel, names in CHANNELS.items()}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the parameters (channels, for the avatar's) in which two rows differ; one that only one has is one."""
    if _is_avatar(one) and _is_avatar(other):
        return differing_channels(_sign(one), _sign(other))
    return tuple(name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name))


def minimal_pairs(table: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Returns every (gloss, gloss, parameter) that differs in exactly one parameter, in the table's order.

    Glosses that differ in none are no pair: nothing in the table tells them apart.
    """
    glosses = list(table)
    signs = {gloss: _sign(row) for gloss, row in table.items() if _is_avatar(row)}
    pairs = []
    for place, one in enumerate(glosses):
        for other in glosses[place + 1 :]:
            if one in signs and other in signs:
                names = differing_channels(signs[one], signs[other])
            else:
                names = differing(table[one], table[other])
            if len(names) == 1:
                pairs.append((one, other, names[0]))
    return pairs


def _words(row: Mapping[str, str], names: tuple[str, ...]) -> str:
    """A channel in words: its first parameter, and what else is not as usual."""
    first, *others = names
    said = [f"{name}={row[name]}" for name in others if row[name] != str(getattr(_USUAL, name))]
    return " ".join([row[first], *said]) or "-"


def _is_avatar(row: Mapping[str, str]) -> bool:
    return row.keys() == set(PARAMETERS)


def _sign(row: Mapping[str, str]) -> Sign:
    values: dict[str, Any] = dict(row)
    return Sign("", **values)


def _read(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            body = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"data.phonology: {file} cannot be read ({error.strerror or error}); name a file of glosses and their "
            "parameters, or null to do without"
        ) from error
    if len(body) > _MAX_BYTES:
        raise ConfigError(f"data.phonology: {file} is larger than {_MAX_BYTES >> 20} MiB; {_SHAPE}")
    try:
        text = body.decode("utf-8-sig")
        if file.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_object, parse_int=str, parse_float=str)
        # Every scalar as written: the handshape 5 and the sign no are words.
        return YAML(typ="base", pure=True).load(text)
    except (ValueError, RecursionError, YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        kind = "JSON" if file.suffix.lower() == ".json" else "YAML"
        raise ConfigError(f"data.phonology: {file} is not {kind} ({reason}); {_SHAPE}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a later entry of the same name win in silence; YAML refuses it, and so does this."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _row(file: Path, gloss: str, entry: Any) -> dict[str, str]:
    where = f"data.phonology: {file}: gloss {ascii(gloss)[:60]}"
    if not match_key(gloss) or not gloss.isprintable():
        raise ConfigError(f"{where} is no word; {_SHAPE}")
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where} has no parameters but {ascii(entry)[:60]}; {_SHAPE}")
    row = {}
    for name, value in entry.items():
        if isinstance(value, (Mapping, list)):
            raise ConfigError(f"{where}: {ascii(name)[:60]} is a {type(value).__name__}; give a word or a number")
        word = json.dumps(value) if value is None or isinstance(value, bool) else str(value).strip()
        if word not in _UNKNOWN:
            row[str(name)] = word
    if not row:
        raise ConfigError(f"{where} has no parameters; give it at least one, or leave the gloss out")
    return row


def _check_keys(file: Path, table: Table) -> None:
    seen: dict[str, str] = {}
    for gloss in table:
        first = seen.setdefault(match_key(gloss), gloss)
        if first != gloss:
            raise ConfigError(
                f"data.phonology: {file}: {ascii(first)[:60]} and {ascii(gloss)[:60]} are the same word; keep one"
            )
