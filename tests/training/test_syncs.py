"""The host never waits for the device within a step: nothing there reads a number back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.canonical import Scalar
from ganbench.data import find
from ganbench.spec import RunSpec, Status
from ganbench.testing import different
from ganbench.training import loop
from ganbench.training.loop import train_together
from ganbench.training.settings import resolve
from ganbench.variants.base import VARIANTS

RING = find("ring")
SMALL: dict[str, Scalar] = {"width": 8, "depth": 1, "batch_size": 16}
ON_POINTS = [card.name for card in VARIANTS if "points" in card.kinds]
READING = {
    torch.ops.aten._local_scalar_dense.default,  # item, float, int, bool, a branch
    torch.ops.aten.is_nonzero.default,
    torch.ops.aten.nonzero.default,  # so do results whose shapes are known by then alone
    torch.ops.aten.masked_select.default,
    torch.ops.aten._unique2.default,
    torch.ops.aten.equal.default,
}


class NoSync(TorchDispatchMode):
    """Raises where an operation reads a tensor's value on the host. (A copy between devices is none on a CPU.)"""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READING:
            raise AssertionError(f"{func} within a step")
        if func is torch.ops.aten.index.Tensor and any(i is not None and i.dtype is torch.bool for i in args[1]):
            raise AssertionError("a mask as an index within a step")
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = loop._Course.advance

    def watched(course: Any) -> None:
        with NoSync():
            advance(course)

    monkeypatch.setattr(loop._Course, "advance", watched)


def spec(variant: str = "ns", **overrides: Scalar) -> RunSpec:
    return resolve(variant, RING, steps=2, overrides={**SMALL, **overrides})


@pytest.mark.parametrize("variant", ON_POINTS)
def test_no_variant_syncs(variant: str) -> None:
    for specs in ([spec(variant)], different(spec(variant), 2)):
        assert {status for status, _ in train_together(specs, RING)} == {Status.COMPLETED}


@pytest.mark.parametrize(
    "overrides",
    [
        {"update": "extragradient", "optimistic": True, "ema": 0.9},
        {"consensus": 0.1, "historical": 0.1},
        {"unrolled": 2, "norm": "spectral"},
        {"optimizer": "sgd", "momentum": 0.5, "momentum_final": 0.9, "momentum_steps": 3, "lr_decay": "linear"},
        {"gp": 1.0, "r1": 0.1, "dragan": 0.1, "instance_noise": 0.1, "pack": 2, "minibatch_disc": 2},
        {"conditioning": "projection", "precision": "bf16"},
        {"l2": 1e-3, "l2_target": 0.7, "d_dropout": 0.2},
    ],
    ids=str,
)
def test_no_option_syncs(overrides: dict[str, Scalar]) -> None:
    for specs in ([spec(**overrides)], different(spec(**overrides), 2)):
        assert {status for status, _ in train_together(specs, RING)} == {Status.COMPLETED}


@pytest.mark.parametrize(
    "read", [lambda x: x.sum().item(), lambda x: float(x.sum()), lambda x: bool(x.sum() > 0), lambda x: x[x > 0]]
)
def test_a_sync_is_seen(read: Any) -> None:
    with pytest.raises(AssertionError, match="within a step"), NoSync():
        read(torch.ones(3))
