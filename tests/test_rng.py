from __future__ import annotations

import torch

from ganbench import rng


def test_streams_are_functions_of_seed_purpose_and_step() -> None:
    draw = {
        key: tuple(torch.rand(4, generator=rng.stream(*key)).tolist())
        for key in [(0, "a", 0), (0, "a", 1), (0, "b", 0), (1, "a", 0)]
    }
    assert len(set(draw.values())) == 4
    assert tuple(torch.rand(4, generator=rng.stream(0, "a", 1)).tolist()) == draw[0, "a", 1]


def test_derived_seeds_do_not_collide_within_a_long_run() -> None:
    """In 63 bits two of 200,000 collide with probability 2e-9."""
    assert len({rng.derive(3, "train", step) for step in range(200_000)}) == 200_000
    assert all(0 <= rng.derive(seed, "x", 10**9) < 2**63 for seed in range(100))


def test_the_global_stream_leaves_no_trace() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with rng.global_stream(1, "weights"):
        inside = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with rng.global_stream(1, "weights"):
        assert torch.equal(torch.rand(3), inside)
