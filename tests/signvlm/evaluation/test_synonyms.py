import pytest

from data_engineering.errors import ConfigError
from signvlm.evaluation.synonyms import Synonyms, synonyms_of_file, synonyms_of_media

GLOSSARY = ("eat", "food", "like", "same", "tea")


def row(video_id, gloss, url="", sha256=None, start=1, end=-1):
    row = {"video_id": video_id, "gloss": gloss, "split": "train", "signer_id": 1, "url": url}
    return row | {"frame_start": start, "frame_end": end} | ({"media": {"sha256": sha256}} if sha256 else {})


def test_one_file_under_two_glosses_makes_them_synonyms():
    found = synonyms_of_media([row("1", "food", sha256="a"), row("2", "eat", sha256="a"), row("3", "tea")], GLOSSARY)
    assert found.groups == (("eat", "food"),)
    assert found.accepted("food") == {"eat", "food"}
    assert found.accepted("tea") == {"tea"}


def test_one_cut_of_one_address_does_too_but_not_another_cut_of_it():
    url = "https://www.youtube.com/watch?v=abcdefghijk"
    rows = [row("1", "like", url, start=5, end=50), row("2", "same", url, start=5, end=50), row("3", "tea", url)]
    assert synonyms_of_media(rows, GLOSSARY).groups == (("like", "same"),)


def test_signs_cut_from_one_long_file_are_no_synonyms():
    signs = [row("1", "eat", sha256="a"), row("2", "tea", sha256="a"), row("3", "food", sha256="a")]
    for each, start in zip(signs, (0.0, 4.0, 0.0), strict=True):
        each["media"] |= {"start": start, "end": start + 2}
    assert synonyms_of_media(signs, GLOSSARY).groups == (("eat", "food"),)


def test_synonyms_are_not_passed_on():
    found = Synonyms((("eat", "food"), ("food", "tea")))
    assert found.accepted("eat") == {"eat", "food"}
    assert found.accepted("food") == {"eat", "food", "tea"}


def test_a_hosts_placeholder_makes_no_synonyms():
    glossary = [f"gloss {index}" for index in range(20)]
    rows = [row(str(index), gloss, sha256="sorry") for index, gloss in enumerate(glossary)]
    assert synonyms_of_media(rows, glossary).groups == ()


@pytest.mark.parametrize("text", ["- [food, eat]\n- [same, like, nowhere]\n", '[["eat", "food"], ["like", "same"]]'])
def test_a_users_file_is_yaml_or_json_and_may_know_more_glosses(tmp_path, text):
    path = tmp_path / "synonyms.yaml"
    path.write_text(text)
    assert synonyms_of_file(path, GLOSSARY).groups == (("eat", "food"), ("like", "same"))


@pytest.mark.parametrize("text", ["eat: food", "- eat\n- food", "- [eat, 5]", "[", "- [no, {a: 1}]"])
def test_anything_else_is_refused_with_an_example(tmp_path, text):
    path = tmp_path / "synonyms.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"evaluation\.synonyms: .*list of lists of glosses, e\.g\. - \[eat, food\]"):
        synonyms_of_file(path, GLOSSARY)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        synonyms_of_file(tmp_path / "nowhere.yaml", GLOSSARY)
