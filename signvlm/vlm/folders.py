"""A training takes the folder that it goes on in."""

import contextlib
from pathlib import Path

from data_engineering.errors import ConfigError
from signvlm.config import Config
from signvlm.run_lock import RunLock
from signvlm.vlm.checkpoints import resumable, set_aside


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
