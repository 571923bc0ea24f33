"""The loop against a plain PyTorch loop, and what it does when things go wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganbench import rng
from ganbench.data import find, minibatches
from ganbench.errors import UnknownNameError
from ganbench.spec import RunSpec, Status
from ganbench.testing import started
from ganbench.training import checkpoint
from ganbench.training.estimates import NAMES
from ganbench.training.loop import train
from ganbench.training.sampling import GeneratorSampler
from ganbench.training.settings import resolve
from ganbench.training.state import RunState, new_state

SMALL = {"width": 16, "depth": 2, "latent_dim": 4, "batch_size": 32, "lr_decay": "none"}
RING = find("ring")


def spec(variant: str = "ns", steps: int = 20, **settings) -> RunSpec:
    return resolve(variant, RING, steps=steps, overrides=SMALL | settings)


def run(of: RunSpec, **options) -> tuple[Status, RunState]:
    return train(of, RING, **options)


def plain_loop(of: RunSpec, loss_d, loss_g, optimizer) -> tuple[nn.Module, nn.Module]:
    """The textbook loop, with autograd, modules and torch.optim, on the same noise."""
    state = new_state(of, RING, torch.device("cpu"))
    nets = [state.players[name].network for name in "GD"]
    for player in state.players.values():
        player.thaw()
    generator, discriminator = nets
    optimizers = [optimizer(net.parameters()) for net in nets]
    data = minibatches(RING, of.seed, 32, torch.device("cpu"))
    n_dis = int(of.settings["n_dis"])
    for step in range(of.steps):
        noise = rng.stream(of.seed, "train", step)
        for turn in range(n_dis):
            real, z = data.batch(step * n_dis + turn), torch.randn(32, 4, generator=noise)
            optimizers[1].zero_grad()
            loss_d(discriminator, real, generator(z).detach(), noise).backward()
            optimizers[1].step()
        optimizers[0].zero_grad()
        loss_g(discriminator, generator(torch.randn(32, 4, generator=noise))).backward()
        optimizers[0].step()
    return generator, discriminator


def agree(state: RunState, nets: tuple[nn.Module, nn.Module], rtol: float) -> None:
    for name, net in zip("GD", nets, strict=True):
        ours = list(state.players[name].network.parameters())
        for mine, theirs in zip(ours, net.parameters(), strict=True):
            torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=rtol, atol=rtol)


def test_ns_equals_the_textbook_loop() -> None:
    of = spec("ns", n_dis=2, lr=1e-3, beta1=0.5, beta2=0.9)
    nets = plain_loop(
        of,
        lambda d, real, fake, noise: F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean(),
        lambda d, fake: F.softplus(-d(fake)).mean(),
        lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.5, 0.9)),
    )
    agree(run(of)[1], nets, 1e-5)


def test_wgan_gp_equals_the_textbook_loop() -> None:
    def critic_loss(critic, real, fake, noise):
        eps = torch.rand(32, generator=noise).view(-1, 1)
        between = (real + eps * (fake - real)).requires_grad_()
        (slopes,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return critic(fake).mean() - critic(real).mean() + 0.5 * ((slopes.norm(2, dim=1) - 1) ** 2).mean()

    of = spec("wgan-gp", gp=0.5, n_dis=3, lr=1e-3)
    nets = plain_loop(of, critic_loss, lambda d, fake: -d(fake).mean(), lambda p: torch.optim.Adam(p, 1e-3, (0.5, 0.9)))
    agree(run(of)[1], nets, 1e-5)


def test_wgan_clips_after_each_critic_step_and_the_critic_only() -> None:
    _, state = run(spec("wgan", clip=0.003, lr=1e-3))
    assert state.players["D"].weights.abs().max() == pytest.approx(0.003)
    assert state.players["G"].weights.abs().max() > 0.003


@pytest.mark.parametrize("bad", [3, 100, 101, 150])
def test_divergence_is_found_with_its_step(bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that is not finite at step `bad` is found by the end of its hundred, and the step is named."""
    from ganbench.training.step import Turns

    turn = Turns.turn

    def poisoned(self, step):
        losses = turn(self, step)
        return [losses[0] * math.nan, losses[1]] if step == bad - 1 else losses

    monkeypatch.setattr(Turns, "turn", poisoned)
    status, state = run(spec(steps=200))
    assert (status, state.step) == (Status.DIVERGED, bad)


