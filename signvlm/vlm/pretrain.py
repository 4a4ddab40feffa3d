"""Makes a tiny base: a small InternVL pre-trained on signs of the avatar that were composed at random.

    python -m signvlm.vlm.pretrain --out params/tiny_base --seed 0
    python -m signvlm.vlm.pretrain --view skeleton --out params/skeleton_base --seed 0

It is shown the avatar as a camera films it, or its key points as an extractor would find them, drawn as skeletons.
Three stages, every clip made fresh and seen once. First the vision tower and the projector learn to see: from a
frame's tokens a throw-away head regresses the avatar's key points. Then the whole model learns to answer: every clip's
phonology is described in words, and half of the clips, of a fixed set of signs, are named by their invented word. Last
it learns to look closely: the signs to be named come in families that share everything but their handshape, their
orientation or their movement.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import InternVLForConditionalGeneration, InternVLProcessor, get_cosine_schedule_with_warmup

from data_engineering.clip import write_json
from signvlm.config import PROMPT
from signvlm.vlm.collator import VideoCollator
from signvlm.vlm.loss import answer_logits, answer_loss
from signvlm.vlm.pretrain_clips import (
    DESCRIBE,
    FAMILY,
    FreshClips,
    Show,
    corpus,
    description,
    families,
    filmed,
    invented,
    sketched,
)
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.tiny import make_model, make_processor

BATCH_SIZE = 24  # clips
LEARNING_RATE = 1e-3
WARM_UP = 0.05  # of the steps
WRISTS = (17, 38)  # of the 64 key points; the 20 after each are that hand's fingers
NAMED = 400  # signs that have a word


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long each stage lasts; 0 leaves one out.

    Attributes:
        see: Steps of the key-point stage.
        answer: Steps of describing and naming.
        look: Steps of naming signs of one family.
        keypoint_weight: Of the key points beside the answers of the second stage.
    """

    see: int
    answer: int
    look: int
    keypoint_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """What the model is shown, for how long, and how its key points are weighed.

    Attributes:
        show: Makes a clip.
        schedule: How long each stage lasts, unless told otherwise.
        handshape_weight: Of fingers relative to their wrist, which tells handshapes apart: a few pixels in a film, half
            a panel in a drawing.
        hidden_weight: Of points that are not visible. Filmed, where a hidden fingertip is can be told from the others;
            a hand that is not drawn is nowhere.
    """

    show: Show
    schedule: Schedule
    handshape_weight: float
    hidden_weight: float


VIEWS = {
    "rgb": View(filmed, Schedule(see=1200, answer=3300, look=1000), handshape_weight=6.0, hidden_weight=0.3),
    "skeleton": View(sketched, Schedule(see=400, answer=550, look=200), handshape_weight=2.0, hidden_weight=0.0),
}


