"""Search spaces and budgets."""

from __future__ import annotations

import pytest

from ganbench.data import find
from ganbench.errors import UnknownNameError
from ganbench.networks import NETWORKS
from ganbench.spec import Range, SweepSpec
from ganbench.sweeps.expand import expand
from ganbench.sweeps.families import families
from ganbench.sweeps.spaces import space
from ganbench.training.settings import choose_network, hypers
from ganbench.variants.base import VARIANTS, Span


def log(low: float, high: float) -> Range:
    return Range(low=low, high=high, log=True)


LR, BETA = log(1e-5, 1e-2), Range(low=0.0, high=1.0)
ADAM = {"optimizer": "adam", "beta2": 0.999}
WIDE = {**ADAM, "beta1": BETA, "lr": LR, "n_dis": [1, 5], "norm": ["batch", "none"]}
NARROW = {**ADAM, "beta1": 0.5, "lr": log(1e-4, 1e-3), "n_dis": 1, "norm": ["batch", "none"]}
DEFAULTS = {
    "minimax": (0.0, 5e-5, 1, "batch"), "ns": (0.0, 5e-5, 1, "batch"), "lsgan": (0.5, 2e-4, 1, "batch"),
    "wgan": (0.5, 5e-5, 5, "batch"), "wgan-gp": (0.5, 1e-4, 5, "none"), "dragan": (0.5, 1e-4, 1, "batch"),
    "began": (0.5, 1e-4, 5, "none"),
}  # fmt: skip
EXTRA = {
    "wgan": {"clip": 0.01}, "wgan-gp": {"gp": 10.0}, "dragan": {"dragan": 10.0},
    "began": {"began_lambda": 0.001, "began_gamma": 0.75},
}  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "wide", "narrow"),
    [
        ("minimax", {}, {}),
        ("ns", {}, {}),
        ("lsgan", {}, {}),
        ("wgan", {"clip": log(1e-3, 1)}, {"clip": log(1e-2, 1)}),
        ("wgan-gp", {"gp": log(1e-1, 100)}, {"gp": log(1e-1, 10), "norm": "none"}),
        ("dragan", {"dragan": log(1e-1, 100)}, {"dragan": log(1e-1, 10), "norm": "none"}),
        (
            "began",
            {"began_lambda": log(1e-4, 1e-2), "began_gamma": Range(low=0, high=1)},
            {"began_lambda": 0.001, "began_gamma": Range(low=0.6, high=0.9)},
        ),
    ],
)
def test_lucic_as_published(variant: str, wide: dict, narrow: dict) -> None:
    network = NETWORKS.get("dcgan")
    beta1, lr, n_dis, norm = DEFAULTS[variant]
    first = {**ADAM, "beta1": beta1, "lr": lr, "n_dis": n_dis, "norm": norm, **EXTRA.get(variant, {})}
    assert space("lucic-wide", VARIANTS.get(variant), network) == ({**WIDE, **wide}, first)
    assert space("lucic-narrow", VARIANTS.get(variant), network) == ({**NARROW, **narrow}, first)


def test_lucics_vae_has_no_discriminator() -> None:
    vae, network = VARIANTS.get("vae"), NETWORKS.get("dense")
    first = {**ADAM, "beta1": 0.5, "lr": 5e-5}
    assert space("lucic-wide", vae, network) == ({**ADAM, "beta1": BETA, "lr": LR}, first)
    assert space("lucic-narrow", vae, network) == ({**ADAM, "beta1": 0.5, "lr": log(1e-4, 1e-3)}, first)


@pytest.mark.parametrize(
    ("variant", "searched"),
    [
        ("ns", {"lr", "beta1", "n_dis"}),
        ("wgan", {"lr", "n_dis", "clip"}),  # RMSProp has no β1
        ("wgan-gp", {"lr", "beta1", "n_dis", "gp"}),
        ("dragan", {"lr", "beta1", "n_dis", "dragan"}),
        ("label-smoothing", {"lr", "beta1", "n_dis", "label_smoothing"}),
        ("vae", {"lr", "beta1"}),
    ],
)
def test_a_variants_own_space_is_of_what_it_has_on(variant: str, searched: set[str]) -> None:
    card = VARIANTS.get(variant)
    network = choose_network(card, find("ring"))
    choices, first = space("own", card, network)
    assert choices.keys() == first.keys() == searched


