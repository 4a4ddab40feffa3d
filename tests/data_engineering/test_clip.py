"""Manifests written and read back."""

import os
from pathlib import Path

from data_engineering.clip import read_json, write_json


def test_a_path_that_is_no_utf_8_is_read_back_as_it_was(tmp_path: Path) -> None:
    """Whatever a file system allows; a folder above the data root may have any name."""
    rows = [{"video_path": os.fsdecode(b"/data/\xff\xfe/") + "é.mp4"}]
    path = tmp_path / "rows.json"
    for _ in range(2):
        write_json(path, rows)
        assert read_json(path, "") == rows
