"""Training over key points: epochs of varied clips, each followed by a ranking of the held-out ones."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from data_engineering.errors import RunError
from data_engineering.pose.vary import varied
from signvlm.config import Config
from signvlm.pose.network import padded
from signvlm.pose.state import State
from signvlm.selection import best_evaluation, without_gain

_WARMUP = 0.1  # of the steps: the learning rate rises
_LARGEST_GRADIENT = 1.0  # its norm; a recurrent layer's may explode
_SCORED = 256  # clips in a forward pass without gradients


@dataclass(frozen=True)
class Labelled:
    """Clips and what they show.

    Attributes:
        clips: float32 (T, 64, 3) each, as `prepare.prepared` returns them.
        labels: int64 (clips,) columns of the glossary.
    """

    clips: Sequence[np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.clips)


class Fit:
    """Trains a network epoch by epoch; each is drawn from the seed and its number alone, so that any can be resumed."""

    def __init__(self, network: nn.Module, train: Labelled, held_out: Labelled, config: Config, state: State) -> None:
        """Takes what to train, on its device; where `state` is of an earlier epoch, goes on from there.

        Args:
            network: As `network.build` returns it.
            train: What it learns.
            held_out: What tells which epoch was best; may be empty.
            config: The `pose` section, loss, augmentation and selection.
            state: Where training stands; it is brought up to date.
        """
        self.network = network
        self.train = train
        self.held_out = held_out
        self.config = config
        self.state = state
        matrices = [weight for weight in network.parameters() if weight.ndim > 1]
        others = [weight for weight in network.parameters() if weight.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.pose.weight_decay}, {"params": others, "weight_decay": 0.0}]
        )
        if state.epoch:
            network.load_state_dict(state.network)
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state.optimizer, "param_groups": groups})

    @property
    def steps(self) -> int:
        """How many steps an epoch takes."""
        return math.ceil(len(self.train) / self.config.pose.batch_size)

    def finished(self) -> bool:
        """Tells whether there is nothing left to do: all epochs are done, or none gained for long enough."""
        chosen = self.config.selection
        waited = chosen.patience is not None and without_gain(self.state.history, chosen.metric) >= chosen.patience
        return self.state.epoch >= self.config.pose.epochs or waited

    def epoch(self) -> dict[str, Any]:
        """Trains for one epoch, evaluates, and brings the state up to date.

        Returns:
            The figures of the epoch: `loss`, and `eval_loss`, `eval_top1` and `eval_top5` with held-out clips.

        Raises:
            RunError: The loss is not a number.
        """
        started = time.perf_counter()
        loss = self._learn()
        state = self.state
        state.epoch += 1
        step = state.epoch * self.steps
        entry: dict[str, Any] = {"epoch": state.epoch, "step": step, "loss": loss}
        state.history.append({**entry, "learning_rate": self._rate(step - 1)})
        state.network = _copied(self.network.state_dict())
        state.optimizer = self.optimizer.state_dict()["state"]
        if len(self.held_out):
            entry |= self._evaluate()
            state.history.append({key: value for key, value in entry.items() if key != "loss"})
        best = best_evaluation(state.history, self.config.selection.metric)
        if best is None or best["epoch"] == state.epoch:
            state.best = state.network
        state.seconds += time.perf_counter() - started
        return entry

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Scores clips with the weights as they are now: float32 (N, G)."""
        self.network.eval()
        device = next(self.network.parameters()).device
        with torch.no_grad():
            parts = [
                self.network(*(each.to(device) for each in padded(clips[start : start + _SCORED]))).cpu().numpy()
                for start in range(0, len(clips), _SCORED)
            ]
        return np.concatenate(parts)

    def _learn(self) -> float:
        """Goes once through the training clips; returns the mean loss a clip, in nats."""
        settings, number = self.config.pose, self.state.epoch
        rng = np.random.default_rng([settings.seed, number])
        torch.manual_seed(int(rng.integers(2**62)))  # drop-out's
        device = next(self.network.parameters()).device
        self.network.train()
        total = 0.0
        for step, chosen in enumerate(np.array_split(self._order(rng), self.steps)):
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate(number * self.steps + step)
            points, mask = padded([self._varied(self.train.clips[index], rng) for index in chosen])
            labels = torch.from_numpy(self.train.labels[chosen]).to(device)
            scores = self.network(points.to(device), mask.to(device))
            smoothing = self.config.loss.label_smoothing
            loss = functional.cross_entropy(scores, labels, label_smoothing=smoothing)
            if not torch.isfinite(loss):
                raise RunError(
                    f"the loss is not a number in epoch {number + 1}; train anew with a lower pose.learning_rate "
                    f"(it is {settings.learning_rate:g})"
                )
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
            self.optimizer.step()
            total += float(loss.detach()) * len(chosen)
        return total / len(self.train)

    def _order(self, rng: np.random.Generator) -> np.ndarray:
        """Draws the order of the clips; balanced, each as likely as its gloss is rare."""
        if not self.config.augmentation.balance_glosses:
            return rng.permutation(len(self.train))
        counts = np.bincount(self.train.labels)
        weights = 1 / counts[self.train.labels]
        return rng.choice(len(self.train), len(self.train), p=weights / weights.sum())

    def _varied(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mirror = rng.random() < self.config.augmentation.mirror
        strength = self.config.augmentation.points
        return varied(clip, rng, strength=strength, mirror=mirror) if strength or mirror else clip

    def _rate(self, step: int) -> float:
        """Returns the learning rate of a step: a linear rise, then half a cosine to nothing."""
        last = self.config.pose.epochs * self.steps
        rise = max(1.0, _WARMUP * last)
        fallen = 0.5 * (1 + math.cos(math.pi * min(1.0, step / last)))
        return self.config.pose.learning_rate * min(1.0, (step + 1) / rise) * fallen

    def _evaluate(self) -> dict[str, float]:
        scores, labels = self.log_probs(self.held_out.clips), self.held_out.labels
        own = scores[np.arange(len(labels)), labels]
        # Of equal scores the first of the glossary wins, as it does in a ranking.
        earlier = np.arange(scores.shape[1]) < labels[:, None]
        places = ((scores > own[:, None]) | ((scores == own[:, None]) & earlier)).sum(axis=1)
        return {
            "eval_loss": float(-own.mean()),
            "eval_top1": float((places < 1).mean()),
            "eval_top5": float((places < 5).mean()),
        }


def run(fit: Fit, after: Callable[[dict[str, Any]], None]) -> None:
    """Trains until nothing is left to do; calls `after` with each epoch's figures."""
    while not fit.finished():
        after(fit.epoch())


def _copied(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}
