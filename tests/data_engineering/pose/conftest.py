"""What these tests share: a validated data root of clips in colours that the stand-in extractor knows."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from clips import write_index
from pose_clips import LIMITS, PERSON, SMALL, write_kinds

from data_engineering.clip import Manifests
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.validate import validate


@pytest.fixture(scope="session")
def all_clips(tmp_path_factory: pytest.TempPathFactory) -> DataSettings:
    """Tests take copies of it."""
    root = tmp_path_factory.mktemp("poses") / "data"
    videos = root / "raw_videos"
    videos.mkdir(parents=True)
    for name in ("a", "b", "c", "d"):
        write_kinds(videos / f"{name}.mp4", *PERSON)
    write_kinds(videos / "dim.mp4", *["no hand"] * 5)
    write_kinds(videos / "empty.mp4", *["nobody"] * 4)
    write_kinds(videos / "two.mp4", "person", "person", "somebody else", "somebody else", "person")
    write_kinds(videos / "pair.mp4", *["a pair"] * 5)
    write_kinds(videos / "bad.mp4", "person", "dies", "person")
    write_kinds(videos / "slow.mp4", "person", "hangs", "person")
    write_kinds(videos / "late.mp4", *PERSON, *PERSON, black_head=3, black_tail=2)
    write_kinds(videos / "turned.mp4", *PERSON, rotation=90)
    write_kinds(videos / "wide.mp4", *PERSON, pixel_aspect=Fraction(2))
    # The right one of two people; nobody is in the box of `two`.
    boxes = {"pair": [36, 4, 64, 48], "two": [0, 0, 4, 4]}
    entries = [
        {"video_id": path.stem, "gloss": f"sign {path.stem}", "bbox": boxes.get(path.stem)}
        for path in sorted(videos.iterdir())
    ]
    data = DataSettings(root=root, index=write_index(root / "index.json", entries))
    validate(data, DownloadSettings(), LIMITS, SMALL, "Which sign?", progress=False)
    return data


@pytest.fixture
def prepare(all_clips: DataSettings, tmp_path: Path) -> Callable[..., DataSettings]:
    """Makes a validated data root with the named clips."""

    def prepare(*names: str) -> DataSettings:
        root = tmp_path / "data"
        shutil.copytree(all_clips.root, root)
        manifest = Manifests(root).validated
        rows = [row for row in json.loads(manifest.read_text()) if row["video_id"] in names]
        assert len(rows) == len(names)
        manifest.write_text(json.dumps(rows))
        for path in (root / "raw_videos").iterdir():
            if path.stem not in names:
                path.unlink()
        return DataSettings(root=root, index=root / "index.json")

    return prepare
