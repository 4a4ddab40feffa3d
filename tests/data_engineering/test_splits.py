"""No signer and no cut of a video is on two sides of a split drawn here; what leaks in any split is counted."""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.glossary import select
from data_engineering.splits import assign, leakage, same_cut
from data_engineering.wlasl import read_index


def clip(number: int, gloss: str, signer: int | str, split: str = "train", url: str = "", start: int = 1) -> Clip:
    return Clip(f"{number:05}", gloss, split, signer, url=url, frame_start=start)


def full_grid(glosses: int = 6, signers: int = 10) -> list[Clip]:
    """Every signer signs every gloss once."""
    return [clip(g * signers + s, f"gloss{g}", s) for g in range(glosses) for s in range(signers)]


def assigned(clips: list[Clip], split: str, seed: int = 0) -> list[Clip]:
    sides = assign(clips, split, seed)
    assert list(sides) == [clip.video_id for clip in clips]
    return [replace(clip, split=sides[clip.video_id]) for clip in clips]


grids = st.lists(
    st.builds(
        lambda gloss, signer, url, start: ("abcdef"[gloss], signer, f"https://h.example/{url}" if url else "", start),
        st.integers(0, 5),
        st.integers(0, 8),
        st.integers(0, 12),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=60,
).map(
    # One index writes a signer as a number here and as text there.
    lambda rows: [
        clip(n, gloss, str(signer) if n % 2 else signer, url=url, start=start)
        for n, (gloss, signer, url, start) in enumerate(rows)
    ]
)


def people(clips: list[Clip]) -> int:
    """How many signers there are who share no cut."""
    groups: list[set[object]] = []
    for clip in clips:
        own: set[object] = {("signer", str(clip.signer_id)), ("cut", same_cut(clip))}
        groups = [g for g in groups if not g & own] + [own.union(*(g for g in groups if g & own))]
    return len(groups)


def test_official_is_the_index_s_own() -> None:
    clips = [clip(1, "a", 1, "train"), clip(2, "a", 1, "validation"), clip(3, "a", 1, "test")]
    assert assign(clips, "official", 5) == {"00001": "train", "00002": "validation", "00003": "test"}


def test_signer_holds_out_whole_signers_and_no_gloss() -> None:
    clips = assigned(full_grid(glosses=6, signers=20), "signer")
    figures = leakage(clips)
    assert set(figures["signers_shared"].values()) == {0}
    assert figures["signers"] == {"train": 14, "validation": 3, "test": 3}
    assert figures["glosses_without"] == {"train": [], "validation": [], "test": []}


def test_a_signer_who_alone_signs_a_gloss_stays_in_train() -> None:
    clips = [*full_grid(glosses=4, signers=8), clip(900, "rare", 3)]
    for seed in range(20):
        sides = {c.signer_id: c.split for c in assigned(clips, "signer", seed)}
        assert sides[3] == "train"


def test_where_every_signer_is_needed_the_loss_is_smallest_and_said() -> None:
    rows = [("a", 1), ("b", 1), ("c", 2), ("d", 3), ("e", 3), ("f", 3)]
    figures = leakage(assigned([clip(n, *row) for n, row in enumerate(rows)], "signer"))
    assert figures["signers"] == {"train": 1, "validation": 1, "test": 1}
    assert figures["glosses_without"]["train"] == ["a", "b", "c"]


def test_signers_given_the_same_cut_count_as_one() -> None:
    shared = "https://youtu.be/abcdefghijk"
    clips = [*full_grid(glosses=4, signers=8), clip(900, "x", 0, url=shared), clip(901, "x", 1, url=shared)]
    for seed in range(20):
        sides = {c.signer_id: c.split for c in assigned(clips, "signer", seed)}
        assert sides[0] == sides[1]


@pytest.mark.parametrize("signers", [1, 2])
def test_signer_needs_three_signers(signers: int) -> None:
    with pytest.raises(ConfigError, match="at least 3 signers"):
        assign(full_grid(signers=signers), "signer", 0)


def test_gloss_deals_70_15_15_within_each_gloss() -> None:
    clips = assigned(full_grid(glosses=5, signers=20), "gloss")
    for gloss in {c.gloss for c in clips}:
        assert Counter(c.split for c in clips if c.gloss == gloss) == {"train": 14, "validation": 3, "test": 3}


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, {"train": 1}), (2, {"train": 2}), (3, {"train": 1, "validation": 1, "test": 1})],
)
def test_a_small_gloss_trains_first(count: int, expected: dict[str, int]) -> None:
    assert Counter(assign(full_grid(glosses=1, signers=count), "gloss", 0).values()) == expected


@settings(deadline=None, max_examples=200)
@given(clips=grids, seed=st.integers(0, 3))
def test_gloss_never_parts_a_cut_and_always_trains_every_gloss(clips: list[Clip], seed: int) -> None:
    figures = leakage(assigned(clips, "gloss", seed))
    assert figures["same_cut"]["across"] == figures["same_cut"]["test_in_train"] == 0
    assert figures["glosses_without"]["train"] == []


