"""The generative adversarial metric: a battle in which each GAN's discriminator judges the other's samples.

Im et al. 2016, Generating images with recurrent adversarial networks, "Battle between GANs".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganbench.errors import SampleError
from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Discriminator = Callable[["Tensor"], "Tensor"]
"""Samples (n, ...) → logits (n,) or (n, 1), positive for what it takes to be real."""

STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Battle:
    """How a battle between a and b went.

    test_error_a, test_error_b: the share of test data that each discriminator calls generated; samples_error_a: the
    share of *b*'s samples that a's discriminator calls real, samples_error_b that of a's by b's. r_test, r_samples:
    a's rate over b's; 1 where the two are equal, 0 / 0 as well, and ∞ where b's alone is 0. z_test, z_samples: how many
    standard errors a's rate lies above b's. winner: "a", "b", or None for a tie.
    """

    test_error_a: float
    test_error_b: float
    samples_error_a: float
    samples_error_b: float
    r_test: float
    r_samples: float
    z_test: float
    z_samples: float
    winner: Literal["a", "b"] | None


def battle(
    discriminator_a: Discriminator,
    discriminator_b: Discriminator,
    samples_a: Tensor,
    samples_b: Tensor,
    test: Tensor,
    *,
    tolerance: float | None = None,
    batch: int = 500,
) -> Battle:
    """Let two discriminators judge the same test data and each other's generators' samples.

    samples_a, samples_b, test: (n, ...), at least one each, as the discriminators take them, `batch` at a time and
    without gradients. r_test = err(D_a(test)) / err(D_b(test)), r_samples = err(D_a(G_b(z))) / err(D_b(G_a(z))).
    a wins where r_test ≈ 1 and r_samples < 1: its discriminator is fooled by b's samples less than b's is by its own. b
    wins where r_test ≈ 1 and r_samples > 1. All else is a tie: the discriminator that does worse on test data proves
    nothing by its verdict on samples. r_test ≈ 1 means |r_test - 1| <= tolerance, or, where that is None, that the two
    test rates lie within 2 standard errors of each other (McNemar's, since both judge the same data), which equal
    discriminators miss in 5 % of battles. A winner need not be a significant one: z_samples tells.
    SampleError where there is nothing to judge, or logits are of another shape or not finite.
    """
    _check(tolerance, batch)
    test_a, test_b = (~_called_real(judge, test, batch) for judge in (discriminator_a, discriminator_b))
    fooled_a = _called_real(discriminator_a, samples_b, batch)
    fooled_b = _called_real(discriminator_b, samples_a, batch)
    test_errors, samples_errors = (_rate(test_a), _rate(test_b)), (_rate(fooled_a), _rate(fooled_b))
    r_test, z_test = _ratio(*test_errors), _paired_z(test_a, test_b)
    even = abs(z_test) < STANDARD_ERRORS if tolerance is None else abs(r_test - 1) <= tolerance
    r_samples = _ratio(*samples_errors)
    return Battle(
        *test_errors,
        *samples_errors,
        r_test=r_test,
        r_samples=r_samples,
        z_test=z_test,
        z_samples=_unpaired_z(fooled_a, fooled_b),
        winner=None if not even or r_samples == 1 else "a" if r_samples < 1 else "b",
    )


def _called_real(judge: Discriminator, samples: Tensor, batch: int) -> Tensor:
    """Which samples (n,) have a positive logit; 0 is no vote for real."""
    if samples.dim() < 2 or len(samples) == 0:
        raise SampleError(f"a battle takes samples (n, ...) with n >= 1, got shape {tuple(samples.shape)}")
    with torch.no_grad():
        return torch.cat([_verdict(judge(part), len(part)) for part in samples.split(batch)])


def _verdict(logits: Tensor, n: int) -> Tensor:
    if tuple(logits.shape) not in ((n,), (n, 1)):
        raise SampleError(f"discriminators give logits ({n},) or ({n}, 1) for {n} samples, got {tuple(logits.shape)}")
    if not logits.isfinite().all():
        raise SampleError("a discriminator's logits are not finite (NaN or infinite)")
    return (logits.flatten() > 0).cpu()


def _rate(errors: Tensor) -> float:
    return int(errors.sum()) / len(errors)


def _ratio(one: float, other: float) -> float:
    if one == other:
        return 1.0
    return one / other if other else math.inf


def _paired_z(one: Tensor, other: Tensor) -> float:
    """McNemar: of the cases where just one of the two errs, the difference over its deviation at even odds."""
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    return (only_one - only_other) / math.sqrt(only_one + only_other) if only_one + only_other else 0.0


def _unpaired_z(one: Tensor, other: Tensor) -> float:
    """Difference of two independent rates over its standard error at their common rate."""
    n, m = len(one), len(other)
    common = int(one.sum() + other.sum()) / (n + m)
    error = math.sqrt(common * (1 - common) * (1 / n + 1 / m))
    return (_rate(one) - _rate(other)) / error if error else 0.0


def _check(tolerance: float | None, batch: int) -> None:
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise SampleError(f"the tolerance of r_test is a finite number >= 0, or None, got {tolerance}")
    if batch < 1:
        raise SampleError(f"discriminators see batches of at least 1 sample, got {batch}")
