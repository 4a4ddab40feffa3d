"""What a file is judged to be before any frame is decoded."""

from pathlib import Path

import numpy as np
import pytest
from clips import BROKEN, write_clip

from data_engineering.container import inspect
from data_engineering.reasons import REMEDIES, ClipError
from data_engineering.sniff import sniff


@pytest.mark.parametrize("reason", REMEDIES)
def test_every_reason_has_a_remedy_of_one_sentence(reason: str) -> None:
    assert REMEDIES[reason].endswith(".")
    assert ClipError(reason, "found").remedy == REMEDIES[reason]


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("a.mp4", "libx264", "mov"),
        ("a.mov", "libx264", "mov"),
        ("a.mkv", "libx264", "matroska"),
        ("a.webm", "libvpx", "matroska"),
        ("a.flv", "flv", "flv"),
        ("a.avi", "mpeg4", "avi"),
        ("a.ts", "libx264", "mpegts"),
    ],
)
def test_a_container_is_known_by_its_bytes_and_not_by_its_name(
    name: str, codec: str, expected: str, tmp_path: Path
) -> None:
    served = write_clip(tmp_path / name, codec=codec).rename(tmp_path / "clip.mp4")
    assert sniff(served) == expected
    found = inspect(served)
    assert (found.width, found.height) == (64, 48)
    assert len(found.timestamps) == found.promised == 30
    assert found.duration == pytest.approx(1.2, abs=0.05)


def test_time_begins_at_the_first_frame(tmp_path: Path) -> None:
    times = [3.0, 3.1, 3.4, 3.5]
    found = inspect(write_clip(tmp_path / "late.mp4", times=times))
    np.testing.assert_allclose(found.timestamps, np.array(times) - 3.0, atol=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_read(degrees: int, tmp_path: Path) -> None:
    assert inspect(write_clip(tmp_path / "turned.mp4", rotation=degrees)).rotation == degrees


@pytest.mark.parametrize("kind", ["hls", "concat", "dash"])
def test_a_playlist_is_never_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    BROKEN[kind][0](path)
    with pytest.raises(ClipError) as caught:
        inspect(path)
    assert caught.value.reason == "playlist"


def test_a_broken_download_is_told_from_a_file_without_an_index(tmp_path: Path) -> None:
    details = {}
    for kind in ("no_moov", "moov_lost"):
        BROKEN[kind][0](tmp_path / f"{kind}.mp4")
        with pytest.raises(ClipError) as caught:
            inspect(tmp_path / f"{kind}.mp4")
        details[kind] = caught.value.detail
    assert "needs" in details["no_moov"]
    assert "among the file's boxes" in details["moov_lost"]
