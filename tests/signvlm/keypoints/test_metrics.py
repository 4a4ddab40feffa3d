"""PCK, errors and OKS are those of their definitions, and each part is counted by itself."""

import math

import numpy as np
import pytest

from data_engineering.keypoints import BODY, KEYPOINTS, LEFT_HAND
from signvlm.keypoints.metrics import SPREADS, errors, lengths, measure, oks, pck, table

BOX = np.array([[0.0, 0.0, 200.0, 100.0]])


def labelled() -> np.ndarray:
    points = np.ones((1, 64, 3), np.float32)
    points[0, :, 0] = np.arange(64)
    return points


def test_a_perfect_detector_has_full_marks() -> None:
    figures = measure(labelled(), labelled(), BOX)["parts"]
    assert {row["points"] for row in figures.values()} == {17, 21, 5, 64}
    for row in figures.values():
        assert (row["pck@0.05"], row["pck@0.1"], row["error"], row["oks"]) == (1, 1, 0, 1)


def test_pck_counts_what_is_within_a_share_of_the_boxs_longer_side() -> None:
    found = labelled()
    found[0, 0, 0] += 10  # 0.05 * 200
    found[0, 1, 0] += 10.5
    found[0, 2, 1] += 20.5
    away = errors(found, labelled())
    assert lengths(BOX).tolist() == [200]
    assert pck(away, lengths(BOX), 0.05) == pytest.approx(62 / 64)
    assert pck(away, lengths(BOX), 0.1) == pytest.approx(63 / 64)


def test_hidden_points_count_nowhere() -> None:
    true, found = labelled(), labelled()
    true[0, 20, 2], found[0, 20, 0] = 0, 9000
    figures = measure(found, true, BOX)
    assert figures["parts"]["all"]["points"] == 63
    assert figures["parts"]["all"]["error"] == 0
    assert figures["keypoints"][KEYPOINTS[20]] == {"points": 0, "error": None, "pck@0.05": None}


def test_a_lost_hand_costs_that_hand_alone() -> None:
    found = labelled()
    found[0, LEFT_HAND, 0] += 100
    parts = measure(found, labelled(), BOX)["parts"]
    assert [parts[part]["pck@0.1"] for part in ("body", "left hand", "right hand")] == [1, 0, 1]


def test_oks_is_cocos() -> None:
    away = np.full((1, 2), np.nan)
    away[0, 0] = 7.0
    area = 0.53 * 200 * 100
    assert oks(away, BOX, SPREADS[:2]) == pytest.approx(math.exp(-(49) / (2 * area * (2 * 0.026) ** 2)))


def test_an_image_in_which_a_part_is_not_seen_does_not_lower_its_oks() -> None:
    true = np.concatenate([labelled(), labelled()])
    true[1, BODY, 2] = 0
    assert measure(true, true, np.repeat(BOX, 2, axis=0))["parts"]["body"]["oks"] == 1


def test_the_table_has_a_line_a_part_and_a_line_a_point() -> None:
    figures = measure(labelled(), labelled() * np.float32([1, 1, 0]), BOX)
    lines = table(figures)
    assert len(lines) == 1 + 5 + 2 + 64
    assert lines[1].split() == ["body", "0", "-", "-", "-", "-", "-"]
    assert len(table(figures, names=False)) == 6
