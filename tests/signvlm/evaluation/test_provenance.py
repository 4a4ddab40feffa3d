"""Where results are from: how often their split was looked at, limited looks included."""

import json
from pathlib import Path

import pytest

from signvlm.evaluation.provenance import times


@pytest.mark.parametrize(("whole", "limited", "count"), [(None, None, 1), (3, None, 4), (None, 10, 11), (3, 10, 11)])
def test_limited_looks_at_a_split_count(tmp_path: Path, whole: int | None, limited: int | None, count: int) -> None:
    files = [tmp_path / "evaluation_results.json", tmp_path / "evaluation_results_limit.json"]
    for path, looks in zip(files, (whole, limited), strict=True):
        if looks is not None:
            path.write_text(json.dumps({"run": {"times": looks}}))
    assert times(*files) == count


@pytest.mark.parametrize("text", ["[", "[]", '{"run": 3}', "{}"])
def test_a_file_that_is_no_result_is_no_look(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation_results.json").write_text(text)
    assert times(tmp_path / "evaluation_results.json") == 1