class KeypointHead(nn.Module):
    """Regresses a frame's 64 key points from its tokens; thrown away in the end."""

    def __init__(self, tokens: int, width: int) -> None:
        """Args: tokens: of a frame. width: of a token."""
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU(), nn.Linear(256, 64 * 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps (N, tokens, width) to (N, 64, 2), in 0..1 of the frame."""
        return self.layers(features).view(-1, 64, 2)


def keypoint_loss(
    predicted: torch.Tensor, labels: torch.Tensor, view: View = VIEWS["rgb"]
) -> tuple[torch.Tensor, dict[str, float]]:
    """Scores regressed key points.

    Args:
        predicted: (N, 64, 2), in 0..1 of the frame, or of each point's panel.
        labels: (N, 64, 3), x, y, and 1 where visible (or less).
        view: Gives the weights.

    Returns:
        The loss, and the mean errors (|dx| + |dy|) of visible points and of the fingers relative to their wrist.
    """
    points, visible = labels[..., :2], labels[..., 2]
    weight = view.hidden_weight + (1 - view.hidden_weight) * visible
    distance = (predicted - points).abs().sum(dim=-1)
    loss = (distance * weight).sum() / weight.sum()
    fingers, shares = [], []
    for wrist in WRISTS:
        hand = slice(wrist + 1, wrist + 21)
        shape = (predicted[:, hand] - predicted[:, [wrist]]) - (points[:, hand] - points[:, [wrist]])
        fingers.append(shape.abs().sum(dim=-1))
        shares.append(weight[:, hand])
    relative, share = torch.cat(fingers, dim=1), torch.cat(shares, dim=1)
    handshape = (relative * share).sum() / share.sum().clamp(min=1e-6)
    errors = {
        "points": float((distance.detach() * visible).sum() / visible.sum()),
        "fingers": float(handshape.detach()),
    }
    return loss + view.handshape_weight * handshape, errors


class Pretraining:
    """The model, the throw-away key-point head, and what the stages share.

    Attributes:
        model: The base in the making.
        record: [{stage, step, seconds, + the running means of the losses}], every 100 steps.
    """

    def __init__(self, processor: InternVLProcessor, view: View, seed: int, workers: int) -> None:
        """Args: processor: of the model to be made. view: shown. seed: of its weights. workers: making clips."""
        self.processor, self.view, self.workers = processor, view, workers
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: Any = make_model(processor, seed)  # its `to` is declared for another receiver
        self.model = model.to(self.device)
        # Under bfloat16 autocast eager attention is twice as fast as sdpa on a CPU.
        self.model.set_attn_implementation("eager" if self.device.type == "cpu" else "sdpa")
        width = self.model.config.get_text_config().hidden_size
        self.head = KeypointHead(processor.image_seq_length, width).to(self.device)
        self.record: list[dict[str, Any]] = []
        self._started = time.perf_counter()

    def see(self, clips: FreshClips) -> None:
        """Stage one: key points alone."""
        steps = len(clips) // BATCH_SIZE
        core = self.model.model
        parts = (core.vision_tower, core.multi_modal_projector, self.head)
        trained = [parameter for part in parts for parameter in part.parameters()]
        optimizer, schedule = _optimizer(trained, steps)
        for batch in self._batches("see", clips):
            with self._half_precision():
                pixels = encode_prompts(self.processor, PROMPT, [clip["frames"] for clip in batch])["pixel_values"]
                features = self._features(pixels)
            loss, errors = self._keypoint_loss(features, batch)
            _step(optimizer, schedule, loss, trained)
            self._note(errors)

    def answer(self, stage: str, clips: FreshClips, keypoint_weight: float) -> None:
        """Stages two and three: descriptions and names, in nats a token, and key points where they have a weight."""
        trained = [*self.model.parameters(), *(self.head.parameters() if keypoint_weight else ())]
        optimizer, schedule = _optimizer(trained, len(clips) // BATCH_SIZE)
        describe, name = VideoCollator(self.processor, DESCRIBE), VideoCollator(self.processor, PROMPT)
        self.model.train()
        for batch in self._batches(stage, clips):
            described = describe([clip | {"gloss": description(clip["sign"])} for clip in batch])
            words = name([clip | {"gloss": clip["word"]} for clip in batch if clip["word"]])
            # Both questions are about the same pixels: the tower looks once.
            with self._half_precision():
                features = self._features(described.pop("pixel_values"))
            of_clip = features.view(len(batch), -1, features.shape[-1])
            of_named = of_clip[[bool(clip["word"]) for clip in batch]].flatten(0, 1)
            losses = {
                "describe": self._answer_loss(described, features),
                "name": self._answer_loss(words, of_named.view(-1, *features.shape[1:])),
            }
            loss = losses["describe"] + losses["name"]
            errors: dict[str, float] = {}
            if keypoint_weight:
                points, errors = self._keypoint_loss(features, batch)
                loss = loss + keypoint_weight * points
            _step(optimizer, schedule, loss, trained)
            self._note({**{task: float(loss.detach()) for task, loss in losses.items()}, **errors})

    def _batches(self, stage: str, clips: FreshClips) -> Iterator[list[dict[str, Any]]]:
        """Yields lists of BATCH_SIZE rendered clips, in order, made ahead in worker processes."""
        loader = DataLoader(
            clips,
            BATCH_SIZE,
            num_workers=self.workers,
            collate_fn=list,
            worker_init_fn=_one_thread,
            prefetch_factor=4,
            multiprocessing_context="spawn",  # a fork of a process with threads may wait for ever
        )
        self._averages: dict[str, float] = {}
        with tqdm(loader, desc=stage, mininterval=5) as self._bar:
            for step, batch in enumerate(self._bar, start=1):
                yield batch
                if step % 100 == 0 or step == len(loader):
                    seconds = round(time.perf_counter() - self._started)
                    rounded = {key: round(value, 4) for key, value in self._averages.items()}
                    self.record.append({"stage": stage, "step": step, "seconds": seconds, **rounded})

    def _note(self, figures: dict[str, float]) -> None:
        for key, value in figures.items():
            self._averages[key] = 0.98 * self._averages.get(key, value) + 0.02 * value
        self._bar.set_postfix({key: f"{value:.3f}" for key, value in self._averages.items()}, refresh=False)

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (N, 3, S, S) to the tokens (N, tokens, width) that stand for each frame."""
        return self.model.model.get_image_features(
            pixel_values=pixels.to(self.device),
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            return_dict=True,
        ).pooler_output

    def _answer_loss(self, batch: dict[str, Any], features: torch.Tensor) -> torch.Tensor:
        """The loss of a batch whose `pixel_values` became `features`."""
        labels = batch.pop("labels").to(self.device)
        inputs = {key: value.to(self.device) for key, value in batch.items() if key != "pixel_values"}
        with self._half_precision():
            logits = answer_logits(self.model, inputs | {"mm_encoder_outputs": _encoded(features)}, labels)
        return answer_loss(logits, labels)

    def _keypoint_loss(
        self, features: torch.Tensor, clips: list[dict[str, Any]]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        labels = torch.from_numpy(np.concatenate([clip["keypoints"] for clip in clips])).to(self.device)
        return keypoint_loss(self.head(features.float()), labels, self.view)

    def _half_precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def _encoded(features: torch.Tensor) -> dict[str, Any]:
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    return {"image": BaseModelOutputWithPooling(pooler_output=features)}


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _optimizer(
    parameters: list[nn.Parameter], steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=0.01)
    return optimizer, get_cosine_schedule_with_warmup(optimizer, max(1, int(WARM_UP * steps)), steps)


def _step(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    loss: torch.Tensor,
    parameters: list[nn.Parameter],
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    schedule.step()


def pretrain(
    out: Path, *, seed: int, schedule: Schedule, workers: int, view: str = "rgb"
) -> InternVLForConditionalGeneration:
    """Runs the stages and writes a checkpoint folder, with `pretraining.json` beside the weights.

    Args:
        out: The folder.
        seed: Of the weights, the signs, the signers and the clips.
        schedule: How long each stage lasts.
        workers: Processes that make clips.
        view: A key of `VIEWS`.
    """
    run = Pretraining(make_processor(corpus(seed)), VIEWS[view], seed, workers)
    named, show = invented(NAMED, seed), VIEWS[view].show
    if schedule.see:
        run.see(FreshClips(seed, 1, schedule.see * BATCH_SIZE, named, show=show))
    if schedule.answer:
        clips = FreshClips(seed, 2, schedule.answer * BATCH_SIZE, named, show=show)
        run.answer("answer", clips, schedule.keypoint_weight)
    if schedule.look:
        related = families(NAMED // FAMILY, seed)
        run.answer("look", FreshClips(seed, 3, schedule.look * BATCH_SIZE, related, every=1, show=show), 0.0)
    out.mkdir(parents=True, exist_ok=True)
    run.model.save_pretrained(out)
    run.processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    write_json(
        out / "pretraining.json",
        {
            "seed": seed,
            "view": view,
            "schedule": asdict(schedule),
            "named": NAMED,
            "clips_a_step": BATCH_SIZE,
            "device": run.device.type,
            "record": run.record,
        },
    )
    return run.model


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m signvlm.vlm.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--view", choices=VIEWS, default="rgb", help="what it is shown")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--see", type=int, help="steps; 0 leaves the key-point stage out")
    parser.add_argument("--answer", type=int, help="steps")
    parser.add_argument("--look", type=int, help="steps")
    parser.add_argument("--keypoint-weight", type=float, help="beside the answers")
    parser.add_argument("--workers", type=int, default=2, help="processes that make clips")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    asked = {name: getattr(given, name) for name in ("see", "answer", "look", "keypoint_weight")}
    asked = {name: value for name, value in asked.items() if value is not None}
    schedule = replace(VIEWS[given.view].schedule, **asked)
    pretrain(given.out, seed=given.seed, schedule=schedule, workers=given.workers, view=given.view)
    print(f"wrote {given.out}; the losses on the way stand in {given.out / 'pretraining.json'}")


if __name__ == "__main__":
    main()
