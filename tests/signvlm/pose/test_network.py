"""The networks: what a clip is answered hangs on its own frames alone."""

import numpy as np
import pytest
import torch

from data_engineering.keypoints import KEYPOINTS, SWAPPED
from signvlm.config import PoseSettings
from signvlm.pose import features
from signvlm.pose.graph import POINTS, adjacency
from signvlm.pose.network import build, count_parameters, padded
from signvlm.pose.prepare import resampled


def clips(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    made = [rng.normal(0, 1, (length, 64, 3)).astype(np.float32) for length in lengths]
    for clip in made:
        clip[..., 2] = rng.random(clip.shape[:2]) > 0.2
        clip[clip[..., 2] == 0] = 0
    return made


@pytest.fixture(params=["conv_gru", "st_gcn"])
def network(request):
    torch.manual_seed(0)
    return build(PoseSettings(network=request.param, width=32), 7).eval()


def test_answers_are_probabilities_over_the_glossary(network):
    with torch.no_grad():
        scores = network(*padded(clips(9, 30)))
    assert scores.shape == (2, 7)
    assert scores.exp().sum(dim=1) == pytest.approx(1, abs=1e-5)


def test_neither_the_clips_beside_one_nor_what_stands_in_its_padding_matter(network):
    shown = clips(5, 23, 12, 2)
    points, mask = padded(shown)
    spoilt = torch.where(mask[..., None, None] > 0, points, torch.tensor(50.0))
    with torch.no_grad():
        together, padding = network(points, mask), network(spoilt, mask)
        alone = torch.cat([network(*padded([clip])) for clip in shown])
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.equal(together, padding)


def test_where_a_point_that_was_not_found_stands_does_not_matter(network):
    points, mask = padded(clips(12))
    moved = points.clone()
    moved[..., :2] += 9 * (points[..., 2:] == 0)
    with torch.no_grad():
        assert torch.allclose(network(points, mask), network(moved, mask), atol=1e-6)


def test_it_sees_the_order_of_frames(network):
    points, mask = padded(clips(16))
    with torch.no_grad():
        assert (network(points, mask) - network(points.flip(1), mask)).abs().max() > 1e-4


def test_legs_and_the_second_face_are_not_looked_at(network):
    points, mask = padded(clips(12))
    moved = points.clone()
    unseen = [
        n for n, name in enumerate(KEYPOINTS) if name.startswith("face") or name.endswith(("knee", "ankle", "hip"))
    ]
    moved[:, :, unseen] = 3.0
    with torch.no_grad():
        assert torch.equal(network(points, mask), network(moved, mask))


@pytest.mark.parametrize(("name", "most"), [("conv_gru", 250_000), ("st_gcn", 100_000)])
def test_they_are_small(name, most):
    assert count_parameters(build(PoseSettings(network=name), 10)) < most


def test_one_network_reads_either_hand():
    """A mirror image's right hand is the left hand, as the network is given it."""
    points, mask = padded(clips(12))
    mirrored = points[:, :, list(SWAPPED)] * torch.tensor([-1.0, 1.0, 1.0])
    one = features.hand(*features.split(points, mask), side=0)
    other = features.hand(*features.split(mirrored, mask), side=1)
    assert all(torch.allclose(a, b) for a, b in zip(one, other, strict=True))


def test_velocity_is_none_where_a_neighbour_is_missing():
    places = torch.arange(5.0).reshape(1, 5, 1, 1).expand(1, 5, 1, 2)
    found = torch.tensor([1.0, 1, 1, 0, 1]).reshape(1, 5, 1)
    speed = features.velocity(places, found)[0, :, 0, 0]
    assert (speed != 0).tolist() == [False, True, False, True, False]


def test_the_graph_takes_a_mean_of_neighbours_and_joins_every_point():
    graph = adjacency()
    assert graph.shape == (3, len(POINTS), len(POINTS))
    assert graph.sum(axis=(0, 2)) == pytest.approx(1)
    joined = graph.sum(axis=0) > 0
    assert (joined == joined.T).all()
    assert np.linalg.matrix_power(joined.astype(np.int64), len(POINTS)).all()


def test_points_between_two_frames_lie_on_the_line_and_come_from_one_where_the_other_lost_them():
    points = np.zeros((2, 64, 3), np.float32)
    points[0, 0], points[1, 0] = (0, 0, 1), (2, 4, 1)
    points[0, 1] = (5, 5, 1)
    shown = resampled(points, np.array([0, 1], np.float32), 2)
    assert shown[:, 0].tolist() == [[0, 0, 1], [1, 2, 1], [2, 4, 1]]
    assert shown[:, 1].tolist() == [[5, 5, 1], [5, 5, 1], [0, 0, 0]]
    assert not shown[:, 2:].any()
