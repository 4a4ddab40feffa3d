"""A disk that takes no more: one clear line, and what was there stays as it was."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_world import World, data, files, write_data


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Within it, a write beyond the limit fails as on a full disk; workers inherit it."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("verb", "limit", "file"), [("validate", 1_000, "wlasl_cleaned.json"), ("preprocess", 20_000, "frames")]
)
def test_a_full_disk_ends_a_stage_and_leaves_what_was_there(
    world: World, call, refused, tmp_path: Path, verb: str, limit: int, file: str
) -> None:
    write_data(tmp_path / "data")
    options = data(world, tmp_path / "data")
    if verb == "preprocess":
        assert call("validate", *options).status == 0
    before = files(tmp_path)
    with full_disk(limit):
        line = refused(1, verb, *options)
    assert line.startswith(str(tmp_path / "data"))
    assert f"{file}: cannot be written (" in line
    assert "free space" in line
    assert files(tmp_path) == before
    assert call(verb, *options).status == 0  # and with space it goes on


@pytest.mark.parametrize(
    ("share", "words"), [(0.5, "Error while serializing"), (1.1, "a file was cut short")], ids=["adapter", "optimizer"]
)
def test_a_full_disk_ends_training_without_half_a_checkpoint(
    world: World, refused, tmp_path: Path, share: float, words: str
) -> None:
    """Files as large as the adapter fit where the optimizer's state, twice as large, does not."""
    run = tmp_path / "run"
    with full_disk(int(share * (world.bundle / "adapter_model.safetensors").stat().st_size)):
        line = refused(1, "train", "--config", world.config, "--set", f"training.output_dir={run}")
    assert line.startswith(f"{run}: a checkpoint cannot be written (")
    assert words in line
    assert line.endswith("free space, then train again")
    assert not list(run.glob("checkpoint-*"))
    assert not (run / "adapter").exists()


def test_more_frames_than_the_disk_could_hold_are_refused_before_the_first_is_written(
    world: World, refused, tmp_path: Path
) -> None:
    huge = ["preprocess.size=2048", "preprocess.stored_frames=10000000"]
    root = tmp_path / "data"
    shutil.copytree(world.root, root, ignore=shutil.ignore_patterns("frames", "runs"))
    line = refused(1, "preprocess", *data(world, root, *huge))
    assert "MB are free; free space, or lower preprocess.size or preprocess.stored_frames" in line
    assert not (root / "frames").exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_that_may_not_be_written(world: World, refused, tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    (tmp_path / "data").chmod(0o555)
    try:
        assert "cannot be written (Permission denied)" in refused(1, "validate", *data(world, tmp_path / "data"))
    finally:
        (tmp_path / "data").chmod(0o755)


def test_a_file_where_a_folder_should_be(world: World, refused, tmp_path: Path) -> None:
    """What a missing permission does, for root too."""
    (tmp_path / "runs").write_text("in the way")
    output = f"training.output_dir={tmp_path / 'runs' / 'small'}"
    line = refused(1, "train", "--config", world.config, "--set", output)
    assert "cannot be written (" in line
