from __future__ import annotations

import pytest

from ganbench.errors import SpecError, UnknownNameError
from ganbench.spec import SweepSpec
from ganbench.sweeps.expand import configurations, cost, expand
from ganbench.sweeps.halving import Leg


def sweep(**fields) -> SweepSpec:
    return SweepSpec.parse({"variants": ["ns", "wgan-gp"], "datasets": ["ring"], "seeds": 2, "steps": 10, **fields})


def test_variants_seeds_and_one_real_row() -> None:
    runs = expand(sweep())
    assert [(run.variant, run.seed) for run in runs] == [
        ("real", 0), ("ns", 0), ("ns", 1), ("wgan-gp", 0), ("wgan-gp", 1)
    ]  # fmt: skip
    assert len({run.id for run in runs}) == 5


def test_a_setting_goes_to_the_variants_that_have_it() -> None:
    runs = expand(sweep(set={"gp": [0.1, 1.0], "lr": [1e-3, 1e-4]}, seeds=1))
    of = [(run.variant, run.settings["lr"], run.settings.get("gp")) for run in runs[1:]]
    assert of == [
        ("ns", 1e-3, None), ("ns", 1e-4, None),
        ("wgan-gp", 1e-3, 0.1), ("wgan-gp", 1e-4, 0.1), ("wgan-gp", 1e-3, 1), ("wgan-gp", 1e-4, 1),
    ]  # fmt: skip


def test_a_switch_that_no_variant_has_on_goes_to_all() -> None:
    runs = expand(sweep(set={"r1": [0.0, 1.0]}, seeds=1))
    assert [(run.variant, run.settings.get("r1")) for run in runs[1:]] == [
        ("ns", None), ("ns", 1), ("wgan-gp", None), ("wgan-gp", 1),
    ]  # fmt: skip


def test_equal_configurations_are_one_run() -> None:
    assert len(expand(sweep(set={"lr": [1, 1.0]}, seeds=1))) == 3


def test_presets_depend_on_the_kind_of_data() -> None:
    ring = expand(sweep(seeds=1))[2]
    images = expand(sweep(seeds=1, datasets=["mnist"]))[2]
    assert (ring.settings["gp"], images.settings["gp"]) == (0.1, 10)
    assert (images.network, images.settings["lr"]) == ("dcgan-mini", 1e-3)
    paper = expand(sweep(seeds=1, datasets=["mnist"], networks=["dcgan"]))[2]
    assert (paper.network, paper.settings["lr"], paper.settings["width"]) == ("dcgan", 1e-4, 64)
    assert images.settings["n_dis"] == 5
    assert images.settings["norm"] != "batch"  # Gulrajani et al.: no batch norm in the critic


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"set": {"gpp": 1}}, "unknown setting 'gpp': did you mean 'gp'?"),
        ({"set": {"lr": "fast"}}, "lr is a number, got 'fast'"),
        ({"set": {"n_dis": 0}}, "n_dis must be at least 1, got 0"),
        ({"variants": ["wgann"]}, "unknown variant 'wgann': did you mean 'wgan'?"),
        ({"datasets": ["mnits"]}, "did you mean 'mnist'?"),
        ({"networks": ["mpl"]}, "unknown network 'mpl': did you mean 'mlp'?"),
        ({"networks": ["dcgan"]}, "network 'dcgan' is for images, data set 'ring' holds points: use mlp"),
    ],
)
def test_bad_names_and_values(fields: dict, message: str) -> None:
    with pytest.raises((SpecError, UnknownNameError)) as caught:
        expand(sweep(**fields))
    assert message in str(caught.value)


def test_random_trials_stay_in_range_and_are_kept_when_there_are_more() -> None:
    ranges = {"lr": {"low": 1e-5, "high": 1e-2, "log": True}, "n_dis": {"low": 1, "high": 5}, "norm": ["none", "layer"]}
    few, many = (sweep(sampler="random", trials=trials, set=ranges) for trials in (5, 200))
    drawn = configurations(many, many.set)
    assert drawn[:5] == configurations(few, few.set)
    assert all(1e-5 <= trial["lr"] <= 1e-2 and trial["n_dis"] in range(1, 6) for trial in drawn)
    assert {trial["n_dis"] for trial in drawn} == {1, 2, 3, 4, 5}
    below = sum(trial["lr"] < 10**-3.5 for trial in drawn)
    assert 70 <= below <= 130  # log-uniform: half below the geometric middle; 4.2 σ, false alarm 3e-5


def test_random_needs_something_to_draw() -> None:
    with pytest.raises(SpecError, match="nothing to draw"):
        expand(sweep(sampler="random", trials=3))


def test_costly_runs_come_first() -> None:
    real, ns, _, gp, _ = expand(sweep())
    real, gp, ns = (cost(Leg(run, run.steps)) for run in (real, gp, ns))
    assert real > gp > ns == 20
