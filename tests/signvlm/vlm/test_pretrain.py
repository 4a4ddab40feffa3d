"""How the tiny bases are made: from signs and words that no test will ask for, the same again from the same seed."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from data_engineering.synthetic.camera import KEYPOINTS
from data_engineering.synthetic.phonology import differing_channels, parameters
from data_engineering.synthetic.plan import indexed_gloss
from data_engineering.synthetic.signs import load_signs
from signvlm.config import shipped
from signvlm.vlm.pretrain import NAMED, VIEWS, Schedule, keypoint_loss, pretrain
from signvlm.vlm.pretrain_clips import FAMILY, FreshClips, families, invented, invented_word, mirrored, sketched, unseen

BASES = {"rgb": shipped("params/tiny_base"), "skeleton": shipped("params/skeleton_base")}


@pytest.fixture(scope="module", params=BASES)
def view(request):
    """What a base is shown."""
    return request.param


@pytest.fixture(scope="module")
def recipe(view):
    """What the committed base was made with."""
    return json.loads((BASES[view] / "pretraining.json").read_text())


def test_no_sign_of_the_base_shares_its_parameters_or_its_word_with_a_shipped_sign(recipe):
    signs = load_signs()
    words = {form for gloss in signs for form in (gloss.casefold(), indexed_gloss(gloss), *gloss.casefold().split("-"))}
    shipped_parameters = {parameters(sign) for sign in signs.values()}
    one_by_one, related = invented(NAMED, recipe["seed"]), families(NAMED // FAMILY, recipe["seed"])
    for group in (one_by_one, related):
        assert len(group) == len({word for word, _ in group}) == recipe["named"]
    named = one_by_one + related
    assert not shipped_parameters & {parameters(sign) for _, sign in named}
    assert not words & {form for word, _ in named for form in (word.casefold(), *word.casefold().split())}
    rng = np.random.default_rng(1)
    assert not shipped_parameters & {parameters(unseen(rng)) for _ in range(3000)}


def test_a_drawn_sign_that_is_shipped_is_drawn_again(monkeypatch):
    """The guard itself, not luck: a generator that first composes a shipped sign."""
    import signvlm.vlm.pretrain_clips as module

    known = load_signs()["MOTHER"]
    draws = iter([known, known, unseen(np.random.default_rng(5))])
    monkeypatch.setattr(module, "random_sign", lambda rng: next(draws))
    assert parameters(unseen(np.random.default_rng(0))) != parameters(known)
    assert next(draws, None) is None


def test_a_family_shares_all_but_one_channel_with_its_head():
    signs = [sign for _, sign in families(10, 0)]
    assert len({parameters(sign) for sign in signs}) == len(signs)
    for head in range(0, len(signs), FAMILY):
        for relative in signs[head + 1 : head + FAMILY]:
            assert len(differing_channels(signs[head], relative)) == 1


def test_the_invented_words_reach_every_letter():
    rng = np.random.default_rng(0)
    words = "".join(invented_word(rng) for _ in range(3000))
    assert set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ") <= set(words)


def test_fresh_clips_are_functions_of_seed_and_number():
    named = invented(3, 0)
    one, other = FreshClips(0, 2, 10, named), FreshClips(0, 2, 10, named)
    assert (one[4]["frames"] == other[4]["frames"]).all()
    assert (one[4]["frames"] != one[6]["frames"]).any()
    assert (one[4]["frames"] != FreshClips(1, 2, 10, named)[4]["frames"]).any()
    assert one[4]["word"] in dict(named)
    assert one[5]["word"] == ""


def test_a_mirrored_clip_has_its_key_points_on_the_other_side():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    keypoints = rng.random((2, 64, 3), dtype=np.float32)
    flipped, moved = mirrored(frames, keypoints)
    assert (flipped[:, :, 0] == frames[:, :, -1]).all()
    left, right = KEYPOINTS.index("left_hand_index_tip"), KEYPOINTS.index("right_hand_index_tip")
    assert moved[:, left, 0] == pytest.approx(1 - keypoints[:, right, 0])
    assert (moved[:, left, 1:] == keypoints[:, right, 1:]).all()
    back = mirrored(flipped, moved)
    assert (back[0] == frames).all()
    assert back[1] == pytest.approx(keypoints)


def test_the_keypoint_loss_asks_for_places_and_for_handshapes():
    labels = torch.rand(3, 64, 3)
    labels[..., 2] = 1
    loss, _ = keypoint_loss(labels[..., :2].clone(), labels)
    assert loss == 0
    shifted, moved = keypoint_loss(labels[..., :2] + 0.1, labels)
    assert moved == {"points": pytest.approx(0.2), "fingers": pytest.approx(0, abs=1e-6)}
    bent = labels[..., :2].clone()
    bent[:, KEYPOINTS.index("right_hand_index_tip")] += 0.1
    _, fingers = keypoint_loss(bent, labels)
    assert fingers["fingers"] == pytest.approx(0.2 / 40)
    assert shifted > loss


def test_a_sketched_clip_is_drawn_from_varied_points_that_were_found_with_gaps():
    named = invented(3, 0)
    clips = FreshClips(0, 2, 12, named, show=sketched)
    again = FreshClips(0, 2, 12, named, show=sketched)
    assert (clips[4]["frames"] == again[4]["frames"]).all()
    shown = [clips[number] for number in range(12)]
    assert all(clip["frames"].shape == (8, 64, 64, 3) for clip in shown)
    points = np.concatenate([clip["keypoints"] for clip in shown])
    hands = points[:, 17:59]
    seen = hands[..., 2] > 0
    assert 0.1 < seen.mean() < 0.9
    assert (hands[seen][:, :2] >= 0).all()
    assert (hands[seen][:, :2] <= 1).all()
    assert set(np.unique(hands[..., 2])) <= {0, 0.5, 1}  # dropped, filled, found


def test_points_that_are_not_drawn_are_not_asked_for():
    labels = torch.rand(3, 64, 3)
    labels[..., 2] = 1
    labels[:, 20:30, 2] = 0
    off = labels[..., :2].clone()
    off[:, 20:30] += 0.3
    assert keypoint_loss(off, labels, VIEWS["skeleton"])[0] == 0
    assert keypoint_loss(off, labels, VIEWS["rgb"])[0] > 0


def test_the_command_makes_a_base_and_makes_it_again(tmp_path, view):
    made = [tmp_path / name for name in ("one", "again")]
    for folder in made:
        torch.set_num_threads(1)
        pretrain(folder, seed=3, schedule=Schedule(see=1, answer=2, look=1), workers=1, view=view)
    one, again = (load_file(folder / "model.safetensors") for folder in made)
    assert all(torch.equal(one[name], again[name]) for name in one)
    model = AutoModelForImageTextToText.from_pretrained(made[0])
    assert model.config.image_token_id == AutoProcessor.from_pretrained(made[0]).image_token_id
    record = json.loads((made[0] / "pretraining.json").read_text())["record"]
    assert [row["stage"] for row in record] == ["see", "answer", "look"]
    assert {"describe", "name", "points", "fingers"} <= set(record[1])


def test_the_committed_base_is_small_and_whole(view, recipe):
    files = {path.name: path.stat().st_size for path in BASES[view].iterdir()}
    assert files["model.safetensors"] <= 10_000_000
    assert sum(files.values()) <= 12_000_000
    assert {"config.json", "tokenizer.json", "processor_config.json", "README.md"} <= set(files)
    assert {row["stage"] for row in recipe["record"]} == {"see", "answer", "look"}
    # The command in its README, without further options, makes it again.
    assert recipe["schedule"] == asdict(VIEWS[view].schedule)
