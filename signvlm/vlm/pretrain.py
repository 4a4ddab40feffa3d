"""Makes the tiny base: a small InternVL pre-trained on signs of the avatar that were composed at random.

    python -m signvlm.vlm.pretrain --out params/tiny_base --seed 0

Two stages, every clip rendered fresh and seen once. First the vision tower and the projector learn to see: from a
frame's tokens a throw-away head regresses the avatar's key points. Then the whole model learns to answer: half of the
batches name one of a fixed set of signs by its invented word, half describe a sign that was never seen before by its
phonology. No sign of `params/signs.yaml` takes part, neither its parameters nor its word.
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import InternVLForConditionalGeneration, InternVLProcessor

from data_engineering.synthetic.clips import render_clip
from data_engineering.synthetic.phonology import Sign, describe, parameters
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs, random_sign
from signvlm.config import PROMPT
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.tiny import IMAGE_SIZE, make_model, make_processor
from signvlm.vlm.trainer import answer_loss

DESCRIBE = "Describe this sign: hands, handshape, location, contact, fingers, palm, movement."
BATCH_SIZE = 24  # clips
NUM_FRAMES = 8
LEARNING_RATE = 1e-3
WARM_UP = 0.05  # of the steps
WRISTS = (18, 39)  # of the 64 key points; the 20 after each are that hand's fingers
HANDSHAPE_WEIGHT = 4.0  # a finger's place relative to its wrist is a few pixels, and what tells handshapes apart
KEYPOINT_WEIGHT = 0.5  # of the key points beside the answers
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


class Rendered(Dataset):
    """Clips rendered when they are read, each a function of the seed and its number alone."""

    def __init__(self, seed: int, stage: int, count: int, named: list[tuple[str, Sign]] | None = None) -> None:
        """Args: seed, stage: of the draws. count: clips. named: signs to name; None composes and describes new ones."""
        self.seed, self.stage, self.count, self.named = seed, stage, count, named

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, self.stage, number])
        if self.named is None:
            sign = unseen(rng)
            gloss = description(sign)
        else:
            gloss, sign = self.named[rng.integers(len(self.named))]
        signer = Signer.sample(rng)
        frames, keypoints = render_clip(sign, signer, int(rng.integers(2**31)), num_frames=NUM_FRAMES, size=IMAGE_SIZE)
        return {"clip_id": str(number), "gloss": gloss, "frames": frames, "keypoints": keypoints}


class KeypointHead(nn.Module):
    """Regresses a frame's 64 key points from its tokens; thrown away after the first stage."""

    def __init__(self, tokens: int, width: int) -> None:
        """Args: tokens: of a frame. width: of a token."""
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU(), nn.Linear(256, 64 * 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps (N, tokens, width) to (N, 64, 2), in 0..1 of the frame."""
        return self.layers(features).view(-1, 64, 2)


def unseen(rng: np.random.Generator) -> Sign:
    """Composes a sign whose parameters are none of the shipped signs'."""
    while True:
        sign = random_sign(rng)
        if parameters(sign) not in _shipped():
            return sign


_SHIPPED: set[tuple[object, ...]] = set()


def _shipped() -> set[tuple[object, ...]]:
    if not _SHIPPED:
        _SHIPPED.update(parameters(sign) for sign in load_signs().values())
    return _SHIPPED


def description(sign: Sign) -> str:
    """Returns a sign's phonology as one line of words."""
    return ", ".join(describe(sign).values())


def invented(count: int, seed: int) -> list[tuple[str, Sign]]:
    """Composes `count` signs, each with an invented word that no shipped sign bears."""
    rng = np.random.default_rng([seed, 99])
    words = {gloss.casefold() for gloss in load_signs()}
    named: dict[str, Sign] = {}
    while len(named) < count:
        word = "".join(rng.choice(SYLLABLES, size=rng.integers(2, 4)))
        if word not in words:
            named.setdefault(word, unseen(rng))
    return list(named.items())


def corpus(seed: int) -> list[str]:
    """Texts for the tokenizer: the prompts, the syllables, and descriptions as they will occur."""
    rng = np.random.default_rng([seed, 98])
    descriptions = [description(random_sign(rng)) for _ in range(2000)]
    return [*[PROMPT, DESCRIBE] * 500, *SYLLABLES * 20, *descriptions]


def batches(clips: Rendered, workers: int) -> Iterator[list[dict[str, Any]]]:
    """Yields lists of BATCH_SIZE rendered clips, in order, made ahead in worker processes."""
    yield from DataLoader(
        clips, BATCH_SIZE, num_workers=workers, collate_fn=list, drop_last=True, worker_init_fn=_one_thread
    )


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    warm_up = max(1, int(WARM_UP * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


class Pretraining:
    """The model, the throw-away key-point head, and what both stages share."""

    def __init__(self, processor: InternVLProcessor, seed: int, workers: int) -> None:
        """Args: processor: of the model to be made. seed: of everything. workers: processes that render."""
        self.processor = processor
        self.seed = seed
        self.workers = workers
        self.model = make_model(processor, seed)
        # Under bfloat16 autocast eager attention is twice as fast as sdpa on a CPU.
        self.model.set_attn_implementation("eager")
        self.head = KeypointHead(processor.image_seq_length, self.model.config.get_text_config().hidden_size)

    def see(self, steps: int) -> dict[str, float]:
        """Stage one, key points alone; returns the last mean errors, in fractions of the frame."""
        core = self.model.model
        parts = (core.vision_tower, core.multi_modal_projector, self.head)
        trained = [parameter for part in parts for parameter in part.parameters()]
        optimizer, schedule = _optimizer(trained, steps)
        averages = Averages()
        bar = tqdm(batches(Rendered(self.seed, 1, steps * BATCH_SIZE), self.workers), total=steps, desc="see")
        for clips in bar:
            with _half_precision():
                features = self._features(encode_prompts(self.processor, PROMPT, _frames(clips))["pixel_values"])
            loss, errors = self._keypoint_loss(features.pooler_output, clips)
            _step(optimizer, schedule, loss, trained)
            bar.set_postfix(averages.add(errors))
        return averages.values

    def answer(self, named: list[tuple[str, Sign]], steps: int) -> dict[str, float]:
        """Stage two, answers with the key points beside them; returns the last mean losses, in nats a token."""
        trained = [*self.model.parameters(), *self.head.parameters()]
        optimizer, schedule = _optimizer(trained, steps)
        half = (steps + 1) // 2 * BATCH_SIZE
        tasks = [
            ("name", VideoCollator(self.processor, PROMPT), Rendered(self.seed, 2, half, named)),
            ("describe", VideoCollator(self.processor, DESCRIBE), Rendered(self.seed, 3, half)),
        ]
        # One worker a task at least: each has its own.
        streams = [batches(clips, max(1, self.workers // 2)) for _, _, clips in tasks]
        averages = Averages()
        bar = tqdm(range(steps), desc="answer")
        self.model.train()
        for step in bar:
            task, collate, _ = tasks[step % 2]
            clips = next(streams[step % 2])
            batch = collate(clips)
            labels = batch.pop("labels")
            width = int((labels != IGNORED).any(dim=0).sum())
            with _half_precision():
                features = self._features(batch.pop("pixel_values"))
                logits = self.model(
                    **batch, mm_encoder_outputs={"image": features}, logits_to_keep=width + 1, use_cache=False
                ).logits
            loss = answer_loss(logits, labels, label_smoothing=0.0)
            keypoint_loss, errors = self._keypoint_loss(features.pooler_output, clips)
            _step(optimizer, schedule, loss + KEYPOINT_WEIGHT * keypoint_loss, trained)
            bar.set_postfix(averages.add({task: loss.item(), **errors}))
        return averages.values

    def _features(self, pixels: torch.Tensor) -> Any:
        return self.model.model.get_image_features(
            pixel_values=pixels, vision_feature_layer=-1, vision_feature_select_strategy="default", return_dict=True
        )

    def _keypoint_loss(
        self, features: torch.Tensor, clips: list[dict[str, Any]]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Returns the loss, and the mean errors of visible points and of the fingers relative to their wrist."""
        labels = torch.from_numpy(np.concatenate([clip["keypoints"] for clip in clips]))
        points, visible = labels[..., :2], labels[..., 2]
        predicted = self.head(features.float())
        # Hidden points are still asked for, at less weight: where a hidden fingertip is can be told from the others.
        weight = 0.3 + 0.7 * visible
        distance = (predicted - points).abs().sum(dim=-1)
        loss = (distance * weight).sum() / weight.sum()
        fingers, seen = [], []
        for wrist in WRISTS:
            hand = slice(wrist + 1, wrist + 21)
            shape = (predicted[:, hand] - predicted[:, [wrist]]) - (points[:, hand] - points[:, [wrist]])
            fingers.append(shape.abs().sum(dim=-1))
            seen.append(weight[:, hand])
        relative, share = torch.cat(fingers, dim=1), torch.cat(seen, dim=1)
        loss = loss + HANDSHAPE_WEIGHT * (relative * share).sum() / share.sum()
        errors = {
            "points": float((distance.detach() * visible).sum() / visible.sum()),
            "fingers": float((relative.detach() * share).sum() / share.sum()),
        }
        return loss, errors


class Averages:
    """Running means of figures, for the bar and for the record."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def add(self, figures: dict[str, float]) -> dict[str, str]:
        """Takes figures in; returns the means as text."""
        for name, value in figures.items():
            self.values[name] = 0.98 * self.values.get(name, value) + 0.02 * value
        return {name: f"{value:.3f}" for name, value in self.values.items()}


def _frames(clips: list[dict[str, Any]]) -> list[np.ndarray]:
    return [clip["frames"] for clip in clips]


def _half_precision() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def _optimizer(
    parameters: list[nn.Parameter], steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.01)
    return optimizer, _schedule(optimizer, steps)


def _step(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    loss: torch.Tensor,
    parameters: list[nn.Parameter],
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    schedule.step()


def pretrain(
    out: Path, *, seed: int, see_steps: int, answer_steps: int, signs: int, workers: int
) -> InternVLForConditionalGeneration:
    """Runs both stages and writes a checkpoint folder.

    Args:
        out: The folder.
        seed: Of the weights, the signs, the signers and the clips.
        see_steps: Steps of the key-point stage.
        answer_steps: Steps of naming and describing.
        signs: Signs that are named.
        workers: Processes that render.
    """
    processor = make_processor(corpus(seed))
    run = Pretraining(processor, seed, workers)
    errors = run.see(see_steps) if see_steps else {}
    losses = run.answer(invented(signs, seed), answer_steps)
    out.mkdir(parents=True, exist_ok=True)
    run.model.save_pretrained(out)
    processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    print(f"{out}: after seeing {errors}, after answering {losses}")
    return run.model


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m signvlm.vlm.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--see-steps", type=int, default=2000)
    parser.add_argument("--answer-steps", type=int, default=3000)
    parser.add_argument("--signs", type=int, default=240)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pretrain(
        arguments.out,
        seed=arguments.seed,
        see_steps=arguments.see_steps,
        answer_steps=arguments.answer_steps,
        signs=arguments.signs,
        workers=arguments.workers,
    )


if __name__ == "__main__":
    main()
