"""The log of attempts gives back every line that was written to it, whatever a host made its reason say."""

from dataclasses import replace
from pathlib import Path

import pytest

from data_engineering.attempts import Attempt, AttemptLog

FAILED = Attempt("a", "http://clips.example/a", "clips.example", "failed", "HTTP 404", 0, "", 0.1, False, False)


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x1e", "\r\n", "\ud800", "\0", '"', "é"])
def test_a_reason_with_odd_characters_comes_back(tmp_path: Path, odd: str) -> None:
    attempts = [replace(FAILED, reason=f"does not resolve: a{odd}b"), replace(FAILED, id="b")]
    log = AttemptLog(tmp_path)
    for attempt in attempts:
        log.append(attempt)
    assert AttemptLog(tmp_path).attempts == attempts
