"""A temperature that the validation clips determine is kept; where they do not, it is kept why."""

import numpy as np
import pytest

from signvlm.calibration import FILE, Calibration, Uncalibrated, load_calibration
from signvlm.evaluation import fit

GLOSSARY = ("book", "tea", "cup")


def clip(gloss, *best_first, gap=1.0):
    return {
        "gloss": gloss,
        "exact": [{"gloss": each, "log_prob": -gap * place} for place, each in enumerate(best_first)],
    }


RIGHT, WRONG = clip("tea", "tea", "book", "cup"), clip("tea", "book", "tea", "cup")


def test_some_right_and_some_wrong_determine_a_temperature():
    found = fit.fitted_on([RIGHT] * 3 + [WRONG], GLOSSARY, "key")
    assert isinstance(found, Calibration)
    assert 0.1 < found.temperature < 10
    assert (found.fitted_on, found.clips, found.key) == ("4 validation clips", 4, "key")


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        ([RIGHT] * 5, "of 5 validation clips every clip was right"),
        ([WRONG] * 5, "of 5 validation clips no clip was right"),
        ([RIGHT, *[clip("cup", "book", "tea", "cup")] * 4], "of 5 validation clips no temperature from 0.01 to 100"),
        ([RIGHT], "of 1 validation clip every clip was right"),
    ],
)
def test_clips_that_determine_none_are_told_with_the_reason(clips, reason):
    found = fit.fitted_on(clips, GLOSSARY, "key")
    assert isinstance(found, Uncalibrated)
    assert found.reason.startswith(reason)
    assert (found.clips, found.key) == (len(clips), "key")


def test_without_a_clip_of_the_glossary_nothing_was_tried():
    found = fit.fitted_on([clip("milk", "tea", "book", "cup"), {"gloss": "tea", "exact": []}], GLOSSARY, "key")
    assert found == Uncalibrated("no validation clip can be ranked")


@pytest.mark.parametrize("found", [Calibration(1.5, "5 clips", 5, "key"), Uncalibrated("so", "5 clips", 5, "key")])
def test_what_was_found_is_kept_for_the_same_weights_alone(tmp_path, found):
    fit.keep(tmp_path, found)
    assert fit.known_calibration(tmp_path, "key") == found
    assert fit.known_calibration(tmp_path, "other weights") is None


def test_a_reason_takes_the_place_of_an_earlier_temperature_and_is_told(tmp_path, capsys):
    fit.keep(tmp_path, Calibration(0.01, "95 validation clips", 95, "earlier weights"))
    fit.keep(tmp_path, Uncalibrated("of 95 validation clips every clip was right", "95 validation clips", 95, "key"))
    assert load_calibration(tmp_path) is None
    assert fit.known_calibration(tmp_path, "key") is not None
    said = capsys.readouterr().err
    assert "probabilities are not calibrated: of 95 validation clips every clip was right" in said
    assert f"to fit again, e.g. on more clips, remove {tmp_path / FILE}" in said


def test_temperatures_are_of_the_clips_that_can_be_answered():
    rng = np.random.default_rng(0)
    clips = [RIGHT if rng.random() < 0.7 else WRONG for _ in range(50)]
    foreign = [clip("milk", "tea", "book", "cup")] * 20
    assert fit.fitted_on([*clips, *foreign], GLOSSARY, "key") == fit.fitted_on(clips, GLOSSARY, "key")
