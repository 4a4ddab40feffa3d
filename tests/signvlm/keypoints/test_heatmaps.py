"""Heatmaps hold points to a small part of a cell; the loss falls towards them."""

import pytest
import torch

from signvlm.keypoints.heatmaps import decode, encode, loss

SIDE = 32


def scattered(count: int = 50) -> torch.Tensor:
    """(1, count, 3) visible points anywhere in the image but its outermost cells."""
    places = torch.rand(1, count, 2, generator=torch.Generator().manual_seed(0)) * (SIDE - 4) * 4 + 8
    return torch.cat([places, torch.ones(1, count, 1)], dim=-1)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_a_point_is_found_again_to_a_hundredth_of_a_pixel(sigma: float) -> None:
    points = scattered()
    found = decode(encode(points, SIDE, sigma))
    assert (found[..., :2] - points[..., :2]).abs().max() < 0.01
    assert (found[..., 2] > 0.7).all()


def test_without_the_part_of_a_cell_it_would_be_off_by_up_to_two_pixels() -> None:
    points = scattered()
    heatmaps = encode(points, SIDE, 2.0)
    best = heatmaps.flatten(2).argmax(dim=-1)
    cells = torch.stack([best % SIDE, best // SIDE], dim=-1) * 4 + 2
    assert (cells - points[..., :2]).abs().max() > 1.5


def test_the_map_of_a_hidden_point_is_empty_and_scores_nothing() -> None:
    points = scattered(2)
    points[0, 1, 2] = 0
    heatmaps = encode(points, SIDE, 2.0)
    assert heatmaps[0, 1].abs().max() == 0
    assert decode(heatmaps)[0, 1, 2] == 0


@pytest.mark.parametrize("place", [(0.0, 0.0), (127.9, 0.5), (3.0, 128.0)])
def test_a_point_at_the_edge_is_found_within_a_cell(place: tuple[float, float]) -> None:
    points = torch.tensor([[[*place, 1.0]]])
    assert (decode(encode(points, SIDE, 2.0))[0, 0, :2] - torch.tensor(place)).abs().max() <= 4


def test_flat_maps_are_decoded_to_somewhere_inside() -> None:
    found = decode(torch.zeros(1, 3, SIDE, SIDE))
    assert torch.isfinite(found).all()
    assert ((found[..., :2] >= 0) & (found[..., :2] <= 4 * SIDE)).all()


def test_the_loss_is_lowest_at_the_points_heatmaps() -> None:
    points = scattered(4)
    points[0, 3, 2] = 0
    right = torch.logit(encode(points, SIDE, 2.0), eps=1e-6)
    elsewhere = points.clone()
    elsewhere[0, :, 0] = (elsewhere[0, :, 0] + 30) % 120
    wrong = torch.logit(encode(elsewhere, SIDE, 2.0), eps=1e-6)
    empty = torch.full_like(right, -10)
    assert loss(right, points, 2.0) < loss(empty, points, 2.0) < loss(wrong, points, 2.0)


def test_descending_the_loss_finds_the_points_and_empties_the_hidden_ones_map() -> None:
    points = scattered(4)
    points[0, 3, 2] = 0
    logits = torch.full((1, 4, SIDE, SIDE), -5.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(150):
        optimizer.zero_grad()
        loss(logits, points, 2.0).backward()
        optimizer.step()
    found = decode(logits.detach().sigmoid())
    assert (found[0, :3, :2] - points[0, :3, :2]).abs().max() < 1
    assert found[0, :3, 2].min() > 0.6 > 0.1 > found[0, 3, 2]


def test_an_image_without_a_visible_point_has_a_loss() -> None:
    points = scattered(4) * torch.tensor([1.0, 1.0, 0.0])
    assert torch.isfinite(loss(torch.zeros(1, 4, SIDE, SIDE), points, 2.0))
