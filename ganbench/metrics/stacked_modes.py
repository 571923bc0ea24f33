"""Mode coverage on stacked MNIST: which of the 1000 triples of digits samples show, as a classifier names them.

Srivastava et al. 2017, VEEGAN; Lin et al. 2018, PacGAN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ganbench.errors import SampleError
from ganbench.lazy import torch
from ganbench.metrics.arrays import rows
from ganbench.metrics.base import METRICS, Context, Metric, Value, View
from ganbench.metrics.modes import bootstrap_stderr, summarise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

DIGITS, CHANNELS = 10, 3
MODES = DIGITS**CHANNELS


@dataclass(frozen=True)
class StackedCoverage:
    """modes: of 1000; kl, jsd: nats from the uniform distribution over them; confidence: 0.001 to 1, see below."""

    modes: int
    kl: float
    jsd: float
    confidence: float


def stacked_coverage(logits: ArrayLike | Tensor) -> StackedCoverage:
    """Mode coverage from a digit classifier's logits (n, 30): ten for each of the red, green and blue channel.

    A sample's mode is the triple of the digits with the largest logits; KL(histogram of modes ‖ uniform), and the
    Jensen–Shannon divergence of the two. The classifier never abstains, so that noise covers modes too: `confidence`
    is the mean over samples of the probability that it gives to the triple it names, the product of the three largest
    softmax outputs. Real triples do not reach a KL of 0: at n = 26,000 they have about .0235, of which 999 / 2n = .019
    comes of counting a finite sample; less is not better. SampleError for logits of another width.
    """
    tally = _Tally()
    tally.add(rows(logits, "logits"))
    return tally.coverage()


@dataclass
class _Tally:
    """Counts of modes, and sums of confidences and of their squares."""

    counts: Tensor = field(default_factory=lambda: torch.zeros(MODES, dtype=torch.int64))
    total: float = 0.0
    squares: float = 0.0

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def add(self, logits: Tensor) -> None:
        if logits.shape[1] != CHANNELS * DIGITS:
            raise SampleError(f"logits of stacked digits are (n, {CHANNELS * DIGITS}), got shape {tuple(logits.shape)}")
        largest, digits = logits.view(-1, CHANNELS, DIGITS).double().log_softmax(2).max(2)
        modes = (digits * digits.new_tensor([DIGITS**2, DIGITS, 1])).sum(1)
        self.counts += torch.bincount(modes, minlength=MODES).cpu()
        confidence = largest.sum(1).exp()
        self.total += float(confidence.sum())
        self.squares += float(confidence.square().sum())

    def coverage(self) -> StackedCoverage:
        found = summarise(self.counts, self.n)
        return StackedCoverage(found.modes, found.kl, found.jsd, self.total / self.n)

    def confidence_stderr(self) -> float:
        """Over samples."""
        mean = self.total / self.n
        return math.sqrt(max(0.0, self.squares / self.n - mean**2) / self.n)


class _Coverage:
    def __init__(self, context: Context) -> None:
        self._extractor, self._tally = context.features, _Tally()

    def update(self, view: View) -> None:
        self._tally.add(view.logits(self._extractor))

    def result(self) -> Mapping[str, Value]:
        """Standard errors over samples: of modes and divergences by `bootstrap_stderr`, of confidence of a mean."""
        found, n = self._tally.coverage(), self._tally.n
        errors = bootstrap_stderr(self._tally.counts, n)
        return {
            "modes": Value(found.modes, errors.modes, details={"of": MODES}),
            "kl": Value(found.kl, errors.kl, details={"of_uniform_samples": (MODES - 1) / (2 * n)}),
            "jsd": Value(found.jsd, errors.jsd),
            "confidence": Value(found.confidence, self._tally.confidence_stderr()),
        }


METRICS.add(
    Metric(
        name="stacked-modes",
        directions={"modes": "higher", "kl": "lower", "jsd": "lower", "confidence": "higher"},
        range="modes 0 to 1000; kl 0 to ln 1000; jsd 0 to ln 2; confidence 0.001 to 1",
        title="Modes of stacked digits, divergence from uniform modes, the classifier's confidence in them",
        paper="Srivastava et al. 2017, VEEGAN; Lin et al. 2018, PacGAN",
        kinds=("images",),
        samples=26_000,
        minimum=1,
        start=_Coverage,
        extractor="classifier",
        fits=lambda dataset: dataset.name == "stacked_mnist",
    )
)
