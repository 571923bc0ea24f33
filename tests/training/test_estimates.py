"""Estimates from scores, at D(x) = .9 and D(G(z)) = .2, and where the divergence is known."""

from __future__ import annotations

import math

import pytest
import torch

from ganbench.training.estimates import NAMES, estimates, jensen_shannon


def test_estimates_by_hand() -> None:
    real, fake = torch.tensor([math.log(9), math.log(9)]), torch.tensor([math.log(0.25), math.log(4)])
    found = dict(zip(NAMES, (each.item() for each in estimates(real, fake)), strict=True))
    assert found == pytest.approx(
        {
            "held out accuracy": 0.75,
            "held out |D-½|": (0.4 + 0.4 + 0.3 + 0.3) / 4,
            "Jensen-Shannon estimate": math.log(2) + (math.log(0.9) + (math.log(0.8) + math.log(0.2)) / 2) / 2,
            "Wasserstein estimate": math.log(9),
        }
    )


def test_the_best_discriminator_gives_the_divergence() -> None:
    """Of the shares (.7, .3) and (.2, .8) with D = p / (p + q): the Jensen-Shannon divergence by its definition."""
    p, q = torch.tensor([0.7, 0.3], dtype=torch.float64), torch.tensor([0.2, 0.8], dtype=torch.float64)
    logits = (p / q).log()
    real, fake = logits.repeat_interleave(torch.tensor([7, 3])), logits.repeat_interleave(torch.tensor([2, 8]))
    middle = (p + q) / 2
    expected = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    assert jensen_shannon(torch.cat([real, -fake])).item() == pytest.approx(expected.item(), rel=1e-12)
