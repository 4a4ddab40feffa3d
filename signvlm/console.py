"""Notes for whoever watches: on stderr, so that data on stdout can be piped; safe for terminals."""

import sys


def printable(text: str) -> str:
    """Returns text with control characters shown, not obeyed: glosses and file names are strangers' input."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def note(text: str) -> None:
    """Prints a note to stderr."""
    print(printable(text), file=sys.stderr, flush=True)
