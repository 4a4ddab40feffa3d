"""What a shell and a terminal get: version, what the libraries say, no colours, completion that the shell takes."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from small_world import World, write_data

import signvlm

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SIGNVLM = [sys.executable, "-m", "signvlm"]


def on_a_terminal(*arguments: str, folder: Path, **environment: str) -> str:
    """Calls it with a terminal for stdout and stderr; returns what that would show."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("TQDM_", "NO_COLOR"))}
    command = [*SIGNVLM, *arguments]
    environment = {**plain, "TERM": "xterm-256color", **environment}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=folder, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux tells that the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


def test_the_version_is_the_projects(call) -> None:
    project = tomllib.loads((Path(signvlm.__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert call("--version").out == f"signvlm, version {project['project']['version']}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colour allowed", "NO_COLOR"])
def test_a_terminal_gets_a_bar_and_no_colour(tmp_path: Path, environment: dict[str, str]) -> None:
    write_data(tmp_path / "data")
    (tmp_path / "small.yaml").write_text("data: {root: data, index: data/index.json}\nvalidate: {workers: 1}\n")
    shown = on_a_terminal("validate", "--config", "small.yaml", folder=tmp_path, **environment)
    assert "validate: 8 clips validated, 1 corrupted" in shown
    assert re.search(r"\rvalidate: 100%\|█+\| 9/9", shown)
    assert not COLOUR.search(shown)
    assert not COLOUR.search(on_a_terminal("--help", folder=tmp_path, **environment))


def test_verbose_lets_the_libraries_speak(world: World, tmp_path: Path) -> None:
    """Otherwise they are silent, whatever they have to say: see the calls of test_cli.py."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TRANSFORMERS_")}
    command = [*SIGNVLM, "train", "--inspect", "1", "--verbose", "--config", str(world.config)]
    command += ["--set", f"data.root={shutil.copytree(world.root, tmp_path / 'data')}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loading configuration file" in done.stderr
    assert done.stdout.startswith("00001 'no'\n")


@pytest.mark.parametrize(
    ("shell", "ask"), [("bash", "complete -p signvlm"), ("zsh", "true"), ("fish", "complete --command signvlm")]
)
def test_a_shell_takes_its_completion(call, tmp_path: Path, shell: str, ask: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(call("completion", shell).out)
    loaded = f"autoload -U compinit && compinit -D; . {script}" if shell == "zsh" else f". {script}"
    done = subprocess.run([shell, "-c", f"{loaded} && {ask}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ("signvlm" in done.stdout) == (shell != "zsh")
