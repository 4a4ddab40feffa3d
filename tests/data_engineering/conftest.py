"""What the download's tests share: a loopback server, and a clip to serve."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Loopback, loopback, write_clip


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as served:
        yield served


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    return write_clip(tmp_path / "source.mp4").read_bytes()