def test_a_run_diverges_for_real() -> None:
    status, state = run(spec("wgan-gp", lr=1e30, steps=300))
    assert status is Status.DIVERGED
    assert 1 <= state.step <= 100


def test_divergence_between_stops_keeps_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run interrupted after its divergence, but before the hundred is full, still names the right step."""
    from ganbench.training.step import Turns

    class StopAt50:
        def beat(self, step: int) -> bool:
            return step == 50

    turn = Turns.turn

    def poisoned(self, step):
        return [loss * (math.nan if step == 41 else 1) for loss in turn(self, step)]

    monkeypatch.setattr(Turns, "turn", poisoned)
    status, state = run(spec(steps=200), checkpoint=tmp_path / "c.safetensors", pulse=StopAt50())
    assert (status, state.step) == (Status.DIVERGED, 42)


def test_ema_is_the_moving_average_of_the_generators_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.training import loop

    seen = []
    average = loop._Course.average

    def watched(course: loop._Course) -> None:
        seen.append(course.cohort.players["G"].weights.clone())
        average(course)

    monkeypatch.setattr(loop._Course, "average", watched)
    of = spec(ema=0.9, steps=10)
    expected = new_state(of, RING, torch.device("cpu")).players["G"].weights.clone()
    _, state = run(of)
    for weights in seen:
        expected = 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(state.ema, expected, rtol=1e-5, atol=1e-7)


def test_samples_are_drawn_with_the_average_where_there_is_one() -> None:
    _, plain = run(spec(steps=30))
    _, averaged = run(spec(steps=30, ema=0.99))
    assert torch.equal(plain.players["G"].weights, averaged.players["G"].weights)
    one, other = (next(iter(GeneratorSampler(state)(8))) for state in (plain, averaged))
    assert not torch.equal(one, other)
    assert GeneratorSampler(averaged).protocol["generator"] == "ema"
    assert torch.equal(plain.players["G"].weights, averaged.players["G"].weights)  # sampling put the last ones back


def test_fewer_samples_are_the_first_of_more() -> None:
    sampler = GeneratorSampler(run(spec())[1])
    many, few = torch.cat(list(sampler(1200))), torch.cat(list(sampler(700)))
    assert many.shape == (1200, 2)
    assert torch.equal(many[:700], few)


def test_neighbours_do_not_matter() -> None:
    """Global random state before a run changes nothing in it, and a run leaves it as it was."""
    _, one = run(spec())
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    _, other = run(spec())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.players["G"].weights, other.players["G"].weights)


def test_checkpoints_of_other_runs_and_broken_ones_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    _, expected = run(spec())
    run(spec(lr=0.5), checkpoint=path)
    _, state = run(spec(), checkpoint=path)
    assert torch.equal(state.players["G"].weights, expected.players["G"].weights)
    path.write_bytes(path.read_bytes()[:100])
    assert checkpoint.load(path) is None
    _, state = run(spec(), checkpoint=path)
    assert torch.equal(state.players["G"].weights, expected.players["G"].weights)


def test_a_complete_checkpoint_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.safetensors"
    _, first = run(spec(), checkpoint=path)
    monkeypatch.setattr("ganbench.training.loop._run", lambda *_: pytest.fail("trained again"))
    status, again = run(spec(), checkpoint=path)
    assert status is Status.COMPLETED
    assert again.seconds == first.seconds
    assert torch.equal(first.players["G"].weights, again.players["G"].weights)
    assert not any(path.parent.glob("*.tmp"))


def test_curves_hold_losses_outputs_and_norms() -> None:
    _, state = run(spec(steps=400))
    outputs = ("D(x)", "D(G(z))", *NAMES)
    assert state.columns == ("step", "loss D", "loss G", *outputs, "gradient norm D", "gradient norm G")
    assert state.curves.shape == (200, 11)
    assert state.curves.isfinite().all()
    assert state.curves[:, 0].tolist() == list(range(1, 400, 2))


def test_curves_do_not_change_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectral norm's u moves with every forward pass in training: looking must not move it."""
    of = spec("sngan")
    _, looked = run(of)
    monkeypatch.setattr("ganbench.training.loop._Course.record", lambda *_: None)
    _, blind = run(of)
    assert torch.equal(looked.players["D"].weights, blind.players["D"].weights)


