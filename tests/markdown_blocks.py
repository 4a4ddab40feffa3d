"""Markdown taken apart: its fenced blocks, the commands in them, and its tables."""

import re
import shlex
from typing import NamedTuple


class Block(NamedTuple):
    """A fenced block: the heading that it stands under, its language, its text."""

    heading: str
    language: str
    text: str


def blocks(markdown: str) -> list[Block]:
    """Returns the fenced blocks in order."""
    found = []
    heading = ""
    for match in re.finditer(r"^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL):
        if match[2]:
            found.append(Block(heading, match[2], match[3]))
        else:
            heading = match[1].replace("`", "")
    return found


def prose(markdown: str) -> str:
    """Returns what stands outside of fenced blocks."""
    return re.sub(r"^```\w+\n.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)


def commands(shell: str) -> list[list[str]]:
    """Returns the words of each command, without comments; `a && b` are two."""
    found = []
    for line in shell.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                words.append(word)
            elif words:
                found.append(words)
                words = []
    return found


def section(markdown: str, heading: str) -> str:
    """Returns the text under a heading, up to the next one."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert match, f"no section {heading!r}"
    return match[1]


def rows(text: str) -> list[tuple[list[str], str]]:
    """Returns a section's table rows: the names in backticks in the first cell, and the second cell."""
    cells = re.findall(r"^\| (`.+?) \| (.*?) \|", text, re.MULTILINE)
    return [(re.findall(r"`([^`]+)`", first), second) for first, second in cells]
