"""The command line: what it prints where, how it ends, and that asking for help is quick."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clips import write_clip, write_index
from small_world import World, paint, write_config, write_data

VERBS = [
    *("download", "validate", "pose", "preprocess", "train", "eval", "compare", "fuse", "predict"),
    *("merge", "export", "push", "keypoints", "demo", "synthesize", "doctor"),
    "completion",
]
HEAVY = ("torch", "transformers", "datasets", "trl", "peft", "numpy", "cv2", "av", "decord", "pydantic")


def signvlm(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Calls it as a user does, in a process of its own."""
    command = [sys.executable, "-m", "signvlm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


# Help


def test_help_lists_the_verbs_in_the_order_of_their_use(tmp_path: Path) -> None:
    done = signvlm("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    commands = done.stdout.partition("Commands:\n")[2]
    assert [line.split()[0] for line in commands.splitlines() if line.startswith("  ")] == VERBS
    assert "\\b" not in done.stdout


def test_asking_for_help_imports_nothing_heavy() -> None:
    """Half a second is little: torch and transformers alone take several. (benchmarks/ has the time itself.)"""
    script = f"""
import sys
from signvlm.cli import cli
for verb in ([], *([verb] for verb in {VERBS})):
    cli([*verb, "--help"], standalone_mode=False)
print("heavy:", [name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verbs_help_has_an_example(call, verb: str) -> None:
    called = call(verb, "--help")
    assert called.status == 0
    assert f"Example: signvlm {verb}" in called.out
    assert "\\b" not in called.out
    assert "\b" not in called.out


def test_it_tells_its_version(call) -> None:
    assert call("--version").out.startswith("signvlm, version ")


# How it ends


def test_a_call_that_is_wrong_ends_with_2(call) -> None:
    for arguments in (["nonsense"], ["predict"], ["predict", "x.mp4", "--top", "0"], ["eval", "--limit", "many"]):
        called = call(*arguments)
        assert called.status == 2
        assert called.out == ""
        assert "Error: " in called.err.splitlines()[-1]


def test_an_error_is_one_line_and_debug_adds_where_it_happened(call) -> None:
    plain = call("validate", "--config", "absent.yaml")
    assert plain.status == 2
    assert plain.err.splitlines() == [plain.err.strip()]
    assert plain.err.startswith("error: absent.yaml: no such configuration file")
    debug = call("validate", "--config", "absent.yaml", "--debug")
    assert debug.status == 2
    assert debug.err.startswith("Traceback (most recent call last):")
    assert debug.err.endswith(plain.err)


def test_validate_judges_single_files(call, tmp_path: Path) -> None:
    write_clip(tmp_path / "good.mp4", frames=20, paint=paint("book"))
    (tmp_path / "page.mp4").write_text("<html>gone</html>")
    one = call("validate", "good.mp4", "--set", "validate.workers=1")
    assert one.status == 0
    assert one.out == "good.mp4: ok: 64x48, 25.0 fps, 20 frames from 0.00 to 0.80 s\n"
    both = call("validate", "page.mp4", "good.mp4", "--set", "validate.workers=1")
    assert both.status == 1
    assert [line.partition(": ")[0] for line in both.out.splitlines()] == ["page.mp4", "good.mp4"]
    assert both.out.startswith("page.mp4: html: ")
    assert both.err.splitlines()[-1] == "error: 1 of 2 files cannot be used; the reasons stand above"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.mp4", "page.mp4"]


def test_the_stages_run_one_after_the_other_from_any_directory(call, tmp_path: Path, base: Path) -> None:
    """Paths are relative to the working directory; each stage names the next, and running one again is free."""
    write_data(tmp_path / "data")
    write_config(tmp_path / "small.yaml", Path("data"), base)
    said = {}
    for verb in ("validate", "preprocess", "train"):
        called = call(verb, "--config", "small.yaml")
        assert called.status == 0, called.err
        assert called.out.startswith(f"{verb}: ")
        said[verb] = called.out
    assert "  next     signvlm preprocess --config small.yaml" in said["validate"]
    assert "00009 (thank you) html" in said["validate"]
    assert "  next     signvlm train --config small.yaml" in said["preprocess"]
    assert "  next     signvlm eval --checkpoint data/runs/small/adapter" in said["train"]
    called = call("eval", "--config", "small.yaml", "--split", "val")
    assert called.status == 0, called.err
    assert "data/runs/small/evaluation_results_validation.json" in called.out
    assert "  next     signvlm predict CLIP.mp4 --checkpoint data/runs/small/adapter" in called.out
    again = call("preprocess", "--config", "small.yaml")
    assert "up to date" in again.out
    assert not list(tmp_path.rglob(".*.part"))


def test_a_second_training_opens_a_folder_of_its_own_and_resume_goes_on(call, tmp_path: Path, world: World) -> None:
    output = f"training.output_dir={tmp_path / 'runs' / 'small'}"
    first = call("train", "--config", world.config, "--set", output)
    assert first.status == 0, first.err
    second = call("train", "--config", world.config, "--set", output)
    assert f"wrote    {tmp_path / 'runs' / 'small-2' / 'adapter'}" in second.out
    resumed = call("train", "--resume", "--config", world.config, "--set", output, "--set", "training.max_steps=3")
    assert resumed.status == 0, resumed.err
    assert resumed.out.startswith("train: 3 steps")
    assert f"wrote    {tmp_path / 'runs' / 'small-2' / 'adapter'}" in resumed.out
    finished = call("train", "--resume", "--config", world.config, "--set", output, "--set", "training.max_steps=3")
    assert finished.status == 2
    assert "has taken 3 of 3 steps and is finished; raise it to go on" in finished.err


# What a shell expects


def test_quiet_leaves_results_and_errors(world: World, call) -> None:
    clip = world.root / "raw_videos" / "00008.mp4"
    told = call("predict", clip, "--config", world.config)
    quiet = call("predict", clip, "--config", world.config, "--quiet")
    assert "checkpoint: " in told.err
    assert "checkpoint: " not in quiet.err
    assert quiet.out == told.out
    refused = call("predict", "absent.mp4", "--config", world.config, "-q")
    assert refused.err.splitlines()[-1].startswith("error: 1 of 1 clips")


def test_into_a_pipe_goes_a_line_now_and_then_and_nothing_when_quiet(tmp_path: Path) -> None:
    """Not a bar that is drawn over itself; and no colour, whatever the terminal says that it can."""
    write_data(tmp_path / "data")
    (tmp_path / "small.yaml").write_text("data: {root: data, index: data/index.json}\nvalidate: {workers: 1}\n")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TQDM_")}
    environment = {**plain, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    for options in ((), ("--quiet",)):
        (tmp_path / "data" / "datasets" / "wlasl_validated.json").unlink(missing_ok=True)
        done = signvlm("validate", "--config", "small.yaml", *options, cwd=tmp_path, env=environment)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert not re.search(r"\||█|%", done.stderr)
        assert ("validate: 9/9" in done.stderr) == (not options)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_tells_a_shell_how_to_complete(call, shell: str) -> None:
    called = call("completion", shell)
    assert called.status == 0
    assert f"_SIGNVLM_COMPLETE={shell}_complete" in called.out
    assert call("completion", "tcsh").status == 2


def test_completion_knows_verbs_options_and_choices() -> None:
    for words, wanted in (
        ("signvlm pre", ["preprocess", "predict"]),
        ("signvlm push --man", ["--manifest"]),
        ("signvlm merge --dtype b", ["bfloat16"]),
    ):
        environment = {**os.environ, "_SIGNVLM_COMPLETE": "bash_complete"}
        environment |= {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        script = "from signvlm.cli import cli; cli(prog_name='signvlm')"
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert [line.partition(",")[2] for line in done.stdout.splitlines()] == wanted


# Where it writes


def test_data_is_on_stdout_and_notes_are_on_stderr(world: World, call) -> None:
    called = call("train", "--inspect", 1, "--config", world.config)
    assert called.out.startswith("00001 'no'\n<|im_start|>user")
    assert "wrote" not in called.out
    assert called.err.splitlines()[-1].startswith("wrote ")
    (world.root / "inspected.png").unlink()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """As in `signvlm validate *.mp4 | head -1`."""
    write_clip(tmp_path / "clip.mp4")
    command = [sys.executable, "-m", "signvlm", "validate", "clip.mp4", "--set", "validate.workers=1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 0
    assert errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals are POSIX")
def test_ctrl_c_ends_it_with_one_line_and_leaves_nothing_half_written(tmp_path: Path, base: Path) -> None:
    root = tmp_path / "data"
    write_data(root)
    clip = (root / "raw_videos" / "00001.mp4").read_bytes()
    names = [f"{number:05d}" for number in range(100, 400)]
    for name in names:
        (root / "raw_videos" / f"{name}.mp4").write_bytes(clip)
    write_index(
        root / "index.json", [{"video_id": name, "gloss": f"g{number % 3}"} for number, name in enumerate(names)]
    )
    config = write_config(tmp_path / "small.yaml", root, base)
    command = [sys.executable, "-m", "signvlm", "validate", "--config", str(config)]
    # A session of its own: a terminal's Ctrl-C reaches the whole group, workers included.
    often = {**os.environ, "TQDM_MININTERVAL": "0", "TQDM_DELAY": "0"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, env=often) as process:
        assert process.stderr is not None
        shown = b""
        while b"1/300" not in shown and (byte := process.stderr.read(1)):
            shown += byte
        os.killpg(process.pid, signal.SIGINT)
        shown += process.stderr.read()
    text = shown.decode()
    assert process.returncode == 1
    assert text.splitlines()[-1] == "error: interrupted; run the same command again to go on"
    assert "Traceback" not in text
    assert not (root / "datasets").exists()


# Secrets and strangers' input


def test_the_env_file_of_the_working_directory_is_read(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNVLM_TEST_MARK", "")
    monkeypatch.delenv("SIGNVLM_TEST_MARK")
    (tmp_path / ".env").write_text("SIGNVLM_TEST_MARK=read\n")
    call("validate", "--config", "absent.yaml")
    assert os.environ.get("SIGNVLM_TEST_MARK") == "read"