@settings(deadline=None, max_examples=200)
@given(clips=grids, seed=st.integers(0, 3))
def test_signer_never_parts_a_cut_or_a_signer_and_leaves_no_side_empty(clips: list[Clip], seed: int) -> None:
    if people(clips) < 3:
        with pytest.raises(ConfigError, match="at least 3 signers"):
            assign(clips, "signer", seed)
        return
    figures = leakage(assigned(clips, "signer", seed))
    assert figures["same_cut"]["across"] == 0
    assert set(figures["signers_shared"].values()) == {0}
    assert min(figures["clips"].values()) > 0


@pytest.mark.parametrize("split", ["signer", "gloss"])
def test_the_seed_decides(split: str) -> None:
    clips = full_grid(glosses=6, signers=20)
    assert assign(clips, split, 1) == assign(clips, split, 1)
    assert len({tuple(assign(clips, split, seed).values()) for seed in range(5)}) > 1


def test_a_file_gives_the_split_in_either_shape(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(
        json.dumps({"00001": "val", "00002": {"subset": "test", "action": [0, 1, 9]}, "99999": "train"}),
        encoding="utf-8",
    )
    clips = [clip(1, "a", 1), clip(2, "a", 1)]
    assert assign(clips, str(path), 0) == {"00001": "validation", "00002": "test"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[1]", "no object"),
        ("{}", "leaves out clip 00001"),
        ('{"00001": "dev"}', "no split of train"),
        ('{"00001": 5}', "no split of train"),
        ('{"00001": {"subset": ["train"]}}', "no split of train"),
    ],
)
def test_a_file_that_is_no_split_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        assign([clip(1, "a", 1)], str(path), 0)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_taken_for_a_file_and_said_to_be_missing() -> None:
    with pytest.raises(ConfigError, match="official, signer, gloss"):
        assign([clip(1, "a", 1)], "sginer", 0)


def test_one_video_has_many_addresses() -> None:
    addresses = [
        "https://www.youtube.com/watch?v=abcdefghijk",
        "http://youtu.be/abcdefghijk",
        "https://www.youtube.com/embed/abcdefghijk",
        "https://m.youtube.com/watch?t=3&v=abcdefghijk",
    ]
    assert len({same_cut(clip(n, "a", 1, url=url)) for n, url in enumerate(addresses)}) == 1
    assert same_cut(clip(1, "a", 1, url=addresses[0])) != same_cut(clip(2, "a", 1, url=addresses[0], start=9))
    assert same_cut(clip(1, "a", 1)) != same_cut(clip(2, "a", 1))
    assert same_cut(clip(1, "a", 1, url="http://h.example/x")) == same_cut(clip(2, "b", 2, url="https://h.example/x"))


def test_a_cut_is_one_of_time_whatever_the_clock() -> None:
    slow = clip(1, "a", 1, url="https://h.example/x", start=6)
    slow = replace(slow, frame_end=20)
    fast = replace(slow, video_id="00002", frame_start=11, frame_end=40, fps=50.0)
    assert same_cut(slow) == same_cut(fast)
    assert same_cut(slow) != same_cut(replace(slow, fps=50.0))


def test_a_signer_is_one_whether_written_as_a_number_or_as_text() -> None:
    figures = leakage([clip(1, "a", 3, "train"), clip(2, "a", "3", "test")])
    assert figures["signers_shared"]["train-test"] == figures["test_by_train_signers"] == 1
    clips = [replace(c, signer_id=str(c.signer_id)) if n % 2 else c for n, c in enumerate(full_grid(signers=9))]
    sides = {(str(c.signer_id), c.split) for c in assigned(clips, "signer")}
    assert len(sides) == 9


def test_leakage_counts_what_is_on_two_sides() -> None:
    url = "https://h.example/x.mp4"
    rows = [
        clip(1, "a", 1, "train", url).row(Path("data"), "") | {"media": {"sha256": "aa"}},
        clip(2, "a", 1, "test", url).row(Path("data"), "") | {"media": {"sha256": "aa"}},
        clip(3, "b", 2, "validation").row(Path("data"), "") | {"media": {"sha256": "aa"}},
        clip(4, "b", 3, "test").row(Path("data"), ""),
    ]
    figures = leakage(rows)
    assert figures["clips"] == {"train": 1, "validation": 1, "test": 2}
    assert figures["signers_shared"] == {"train-validation": 0, "train-test": 1, "validation-test": 0}
    assert figures["test_by_train_signers"] == 1
    alike = {"groups": 1, "across": 1, "test_in_train": 1}
    assert figures["same_cut"] == alike | {"clips": 2, "under_several_glosses": 0}
    assert figures["same_file"] == alike | {"clips": 3, "under_several_glosses": 1, "hashed": 3}
    assert figures["glosses_without"] == {"train": ["b"], "validation": ["a"], "test": []}


@pytest.mark.real_clips
def test_wlasl_leaks_officially_and_not_by_signer() -> None:
    folder = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not folder or not (path := Path(folder, "WLASL_v0.3.json.gz")).exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    clips = select(read_index(path).clips, None).clips
    official = leakage(clips)
    assert official["signers_shared"]["train-test"] == 104
    assert official["same_cut"]["test_in_train"] == 157
    own = leakage(assigned(clips, "signer"))
    assert own["glosses_without"]["train"] == []
    assert set(own["signers_shared"].values()) == {0}
    assert own["same_cut"]["across"] == 0
    assert min(own["clips"].values()) > 0.14 * len(clips)
