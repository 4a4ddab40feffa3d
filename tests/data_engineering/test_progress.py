"""What a download shows while it runs: a bar on a terminal, whole lines in a pipe."""

import io

import pytest

from data_engineering.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_whole_lines_with_rate_and_rest_and_hosts() -> None:
    out = io.StringIO()
    with Progress({"slow.example": 10, "quick.example": 2}, shown=True, stream=out, every=0.0) as progress:
        progress.add("quick.example", 2)
        progress.note("quick.example: done")
        progress.add("slow.example", 1)
    assert "\r" not in out.getvalue()
    first, note, second, last = out.getvalue().splitlines()
    assert first.startswith("download: 2 of 12 clips, ")
    assert "a second, more than 0 s left; slow.example 0/10, 1 host done" in first
    assert note == "quick.example: done"
    assert "3 of 12 clips" in second
    assert "more than" not in last


def test_a_pipe_is_not_flooded() -> None:
    out = io.StringIO()
    with Progress({"a": 1000}, shown=True, stream=out) as progress:
        for _ in range(1000):
            progress.add("a", 1)
    assert len(out.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_bar() -> None:
    out = Terminal()
    with Progress({"a": 4}, shown=True, stream=out) as progress:
        progress.add("a", 3)
        progress.note("a: a note")
        progress.add("a", 1)
    assert "100%" in out.getvalue()
    assert "a: a note\n" in out.getvalue()
    assert "4/4" in out.getvalue()


def test_nothing_is_shown_where_nothing_is_wanted_or_done() -> None:
    out = io.StringIO()
    with Progress({"a": 4}, shown=False, stream=out, every=0.0) as progress:
        progress.add("a", 4)
        progress.note("a note")
    with Progress({"a": 4}, shown=True, stream=out):
        pass
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59.4, "59 s"), (90, "2 min"), (3600, "1 h 0 min"), (12_345, "3 h 26 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
