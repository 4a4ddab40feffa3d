"""An evaluation as files: evaluation_results.json, its predictions as CSV, the report; written, and read back.

docs/evaluation_results.md describes the format.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.clip import read_json, write_parts
from data_engineering.errors import RunError
from signvlm.calibration import log_shares
from signvlm.evaluation.answers import glosses_of, log_probs_of, scored, to_json

VERSION = 2
ANSWERS = 5  # of each clip in the CSV
_KEYS = ("split", "summary", "modes", "glossary", "run", "missing", "clips")
_AGAIN = "evaluate again with `signvlm eval`"


@dataclass(frozen=True)
class Paths:
    """Where an evaluation's files lie."""

    json: Path
    report: Path
    predictions: Path
    partial: Path


def paths(folder: Path, split: str, *, limited: bool = False) -> Paths:
    """Returns the files' places; any split but `test`, and a limited run, becomes a suffix of their names."""
    suffix = ("" if split == "test" else f"_{split}") + ("_limit" if limited else "")
    return Paths(
        json=folder / f"evaluation_results{suffix}.json",
        report=folder / f"report{suffix}.html",
        predictions=folder / f"predictions{suffix}.csv",
        partial=folder / f"evaluation_partial{suffix}.jsonl",
    )


def write_results(path: Path, data: Mapping[str, Any]) -> None:
    """Writes the JSON: indented, but a clip a line, so that a whole glossary's ranking stays one line.

    Clip by clip: thousands of rankings of thousands of glosses are hundreds of megabytes of text.
    """
    write_parts(path, _parts(data))


def _parts(data: Mapping[str, Any]) -> Iterator[str]:
    head = {key: value for key, value in data.items() if key != "clips"}
    yield json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False).removesuffix("\n}") + ',\n "clips": [\n  '
    for number, clip in enumerate(data["clips"]):
        yield (",\n  " if number else "") + to_json(clip)
    yield "\n ]\n}\n"


def read_results(path: Path) -> dict[str, Any]:
    """Reads an evaluation_results.json.

    Raises:
        RunError: It cannot be read, is something else, or is of another version.
    """
    data = read_json(path, _AGAIN)
    if not isinstance(data, dict) or "version" not in data:
        raise RunError(f"{path}: no evaluation's results; {_AGAIN}")
    if data["version"] != VERSION:
        raise RunError(f"{path}: is of version {data['version']}, this signvlm reads version {VERSION}; {_AGAIN}")
    lacking = [key for key in _KEYS if key not in data]
    if lacking:
        raise RunError(f"{path}: lacks {', '.join(lacking)}; {_AGAIN}")
    return data


def predictions_csv(data: Mapping[str, Any]) -> str:
    """Returns a line for each clip and mode: what was signed, where it was answered, the first answers.

    Probabilities are of the glossary, after temperature scaling where one was fitted; beams have none. Clips that could
    not be read or had are in it, too. A text that a spreadsheet would take for a formula has a ' before it.
    """
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    numbers = range(1, ANSWERS + 1)
    table.writerow(
        ["clip_id", "gloss", "signer_id", "mode", "state", "place"]
        + [f"answer_{n}" for n in numbers]
        + [f"probability_{n}" for n in numbers]
    )
    temperature = data["calibration"]["temperature"] if data["calibration"] else 1.0
    for clip in data["clips"]:
        who = [_cell(clip[key]) for key in ("clip_id", "gloss", "signer_id")]
        state = "unreadable" if "unreadable" in clip else "read"
        for mode in data["modes"]:
            answers = glosses_of(clip[mode])
            place = answers.index(clip["gloss"]) + 1 if clip["gloss"] in answers else ""
            table.writerow(
                [*who, mode, state, place, *_filled(map(_cell, answers)), *_filled(_shares(clip[mode], temperature))]
            )
    for clip in data["missing"]:
        who = [_cell(clip[key]) for key in ("clip_id", "gloss", "signer_id")]
        table.writerow([*who, "", "missing", "", *_filled(()), *_filled(())])
    return file.getvalue()


def _shares(answers: Sequence[Any], temperature: float) -> list[str]:
    if not scored(answers):
        return []
    return [f"{share:.6f}" for share in np.exp(log_shares(log_probs_of(answers), temperature))[:ANSWERS]]


def _filled(cells: Iterable[str]) -> list[str]:
    cells = list(cells)[:ANSWERS]
    return cells + [""] * (ANSWERS - len(cells))


def _cell(text: Any) -> str:
    """A stranger's text as a cell; see OWASP, CSV injection."""
    return f"'{text}" if str(text)[:1] in ("=", "+", "-", "@", "\t", "\r") else str(text)
