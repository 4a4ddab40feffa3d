"""Makes the tiny base: a small InternVL pre-trained on signs of the avatar that were composed at random.

    python -m signvlm.vlm.pretrain --out params/tiny_base --seed 0

Two stages, every clip rendered fresh and seen once. First the vision tower and the projector learn to see: from a
frame's tokens a throw-away head regresses the avatar's key points. Then the whole model learns to answer: every clip's
phonology is described in words, and half of the clips, of a fixed set of signs, are named by their invented word.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
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
from data_engineering.synthetic.phonology import Sign
from signvlm.config import PROMPT
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.pretrain_clips import DESCRIBE, FreshClips, corpus, description, invented
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.tiny import make_model, make_processor
from signvlm.vlm.trainer import answer_loss

BATCH_SIZE = 24  # clips
LEARNING_RATE = 1e-3
WARM_UP = 0.05  # of the steps
WRISTS = (17, 38)  # of the 64 key points; the 20 after each are that hand's fingers
HANDSHAPE_WEIGHT = 6.0  # a finger's place relative to its wrist is a few pixels, and what tells handshapes apart
KEYPOINT_WEIGHT = 1.0  # of the key points beside the answers


class KeypointHead(nn.Module):
    """Regresses a frame's 64 key points from its tokens; thrown away in the end."""

    def __init__(self, tokens: int, width: int) -> None:
        """Args: tokens: of a frame. width: of a token."""
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, 256), nn.GELU(), nn.Linear(256, 64 * 2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps (N, tokens, width) to (N, 64, 2), in 0..1 of the frame."""
        return self.layers(features).view(-1, 64, 2)


def keypoint_loss(predicted: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """Scores regressed key points.

    Args:
        predicted: (N, 64, 2), in 0..1 of the frame.
        labels: (N, 64, 3), x, y and 1 where visible.

    Returns:
        The loss, and the mean errors (|dx| + |dy|) of visible points and of the fingers relative to their wrist.
    """
    points, visible = labels[..., :2], labels[..., 2]
    # Hidden points are still asked for, at less weight: where a hidden fingertip is can be told from the others.
    weight = 0.3 + 0.7 * visible
    distance = (predicted - points).abs().sum(dim=-1)
    loss = (distance * weight).sum() / weight.sum()
    fingers, shares = [], []
    for wrist in WRISTS:
        hand = slice(wrist + 1, wrist + 21)
        shape = (predicted[:, hand] - predicted[:, [wrist]]) - (points[:, hand] - points[:, [wrist]])
        fingers.append(shape.abs().sum(dim=-1))
        shares.append(weight[:, hand])
    relative, share = torch.cat(fingers, dim=1), torch.cat(shares, dim=1)
    handshape = (relative * share).sum() / share.sum()
    errors = {
        "points": float((distance.detach() * visible).sum() / visible.sum()),
        "fingers": float(handshape.detach()),
    }
    return loss + HANDSHAPE_WEIGHT * handshape, errors


class Pretraining:
    """The model, the throw-away key-point head, and what both stages share.

    Attributes:
        model: The base in the making.
        record: [{stage, step, seconds, + the running means of the losses}], every 100 steps.
    """

    def __init__(self, processor: InternVLProcessor, named: list[tuple[str, Sign]], seed: int, workers: int) -> None:
        """Args: processor: of the model to be made. named: words and signs. seed: of everything. workers: renderers."""
        self.processor, self.named, self.seed, self.workers = processor, named, seed, workers
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = make_model(processor, seed).to(self.device)
        # Under bfloat16 autocast eager attention is twice as fast as sdpa on a CPU.
        self.model.set_attn_implementation("eager" if self.device.type == "cpu" else "sdpa")
        width = self.model.config.get_text_config().hidden_size
        self.head = KeypointHead(processor.image_seq_length, width).to(self.device)
        self.record: list[dict[str, Any]] = []
        self._started = time.perf_counter()

    def see(self, steps: int) -> None:
        """Stage one: key points alone."""
        core = self.model.model
        parts = (core.vision_tower, core.multi_modal_projector, self.head)
        trained = [parameter for part in parts for parameter in part.parameters()]
        optimizer, schedule = _optimizer(trained, steps)
        for clips in self._batches("see", 1, steps):
            with self._half_precision():
                pixels = encode_prompts(self.processor, PROMPT, [clip["frames"] for clip in clips])["pixel_values"]
                features = self._features(pixels)
            loss, errors = self._keypoint_loss(features, clips)
            _step(optimizer, schedule, loss, trained)
            self._note(errors)

    def answer(self, steps: int, keypoint_weight: float) -> None:
        """Stage two: descriptions and names, in nats a token, with the key points beside them."""
        trained = [*self.model.parameters(), *self.head.parameters()]
        optimizer, schedule = _optimizer(trained, steps)
        describe, name = VideoCollator(self.processor, DESCRIBE), VideoCollator(self.processor, PROMPT)
        self.model.train()
        for clips in self._batches("answer", 2, steps):
            described = describe([clip | {"gloss": description(clip["sign"])} for clip in clips])
            words = name([clip | {"gloss": clip["word"]} for clip in clips if clip["word"]])
            # Both questions are about the same pixels: the tower looks once.
            with self._half_precision():
                features = self._features(described.pop("pixel_values"))
            of_clip = features.view(len(clips), -1, features.shape[-1])
            of_named = of_clip[[bool(clip["word"]) for clip in clips]].flatten(0, 1)
            losses = {
                "describe": self._answer_loss(described, features),
                "name": self._answer_loss(words, of_named.view(-1, *features.shape[1:])),
            }
            points, errors = self._keypoint_loss(features, clips)
            _step(optimizer, schedule, sum(losses.values()) + keypoint_weight * points, trained)
            self._note({**{task: float(loss.detach()) for task, loss in losses.items()}, **errors})

    def _batches(self, stage: str, number: int, steps: int) -> Iterator[list[dict[str, Any]]]:
        """Yields `steps` lists of BATCH_SIZE rendered clips, in order, made ahead in worker processes."""
        clips = FreshClips(self.seed, number, steps * BATCH_SIZE, self.named)
        loader = DataLoader(
            clips, BATCH_SIZE, num_workers=self.workers, collate_fn=list, worker_init_fn=_one_thread, prefetch_factor=4
        )
        self._averages: dict[str, float] = {}
        with tqdm(loader, total=steps, desc=stage, mininterval=5) as self._bar:
            for step, batch in enumerate(self._bar, start=1):
                yield batch
                if step % 100 == 0 or step == steps:
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
        width = int((labels != IGNORED).any(dim=0).sum())
        with self._half_precision():
            logits = self.model(
                **inputs, mm_encoder_outputs=_encoded(features), logits_to_keep=width + 1, use_cache=False
            ).logits
        return answer_loss(logits, labels, label_smoothing=0.0)

    def _keypoint_loss(
        self, features: torch.Tensor, clips: list[dict[str, Any]]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        labels = torch.from_numpy(np.concatenate([clip["keypoints"] for clip in clips])).to(self.device)
        return keypoint_loss(self.head(features.float()), labels)

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
    out: Path, *, seed: int, see_steps: int, answer_steps: int, signs: int, workers: int, keypoint_weight: float
) -> InternVLForConditionalGeneration:
    """Runs both stages and writes a checkpoint folder, with `pretraining.json` beside the weights.

    Args:
        out: The folder.
        seed: Of the weights, the signs, the signers and the clips.
        see_steps: Steps of the key-point stage; 0 leaves it out.
        answer_steps: Steps of describing and naming.
        signs: Signs that are named.
        workers: Processes that render.
        keypoint_weight: Of the key points beside the answers.
    """
    processor = make_processor(corpus(seed))
    run = Pretraining(processor, invented(signs, seed), seed, workers)
    if see_steps:
        run.see(see_steps)
    run.answer(answer_steps, keypoint_weight)
    out.mkdir(parents=True, exist_ok=True)
    run.model.save_pretrained(out)
    processor.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors writes 0600
    write_json(
        out / "pretraining.json",
        {
            "seed": seed,
            "see_steps": see_steps,
            "answer_steps": answer_steps,
            "signs": signs,
            "keypoint_weight": keypoint_weight,
            "clips_a_step": BATCH_SIZE,
            "device": run.device.type,
            "seconds": run.record[-1]["seconds"],
            "record": run.record,
        },
    )
    return run.model


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m signvlm.vlm.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--see-steps", type=int, default=1200, help="0 leaves the key-point stage out")
    parser.add_argument("--answer-steps", type=int, default=3300)
    parser.add_argument("--signs", type=int, default=400, help="that are named")
    parser.add_argument("--keypoint-weight", type=float, default=KEYPOINT_WEIGHT, help="beside the answers")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = vars(parser.parse_args())
    torch.set_num_threads(arguments.pop("threads"))
    pretrain(**arguments)
    print(json.dumps(json.loads((arguments["out"] / "pretraining.json").read_text())["record"][-1]), file=sys.stdout)


if __name__ == "__main__":
    main()
