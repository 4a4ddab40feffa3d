import json

import numpy as np
import pytest
from scipy.special import softmax

from data_engineering.errors import RunError
from signvlm.calibration import (
    FILE,
    Calibration,
    Uncalibrated,
    load_calibration,
    log_shares,
    read_calibration,
    save_calibration,
)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    fitted = Calibration(1.75, "95 validation clips", 95, "abc")
    save_calibration(tmp_path, fitted)
    assert load_calibration(tmp_path) == fitted
    assert json.loads((tmp_path / FILE).read_text())["temperature"] == 1.75


def test_why_there_is_no_temperature_is_kept_and_is_no_calibration(tmp_path):
    save_calibration(tmp_path, Calibration(0.01, "95 validation clips", 95, "of other weights"))
    told = Uncalibrated("of 95 validation clips every clip was right", "95 validation clips", 95, "abc")
    save_calibration(tmp_path, told)
    assert read_calibration(tmp_path) == told
    assert load_calibration(tmp_path) is None
    assert json.loads((tmp_path / FILE).read_text())["temperature"] is None


def test_a_bundle_without_the_file_has_no_calibration(tmp_path):
    assert load_calibration(tmp_path) is None


def test_two_keys_are_enough(tmp_path):
    (tmp_path / FILE).write_text('{"temperature": 2, "fitted_on": "my clips"}')
    assert load_calibration(tmp_path) == Calibration(2.0, "my clips")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '{"temperature": 1}', '{"temperature": "warm", "fitted_on": "x"}']
    + [f'{{"temperature": {value}, "fitted_on": "x"}}' for value in ("0", "-1", "NaN", "Infinity", "null")],
)
def test_a_broken_file_is_named_with_the_way_out(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RunError, match=r"calibration\.json: .*`signvlm eval` fits it again"):
        load_calibration(tmp_path)


def test_shares_are_the_softmax_of_the_scores_over_the_temperature():
    scores = np.array([[-1.0, -2.0, -5.0], [-3.0, -0.5, -0.6]])
    assert np.exp(log_shares(scores, 2.0)) == pytest.approx(softmax(scores / 2.0, axis=1))


def test_a_ruled_out_gloss_has_no_share_and_makes_no_nan():
    assert np.exp(log_shares([-1.0, -np.inf], 3.0)) == pytest.approx([1.0, 0.0])
    assert np.exp(log_shares([-np.inf, -np.inf])) == pytest.approx([0.5, 0.5])
