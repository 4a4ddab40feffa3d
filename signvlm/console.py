"""Notes for whoever watches: on stderr, so that data on stdout can be piped; safe for terminals. No colours."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_silent: ContextVar[bool] = ContextVar("silent", default=False)


def printable(text: str) -> str:
    """Returns text with control characters shown, not obeyed: glosses and file names are strangers' input."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def note(text: str) -> None:
    """Prints a note to stderr, unless `silence` holds."""
    if watched():
        complain(text)


def watched() -> bool:
    """Tells whether notes and progress are wanted."""
    return not _silent.get()


def complain(text: str) -> None:
    """Prints an error to stderr, always."""
    print(printable(text), file=sys.stderr, flush=True)


@contextmanager
def silence(silent: bool = True) -> Iterator[None]:
    """Within it there are no notes: `--quiet`, and what is called from Python."""
    token = _silent.set(silent)
    try:
        yield
    finally:
        _silent.reset(token)
