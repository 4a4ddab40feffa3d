"""The plan of a dataset: every share is met, nobody signs in two splits, and an option changes nothing else."""

from collections import Counter
from dataclasses import replace

import pytest

from data_engineering.clip import SPLITS
from data_engineering.errors import ConfigError
from data_engineering.synthetic.break_files import KINDS
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.plan import Recipe, plan, spread
from data_engineering.synthetic.signs import load_signs

SIGNS = tuple(load_signs().values())[:10]
PEOPLE = {"train": 5, "validation": 2, "test": 3}
RECIPE = Recipe(SIGNS, PEOPLE, clips_per_cell=2, seed=0, broken={}, compilations=0.25, duplicates=0.1)


def clips(reels):
    return [clip for reel in reels for clip in reel.clips]


def copies(reels):
    return [copy for reel in reels for copy in reel.copies]


def test_every_sign_by_every_signer_as_often_as_asked():
    cells = Counter((clip.sign.gloss, clip.signer_id) for clip in clips(plan(RECIPE)))
    assert len(cells) == 10 * 10
    assert set(cells.values()) == {2}
    assert {(clip.sign.gloss, clip.signer_id, clip.take) for clip in clips(plan(RECIPE))} == {
        (sign.gloss, number, take) for sign in SIGNS for number in range(1, 11) for take in (0, 1)
    }


def test_nobody_signs_in_two_splits():
    splits = {}
    for clip in (*clips(plan(RECIPE)), *copies(plan(RECIPE))):
        assert splits.setdefault(clip.signer_id, clip.split) == clip.split
    assert Counter(splits.values()) == PEOPLE


def test_every_id_is_one_clips():
    names = [clip.video_id for clip in (*clips(plan(RECIPE)), *copies(plan(RECIPE)))]
    assert len(set(names)) == len(names)
    assert all(name.isdecimal() and len(name) == 5 for name in names)


def test_the_same_recipe_gives_the_same_plan_and_another_seed_another():
    assert plan(RECIPE) == plan(RECIPE)
    assert plan(replace(RECIPE, seed=1)) != plan(RECIPE)


@pytest.mark.parametrize(
    "changes", [{"duplicates": 0.0}, {"across_splits": 1.0}, {"size": 64}, {"base_url": "http://127.0.0.1:1"}]
)
def test_copies_and_cameras_change_no_clip(changes):
    assert clips(plan(replace(RECIPE, **changes))) == clips(plan(RECIPE))


# Compilations


def test_a_share_of_the_clips_lies_in_longer_files_of_one_signer():
    reels = plan(RECIPE)
    compiled = [reel for reel in reels if reel.compiled]
    share = sum(len(reel.clips) for reel in compiled) / 200
    assert 0.15 < share < 0.35
    assert all(len({clip.signer_id for clip in reel.clips}) == 1 for reel in reels)
    assert max(len(reel.clips) for reel in compiled) > 2
    assert {len(reel.clips) for reel in reels if not reel.compiled} == {1}


def test_a_clip_alone_in_a_longer_file_has_a_neighbour_that_the_index_does_not_know():
    alone = [
        reel for seed in range(5) for reel in plan(replace(RECIPE, seed=seed, compilations=0.05)) if reel.neighbour
    ]
    assert alone
    assert all(len(reel.clips) == 1 and reel.neighbour.sign != reel.clips[0].sign for reel in alone)
    assert {reel.neighbour.before for reel in alone} == {True, False}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_clip_or_every_clip_can_be_compiled(share):
    reels = plan(replace(RECIPE, compilations=share, duplicates=0.0))
    assert {reel.compiled for reel in reels} == {share == 1.0}
    assert len(clips(reels)) == 200


# Copies


def test_copies_are_added_within_their_split_and_one_stands_under_a_wrong_gloss():
    made = {clip.video_id: clip for clip in clips(plan(RECIPE))}
    found = copies(plan(RECIPE))
    assert len(found) == 20 + 1
    assert len({copy.copy_of for copy in found}) == len(found)
    wrong = [copy for copy in found if copy.mislabelled]
    assert len(wrong) == 1
    assert wrong[0].split == "train"
    for copy in found:
        original = made[copy.copy_of]
        assert (copy.sign, copy.split, copy.signer_id) == (original.sign, original.split, original.signer_id)
        assert (copy.gloss == original.gloss) == (copy is not wrong[0])


