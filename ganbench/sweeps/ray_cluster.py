"""Joining a Ray cluster, or starting one on this machine for as long as a sweep runs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ganbench.errors import SpecError
from ganbench.sweeps.devices import cores

NAMES = {"num_cpus": "CPU", "num_gpus": "GPU"}
"""Ray's names of what a run takes, and of what a machine has."""

TOKEN = "where it wants a token, as one of `ray start` does: set RAY_AUTH_MODE=token, the token in ~/.ray/auth_token"
"""What to do about a cluster that only says that it does not answer."""


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """The ray module, joined to the cluster at `address` or to one of its own, which ends with the block.

    A cluster that this process has joined before is used and left as it is. SpecError where Ray is missing, or where no
    cluster answers.
    """
    with _own_signals():
        ray = _imported()
        ours = not ray.is_initialized()
        if ours:
            _join(ray, address)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a sweep tells nobody
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError:
        raise SpecError("the executor 'ray' needs Ray: pip install 'ganbench[ray]'") from None
    return ray


def _join(ray: Any, address: str | None) -> None:
    quiet = {"include_dashboard": False} if address is None else {}
    size = {"num_cpus": cores()} if address is None else {}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **quiet, **size)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        hint = "" if address is None or os.environ.get("RAY_AUTH_MODE") else f" ({TOKEN})"
        raise SpecError(f"cannot join the Ray cluster {address or 'of this machine'}: {reason}{hint}") from None


def check(nodes: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, float]]) -> None:
    """SpecError where no machine is large enough for one of the resources `wanted`: such a run would wait for ever."""
    for each in wanted:
        need = {NAMES[key]: amount for key, amount in each.items()}
        if not any(node["Alive"] and _fits(need, node["Resources"]) for node in nodes):
            text = " and ".join(f"{amount:g} {name}" for name, amount in need.items())
            raise SpecError(f"no machine of the Ray cluster has {text} for a run: use --workers or --device")


def _fits(need: Mapping[str, float], has: Mapping[str, float]) -> bool:
    return all(has.get(name, 0) >= amount for name, amount in need.items())


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM when it starts; whoever had it gets it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
