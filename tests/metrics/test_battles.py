"""The battle of two GANs: every branch by hand."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor

from ganbench.errors import SampleError
from ganbench.metrics.battles import Battle, Discriminator, battle


def _column(index: int) -> Discriminator:
    """A discriminator whose logit is one coordinate of its sample: the samples say what it answers."""
    return lambda x: x[:, index]


A, B = _column(0), _column(1)


def _samples(*counts: tuple[int, float, float]) -> Tensor:
    """Rows (logit of a, logit of b), each so many times."""
    return torch.tensor([[a, b] for number, a, b in counts for _ in range(number)])


def _called_real_by(judge: int, share: int) -> Tensor:
    """100 samples, `share` of which discriminator `judge` takes to be real, and the other one none."""
    yes, no = ([1.0, -9.0], [-1.0, -9.0]) if judge == 0 else ([-9.0, 1.0], [-9.0, -1.0])
    return torch.tensor([yes] * share + [no] * (100 - share))


EVEN = _samples((80, 1, 1), (10, -1, 1), (10, 1, -1))  # each calls 10 of 100 generated


def test_rates_ratios_and_a_win_of_a() -> None:
    """D_a is fooled by 20 % of b's samples, D_b by 40 % of a's: r_samples is a half."""
    found = battle(A, B, samples_a=_called_real_by(1, 40), samples_b=_called_real_by(0, 20), test=EVEN)
    assert (found.test_error_a, found.test_error_b) == (0.1, 0.1)
    assert (found.samples_error_a, found.samples_error_b) == (0.2, 0.4)
    assert (found.r_test, found.r_samples) == (1.0, 0.5)
    assert (found.z_test, found.winner) == (0.0, "a")
    assert found.z_samples == pytest.approx((0.2 - 0.4) / math.sqrt(0.3 * 0.7 * 2 / 100))


def test_b_wins_where_a_is_fooled_more() -> None:
    found = battle(A, B, _called_real_by(1, 20), _called_real_by(0, 40), EVEN)
    assert (found.r_samples, found.winner) == (2.0, "b")
    assert found.z_samples == pytest.approx(0.2 / math.sqrt(0.3 * 0.7 * 2 / 100))


def test_exchanging_the_players_exchanges_the_result() -> None:
    one = battle(A, B, _called_real_by(1, 40), _called_real_by(0, 20), EVEN)
    other = battle(B, A, _called_real_by(0, 20), _called_real_by(1, 40), EVEN)
    assert (other.winner, other.r_samples, other.z_samples) == ("b", 1 / one.r_samples, pytest.approx(-one.z_samples))


def test_equal_error_on_samples_is_a_tie() -> None:
    found = battle(A, B, _called_real_by(1, 30), _called_real_by(0, 30), EVEN)
    assert (found.r_samples, found.z_samples, found.winner) == (1.0, 0.0, None)


def test_nobody_is_fooled_is_a_tie() -> None:
    """0 / 0: equal rates have a ratio of 1."""
    found = battle(A, B, _called_real_by(1, 0), _called_real_by(0, 0), EVEN)
    assert (found.samples_error_a, found.samples_error_b) == (0, 0)
    assert (found.r_samples, found.z_samples, found.winner) == (1.0, 0.0, None)


@pytest.mark.parametrize(("by_a", "by_b", "ratio", "winner"), [(1, 0, math.inf, "b"), (0, 1, 0.0, "a")])
def test_one_alone_is_fooled(by_a: int, by_b: int, ratio: float, winner: str) -> None:
    found = battle(A, B, _called_real_by(1, by_b), _called_real_by(0, by_a), EVEN)
    assert (found.r_samples, found.winner) == (ratio, winner)


@pytest.mark.parametrize(
    ("a_alone", "b_alone", "winner"),
    [(10, 20, "a"), (10, 22, None), (20, 10, "a"), (22, 10, None), (0, 3, "a"), (0, 4, None), (0, 0, "a")],
)
def test_a_test_ratio_off_one_is_a_tie(a_alone: int, b_alone: int, winner: str | None) -> None:
    """McNemar: z = (a - b) / √(a + b) over cases where just one errs: 10 and 20 give -1.83, 10 and 22 -2.12."""
    test = _samples((100, 1, 1), (5, -1, -1), (a_alone, -1, 1), (b_alone, 1, -1))
    found = battle(A, B, _called_real_by(1, 40), _called_real_by(0, 20), test)
    both = a_alone + b_alone
    assert found.z_test == pytest.approx((a_alone - b_alone) / math.sqrt(both) if both else 0)
    assert found.r_test == pytest.approx((5 + a_alone) / (5 + b_alone))
    assert found.winner == winner


@pytest.mark.parametrize(("tolerance", "winner"), [(0.2, None), (0.25, "a"), (0.0, None)])
def test_a_tolerance_of_the_ratio(tolerance: float, winner: str | None) -> None:
    """Rates 0.05 and 0.04: a ratio of 1.25, whatever the number of cases."""
    test = _samples((91, 1, 1), (5, -1, 1), (4, 1, -1))
    found = battle(A, B, _called_real_by(1, 40), _called_real_by(0, 20), test, tolerance=tolerance)
    assert found.r_test == pytest.approx(1.25)
    assert found.winner == winner


@pytest.mark.parametrize(("a_alone", "b_alone", "ratio"), [(0, 0, 1.0), (50, 0, math.inf), (0, 50, 0.0)])
@pytest.mark.parametrize("tolerance", [None, 0.5])
def test_test_rates_of_zero(a_alone: int, b_alone: int, ratio: float, tolerance: float | None) -> None:
    test = _samples((50, 1, 1), (a_alone, -1, 1), (b_alone, 1, -1))
    found = battle(A, B, _called_real_by(1, 40), _called_real_by(0, 20), test, tolerance=tolerance)
    assert found.r_test == ratio
    assert found.winner == ("a" if ratio == 1 else None)


def test_everybody_is_fooled_by_everything() -> None:
    found = battle(A, B, _called_real_by(1, 100), _called_real_by(0, 100), EVEN)
    assert (found.samples_error_a, found.r_samples, found.z_samples, found.winner) == (1.0, 1.0, 0.0, None)


def test_a_logit_of_zero_is_no_vote_for_real() -> None:
    zero = torch.zeros(10, 2)
    found = battle(A, B, zero, zero, zero)
    assert (found.test_error_a, found.samples_error_a) == (1.0, 0.0)


def test_batches_shapes_and_gradients() -> None:
    """(n, 1) is as good as (n,), batches are as asked for, and no gradient is taken."""
    sizes = []
    weight = torch.ones(1, requires_grad=True)

    def judge(x: Tensor) -> Tensor:
        sizes.append(len(x))
        logits = x[:, :1] * weight
        assert not logits.requires_grad
        return logits

    other = _called_real_by(1, 40)
    found = battle(judge, B, other, _called_real_by(0, 20), EVEN, batch=64)
    assert sizes == [64, 36, 64, 36]
    assert found == battle(A, B, other, _called_real_by(0, 20), EVEN)


def test_sets_may_differ_in_number() -> None:
    found = battle(A, B, _called_real_by(1, 40)[:50], _called_real_by(0, 20), EVEN)
    assert (found.samples_error_a, found.samples_error_b) == (0.2, 0.8)
    assert found.z_samples == pytest.approx(-0.6 / math.sqrt(0.4 * 0.6 * (1 / 100 + 1 / 50)))


def test_a_battle_is_frozen() -> None:
    found = battle(A, B, EVEN, EVEN, EVEN)
    assert isinstance(found, Battle)
    with pytest.raises(FrozenInstanceError):
        found.winner = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples_a": EVEN[:0]}, r"n >= 1, got shape \(0, 2\)"),
        ({"test": torch.ones(3)}, r"got shape \(3,\)"),
        ({"discriminator_b": lambda x: x}, r"\(100,\) or \(100, 1\) for 100 samples, got \(100, 2\)"),
        ({"discriminator_a": lambda x: x.sum()}, r"got \(\)"),
        ({"discriminator_a": lambda x: x[:, 0] * math.nan}, "not finite"),
        ({"tolerance": -0.1}, "tolerance .* got -0.1"),
        ({"tolerance": math.nan}, "tolerance .* got nan"),
        ({"batch": 0}, "at least 1 sample, got 0"),
    ],
)
def test_bad_input_is_one_line(changes: dict, message: str) -> None:
    good = {"discriminator_a": A, "discriminator_b": B, "samples_a": EVEN, "samples_b": EVEN, "test": EVEN}
    with pytest.raises(SampleError, match=message) as caught:
        battle(**(good | changes))
    assert "\n" not in str(caught.value)