def test_only_whole_sound_files_are_copied():
    reels = plan(replace(RECIPE, broken={"train": ("page",) * 20}))
    assert copies(reels)
    assert all(not reel.compiled and not reel.clips[0].broken for reel in reels if reel.copies)


@pytest.mark.parametrize(("across", "leaks"), [(0.0, 0), (0.5, 10), (1.0, 20)])
def test_a_stated_share_of_the_copies_leaks(across, leaks):
    reels = plan(replace(RECIPE, across_splits=across))
    split_of = {clip.video_id: clip.split for clip in clips(reels)}
    assert sum(copy.split != split_of[copy.copy_of] for copy in copies(reels)) == leaks


def test_a_dataset_of_one_sign_has_no_wrong_gloss():
    found = copies(plan(replace(RECIPE, signs=SIGNS[:1])))
    assert found
    assert not any(copy.mislabelled for copy in found)


# Broken files


def test_a_share_of_broken_files_is_spread_over_kinds_and_splits():
    broken = spread(0.07, {"train": 500, "validation": 200, "test": 300})
    assert [len(broken[split]) for split in SPLITS] == [35, 14, 21]
    assert Counter(kind for kinds in broken.values() for kind in kinds) == dict.fromkeys(KINDS, 10)
    for split in SPLITS:
        assert len(set(broken[split])) >= 5


def test_a_number_of_each_kind_is_met():
    broken = spread({"page": 3, "stub": 1}, {"train": 10, "validation": 0, "test": 10})
    assert sorted(broken["train"] + broken["test"]) == ["page"] * 3 + ["stub"]
    assert broken["validation"] == ()


def test_no_broken_files_are_none():
    assert spread(0.0, PEOPLE) == dict.fromkeys(SPLITS, ())


def test_the_plan_breaks_what_was_asked_for():
    broken = spread(0.1, {split: 20 * count for split, count in PEOPLE.items()})
    made = clips(plan(replace(RECIPE, broken=broken)))
    for split in SPLITS:
        assert sorted(clip.broken for clip in made if clip.split == split and clip.broken) == sorted(broken[split])


# Size


def test_twenty_thousand_clips_are_planned_without_rendering_any():
    people = {"train": 700, "validation": 100, "test": 200}
    recipe = replace(RECIPE, signers=people, broken=spread(0.03, {s: 20 * n for s, n in people.items()}))
    reels = plan(recipe)
    every = (*clips(reels), *copies(reels))
    assert len(every) == 20_000 + 2_000 + 1
    assert len({clip.video_id for clip in every}) == len(every)
    assert sum(bool(clip.broken) for clip in every) == 600


def test_ids_grow_with_the_dataset():
    people = {"train": 60_000, "validation": 0, "test": 0}
    reels = plan(replace(RECIPE, signs=SIGNS[:1], signers=people, clips_per_cell=1, duplicates=0.0))
    assert len({clip.video_id for clip in clips(reels)}) == 60_000


# What cannot be met


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duplicates": 0.5, "compilations": 0.9}, ("duplicates", "101 copies")),
        ({"signs": (Sign("THANK-YOU"), Sign("thank you"))}, ("THANK-YOU", "'thank you'", "rename")),
        ({"signs": (Sign(" "),)}, ("printable",)),
        ({"signs": (Sign("A\x1b[2J"),)}, ("\\x1b", "printable")),
        ({"broken": {"exam": ("page",)}}, ("exam", "validation")),
        ({"broken": {"test": ("page",) * 99}}, ("99 files", "60 clips")),
    ],
)
def test_what_cannot_be_met_is_refused_in_one_line(changes, words):
    with pytest.raises(ConfigError) as refusal:
        plan(replace(RECIPE, **changes))
    assert all(word in str(refusal.value) for word in words), refusal.value
    assert "\n" not in str(refusal.value)
