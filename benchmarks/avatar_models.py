"""What names a sign from its key points: the nearest neighbour over warped time, and a small network."""

import numpy as np
import torch
from torch import nn


def straight(clips):
    """Distances (N, N) of points (N, D)."""
    squares = (clips * clips).sum(axis=1)
    return np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * clips @ clips.T, 0))


def warped(clips):
    """Dynamic-time-warping distances (N, N) of sequences (N, T, D) (Sakoe & Chiba 1978)."""
    return np.stack([_warped_to(clip, clips) for clip in clips])


def _warped_to(one, others):
    squares = (one * one).sum(axis=1)[None, :, None] + (others * others).sum(axis=2)[:, None]
    cost = np.sqrt(np.maximum(squares - 2 * np.einsum("id,njd->nij", one, others, optimize=True), 0))
    total = np.full((len(others), cost.shape[1] + 1, cost.shape[2] + 1), np.inf)
    total[:, 0, 0] = 0
    for i in range(1, total.shape[1]):
        for j in range(1, total.shape[2]):
            best = np.minimum(np.minimum(total[:, i - 1, j], total[:, i, j - 1]), total[:, i - 1, j - 1])
            total[:, i, j] = cost[:, i - 1, j - 1] + best
    return total[:, -1, -1]


def nearest(distances, labels, signers):
    """Answers (N,): each clip takes the label of the nearest clip of another signer."""
    return labels[np.where(signers[:, None] == signers[None], np.inf, distances).argmin(axis=1)]


class Network(nn.Module):
    """Two convolutions over time, then the mean and the largest over time: fewer than 0.3 million weights."""

    def __init__(self, inputs, labels, width=128):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(inputs, width, 3, padding=1),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv1d(width, width, 3, padding=1),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * width, labels))

    def forward(self, clips):
        """Scores (N, labels) of sequences (N, T, D)."""
        seen = self.layers(clips.transpose(1, 2))
        return self.head(torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1))


def learned(train, train_labels, test, *, epochs=30, seed=0):
    """Trains a `Network` on sequences (N, T, D); returns its scores (M, labels) of others, and its weights' number."""
    torch.manual_seed(seed)
    middle, spread = train.mean(axis=(0, 1)), train.std(axis=(0, 1)) + 1e-3
    clips, others = (torch.from_numpy((part - middle) / spread).float() for part in (train, test))
    labels = torch.from_numpy(train_labels)
    network = Network(clips.shape[2], int(labels.max()) + 1)
    steps = epochs * -(-len(clips) // 64)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(clips)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(clips[rows]), labels[rows], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        scores = network(others).numpy()
    return scores, sum(weights.numel() for weights in network.parameters())
