"""Samplers of Optuna: configurations asked for in batches, a function of the seed and of the results told.

A study is never stored. It is made anew by asking the same batches again and telling the same results, so that a search
goes on after any kill as if nothing had been.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from ganbench.errors import SpecError
from ganbench.rng import derive
from ganbench.spec import LEARNING, Range, SweepSpec
from ganbench.sweeps.families import Family
from ganbench.sweeps.spaces import Choice, Configuration

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler


class Told(NamedTuple):
    """What came of a configuration: less is better, inf where it failed. `pruned` is the rung where it was stopped."""

    loss: float
    pruned: int | None = None


TellOf = Callable[[Sequence[Configuration]], list[Told] | None]
"""What came of a batch; None where some of it is not done."""


class Study:
    """The configurations of one family, as far as the results so far let them be known.

    Batch b is asked of a sampler seeded by the stream (search_seed, search/SAMPLER/DATASET/VARIANT/NETWORK, b), which
    has been told of all batches before it, in their order. Of a list it draws the index; a constant is not drawn.
    """

    def __init__(self, spec: SweepSpec, family: Family) -> None:
        _check(spec.sampler, family)
        self._spec, self._family = spec, family
        self._batch = spec.batch if spec.sampler in LEARNING else spec.trials or 0
        self._asked: list[Configuration] = []
        self._open: list[tuple[Trial | None, Configuration]] = []
        self._batches = 0
        drawn = ((name, family.choices[name]) for name in family.drawn)
        self._space = {name: _distribution(value, spec.sampler) for name, value in drawn}
        self._study = _study(self._space if spec.sampler == "qmc" else None)

    def proposed(self, tell_of: TellOf) -> list[Configuration]:
        """All configurations asked for so far: one batch more where those before are done."""
        with _quiet(), _one_thread():
            while self._settled(tell_of) and len(self._asked) < (self._spec.trials or 0):
                self._ask()
        return list(self._asked)

    def _settled(self, tell_of: TellOf) -> bool:
        """Whether all that was asked for is done; the study is then told."""
        ends = tell_of([configuration for _, configuration in self._open]) if self._open else []
        if ends is None:
            return False
        for (trial, configuration), end in zip(self._open, ends, strict=True):
            self._tell(trial, configuration, end)
        self._open.clear()
        return True

    def _ask(self) -> None:
        purpose = f"search/{self._spec.sampler}/{self._family.name}"
        self._study.sampler = _sampler(self._spec.sampler, derive(self._spec.search_seed, purpose, self._batches))
        wanted = min(self._batch, (self._spec.trials or 0) - len(self._asked))
        if self._family.first is not None and not self._batches:
            self._open.append((None, self._family.first))
        while len(self._open) < wanted:
            trial = self._study.ask(self._space)
            self._open.append((trial, self._configuration(trial.params)))
        self._asked += [configuration for _, configuration in self._open]
        self._batches += 1

    def _configuration(self, params: dict[str, Any]) -> Configuration:
        """A trial's numbers as settings."""
        choices = self._family.choices
        return {name: _value(choice, params.get(name, choice)) for name, choice in choices.items()}

    def _tell(self, trial: Trial | None, configuration: Configuration, end: Told) -> None:
        from optuna.trial import TrialState

        failed = not math.isfinite(end.loss)
        if trial is None:
            if not failed and end.pruned is None:
                self._add(configuration, end.loss)
        elif failed:
            self._study.tell(trial, state=TrialState.FAIL)
        elif end.pruned is None:
            self._study.tell(trial, end.loss)
        else:
            trial.report(end.loss, end.pruned)
            self._study.tell(trial, state=TrialState.PRUNED)

    def _add(self, configuration: Configuration, loss: float) -> None:
        """Tell the study of what it did not ask for, where that lies in the space."""
        from optuna.trial import create_trial

        params = {name: _param(self._family.choices[name], configuration.get(name)) for name in self._space}
        if all(value is not None and self._space[name]._contains(value) for name, value in params.items()):
            self._study.add_trial(create_trial(params=params, distributions=self._space, value=loss))


def _check(sampler: str, family: Family) -> None:
    """SpecError where the sampler has not what it needs."""
    if not family.drawn:
        raise SpecError(f"the {sampler} sampler has nothing to draw: give a setting a list or a range, or use 'grid'")
    if sampler == "cmaes" and len(family.ranges) < 2:
        found = ", ".join(family.ranges) or "none"
        raise SpecError(f"the cmaes sampler needs two ranges or more, {family.name} has {found}: use 'tpe' or 'gp'")


def _study(seen: dict[str, BaseDistribution] | None) -> Any:
    """An empty study; or one with a trial of this space, from which a sampler that learns nothing learns the space."""
    import optuna

    with _quiet():
        study = optuna.create_study(direction="minimize")
        if seen is not None:
            any_values = {name: _lowest(distribution) for name, distribution in seen.items()}
            study.add_trial(optuna.create_trial(params=any_values, distributions=seen, value=0.0))
    return study


def _sampler(name: str, seed: int) -> BaseSampler:
    from optuna import samplers

    seed %= 2**32  # NumPy's generators take no more
    if name == "qmc":
        return samplers.QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)
    if name == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False, consider_pruned_trials=True)
    if name == "gp":
        return samplers.GPSampler(seed=seed)
    return samplers.TPESampler(seed=seed, constant_liar=True)  # configurations of a batch keep apart


def _distribution(value: Choice, sampler: str) -> BaseDistribution:
    from optuna import distributions

    if isinstance(value, list):  # a sequence covers numbers evenly, and no names
        if sampler == "qmc":
            return distributions.IntDistribution(0, len(value) - 1)
        return distributions.CategoricalDistribution(range(len(value)))
    assert isinstance(value, Range)
    if isinstance(value.low, int) and isinstance(value.high, int):
        return distributions.IntDistribution(value.low, value.high, log=value.log)
    return distributions.FloatDistribution(float(value.low), float(value.high), log=value.log)


def _value(choice: Choice, drawn: Any) -> Any:
    """The setting for what was drawn: of a list its index, of a range the number, of a constant itself."""
    return choice[drawn] if isinstance(choice, list) else drawn


def _param(choice: Choice, value: Any) -> Any:
    """What would have been drawn for a setting; None where it is in no list."""
    if isinstance(choice, list):
        return choice.index(value) if value in choice else None
    return value


def _lowest(distribution: Any) -> Any:
    return getattr(distribution, "low", 0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The Gaussian process is PyTorch's: small matrices, the same sums whatever the machine has to spare."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's words on what it made, and which of its parts are new."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
