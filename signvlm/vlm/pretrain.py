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
HAND_WEIGHT = 3.0  # hands are what tells signs apart, and 42 of the 64 key points
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


def learn_to_see(
    model: InternVLForConditionalGeneration, processor: InternVLProcessor, seed: int, steps: int, workers: int
) -> float:
    """Stage one; returns the mean error of visible key points over the last steps, in fractions of the frame."""
    head = KeypointHead(processor.image_seq_length, model.config.get_text_config().hidden_size)
    trained = [*model.model.vision_tower.parameters(), *model.model.multi_modal_projector.parameters()]
    optimizer = torch.optim.AdamW([*trained, *head.parameters()], LEARNING_RATE, weight_decay=0.01)
    schedule = _schedule(optimizer, steps)
    weights = torch.ones(64)
    weights[18:60] = HAND_WEIGHT
    error = float("nan")
    bar = tqdm(batches(Rendered(seed, 1, steps * BATCH_SIZE), workers), total=steps, desc="key points")
    for clips in bar:
        pixels = encode_prompts(processor, PROMPT, [clip["frames"] for clip in clips])["pixel_values"]
        labels = torch.from_numpy(np.concatenate([clip["keypoints"] for clip in clips]))
        features = model.model.get_image_features(
            pixel_values=pixels, vision_feature_layer=-1, vision_feature_select_strategy="default", return_dict=True
        ).pooler_output
        distance = (head(features) - labels[..., :2]).abs().sum(dim=-1)
        # Hidden points are still asked for, at less weight: where a hidden fingertip is can be seen from the others.
        weight = weights * (0.3 + 0.7 * labels[..., 2])
        loss = (distance * weight).sum() / weight.sum()
        _step(optimizer, schedule, loss, [*trained, *head.parameters()])
        visible = (distance.detach() * labels[..., 2]).sum().item() / labels[..., 2].sum().item()
        error = visible if math.isnan(error) else 0.98 * error + 0.02 * visible
        bar.set_postfix(error=f"{error:.4f}")
    return error


def learn_to_answer(
    model: InternVLForConditionalGeneration,
    processor: InternVLProcessor,
    named: list[tuple[str, Sign]],
    seed: int,
    steps: int,
    workers: int,
) -> dict[str, float]:
    """Stage two; returns the last mean losses of naming and of describing, in nats a token."""
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = _schedule(optimizer, steps)
    half = (steps + 1) // 2
    tasks = [
        ("name", VideoCollator(processor, PROMPT), batches(Rendered(seed, 2, half * BATCH_SIZE, named), workers)),
        ("describe", VideoCollator(processor, DESCRIBE), batches(Rendered(seed, 3, half * BATCH_SIZE), workers)),
    ]
    losses: dict[str, float] = {}
    bar = tqdm(range(steps), desc="name and describe")
    model.train()
    for step in bar:
        task, collate, clips = tasks[step % 2]
        batch = collate(next(clips))
        labels = batch.pop("labels")
        width = int((labels != IGNORED).any(dim=0).sum())
        logits = model(**batch, logits_to_keep=width + 1, use_cache=False).logits
        loss = answer_loss(logits, labels, label_smoothing=0.0)
        _step(optimizer, schedule, loss, list(model.parameters()))
        losses[task] = 0.98 * losses.get(task, loss.item()) + 0.02 * loss.item()
        bar.set_postfix({task: f"{value:.3f}" for task, value in losses.items()})
    return losses


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
    named = invented(signs, seed)
    processor = make_processor(corpus(seed))
    model = make_model(processor, seed)
    error = learn_to_see(model, processor, seed, see_steps, workers) if see_steps else float("nan")
    losses = learn_to_answer(model, processor, named, seed, answer_steps, workers)
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    print(f"{out}: key-point error {error:.4f} of the frame, losses {losses}")
    return model


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m signvlm.vlm.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--see-steps", type=int, default=600)
    parser.add_argument("--answer-steps", type=int, default=2400)
    parser.add_argument("--signs", type=int, default=240)
    parser.add_argument("--workers", type=int, default=1)
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
