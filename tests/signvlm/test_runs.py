"""A training gets a folder of its own; whatever comes after takes the newest that has what it needs."""

from pathlib import Path

import pytest

from data_engineering.errors import ConfigError
from signvlm.runs import fresh_run, newest_bundle, runs


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def test_the_first_run_has_the_plain_name_whether_or_not_the_parent_exists(tmp_path: Path) -> None:
    assert fresh_run(tmp_path / "runs" / "demo") == tmp_path / "runs" / "demo"
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    assert fresh_run(tmp_path / "runs" / "demo") == tmp_path / "runs" / "demo"


def test_further_runs_are_numbered_after_the_newest_and_no_gap_is_filled(tmp_path: Path) -> None:
    fill(tmp_path / "demo", "config.yaml")
    assert fresh_run(tmp_path / "demo") == tmp_path / "demo-2"
    fill(tmp_path / "demo-2", "config.yaml")
    assert fresh_run(tmp_path / "demo") == tmp_path / "demo-3"
    fill(tmp_path / "demo-10", "config.yaml")
    assert fresh_run(tmp_path / "demo") == tmp_path / "demo-11"


def test_runs_of_another_name_and_files_do_not_count(tmp_path: Path) -> None:
    for name in ("demo-old", "demo-2b", "demo2", "my-demo", "demo-02", "demo-0"):
        fill(tmp_path / name, "config.yaml")
    (tmp_path / "demo-7").write_text("a file")
    assert runs(tmp_path / "demo") == []
    assert fresh_run(tmp_path / "demo") == tmp_path / "demo"


def test_runs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("demo-10", "demo-2", "demo", "demo-9"):
        (tmp_path / name).mkdir()
    assert [folder.name for folder in runs(tmp_path / "demo")] == ["demo", "demo-2", "demo-9", "demo-10"]


def test_a_name_with_a_number_of_its_own_is_counted_from_there(tmp_path: Path) -> None:
    fill(tmp_path / "demo-5", "config.yaml")
    assert fresh_run(tmp_path / "demo-5") == tmp_path / "demo-5-2"


def test_the_newest_bundle_is_that_of_the_newest_run_that_finished(tmp_path: Path) -> None:
    fill(tmp_path / "demo", "adapter/glossary.json")
    fill(tmp_path / "demo-2", "adapter/glossary.json")
    fill(tmp_path / "demo-3", "checkpoint-5/trainer_state.json")
    assert newest_bundle(tmp_path / "demo") == tmp_path / "demo-2" / "adapter"


def test_no_bundle_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run `signvlm train` first, or give --checkpoint DIR"):
        newest_bundle(tmp_path / "nowhere" / "demo")
