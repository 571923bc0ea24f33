from __future__ import annotations

import math

import pytest
import torch

from ganbench.data import find, grid, ring
from ganbench.errors import DataError, SpecError, UnknownNameError


def test_ring_has_all_its_modes() -> None:
    """linspace(0, 2π, 8) would give 7: the first and the last angle are one."""
    means = ring().means
    assert means.shape == (8, 2)
    assert torch.allclose(means.norm(dim=1), torch.ones(8, dtype=torch.float64))
    assert torch.pdist(means).min().item() == pytest.approx(2 * math.sin(math.pi / 8))


def test_grid_is_centred_with_one_mode_a_node() -> None:
    means = grid().means
    assert means.shape == (25, 2)
    assert means.abs().max() == 4
    assert torch.equal(means.sum(0), torch.zeros(2, dtype=torch.float64))
    assert torch.pdist(means).min() == 2


def test_log_prob_is_the_density_that_is_sampled() -> None:
    mixture = ring(modes=3, radius=1.0, std=0.5)
    x = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), 0.25 * torch.eye(2).double())
    expected = torch.logsumexp(torch.stack([normal.log_prob(x[0] - mean) for mean in mixture.means]), 0) - math.log(3)
    assert mixture.log_prob(x).item() == pytest.approx(expected.item(), abs=1e-12)


def test_samples_have_the_mixtures_moments() -> None:
    """100,000 points: each figure within 5 standard errors, false alarm below 1e-5."""
    x = grid(side=2, spacing=2.0, std=0.5).sample(100_000, seed=3).double()
    assert x.mean(0).abs().max() < 5 * math.sqrt(1.25 / 1e5)
    assert (x.var(0) - 1.25).abs().max() < 5 * math.sqrt(2 / 1e5) * 1.25


def test_samples_are_functions_of_the_seed() -> None:
    assert torch.equal(ring().sample(5, 1), ring().sample(5, 1))
    assert not torch.equal(ring().sample(5, 1), ring().sample(5, 2))
    assert ring().sample(5, 1).dtype == torch.float32


@pytest.mark.parametrize("make", [lambda: ring(modes=0), lambda: grid(side=0), lambda: ring(std=0.0)])
def test_impossible_mixtures(make) -> None:
    with pytest.raises(DataError):
        make()


def test_names_are_canonical() -> None:
    assert find("ring:std=0.020:modes=16").name == "ring:modes=16:std=0.02"
    assert find("ring:modes=8").name == "ring"
    assert find("ring:modes=16").mixture().modes == 16
    assert find(find("grid:side=3").name) == find("grid:side=3")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("rign", UnknownNameError, "unknown data set 'rign': did you mean 'ring'?"),
        ("ring:mode=3", UnknownNameError, "unknown parameter of ring 'mode': did you mean 'modes'?"),
        ("ring:modes=many", SpecError, "ring: modes is a whole number, got 'many'"),
        ("ring:std=-1", SpecError, "ring: std must be above 0, got -1"),
        ("ring:std=nan", SpecError, "ring: std must be above 0, got nan"),
        ("mnist:modes=3", SpecError, "mnist takes no parameters"),
        ("./nowhere/", DataError, "no data at nowhere"),
        ("none.npz", DataError, "no data at none.npz"),
    ],
)
def test_bad_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        find(name)
    assert message in str(caught.value)


def test_points_in_subspaces_lie_where_the_protocol_says() -> None:
    """True points are 26.44 ± .71 σ from their mode, and inside its subspace; 5 standard errors of 2,000 points."""
    mixture = find("mog1200").mixture()
    index = torch.arange(2_000) % 10
    points = mixture.on(torch.device("cpu"))(index, torch.Generator().manual_seed(0)).double()
    offsets = points - mixture.means[index]
    radii = offsets.norm(dim=1)
    assert radii.mean().item() == pytest.approx(26.448, abs=5 * 0.707 / 2_000**0.5)
    assert radii.std().item() == pytest.approx(0.707, rel=0.1)
    inside = torch.stack([mixture.bases[mode].T @ offset for mode, offset in zip(index, offsets, strict=True)])
    torch.testing.assert_close(inside.norm(dim=1), radii, rtol=1e-4, atol=1e-4)
    assert mixture.reach == pytest.approx(28.58, abs=0.01)
    with pytest.raises(DataError, match="no density"):
        mixture.log_prob(points)


def test_true_points_in_subspaces_are_of_high_quality() -> None:
    """The ceiling: three deviations of the distance, about 99.87 %."""
    from ganbench.metrics import mode_coverage

    mixture = find("mog1200").mixture()
    found = mode_coverage(mixture.sample(2_500, seed=1), mixture)
    assert found.modes == 10
    assert 99.4 < found.high_quality <= 100
    assert find("mog1200:modes=3:inner=20:dimensions=40").shape == (40,)
