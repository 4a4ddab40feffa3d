import tracemalloc

import pytest

from data_engineering.errors import RunError
from signvlm.evaluation.partial import Partial

GLOSSARY = ("tea", "caf\u00e9")


def answer(clip_id: str) -> dict:
    return {"clip_id": clip_id, "exact": [{"gloss": "caf\u00e9", "log_prob": -1.5}]}


def test_what_was_added_is_there_after_a_death(tmp_path):
    path = tmp_path / "partial.jsonl"
    with Partial(path, "key", GLOSSARY) as first:
        first.add([answer("1"), answer("2")])
        alive = path.read_text()  # before anything is closed
    with Partial(path, "key", GLOSSARY) as second:
        assert second.records == {"1": answer("1"), "2": answer("2")}
        second.add([answer("3")])
    assert path.read_text().startswith(alive)
    with Partial(path, "key", GLOSSARY) as third:
        assert list(third.records) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "torn",
    ['{"clip_id": "3", "exa', '{"clip_id": "3"}', "\x00\x00\x00", "[]\n", '{"a": 1}\n', '{"clip_id": []}\n', "x\n"]
    + [f'{{"clip_id": "3", "exact": {exact}}}\n' for exact in ("1", "[1]", '[{"gloss": "tea"}]', '[{"gloss": "x"}]')],
)
def test_a_torn_last_line_is_dropped_and_swallows_nothing(tmp_path, torn):
    path = tmp_path / "partial.jsonl"
    with Partial(path, "key", GLOSSARY) as first:
        first.add([answer("1")])
    with path.open("a") as file:
        file.write(torn)
    with Partial(path, "key", GLOSSARY) as second:
        assert list(second.records) == ["1"]
        second.add([answer("2")])
    with Partial(path, "key", GLOSSARY) as third:
        assert list(third.records) == ["1", "2"]


@pytest.mark.parametrize("text", ["", "{}", "not JSON\n", '{"key": "another"}\n{"clip_id": "1"}\n'])
def test_answers_of_another_key_are_never_used(tmp_path, text):
    path = tmp_path / "partial.jsonl"
    path.write_text(text)
    with Partial(path, "key", GLOSSARY) as partial:
        assert partial.records == {}
        partial.add([answer("2")])
    with Partial(path, "key", GLOSSARY) as partial:
        assert list(partial.records) == ["2"]


def test_what_was_kept_by_thousands_of_glosses_is_read_into_arrays(tmp_path):
    glossary = [f"gloss {number}" for number in range(2000)]
    answers = [{"gloss": gloss, "log_prob": -0.5 * number} for number, gloss in enumerate(glossary)]
    path = tmp_path / "partial.jsonl"
    with Partial(path, "key", glossary) as partial:
        partial.add([{"clip_id": str(number), "exact": answers} for number in range(10)])
    tracemalloc.start()
    with Partial(path, "key", glossary) as partial:
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert partial.records["9"] == {"clip_id": "9", "exact": answers}
    assert held < 10 * 2000 * 40  # as dicts they are some 250 bytes each


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(RunError, match=r"partial\.jsonl: cannot be written"),
        Partial(tmp_path / "file/partial.jsonl", "", GLOSSARY),
    ):
        pass
