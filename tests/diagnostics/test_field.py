"""The Jacobian of a game's flow, on networks: against finite differences, and its bounds."""

from __future__ import annotations

import pytest
import torch

from ganbench.data import find, minibatches
from ganbench.diagnostics.field import Field, eigenvalues, summary
from ganbench.training.settings import resolve
from ganbench.training.state import new_state


def field_of(width: int) -> tuple[Field, list]:
    spec = resolve("ns", find("ring"), overrides={"width": width, "depth": 1, "batch_size": 32})
    state = new_state(spec, find("ring"), torch.device("cpu"))
    for player in state.players.values():
        player.network.double()
        player.__init__(player.network)  # float64 vectors: finite differences need the digits
    turns = state.turns(minibatches(find("ring"), 0, 32, torch.device("cpu")))
    for share in state.shares:
        for trainee in share.trainees:
            trainee.__init__(trainee.player, trainee.optimizer)
    batches = [turns.batch(index, 0) for index in range(2)]
    batches = [type(each)(*(None if f is None else f.double() for f in vars(each).values())) for each in batches]
    return Field(turns.game, state.shares, turns.h), batches


def test_the_jacobian_is_that_of_finite_differences() -> None:
    field, batches = field_of(4)
    jacobian = field.jacobian([batches])
    kept = field._kept()
    assert jacobian.shape == (len(kept), len(kept))
    start, step = field.weights(), 1e-6
    for column in (0, 7, len(kept) - 1):
        ahead, behind = start.clone(), start.clone()
        ahead[kept[column]] += step
        behind[kept[column]] -= step
        expected = (field.flow(ahead, batches) - field.flow(behind, batches)) / (2 * step)
        assert torch.allclose(jacobian[:, column], expected[kept], atol=1e-6)


def test_the_consensus_flow_is_minus_v_minus_gamma_jt_v() -> None:
    """∇ ½‖v‖² = Jᵀ v: with the Jacobian of the flow, which is -v', it is Jᵀ flow."""
    field, batches = field_of(4)
    kept = field._kept()
    flow = field.flow(field.weights(), batches)[kept]
    jacobian = field.jacobian([batches])
    expected = flow - 0.3 * jacobian.T @ flow
    assert torch.allclose(field.consensus_flow(field.weights(), batches, 0.3)[kept], expected, atol=1e-9)


def test_the_jacobian_is_averaged_over_batches() -> None:
    field, batches = field_of(3)
    other = [type(each)(*(None if f is None else f + 0.1 for f in vars(each).values())) for each in batches]
    both = field.jacobian([batches, other])
    assert torch.allclose(both, (field.jacobian([batches]) + field.jacobian([other])) / 2)


def test_too_many_weights_are_refused() -> None:
    field, batches = field_of(2_000)
    with pytest.raises(ValueError, match="at most 5,000 weights, these players have"):
        field.jacobian([batches])


def test_summary_and_order() -> None:
    found = eigenvalues(torch.tensor([[-1.0, 2.0], [-2.0, -1.0]]))
    assert summary(found) == pytest.approx({"max_re": -1.0, "max_im_re": 2.0})
    assert eigenvalues(torch.diag(torch.tensor([-3.0, 5.0]))).real.tolist() == [5.0, -3.0]


def test_a_player_of_two_phases_follows_the_sum_of_theirs() -> None:
    """The encoder of an adversarial autoencoder: once in the vector, with both gradients."""
    from ganbench.testing import started
    from ganbench.training.game import gradient_at

    state, turns = started("aae", "ring", {})
    field = Field(turns.game, state.shares, turns.h)
    batches = [turns.batch(index, 0) for index in range(3)]
    flats = {name: player.weights for name, player in field.players.items()}
    assert len(field.weights()) == sum(len(flat) for flat in flats.values())
    parts = [
        gradient_at(turns.game, state.shares, share, flats, batch, field.h).get("E")
        for share, batch in zip(state.shares, batches, strict=True)
    ]
    assert next(iter(flats)) == "E"
    torch.testing.assert_close(field.flow(field.weights(), batches)[: len(flats["E"])], -(parts[0] + parts[2]))
