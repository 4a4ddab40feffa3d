"""Overfitting is said when it shows, with what helps, and not where chance alone would show it."""

from transformers import TrainerControl, TrainerState

from signvlm.vlm.overfitting import WatchLosses, gap, parting
from signvlm.vlm.selection import Ranked


def history(*pairs):
    """Training and validation losses, an epoch each."""
    log = []
    for epoch, (training, validation) in enumerate(pairs, start=1):
        log += [{"loss": training + 0.1}, {"loss": training - 0.1}, {"eval_loss": validation, "epoch": epoch}]
    return log


def test_a_rising_validation_loss_under_a_falling_training_loss_is_said():
    told = parting(history((3.0, 2.5), (2.0, 2.0), (1.0, 2.1), (0.5, 2.4)))
    assert told is not None
    assert "has risen from 2.000 (epoch 2.0) to 2.400 while the training loss fell from 2.000 to 0.500" in told


def test_nothing_is_said_of_losses_that_fall_rise_together_or_waver():
    assert parting(history((3.0, 2.5), (2.0, 2.0), (1.0, 1.5), (0.5, 1.0))) is None
    assert parting(history((1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0))) is None
    assert parting(history((3.0, 2.0), (2.0, 2.1), (1.0, 2.05), (0.5, 2.1))) is None
    assert parting(history((3.0, 2.0), (1.0, 3.0))) is None
    assert parting([]) is None


def test_it_is_said_once_and_names_what_helps(tmp_path, capsys):
    watch, state = WatchLosses(), TrainerState()
    state.log_history = history((3.0, 2.5), (2.0, 2.0), (1.0, 2.1), (0.5, 2.4))
    for _ in range(3):
        watch.on_evaluate(None, state, TrainerControl())
    said = capsys.readouterr().err
    assert said.count("warning: the validation loss has risen") == 1
    for remedy in ("augmentation.crop", "lora.lora_dropout", "lora.r", "fewer epochs", "data.glossary=first-100"):
        assert remedy in said


def ranked(clips, top1):
    return Ranked(clips, top1, 1.0, 1.0)


def test_a_gap_of_top1_is_said_where_it_is_more_than_chance():
    assert gap(ranked(64, 1.0), ranked(96, 0.4)) == (
        "top-1 is 100 % on training clips and 40 % on validation clips: overfitting"
    )
    assert gap(ranked(64, 0.95), ranked(96, 0.9)) is None  # too small to act on
    assert gap(ranked(4, 0.75), ranked(4, 0.5)) is None  # one clip of four
    assert gap(ranked(64, 0.5), ranked(96, 0.9)) is None
    assert gap(ranked(64, 1.0), ranked(96, 1.0)) is None
