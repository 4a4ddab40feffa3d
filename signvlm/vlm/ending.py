"""How a training ends: whatever stops it early leaves a checkpoint to go on from, and one line that says how."""

from pathlib import Path

import torch
from safetensors import SafetensorError

from data_engineering.errors import ConfigError, RunError
from signvlm import processes
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware
from signvlm.vlm.checkpoints import remove_unfinished
from signvlm.vlm.examples import UnreadableClipsError, quarantined
from signvlm.vlm.guard import NotANumberError
from signvlm.vlm.interrupt import Interrupt
from signvlm.vlm.out_of_memory import free, is_out_of_memory, next_setting, smaller
from signvlm.vlm.recompute import language_layers
from signvlm.vlm.trainer import SignTrainer


def run_to_end(trainer: SignTrainer, checkpoint: Path | None, config: Config, hardware: Hardware) -> None:
    """Trains; where memory runs out, goes on with smaller batches.

    Args:
        trainer: Ready to train.
        checkpoint: What to resume from; None for a new training.
        config: The configuration.
        hardware: What the run is on.

    Raises:
        RunError: A clip cannot be read (it is quarantined), the loss is not a number, the disk is full, memory does not
            do even for batches of one clip, or Ctrl-C was pressed.
    """
    interrupt = Interrupt()
    trainer.add_callback(interrupt)
    while not _survives(trainer, interrupt, checkpoint, config):
        # Beyond the except blocks, so that the tensors of the step that did not fit are gone.
        checkpoint = _with_smaller_batches(trainer, checkpoint, config, hardware)


def _survives(trainer: SignTrainer, interrupt: Interrupt, checkpoint: Path | None, config: Config) -> bool:
    """Trains to the end; returns False where memory ran out."""
    try:
        with interrupt:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except UnreadableClipsError as error:
        raise quarantined(config.data.root, error, _save_checkpoint(trainer)) from error
    except NotANumberError as error:
        raise RunError(
            f"{error}; the weights before them are kept, {_save_checkpoint(trainer, together=True)}; "
            "where other clips do it too, train anew with a lower training.learning_rate"
            f"{', or model.dtype=float32' if trainer.args.fp16 or trainer.args.bf16 else ''}"
        ) from error
    except KeyboardInterrupt:
        raise RunError(f"interrupted; {_save_checkpoint(trainer, together=True)}") from None
    except (OSError, SafetensorError) as error:
        raise _cannot_write(trainer, error) from error
    except ValueError as error:
        if checkpoint is None or "torch.load" not in str(error):
            raise
        raise ConfigError(f"--resume: transformers reads no optimizer state with torch {torch.__version__}") from error
    except RuntimeError as error:
        if interrupt.asked:  # a terminal's Ctrl-C reaches the workers too, and the loader misses them
            raise RunError(f"interrupted; {_save_checkpoint(trainer)}") from None
        if is_out_of_memory(error):
            return False
        if "inline_container" not in str(error):  # where torch.save fails on a disk that takes no more
            raise
        raise _cannot_write(trainer, OSError(0, "a file was cut short")) from error
    return True


def _with_smaller_batches(
    trainer: SignTrainer, checkpoint: Path | None, config: Config, hardware: Hardware
) -> Path | None:
    """Makes the trainer's batches smaller and their number larger; returns the checkpoint to go on from.

    Raises:
        RunError: Batches of one clip did not fit, or other processes wait for this one's part of the step.
    """
    arguments, size = trainer.args, trainer.args.per_device_train_batch_size
    fewer = smaller(size)
    if not fewer or processes.joined():
        saved = "" if processes.joined() else f"; {_save_checkpoint(trainer)}"
        recomputing = all(layer.gradient_checkpointing for layer in language_layers(trainer.model))
        change = (
            f"--set training.per_device_train_batch_size={fewer} "
            f"--set training.gradient_accumulation_steps={arguments.gradient_accumulation_steps * size // fewer}"
            if fewer
            else next_setting(config, hardware, checkpointing=recomputing)
        )
        raise RunError(f"out of memory with batches of {size}{saved}; change next: {change}")
    arguments.per_device_train_batch_size = trainer._train_batch_size = trainer.state.train_batch_size = fewer
    arguments.gradient_accumulation_steps *= size // fewer
    note(
        f"warning: out of memory at step {trainer.state.global_step + 1} with batches of {size}: going on with "
        f"{fewer}, {arguments.gradient_accumulation_steps} of them a step, the same effective batch"
    )
    trainer.model.zero_grad()
    free()
    if not trainer.state.global_step:
        return checkpoint
    trainer._save_checkpoint(trainer.model, trial=None)
    return Path(str(arguments.output_dir)) / f"checkpoint-{trainer.state.global_step}"


def _save_checkpoint(trainer: SignTrainer, *, together: bool = False) -> str:
    """Saves a checkpoint, where a step has been taken; returns how the user goes on.

    Args:
        trainer: What trains.
        together: Whether all processes are here: saving takes them all.
    """
    if processes.joined() and not together:
        return "`signvlm train --resume` goes on from the last checkpoint"
    if not trainer.state.global_step:
        return "no step was taken yet: `signvlm train` starts again"
    trainer._save_checkpoint(trainer.model, trial=None)
    return "a checkpoint is saved: `signvlm train --resume` goes on"


def _cannot_write(trainer: SignTrainer, error: Exception) -> RunError:
    """Removes what was written of a checkpoint; the earlier ones stay."""
    folder = Path(str(trainer.args.output_dir))
    whole = remove_unfinished(folder)
    reason = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())[:120]
    then = "go on with `signvlm train --resume`" if whole else "train again"
    return RunError(f"{folder}: a checkpoint cannot be written ({reason}); free space, then {then}")