@pytest.mark.parametrize("card", list(VARIANTS), ids=lambda card: card.name)
def test_every_declared_space_is_allowed(card) -> None:
    """Its ends and choices are values of the setting, and none of them turns a switch off."""
    for kind, dataset in {"points": "ring", "images": "mnist"}.items():
        if kind in card.kinds and card.name != "srgan":
            for hyper in hypers(card, choose_network(card, find(dataset))).values():
                ends = (hyper.space.low, hyper.space.high) if isinstance(hyper.space, Span) else hyper.space or ()
                assert [hyper.check(end) for end in ends] == list(ends)
                assert not (hyper.switch and isinstance(hyper.space, Span) and hyper.default in ends)


def sweep(**fields) -> SweepSpec:
    return SweepSpec.parse({"variants": ["ns"], "datasets": ["ring"], "seeds": 1, **fields})


@pytest.mark.parametrize(("name", "trials"), [("lucic-wide", 100), ("lucic-narrow", 50)])
def test_the_published_study_can_be_asked_for(name: str, trials: int) -> None:
    """All variants on images, the defaults first, as docs/search.md has it."""
    setting = {"batch_size": 64, "latent_dim": 64, "prior": "uniform"}
    runs = expand(
        sweep(
            variants=list(DEFAULTS), datasets=["fashion_mnist"], networks=["dcgan"], sampler="random", trials=trials,
            space=name, set=setting, budget={"d_steps": 15_625},
        )
    )[1:]  # fmt: skip
    assert len(runs) == trials * len(DEFAULTS)
    for variant, first in zip(DEFAULTS, runs[::trials], strict=True):
        found = tuple(first.settings[key] for key in ("beta1", "lr", "n_dis", "norm"))
        assert (first.variant, found) == (variant, DEFAULTS[variant])
    assert all(run.steps == 15_625 // run.settings["n_dis"] for run in runs)
    assert all(setting.items() <= run.settings.items() for run in runs)


def test_what_is_set_wins_over_the_space() -> None:
    given = {"lr": {"low": 0.1, "high": 0.2}, "n_dis": 3}
    (family,) = families(sweep(sampler="random", trials=3, space="lucic-wide", set=given))
    assert (family.choices["lr"], family.choices["n_dis"]) == (Range(low=0.1, high=0.2), 3)
    assert (family.first["lr"], family.first["n_dis"]) == (5e-5, 3)
    assert family.choices["beta1"] == BETA


def test_unknown_spaces_have_a_nearest_match() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lucic-narrow'"):
        space("lucic-narow", VARIANTS.get("ns"), NETWORKS.get("mlp"))


@pytest.mark.parametrize(
    ("variant", "settings", "budget", "steps"),
    [
        ("ns", {"n_dis": 1}, {"d_steps": 15_625}, 15_625),
        ("ns", {"n_dis": 5}, {"d_steps": 15_625}, 3_125),
        ("ns", {"n_dis": 2}, {"d_steps": 15_625}, 7_812),
        ("wgan-gp", {}, {"d_steps": 100}, 20),
        ("vae", {"n_dis": 5}, {"d_steps": 100}, 100),  # it has no D: a turn is a step
        ("ns", {"n_dis": 5}, {"g_steps": 100}, 100),
        ("ns", {"n_gen": 2}, {"g_steps": 100}, 50),
        ("ns", {"n_dis": 2, "batch_size": 50}, {"images": 10_000}, 100),
        ("ns", {"n_dis": 2, "batch_size": 64}, {"images": 10_000}, 78),
    ],
)
def test_steps_follow_from_the_budget(variant: str, settings: dict, budget: dict, steps: int) -> None:
    assert [run.steps for run in expand(sweep(variants=[variant], set=settings, budget=budget))] == [0, steps]


def test_a_budget_goes_with_each_configuration() -> None:
    runs = expand(sweep(set={"n_dis": [1, 5]}, budget={"d_steps": 50}))
    assert [(run.settings["n_dis"], run.steps) for run in runs[1:]] == [(1, 50), (5, 10)]
    assert runs[1].id == expand(sweep(set={"n_dis": 1}, steps=50))[1].id  # a budget is no part of what a run is
