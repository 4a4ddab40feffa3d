"""What `doctor` tells about this machine, and about one where something is broken."""

import os
import subprocess
import sys

import pytest

from signvlm.doctor import Check, Report, doctor

TOKEN = "hf_neverprinted"
CHILD = "import sys; from pathlib import Path; from signvlm.doctor import doctor; print(doctor(Path(sys.argv[1])))"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("disk") / "not" / "made" / "yet"


@pytest.fixture(scope="module")
def report(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        return doctor(root)


def status_of(report, name):
    return {check.name: check.status for check in report.checks}[name]


@pytest.mark.parametrize(
    "name", ["python", "torch", "torchvision", "transformers", "trl", "peft", "datasets", "decord2"]
)
def test_the_environment_of_the_tests_has_what_a_run_needs(report, name):
    assert status_of(report, name) == "ok"


@pytest.mark.parametrize("name", ["h264 (PyAV)", "h264 (decord)"])
def test_a_clip_is_encoded_and_decoded(report, name):
    assert status_of(report, name) == "ok"


def test_the_device_is_the_selectors_choice_with_its_reason(report):
    found = {check.name: check.found for check in report.checks}
    assert "(auto: " in found["device"]
    assert {"dtype", "4-bit", "workers"} <= set(found)


def test_a_data_root_that_is_not_there_yet_is_measured_where_it_will_be(report, root):
    (disk,) = [check for check in report.checks if check.name == "disk"]
    assert str(root.parent.parent.parent) in disk.found
    assert not root.exists()


def test_the_token_is_told_of_but_not_told(report):
    assert status_of(report, "Hub token") == "ok"
    assert "HF_TOKEN in the environment" in str(report)
    assert TOKEN not in str(report)
    assert TOKEN not in repr(report)


def test_what_is_wrong_has_a_remedy_and_what_is_right_has_none(report):
    for check in report.checks:
        assert (check.status == "ok") == (not check.remedy), check


def test_only_a_problem_fails():
    fine, narrow = Check("a", "ok", "there"), Check("b", "warn", "none", "get one")
    broken = Check("c", "problem", "gone", "bring it back")
    assert Report((fine, narrow)).exit_status == 0
    assert Report((fine, narrow, broken)).exit_status == 1
    assert str(Report((fine, broken))).splitlines() == [
        "ok       a  there",
        "problem  c  gone",
        "            -> bring it back",
    ]


def test_a_device_that_is_asked_for_and_absent_is_a_problem_with_its_remedy(root):
    absent = "mps" if sys.platform != "darwin" else "directml"
    (check,) = [check for check in doctor(root, device=absent).checks if check.name == "device"]
    assert (check.status, check.found) == ("problem", f"model.device: {absent} is not available here")
    assert "model.device=auto" in check.remedy


def test_a_library_that_does_not_load_is_named_and_the_rest_is_still_looked_at(tmp_path):
    """In a process of its own, where a decord that raises stands before the real one."""
    (tmp_path / "decord.py").write_text("raise RuntimeError('libdecord.so: not for this machine')\n")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    by_name = {line[1]: (line[0], line[2]) for line in lines if line[0] in ("ok", "warn", "problem")}
    assert by_name["decord2"][0] == "problem"
    assert "not for this machine" in by_name["decord2"][1]
    assert "-> uv sync --reinstall-package decord2" in done.stdout
    assert by_name["torch"][0] == "ok"
    assert "h264 (PyAV)" in done.stdout
    assert "h264 (decord)" not in done.stdout