def gradient(state: RunState, name: str) -> torch.Tensor:
    """Of the player's one phase."""
    (found,) = [trainee.gradient for share in state.shares for key, trainee in share.named() if key == name]
    return found


def test_simultaneous_updates_use_gradients_at_the_same_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's step sees the discriminator before its step; the alternating one's sees it after."""
    of = spec(steps=1, update="simultaneous")
    alternating, simultaneous = run(spec(steps=1))[1], run(of)[1]
    monkeypatch.setattr("ganbench.training.step.Turns._move", lambda self, index, step: None)
    untouched = run(of)[1]
    assert torch.equal(simultaneous.players["D"].weights, alternating.players["D"].weights)
    assert not torch.equal(gradient(simultaneous, "G"), gradient(alternating, "G"))
    assert torch.equal(gradient(simultaneous, "G"), gradient(untouched, "G"))


@pytest.mark.parametrize("update", ["alternating", "simultaneous", "extragradient"])
@pytest.mark.parametrize(("n_dis", "n_gen"), [(1, 1), (3, 1), (1, 2)])
def test_every_update_rule_honours_repeats(update: str, n_dis: int, n_gen: int) -> None:
    _, state = run(spec(steps=5, update=update, n_dis=n_dis, n_gen=n_gen))
    looks = 5 if update == "extragradient" else 0  # the look ahead moves the moments too
    counts = {share.phase.name: share.trainees[0].updates for share in state.shares}
    assert counts == {"D": 5 * n_dis + looks, "G": 5 * n_gen + looks}


def test_switches_that_are_off_leave_a_run_what_it_was() -> None:
    """A new switch must not give old runs another id; turned on, it is another run."""
    assert "r1" not in spec().settings
    assert spec(r1=0.0).id == spec().id
    assert spec(r1=0.1).id != spec().id
    assert spec(n_gen=2).id != spec(update="simultaneous").id != spec().id


def test_historical_averaging_remembers_the_mean_of_past_weights() -> None:
    player = run(spec("historical-avg", steps=50, historical=0.5))[1].players["G"]
    before = run(spec("historical-avg", steps=49, historical=0.5))[1].players["G"].past
    assert float(player.remembered) == 50
    torch.testing.assert_close(player.past, before + (player.weights - before) / 50, rtol=1e-4, atol=1e-6)


def test_historical_averaging_pulls_towards_that_mean() -> None:
    """∇ λ‖θ - mean‖² = 2 λ (θ - mean): with λ .5 and a mean .1 away, .1 for every weight."""
    gradients = {}
    for strength in (0.5, 1e-9):
        state, turns = started("historical-avg", "ring", {"historical": strength, "lr": 0.0})
        player = state.players["D"]
        player.past.copy_(player.weights - 0.1)
        player.remembered.fill_(1)
        turns.draws.begin(0)
        turns.play(0, 0, 1)
        gradients[strength] = [view.clone() for view in player.views(gradient(state, "D"))]
    for with_it, without in zip(*gradients.values(), strict=True):
        torch.testing.assert_close(with_it - without, torch.full_like(without, 0.1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "name", "value"),
    [("infogan", "conditioning", "concat"), ("bigan", "conditioning", "concat"), ("infogan", "pack", 2)],
)
def test_switches_that_some_player_would_not_go_along_with_are_unknown(variant: str, name: str, value) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown setting '{name}'"):
        spec(variant, **{name: value})


def test_phases_of_one_player_have_optimisers_of_their_own() -> None:
    """The encoder of an adversarial autoencoder is moved by two phases, each with its moments."""
    _, state = run(spec("aae", steps=3))
    encoders = [trainee for share in state.shares for name, trainee in share.named() if name == "E"]
    assert len(encoders) == 2
    assert encoders[0].player is encoders[1].player
    assert not torch.equal(encoders[0].state["mean"], encoders[1].state["mean"])


def test_bf16_and_channels_last_run_and_are_another_run() -> None:
    assert spec(precision="bf16").id != spec().id
    status, state = run(spec(precision="bf16", steps=100))
    assert status is Status.COMPLETED
    assert state.players["G"].weights.dtype == torch.float32
