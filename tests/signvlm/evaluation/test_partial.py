import pytest

from data_engineering.errors import RunError
from signvlm.evaluation.partial import Partial, digest


def answer(clip_id: str) -> dict:
    return {"clip_id": clip_id, "exact": [{"gloss": "caf\u00e9", "log_prob": -1.5}]}


def test_what_was_added_is_there_after_a_death(tmp_path):
    path = tmp_path / "partial.jsonl"
    with Partial(path, "key") as first:
        first.add([answer("1"), answer("2")])
        alive = path.read_text()  # before anything is closed
    with Partial(path, "key") as second:
        assert second.records == {"1": answer("1"), "2": answer("2")}
        second.add([answer("3")])
    assert path.read_text().startswith(alive)
    with Partial(path, "key") as third:
        assert list(third.records) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "torn", ['{"clip_id": "3", "exa', '{"clip_id": "3"}', "\x00\x00\x00", "[]\n", '{"a": 1}\n', "x\n"]
)
def test_a_torn_last_line_is_dropped_and_swallows_nothing(tmp_path, torn):
    path = tmp_path / "partial.jsonl"
    with Partial(path, "key") as first:
        first.add([answer("1")])
    with path.open("a") as file:
        file.write(torn)
    with Partial(path, "key") as second:
        assert list(second.records) == ["1"]
        second.add([answer("2")])
    with Partial(path, "key") as third:
        assert list(third.records) == ["1", "2"]


@pytest.mark.parametrize("text", ["", "{}", "not JSON\n", '{"key": "another"}\n{"clip_id": "1"}\n'])
def test_answers_of_another_key_are_never_used(tmp_path, text):
    path = tmp_path / "partial.jsonl"
    path.write_text(text)
    with Partial(path, "key") as partial:
        assert partial.records == {}
        partial.add([answer("2")])
    with Partial(path, "key") as partial:
        assert list(partial.records) == ["2"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(RunError, match=r"partial\.jsonl: cannot be written"),
        Partial(tmp_path / "file/partial.jsonl", ""),
    ):
        pass


def test_a_digest_tells_settings_apart():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
