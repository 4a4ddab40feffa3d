"""Answers kept while an evaluation runs, a clip a line, so that one that was killed goes on where it stopped.

The file's first line says whose answers they are. Answers of other weights, settings, clips or library versions are
never used: the file is begun anew. It goes when the results are written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from data_engineering.errors import RunError
from signvlm.evaluation.answers import ExactAnswers, to_json


class Partial:
    """The answers so far, a context manager; what it holds is on disk as soon as it is added.

    Attributes:
        records: What earlier runs of the same key left, by clip_id.
    """

    def __init__(self, path: Path, key: str, glossary: Sequence[str]) -> None:
        """Takes where the answers are kept, whose they are, and the glosses that they are of."""
        self.path = path
        self.key = key
        self._glossary = glossary
        self.records: dict[str, dict[str, Any]] = {}
        self._file: TextIO | None = None

    def __enter__(self) -> "Partial":
        """Reads the file; one of another key counts as empty, and a line that was cut short as not written.

        Raises:
            RunError: The file cannot be read or written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Rewritten, so that a line cut short by the kill does not swallow the next one.
            part = self.path.with_name(f".{self.path.name}.part")
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(self._lines())
            part.replace(self.path)
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._cannot(error) from error
        return self

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Appends records, each with its clip_id, and hands them to the operating system at once.

        Raises:
            RunError: The disk is full.
        """
        assert self._file is not None  # noqa: S101  opened on entry
        try:
            self._file.writelines(to_json(record) + "\n" for record in records)
            self._file.flush()
        except OSError as error:
            raise self._cannot(error) from error
        self.records |= {record["clip_id"]: dict(record) for record in records}

    def remove(self) -> None:
        """Removes the file; its answers now stand in the results."""
        self.path.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _lines(self) -> Iterator[str]:
        """Gives the lines to keep, the key's first, and fills `records`."""
        head = json.dumps({"key": self.key}) + "\n"
        yield head
        if not self.path.is_file():
            return
        places = {gloss: place for place, gloss in enumerate(self._glossary)}
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            if file.readline() != head:
                return
            for line in file:
                if not line.endswith("\n"):  # cut short
                    return
                try:
                    record = json.loads(line)
                    if "exact" in record:
                        record["exact"] = ExactAnswers.of_json(self._glossary, places, record["exact"])
                    self.records[record["clip_id"]] = record
                except (ValueError, TypeError, KeyError):
                    return
                yield line

    def _cannot(self, error: OSError) -> RunError:
        reason = error.strerror or error
        return RunError(f"{self.path}: cannot be written ({reason}); free space, then the same command goes on")
