"""What can be checked against papers without a data set: makes the figures and tables of docs/reproduction.md.

python docs/reproduce.py dirac         docs/images/dirac.png and the radii and eigenvalues of the Dirac-GAN
python docs/reproduce.py consensus     eigenvalues before and after training a mixture, with and without consensus
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganbench.data import find, minibatches
from ganbench.diagnostics.field import Field, eigenvalues, summary
from ganbench.diagnostics.toys import DIRAC, dirac
from ganbench.training.loop import train
from ganbench.training.settings import resolve
from ganbench.training.state import RunState

HERE = Path(__file__).parent
STEPS = 500
UPDATES = {"simultaneous": "#d9682b", "alternating": "#0f766e"}
NOISE_BATCH = 512
"""Samples a step where there is instance noise."""

CONSENSUS_STEPS, BATCHES = 20_000, 10
TOY = {"width": 16, "depth": 4, "latent_dim": 16, "batch_size": 512, "lr_decay": "none", "optimizer": "rmsprop"}
"""The networks of Mescheder et al. 2017: 2,003 weights."""


def paths(name: str) -> dict[str, Tensor]:
    """The trajectory of a method by each update rule, (steps + 1, 2)."""
    batch = {"batch_size": NOISE_BATCH} if name == "instance noise" else {}
    return {update: dirac(**DIRAC[name], **batch, update=update).play(STEPS) for update in UPDATES}


def dirac_page() -> None:
    """The figure of all methods, and their final radii and eigenvalues as a table."""
    figure = Figure(figsize=(11, 5.8), dpi=120, layout="constrained")
    print("| method | simultaneous | alternating | eigenvalues at the equilibrium |\n|---|---|---|---|")  # noqa: T201
    for axes, name in zip(figure.subplots(2, 4).flat, DIRAC, strict=True):
        found = paths(name)
        for update, path in found.items():
            axes.plot(path[:, 0], path[:, 1], color=UPDATES[update], linewidth=0.9, label=update)
        axes.plot(0, 0, "+", color="#22303c", markersize=9)
        axes.plot(*next(iter(found.values()))[0].tolist(), "o", color="#22303c", markersize=4)
        axes.set_title(name, fontsize=10)
        axes.set_aspect("equal", adjustable="datalim")
        axes.tick_params(labelsize=7)
        radii = " | ".join(f"{float(path[-1].norm()):.3g}" for path in found.values())
        print(f"| {name} | {radii} | {at_equilibrium(name)} |")  # noqa: T201
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    figure.supxlabel("θ, where G puts its sample", fontsize=9)
    figure.supylabel("ψ, the slope of D", fontsize=9)
    figure.savefig(HERE / "images" / "dirac.png")


def at_equilibrium(name: str) -> str:
    """The two eigenvalues at θ = ψ = 0, where there is a derivative."""
    if name == "WGAN-GP":
        return "not smooth at ψ = 0"
    toy = dirac(**DIRAC[name], theta=0.0, psi=0.0, batch_size=400_000 if name == "instance noise" else 1)
    batches = [toy.turns.batch(index, 0) for index in range(2)]
    found = eigenvalues(Field(toy.game, toy.shares, toy.h).jacobian([batches], float(toy.h["consensus"])))
    return ", ".join(f"{value.real + 0.0:.2f} {value.imag:+.2f}i" for value in found.tolist())


def spectrum(state: RunState, gamma: float) -> dict[str, float]:
    """Of the Jacobian averaged over ten batches: of the flow, or of the consensus flow."""
    turns = state.turns(minibatches(find("ring"), 0, 512, torch.device("cpu")))
    draws = [[turns.batch(index, draw) for index in range(len(state.shares))] for draw in range(BATCHES)]
    return summary(eigenvalues(Field(turns.game, state.shares, turns.h).jacobian(draws, gamma)))


def consensus_page() -> None:
    """The largest real part and the largest |Im / Re|, before and after training."""
    print("| method | steps | max Re | max abs(Im / Re) |\n|---|---|---|---|")  # noqa: T201
    for name, gamma in (("simultaneous descent", 0.0), ("consensus, γ 10", 10.0)):
        for steps in (1, CONSENSUS_STEPS):
            given = {**TOY, "update": "simultaneous", "consensus": gamma, "lr": 1e-4}
            _, state = train(resolve("ns", find("ring"), steps=steps, overrides=given), find("ring"))
            found = spectrum(state, gamma)
            print(f"| {name} | {steps:,} | {found['max_re']:.3g} | {found['max_im_re']:.3g} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    {"dirac": dirac_page, "consensus": consensus_page}[sys.argv[1]]()
