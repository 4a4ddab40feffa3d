"""A sheet shows every clip's frames in a row."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_engineering.contact_sheet import contact_sheet
from data_engineering.errors import RunError


def test_a_row_a_clip_and_a_tile_a_frame(tmp_path: Path) -> None:
    rows = [("book", np.full((4, 64, 64, 3), 255, np.uint8)), ("two words", np.zeros((2, 32, 64, 3), np.uint8))]
    contact_sheet(rows, tmp_path / "deep" / "sheet.png", tile=50)
    with Image.open(tmp_path / "deep" / "sheet.png") as sheet:
        assert sheet.width >= 4 * 50
        assert sheet.height >= 2 * 50
        assert sheet.getpixel((60, 110)) == (0, 0, 0)


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        contact_sheet([("a", np.zeros((1, 8, 8, 3), np.uint8))], tmp_path / "file" / "sheet.png")
