"""Searches without training: an expansion is driven by results that a formula makes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from ganbench.errors import SpecError
from ganbench.spec import RunSpec, SweepSpec
from ganbench.sweeps.expand import Expansion

RANGES = {
    "lr": {"low": 1e-5, "high": 1e-1, "log": True},
    "beta1": {"low": 0.0, "high": 1.0},
    "n_dis": [1, 5],
    "width": {"low": 8, "high": 64, "log": True},
}
LEARNING = ["tpe", "cmaes", "gp"]
ALL = ["random", "qmc", *LEARNING]
Objective = Callable[[RunSpec], float | None]
Results = dict[tuple[str, int], float | None]


def sweep(**fields) -> SweepSpec:
    given = {"variants": ["ns"], "datasets": ["ring"], "seeds": 1, "sampler": "tpe", "trials": 20, "set": RANGES}
    return SweepSpec.parse(given | fields)


def bowl(run: RunSpec) -> float:
    """Least, 0, at lr 1e-3 and β1 .3."""
    return (math.log10(run.settings["lr"]) + 3) ** 2 + (run.settings["beta1"] - 0.3) ** 2


def patchy(run: RunSpec) -> float | None:
    """Where β1 is large, a run diverges."""
    return None if run.settings["beta1"] > 0.7 else bowl(run)


def driven(spec: SweepSpec, objective: Objective, results: Results | None = None) -> list[list[RunSpec]]:
    """The rounds of a search, each run ended as the objective says, from what is known in `results` on."""
    known, rounds = {} if results is None else results, []
    expansion = Expansion(spec, {"ring": "kl", "grid": "kl"})
    seen: set[str] = set()
    while fresh := [leg.run for leg in expansion.legs(known) if leg.run.id not in seen]:
        seen |= {run.id for run in fresh}
        ended = {(run.id, run.steps): run for run in fresh if run.variant != "real"}
        known |= {key: objective(run) for key, run in ended.items() if key not in known}
        rounds.append([run for run in fresh if run.variant != "real"])
    return rounds


def flat(rounds: list[list[RunSpec]]) -> list[str]:
    return [run.id for each in rounds for run in each]


@pytest.mark.parametrize("sampler", ALL)
def test_values_are_of_the_space(sampler: str) -> None:
    rounds = driven(sweep(sampler=sampler, trials=12), bowl)
    found = [run.settings for each in rounds for run in each]
    assert len(found) == 12
    assert all(1e-5 <= each["lr"] <= 1e-1 and 0 <= each["beta1"] <= 1 for each in found)
    assert {each["n_dis"] for each in found} == {1, 5}
    assert all(type(each["width"]) is int and 8 <= each["width"] <= 64 for each in found)
    assert len({each["lr"] for each in found}) == 12


@pytest.mark.parametrize(("sampler", "sizes"), [("random", [20]), ("qmc", [20]), ("tpe", [8, 8, 4])])
def test_only_samplers_that_learn_go_in_batches(sampler: str, sizes: list[int]) -> None:
    assert [len(each) for each in driven(sweep(sampler=sampler, batch=8), bowl)] == sizes


@pytest.mark.parametrize("sampler", LEARNING)
def test_a_search_taken_up_anywhere_asks_for_the_same(sampler: str) -> None:
    """The driver dies after any number of runs: another, which has only the store, goes on as the first would have."""
    spec = sweep(sampler=sampler, trials=24, batch=6)
    undisturbed: dict[str, float | None] = {}
    expected = flat(driven(spec, patchy, undisturbed))
    assert None in undisturbed.values()
    for survived in range(1, len(expected), 11 if sampler == "gp" else 4):
        kept = {key: value for key, value in undisturbed.items() if key[0] in expected[:survived]}
        assert flat(driven(spec, patchy, kept)) == expected
        assert kept == undisturbed


@pytest.mark.parametrize("sampler", LEARNING)
def test_what_is_asked_next_depends_on_what_was_told(sampler: str) -> None:
    """Else nothing was learnt, and the test above would be empty."""
    spec = sweep(sampler=sampler, trials=24 if sampler != "gp" else 18, batch=6)
    one, other = driven(spec, bowl), driven(spec, lambda run: -bowl(run))
    assert flat(one[:1]) == flat(other[:1])
    assert flat(one[-1:]) != flat(other[-1:])


@pytest.mark.parametrize("sampler", ["qmc", "tpe"])
def test_every_family_and_search_seed_has_its_own_stream(sampler: str) -> None:
    def drawn(**fields) -> tuple[float, ...]:
        rounds = driven(sweep(sampler=sampler, trials=5, **fields), bowl)
        return tuple(run.settings["lr"] for each in rounds for run in each)

    kinds = [drawn(), drawn(search_seed=1), drawn(variants=["lsgan"]), drawn(datasets=["grid"])]
    assert len(set(kinds)) == 4
    assert drawn(variants=["lsgan", "ns"])[5:] == drawn()  # a neighbour changes nothing


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_more_trials_keep_the_earlier_ones(sampler: str) -> None:
    few, more = (flat(driven(sweep(sampler=sampler, trials=trials), bowl)) for trials in (10, 15))
    assert more[:10] == few


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_learning_beats_chance(sampler: str) -> None:
    """On a bowl in 40 trials, by the mean of the last ten, for each of the search seeds 0, 1 and 2."""
    for search_seed in range(3):
        mean = {}
        for each in (sampler, "random"):
            rounds = driven(sweep(sampler=each, trials=40, search_seed=search_seed), bowl)
            mean[each] = math.fsum(map(bowl, itertools.islice(itertools.chain(*rounds), 30, None))) / 10
        assert mean[sampler] < 0.5 * mean["random"]


def test_a_sequence_covers_evenly() -> None:
    """Of 16 Sobol points each quarter of a range holds four, and a list of two has eight of each."""
    (runs,) = driven(sweep(sampler="qmc", trials=16), bowl)
    quarters = [int(run.settings["beta1"] * 4) for run in runs]
    assert [quarters.count(quarter) for quarter in range(4)] == [4, 4, 4, 4]
    assert sum(run.settings["n_dis"] == 5 for run in runs) == 8


def test_higher_is_better_where_the_metric_says_so() -> None:
    def best(metric: str) -> float:
        spec = sweep(sampler="random", trials=30, seeds=[0, 1], search_seeds=[0], top=1)
        expansion = Expansion(spec, {"ring": metric})
        searched = [leg.run for leg in expansion.legs({}) if leg.run.variant != "real"]
        results = {(run.id, run.steps): run.settings["beta1"] for run in searched}
        (run,) = (leg.run for leg in expansion.legs(results) if leg.run.seed == 1)
        assert run.settings["beta1"] in results.values()
        return run.settings["beta1"], min(results.values()), max(results.values())

    found, low, high = best("kl")
    assert found == low
    found, low, high = best("modes")
    assert found == high


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_best_get_all_seeds_when_the_search_has_ended(sampler: str) -> None:
    spec = sweep(sampler=sampler, trials=10, seeds=4, search_seeds=[0, 1], top=2)
    rounds = driven(spec, bowl)
    *search, last = rounds
    assert all(run.seed in (0, 1) for each in search for run in each)
    assert len(flat(search)) == 20
    ranked = sorted({run.group: bowl(run) for each in search for run in each}.items(), key=lambda pair: pair[1])
    assert {(run.group, run.seed) for run in last} == {(group, seed) for group, _ in ranked[:2] for seed in (2, 3)}


def test_a_configuration_that_lost_a_seed_is_not_chosen() -> None:
    spec = sweep(sampler="random", trials=5, seeds=3, search_seeds=[0, 1], top=5)
    search, last = driven(spec, lambda run: None if run.seed == 1 and run.settings["n_dis"] == 5 else bowl(run))
    assert {run.settings["n_dis"] for run in search} == {1, 5}
    assert {run.settings["n_dis"] for run in last} == {1}


def test_nothing_is_left_to_confirm_where_all_failed() -> None:
    spec = sweep(sampler="tpe", trials=10, seeds=3, search_seeds=[0], top=2)
    assert len(flat(driven(spec, lambda run: None))) == 10


def test_undefined_scores_are_failures() -> None:
    spec = sweep(trials=10)
    undefined, failed = (flat(driven(spec, lambda run, bad=bad: bad)) for bad in (math.nan, None))
    assert undefined == failed


def test_the_defaults_of_a_space_come_first() -> None:
    for sampler in ("random", "tpe", "qmc"):
        rounds = driven(sweep(sampler=sampler, trials=6, space="own", set={"width": 16}, variants=["wgan-gp"]), bowl)
        first, second = rounds[0][:2]
        assert (first.settings["lr"], first.settings["gp"], first.settings["n_dis"]) == (2e-3, 0.1, 5)
        assert first.settings["width"] == second.settings["width"] == 16
        assert len(flat(rounds)) == 6


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"set": {"lr": 1e-3}}, "the tpe sampler has nothing to draw"),
        ({"sampler": "qmc", "set": {}}, "the qmc sampler has nothing to draw"),
        ({"sampler": "cmaes", "set": {"lr": RANGES["lr"], "n_dis": [1, 5]}}, "two ranges or more, ring/ns/mlp has lr"),
        ({"sampler": "cmaes", "set": {"n_dis": [1, 5]}}, "ring/ns/mlp has none: use 'tpe' or 'gp'"),
        ({"space": "lucic"}, "unknown space 'lucic': did you mean 'lucic-wide'"),
        ({"space": "lucic-wide", "variants": ["hinge"]}, "unknown variant of space 'lucic-wide' 'hinge'"),
        ({"budget": {"d_steps": 3}, "set": {"n_dis": [5, 6]}}, "less than one step of ring/ns/mlp: "),
    ],
)  # fmt: skip
def test_what_cannot_be_searched(fields: dict, message: str) -> None:
    from ganbench.errors import UnknownNameError

    with pytest.raises((SpecError, UnknownNameError)) as caught:
        driven(sweep(**fields), bowl)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
