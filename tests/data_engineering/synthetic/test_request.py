"""`signvlm synthesize`: words of a command line become a dataset, or one line that names the option."""

import json

import pytest

from data_engineering.errors import ConfigError
from data_engineering.synthetic.request import synthesize
from data_engineering.synthetic.signs import load_signs

CALL = {
    "signs": "MOTHER,THANK-YOU",
    "signers": "1,1,1",
    "clips_per_cell": 1,
    "seed": 0,
    "size": 64,
    "broken": "0",
    "compilations": 0.0,
    "duplicates": 0.0,
    "across_splits": 0.0,
    "base_url": "https://avatar.invalid",
    "keypoints": False,
    "workers": 1,
    "progress": False,
}


def glosses(folder):
    return [entry["gloss"] for entry in json.loads((folder / "index.json").read_text())]


def test_it_ends_with_what_it_wrote_and_the_next_command(tmp_path):
    out = tmp_path / "my data"
    report = synthesize(out, **(CALL | {"signs": "thank you, mother", "broken": "page=1"}))
    assert glosses(out) == ["thank you", "mother"]
    assert report.counts["clips"] == 6
    assert [path.name for path in report.written if not path.exists()] == []
    text = "\n".join(report.lines())
    assert "broken on purpose: 1 clips (1 page)" in text
    assert "not ASL" in text
    assert report.next_step.startswith("signvlm validate --config params/demo.yaml --set 'data.root=")
    assert f"data.phonology={out / 'phonology.yaml'}" in report.next_step
    assert not (out / "keypoints").exists()


def test_a_new_sign_is_an_entry_of_a_file_and_no_code(tmp_path):
    own = tmp_path / "my_signs.yaml"
    own.write_text(
        "TREE: {shape: '5', location: high, palm: in, movement: twist, repeats: 2}\n"
        "Schön: {shape: F, location: cheek, contact: index_tip, palm: in, movement: wiggle}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    synthesize(out, **(CALL | {"signs": str(own), "signers": "1,0,0"}))
    assert glosses(out) == ["tree", "schön"]
    shared = json.loads((out / "avatar.json").read_text(encoding="utf-8"))
    assert shared["recipe"]["signs"]["TREE"]["movement"] == "twist"


def test_a_number_takes_the_first_signs(tmp_path):
    synthesize(tmp_path, **(CALL | {"signs": "2", "signers": "1,0,0"}))
    assert glosses(tmp_path) == [gloss.lower().replace("-", " ") for gloss in list(load_signs())[:2]]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("signs", "0", ("--signs", "take 1 to")),
        ("signs", "100000", ("--signs", "take 1 to", "file of your own")),
        ("signs", "MOTHERS", ("--signs", "'MOTHERS'", "MOTHER")),
        ("signs", "MOTHER,,FATHER", ("--signs", "''")),
        ("signs", "MOTHER,\x1b[2J", ("--signs", "\\x1b")),
        ("signs", "absent.yaml", ("absent.yaml", "cannot be read")),
        ("signers", "8", ("--signers", "8,2,4")),
        ("signers", "8,2,4,1", ("--signers", "8,2,4,1")),
        ("signers", "8,-2,4", ("--signers", "three numbers")),
        ("signers", "8,two,4", ("--signers", "three numbers")),
        ("signers", "0,0,0", ("--signers", "three numbers")),
        ("broken", "0.95", ("--broken", "0.9")),
        ("broken", "melted=2", ("--broken", "'melted=2'", "headless")),
        ("broken", "page", ("--broken", "'page'", "KIND=N")),
        ("broken", "page=x", ("--broken", "'page=x'")),
        ("broken", "-1", ("--broken", "'-1'")),
        ("broken", "page=99", ("broken", "files to break but only")),
        ("size", 65, ("--size", "odd", "66")),
        ("base_url", "ftp://example.org", ("--base-url", "http")),
        ("base_url", "http://", ("--base-url", "http")),
        ("base_url", "http://h:99999", ("--base-url", "http")),
        ("base_url", "http://h/?a=", ("--base-url", "http")),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_written(tmp_path, option, value, words):
    out = tmp_path / "out"
    with pytest.raises(ConfigError) as refusal:
        synthesize(out, **(CALL | {option: value}))
    assert all(word in str(refusal.value) for word in words), refusal.value
    assert "\n" not in str(refusal.value)
    assert not out.exists()


def test_a_bad_entry_of_an_own_file_names_sign_key_and_allowed_values(tmp_path):
    own = tmp_path / "my_signs.yaml"
    own.write_text("TREE: {shape: Q}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"my_signs\.yaml: sign TREE: shape is 'Q'; allowed: .*open-B"):
        synthesize(tmp_path / "out", **(CALL | {"signs": str(own)}))
