from __future__ import annotations

import pytest

from ganbench.cli import options
from ganbench.errors import SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=1e-3", 1e-3),
        ("n=3", 3),
        ("on=true", True),
        ("norm=spectral", "spectral"),
        ("lr=1e-4,1e-3", [1e-4, 1e-3]),
        ("norm=none,batch", ["none", "batch"]),
        ("lr=1e-5..1e-2", {"low": 1e-5, "high": 1e-2, "log": False}),
        ("lr=log:1e-5..1e-2", {"low": 1e-5, "high": 1e-2, "log": True}),
        ("n=1..5", {"low": 1, "high": 5, "log": False}),
    ],
)
def test_values_are_read(text: str, value: object) -> None:
    key, found = options.assignments((text,)).popitem()
    assert key == text.partition("=")[0]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["lr", "=3", "lr="])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(SpecError, match="--set takes KEY=VALUE"):
        options.assignments((text,))


def test_seeds_are_a_count_or_a_list() -> None:
    assert options.seeds("5") == 5
    assert options.seeds("0,3,7") == [0, 3, 7]
    with pytest.raises(SpecError):
        options.seeds("1.5")
