"""The recogniser for Python: the same answers as the command line, lazily, and nothing left when it is closed."""

import ast
import gc
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import typing
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loopback_hub import TOKEN, loopback_hub
from small_world import SIZE, World

import signvlm
from data_engineering.errors import ConfigError, RunError
from signvlm import SignRecognizer
from signvlm.hub import push

HEAVY = ("torch", "transformers", "datasets", "peft", "numpy", "cv2", "av", "decord", "pydantic", "huggingface_hub")
REPO = "somebody/signs"


@pytest.fixture(scope="module")
def recognizer(world: World) -> Iterator[SignRecognizer]:
    with SignRecognizer.from_pretrained(world.bundle, device="cpu") as loaded:
        yield loaded


def video(world: World, name: str) -> Path:
    return world.root / "raw_videos" / f"{name}.mp4"


# Answers


def test_it_answers_as_the_command_line_does(world: World, recognizer: SignRecognizer, call) -> None:
    told = json.loads(call("predict", video(world, "00008"), "--checkpoint", world.bundle, "--json").out)["answers"]
    ranked = recognizer.rank(video(world, "00008"))
    assert [answer.gloss for answer in ranked] == [answer["gloss"] for answer in told]
    assert [answer.log_prob for answer in ranked] == pytest.approx([a["log_prob"] for a in told], abs=1e-4)
    assert sum(answer.probability for answer in ranked) == pytest.approx(1)
    assert ranked == recognizer.rank(str(video(world, "00008")))
    [best] = recognizer.rank(video(world, "00008"), top=1)
    assert best.gloss == ranked[0].gloss
    assert best.log_prob == pytest.approx(ranked[0].log_prob, abs=1e-4)
    assert best.probability == pytest.approx(ranked[0].probability, abs=1e-3)
    assert {answer.gloss for answer in ranked} == set(recognizer.glossary)
    assert (recognizer.device, recognizer.calibrated) == ("cpu", False)


def test_an_array_of_frames_is_a_clip(recognizer: SignRecognizer) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (30, SIZE, SIZE, 3), np.uint8)
    ranked = recognizer.rank(frames)
    # The four centres of thirty frames are what it sees.
    chosen = recognizer.rank(frames[[3, 11, 18, 26]])
    assert [answer.log_prob for answer in ranked] == pytest.approx([answer.log_prob for answer in chosen], abs=1e-5)
    with pytest.raises(ValueError, match=r"frames must be uint8 \(T, H, W, 3\)"):
        recognizer.rank(frames[0])
    with pytest.raises(ValueError, match="top must be at least 1 or None, this is 0"):
        recognizer.rank(frames, top=0)


