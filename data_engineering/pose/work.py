"""What a worker does for `signvlm pose`: extract one clip and write its file; it imports no more than that."""

from pathlib import Path
from typing import Any, NamedTuple

from data_engineering.errors import RunError
from data_engineering.pose import kept
from data_engineering.pose.extract import Job, extract
from data_engineering.reasons import ClipError

# Lies in the clip, not in a busy machine: written down, and not tried again while clip and extractor are the same.
_LASTING = "no_person"


class Todo(NamedTuple):
    """A clip to extract.

    Attributes:
        root: The data root.
        row: Of wlasl_validated.json.
        job: What to extract.
    """

    root: Path
    row: dict[str, Any]
    job: Job


def work(todo: Todo) -> RunError | None:
    """Extracts a clip and writes its file, or why it has none.

    Returns:
        An error that ends the whole run, as no other clip's file could be written either.

    Raises:
        ClipError: For a reason that is not written down.
    """
    by = kept.extracted_by(todo.job.program)
    try:
        try:
            kept.keep(todo.root, todo.row, extract(todo.job), by)
        except ClipError as error:
            if error.reason != _LASTING:
                raise
            kept.refuse(todo.root, todo.row, error, by)
    except RunError as error:
        return error
    return None
