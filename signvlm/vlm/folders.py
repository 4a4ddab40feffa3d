"""A training takes its folder: a fresh one, or the one that it goes on in. No two trainings ever have the same."""

import contextlib
from pathlib import Path

from data_engineering.errors import ConfigError, RunError
from signvlm.config import Config
from signvlm.run_lock import InUseError, RunLock
from signvlm.runs import fresh_run
from signvlm.vlm.checkpoints import resumable, set_aside


def claim(output_dir: Path, held: contextlib.ExitStack) -> Path:
    """Takes a fresh run's folder; where another training was faster, the next one.

    Args:
        output_dir: Where runs go.
        held: Keeps the folder until it is closed.
    """
    for _ in range(100):
        folder = fresh_run(output_dir)
        with contextlib.suppress(InUseError):
            held.enter_context(RunLock(folder))
            return folder
    raise RunError(f"{output_dir}: trainings start there all the time; set training.output_dir")


def go_on(config: Config, held: contextlib.ExitStack) -> tuple[Path, Path]:
    """Takes the newest run's folder, and puts broken checkpoints in it aside.

    Args:
        config: The configuration.
        held: Keeps the folder until it is closed.

    Returns:
        The folder, and the checkpoint to go on from.

    Raises:
        ConfigError: There is nothing to go on from, or nothing left to do.
        RunError: Another training has the folder.
    """
    folder, checkpoint = resumable(config.output_dir)
    held.enter_context(RunLock(folder))
    _check_unfinished(folder, checkpoint, config.training.get("max_steps"))
    set_aside(folder, checkpoint)
    return folder, checkpoint


def _check_unfinished(folder: Path, checkpoint: Path, max_steps: int | None) -> None:
    """Refuses to resume a finished training: the trainer would take a step beyond the last.

    Raises:
        ConfigError: It has taken its steps and left its adapter.
    """
    taken = int(checkpoint.name.rpartition("-")[2])
    if max_steps is not None and 0 < max_steps <= taken and (folder / "adapter").is_dir():
        raise ConfigError(
            f"training.max_steps: {folder} has taken {taken} of {max_steps} steps and is finished; "
            "raise it to go on, or train anew without --resume"
        )