def test_what_is_no_clip_raises_with_its_remedy_and_in_a_row_is_passed_over(
    world: World, recognizer: SignRecognizer, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("of the meeting")
    with pytest.raises(RunError, match=r"notes\.txt: not_video: .*; Name a video"):
        recognizer.rank(tmp_path / "notes.txt")
    given = [video(world, "00007"), tmp_path / "notes.txt", np.zeros((2, 8, 8, 3), np.uint8), video(world, "00008")]
    answered = list(recognizer.rank_many(given, batch_size=2, top=1))
    assert [(prediction.clip, len(prediction.answers)) for prediction in answered] == [
        *((given[0], 1), (given[1], 0), (None, 1), (given[3], 1))
    ]
    [best] = recognizer.rank(video(world, "00008"), top=1)
    assert answered[3].answers[0].gloss == best.gloss
    assert answered[3].answers[0].log_prob == pytest.approx(best.log_prob, abs=1e-4)


def test_many_clips_are_read_a_batch_ahead_and_never_whole(world: World, recognizer: SignRecognizer) -> None:
    taken = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(None)
            yield video(world, "00007")

    answers = recognizer.rank_many(endless(), batch_size=3)
    counts = []
    for _ in range(5):
        next(answers)
        counts.append(len(taken))
    assert counts == [1, 4, 4, 4, 7]
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        recognizer.rank_many([], batch_size=0)


def test_it_prints_nothing(world: World, capfd: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    with SignRecognizer.from_pretrained(world.bundle, device="cpu") as loaded:
        loaded.rank(video(world, "00007"))
    said = capfd.readouterr()
    assert said.out == ""
    assert "checkpoint" not in said.err
    assert "device" not in said.err


# Its end


def test_closed_it_leaves_no_weight_in_memory_and_says_so(world: World) -> None:
    loaded = SignRecognizer.from_pretrained(world.bundle, device="cpu")
    loaded.rank(video(world, "00007"))
    held = loaded._loaded.recognizer
    model, weights = weakref.ref(held.model), [weakref.ref(weight) for weight in held.model.parameters()]
    assert len(weights) > 50
    del held
    loaded.close()
    gc.collect()
    assert model() is None
    assert [weight for weight in weights if weight() is not None] == []
    with pytest.raises(ValueError, match=r"closed; load it again with SignRecognizer\.from_pretrained"):
        loaded.rank(video(world, "00007"))
    loaded.close()


def test_an_error_within_closes_it_too(world: World) -> None:
    with pytest.raises(KeyError), SignRecognizer.from_pretrained(world.bundle, device="cpu") as loaded:
        raise KeyError
    with pytest.raises(ValueError, match="closed"):
        loaded.rank(video(world, "00007"))


# What cannot be loaded


@pytest.mark.parametrize("where", ["absent", "a/b/c", "no where"])
def test_a_folder_that_is_no_bundle(tmp_path: Path, monkeypatch, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"not an adapter bundle \(no config\.yaml\)"):
        SignRecognizer.from_pretrained(where)


def test_a_device_that_is_none(world: World) -> None:
    with pytest.raises(ConfigError, match=r"model\.device should be 'auto'"):
        SignRecognizer.from_pretrained(world.bundle, device="tpu")


# On another machine, from the Hub

ELSEWHERE = """
import json, re, sys
from pathlib import Path
import numpy as np
frames = np.load("frames.npy")
import huggingface_hub
card = Path(huggingface_hub.hf_hub_download("somebody/signs", "README.md")).read_text()
exec(re.search(r"```python\\n(.*?)\\n```", card, re.DOTALL)[1])  # the five lines
assert not [name for name in sys.modules if name.startswith("signvlm")]
from signvlm import SignRecognizer
with SignRecognizer.from_pretrained("somebody/signs", device="cpu") as recognizer:
    print(json.dumps([recognizer.device, *recognizer.rank(frames)]))
"""


def test_what_was_pushed_answers_alike_on_a_machine_that_never_saw_it(
    world: World, recognizer: SignRecognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its base goes with it, so that plain transformers and peft, and signvlm, find everything on the Hub."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    frames = np.random.default_rng(1).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    with loopback_hub() as hub:
        push(world.bundle, REPO, endpoint=hub.address)
        assert "base/model.safetensors" in hub.files[REPO]
        assert not any(str(world.base).encode() in content for content in hub.files[REPO].values())
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            env={**keep, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    device, *ranked = json.loads(done.stdout.splitlines()[-1])
    assert device == "cpu"
    here = recognizer.rank(frames)
    assert [answer[0] for answer in ranked] == [answer.gloss for answer in here]
    assert [answer[1] for answer in ranked] == pytest.approx([answer.log_prob for answer in here], abs=1e-4)


# The package


def test_importing_it_is_light_and_its_names_are_there() -> None:
    script = f"import sys, signvlm\nprint([name for name in {HEAVY} if name in sys.modules])\nsigvlm = dir(signvlm)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    for name in signvlm.__all__:
        assert getattr(signvlm, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'SignRecogniser'"):
        _ = signvlm.SignRecogniser


def test_each_verb_is_a_typed_function_that_returns_something() -> None:
    """The package's own text lists them, every verb, each called as it can be called."""
    from signvlm.cli import cli

    assert signvlm.__doc__ is not None
    listed = re.findall(r"^    (\w+) {2,}(.*(?:\n {10,}.*)*)", signvlm.__doc__, re.MULTILINE)
    assert [verb for verb, _ in listed] == list(cli.commands)
    for verb, told in listed:
        calls = re.findall(r"((?:signvlm|data_engineering)(?:\.\w+)+\([^)]*\))", told)
        assert calls or verb == "predict"
        for call in calls:
            node = ast.parse(call, mode="eval").body
            assert isinstance(node, ast.Call)
            module, _, name = ast.unparse(node.func).rpartition(".")
            function = getattr(importlib.import_module(module), name)
            inspect.signature(function).bind(*node.args, **{str(word.arg): word.value for word in node.keywords})
            returned = typing.get_type_hints(function).get("return")
            assert returned is not type(None), call
            assert returned is not None, call
            assert function.__doc__, call
