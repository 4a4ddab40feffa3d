"""A small recogniser that really computes, and clips for it: a sign here is a colour, a signer a brightness."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from data_engineering.settings import PreprocessSettings
from signvlm.config import EvaluationSettings
from signvlm.evaluation.clips import SplitClips
from signvlm.evaluation.evaluate import Background, Results, Split, evaluate
from signvlm.recognizer import Answer, Ranking

CONTEXT = {"command": "signvlm eval", "config": {"data": {"root": Path("data")}}, "hardware": {"device": "cpu"}}
FRAMING = PreprocessSettings(num_frames=8, size=16)

PALETTE = {
    "red": (200, 40, 40),
    "green": (40, 180, 60),
    "blue": (40, 60, 200),
    "don't want": (200, 190, 40),
    "ice cream": (190, 60, 190),
    "orange": (215, 120, 30),
    "pink": (230, 150, 170),
}
GLOSSARY = ("red", "green", "blue", "don't want", "ice cream", "orange")


class NearestColour:
    """Ranks glosses by how near their colour is to a clip's mean colour; its free beam knows `pink`, too."""

    glossary = GLOSSARY
    modes = ("beam", "beam_constrained", "exact")

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([_scores(clip, self.glossary) for clip in clips], dtype=np.float32)

    def rank(
        self, clips: Sequence[np.ndarray], top: int, *, temperature: float = 1.0, tolerance: float | None = None
    ) -> list[Ranking]:
        return [Ranking.of(self.glossary, scores, top, temperature) for scores in self.log_probs(clips)]

    def answer(self, clips: Sequence[np.ndarray], mode: str) -> list[list[Answer]]:
        return [self._answer(clip, mode) for clip in clips]

    def _answer(self, clip: np.ndarray, mode: str) -> list[Answer]:
        known = list(PALETTE) if mode == "beam" else list(self.glossary)
        scores = _scores(clip, known)
        ranked = [Answer(known[index], float(scores[index])) for index in np.argsort(-scores, kind="stable")]
        if mode == "exact":
            return ranked
        if mode == "beam":  # a language model's own ways with capitals and spaces
            ranked = [ranked[0], Answer(f" {ranked[0].gloss.upper()}\n", ranked[0].log_prob - 1), *ranked[1:]]
        return ranked[:5]


def _scores(clip: np.ndarray, known: Sequence[str]) -> np.ndarray:
    mean = clip.reshape(-1, 3).mean(axis=0)
    scores = -np.array([np.sum((mean - PALETTE[gloss]) ** 2) for gloss in known]) / 2000
    return scores - np.logaddexp.reduce(scores)


def row(clip_id: str, gloss: str, signer: int, frames: np.ndarray) -> dict:
    """A preprocessed row as the dataset on disk holds it."""
    return {
        "clip_id": clip_id,
        "gloss": gloss,
        "signer_id": str(signer),
        "split": "test",
        "source": "made",
        "frames": frames.tobytes(),
        "shape": list(frames.shape),
        "timestamps": [float(index) for index in range(len(frames))],
    }


def made_clip(gloss: str, signer: int, seed: int, frames: int = 8, size: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    light = np.array(PALETTE[gloss]) * (0.35 + 0.2 * signer)
    noise = rng.normal(0, 40, (frames, size, size, 3))
    return np.clip(light + rng.normal(0, 25, 3) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def recogniser() -> NearestColour:
    return NearestColour()


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """Three signers, four clips of each gloss but `orange`, which nobody shows."""
    shown = [gloss for gloss in GLOSSARY if gloss != "orange"]
    return Dataset.from_list(
        [
            row(
                f"{signer}{index}{take}", gloss, signer, made_clip(gloss, signer, seed=100 * signer + 10 * index + take)
            )
            for signer in (1, 2, 3)
            for index, gloss in enumerate(shown)
            for take in range(4)
        ]
    )


@pytest.fixture(scope="session")
def unreadable() -> list[dict]:
    return [
        {
            "video_path": "raw_videos/90001.mp4",
            "video_id": "90001",
            "gloss": "red",
            "signer_id": 2,
            "split": "test",
            "reason": "moov_missing",
            "detail": "moov atom not found",
        }
    ]


@pytest.fixture(scope="session")
def missing() -> list[dict]:
    return [
        {"video_id": f"9100{index}", "gloss": "blue", "signer_id": 4, "split": "test", "url": "http://gone.example/x"}
        for index in range(3)
    ]


@pytest.fixture(scope="session")
def evaluated(recogniser, dataset, unreadable, missing):
    """Evaluates the colour recogniser, some arguments replaced; settings by their names."""

    def call(out: Path, **changed) -> Results:
        background = {"context": CONTEXT}
        background |= {key: changed.pop(key) for key in list(changed) if key in Background.__dataclass_fields__}
        settings = {"modes": ("beam", "beam_constrained", "exact"), "batch_size": 7, "bootstrap_samples": 100}
        settings["occlusion"] = 2
        settings |= {key: changed.pop(key) for key in list(changed) if key in EvaluationSettings.model_fields}
        split = Split(
            name=changed.pop("split", "test"),
            clips=SplitClips(changed.pop("rows", dataset), FRAMING),
            unreadable=changed.pop("unreadable", unreadable),
            missing=changed.pop("missing", missing),
        )
        return evaluate(
            changed.pop("recognizer", recogniser),
            split,
            EvaluationSettings(**settings),
            Background(**background),
            out,
            progress=False,
            **changed,
        )

    return call
