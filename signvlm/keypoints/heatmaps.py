"""Key points as Gaussian heatmaps, and back with an accuracy below a cell.

A cell is `STRIDE` pixels of the image; cell i covers pixels 4 i to 4 i + 4, so its middle lies at (i + 0.5) cells. The
Gaussian stands where the point is, not at the nearest cell's middle, as Zhang et al. 2020 ("Distribution-Aware
Coordinate Representation for Human Pose Estimation", CVPR, section 3.2) show to be better.
"""

import torch
from torch.nn import functional

from signvlm.keypoints.settings import STRIDE

_TINY = 1e-6
_CELLS = 0.1  # the weight of the first term of the loss: a sum over thousands of cells


def gaussians(points: torch.Tensor, side: int, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the factors of the heatmaps, along rows and along columns: a heatmap is their outer product.

    Args:
        points: Float (N, K, >= 2): x, y in pixels of the image.
        side: Cells of a heatmap's side.
        sigma: Standard deviation in cells.

    Returns:
        Down (N, K, side) and across (N, K, side), 1 at the point.
    """
    middles = torch.arange(side, device=points.device, dtype=torch.float32) + 0.5
    away = (middles - points[..., :2, None].float() / STRIDE) / sigma
    x, y = torch.exp(-0.5 * away.square()).unbind(dim=-2)
    return y, x


def encode(points: torch.Tensor, side: int, sigma: float) -> torch.Tensor:
    """Returns the heatmaps that a perfect detector gives, float32 (N, K, side, side).

    Args:
        points: Float (N, K, 3): x, y in pixels of the image, and visible (0 or 1); what is hidden has an empty map.
        side: Cells of a heatmap's side.
        sigma: Standard deviation of the Gaussians in cells.
    """
    down, across = gaussians(points, side, sigma)
    return (down * points[..., 2:3])[..., :, None] * across[..., None, :]


def decode(heatmaps: torch.Tensor) -> torch.Tensor:
    """Returns where heatmaps are highest, float32 (N, K, 3): x, y in pixels of the image, and the height as a score.

    From the highest cell it goes to the top of the Gaussian through its neighbours: along each axis the logarithm of a
    Gaussian is a parabola, whose top three values give exactly. That is the offset of Zhang et al. 2020 (section 3.1,
    equation 8: m - H^-1 D) where the axes do not mix, as they do not in a round Gaussian.
    """
    count, kinds, height, width = heatmaps.shape
    flat = heatmaps.float().reshape(count, kinds, -1)
    score, best = flat.max(dim=-1)
    row, column = best // width, best % width
    logs = flat.clamp_min(_TINY).log()

    def offset(step: int, place: torch.Tensor, end: int) -> torch.Tensor:
        inner = (place > 0) & (place < end - 1)
        low, middle, high = (logs.gather(-1, (best + way * step * inner)[..., None])[..., 0] for way in (-1, 0, 1))
        bend = 2 * middle - low - high
        found = 0.5 * (high - low) / bend.clamp_min(_TINY)
        return torch.where(inner & (bend > _TINY), found.clamp(-0.5, 0.5), torch.zeros_like(found))

    x = column + 0.5 + offset(1, column, width)
    y = row + 0.5 + offset(width, row, height)
    return torch.stack([x * STRIDE, y * STRIDE, score], dim=-1)


def loss(logits: torch.Tensor, points: torch.Tensor, sigma: float) -> torch.Tensor:
    """Returns how far heatmaps are from those of the points, a scalar.

    The cross-entropy of every cell makes them the Gaussians (its lowest point is where the mean squared error's is). It
    alone learns slowly, for all but a few of 16,384 cells are empty; so for visible points the cross-entropy of the
    whole map, as one distribution over places, is added: there the point weighs as much as all other cells together.

    Args:
        logits: (N, K, side, side).
        points: (N, K, 3) as for `encode`.
        sigma: Of the Gaussians in cells.
    """
    logits = logits.float()
    side = logits.shape[-1]
    down, across = gaussians(points, side, sigma)
    visible = points[..., 2].float()
    # The sum of target * logits, without the map of targets: as large as the logits, it would take as long as they do.
    hit = ((logits @ across[..., None])[..., 0] * down).sum(dim=-1) * visible
    cells = (functional.softplus(logits).sum(dim=(-2, -1)) - hit).sum() / visible.numel()
    mass = (down.sum(dim=-1) * across.sum(dim=-1)).clamp_min(_TINY)
    places = (torch.logsumexp(logits.flatten(2), dim=-1) * visible - hit / mass).sum() / visible.sum().clamp_min(1)
    return _CELLS * cells + places
