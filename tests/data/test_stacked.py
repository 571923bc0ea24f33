"""Stacked MNIST: every triple is three digits of MNIST's split, its label their three classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganbench import rng
from ganbench.data import find
from ganbench.data.stacked import SEED, load

SIZES = {"train": 118_000, "valid": 10_000, "test": 26_000, "train+valid": 128_000}


@pytest.mark.parametrize("split", SIZES)
def test_each_channel_is_a_digit_of_the_split_with_its_class(split: str, data_root: Path) -> None:
    """All triples are looked at: each pixel of each channel is that of the digit that the stream names."""
    stacked, mnist = find("stacked_mnist"), find("mnist")
    images, labels = stacked.images(split, data_root), stacked.labels(split, data_root)
    assert labels is not None
    assert images.shape == (SIZES[split], *stacked.shape)
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    start = 0
    for part in split.split("+"):
        digits, classes = mnist.images(part, data_root), mnist.labels(part, data_root)
        assert classes is not None
        chosen = torch.randint(len(digits), (SIZES[part], 3), generator=rng.stream(SEED, f"stacked_mnist {part}"))
        rows = slice(start, start + SIZES[part])
        for channel, weight in enumerate((100, 10, 1)):
            assert torch.equal(images[rows, channel], digits[chosen[:, channel], 0])
            assert torch.equal(labels[rows] // weight % 10, classes[chosen[:, channel]])
        start += SIZES[part]


def test_the_first_triples_are_known(data_root: Path) -> None:
    """They are part of what a leaderboard's rows mean: a change of the stream would be another data set."""
    assert find("stacked_mnist").labels("train", data_root)[:5].tolist() == [362, 650, 14, 121, 7]


def test_valid_is_the_tail_of_the_training_set(data_root: Path) -> None:
    stacked = find("stacked_mnist")
    tail = stacked.images("train+valid", data_root)[118_000:].clone()
    assert torch.equal(tail, stacked.images("valid", data_root))


def test_every_mode_is_in_training_and_test(data_root: Path) -> None:
    """Given 26,000 triples of nearly uniform digits a mode is missed with odds below 1000 · e^-14."""
    for split in ("train", "test"):
        labels = find("stacked_mnist").labels(split, data_root)
        assert labels is not None
        assert labels.max() < 1000
        assert (labels.bincount(minlength=1000) > 0).all()


def test_one_split_is_kept(data_root: Path) -> None:
    first = load("test", data_root)[0]
    assert load("test", data_root)[0] is first
    load("valid", data_root)
    assert load("test", data_root)[0] is not first
