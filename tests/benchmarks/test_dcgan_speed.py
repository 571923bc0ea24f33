"""A DCGAN's training step on a GPU, with everything on, against the eager step that a person writes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
import torch._inductor
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.data import Dataset
from ganbench.training.loop import train
from ganbench.training.settings import resolve

BATCH, LATENT, WIDTH = 64, 100, 64
CHUNK, CHUNKS = 200, 7  # steps between two looks at the clock, and how many of them count
BYTES_A_SECOND, FLOPS_A_SECOND = 3.35e12, 989e12  # an H100's memory, and its dense bfloat16 products
EVERYTHING = {"batch_size": BATCH, "precision": "bf16", "channels_last": True}


@dataclass(frozen=True)
class _Noise(Dataset):
    """MNIST's shape."""

    def images(self, split: str, root: Path | None = None) -> Tensor:
        return torch.randint(0, 256, (10_000, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


NOISE = _Noise("noise", "images", (1, 28, 28), "Noise", "nowhere")


def generator() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(LATENT, 2 * WIDTH * 49, bias=False), nn.Unflatten(1, (2 * WIDTH, 7, 7)),
        nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip


def discriminator() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(2 * WIDTH * 49, 1),
    )  # fmt: skip


class Clock:
    """A pulse that looks at the clock every so many steps, the device being done with them."""

    def __init__(self, chunk: int) -> None:
        self.chunk, self.times = chunk, list[float]()

    def beat(self, step: int) -> bool:
        if step % self.chunk == 0:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())
        return False

    @property
    def seconds(self) -> float:
        """Of a step: the median of all chunks but the first, in which things are built."""
        chunks = [end - start for start, end in zip(self.times, self.times[1:], strict=False)]
        return statistics.median(chunks) / self.chunk


def plain(device: str, steps: int, clock: Clock) -> None:
    """The eager loop, its data on the device; float32, for that is what a person gets who asks for nothing."""
    g, d = generator().to(device), discriminator().to(device)
    g_optimizer = torch.optim.Adam(g.parameters(), 2e-4, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(d.parameters(), 2e-4, betas=(0.5, 0.999))
    images = NOISE.images("train").to(device)
    ones, zeros = torch.ones(BATCH, 1, device=device), torch.zeros(BATCH, 1, device=device)
    for step in range(1, steps + 1):
        real = images[torch.randint(len(images), (BATCH,), device=device)].float() / 127.5 - 1
        fake = g(torch.rand(BATCH, LATENT, device=device) * 2 - 1)
        d_loss = F.binary_cross_entropy_with_logits(d(real), ones)
        d_loss = d_loss + F.binary_cross_entropy_with_logits(d(fake.detach()), zeros)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = F.binary_cross_entropy_with_logits(d(g(torch.rand(BATCH, LATENT, device=device) * 2 - 1)), ones)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        clock.beat(step)


def ours(device: str, steps: int, clock: Clock) -> None:
    """The whole loop, with its curves, checks and reproducible streams."""
    spec = resolve("dcgan", NOISE, steps=steps, overrides=EVERYTHING)
    _, state = train(spec, NOISE, device=device, pulse=clock, compiled=True)
    assert state.eager == {}


def seconds(side: Callable[[str, int, Clock], None], device: str, chunk: int, chunks: int) -> float:
    clock = Clock(chunk)
    side(device, chunk * (chunks + 1), clock)
    return clock.seconds


@dataclass
class Floor:
    """What a step must do: see docs/performance.md."""

    parameters: int = 0
    products: dict[str, int] = field(default_factory=dict)  # multiply-adds of one sample's forward pass, by player
    numbers: dict[str, int] = field(default_factory=dict)  # that layers put out for one sample

    def add(self, player: str, network: nn.Sequential, sample: Sequence[int]) -> None:
        """Count a player: every weight of a layer is used at each place of the smaller of its two maps."""
        x = torch.zeros(2, *sample)
        for layer in network:
            before, x = x, layer(x)
            own = sum(parameter.numel() for parameter in layer.parameters())
            self.parameters += own
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                places = 1 if x.dim() == 2 else min(before[0, 0].numel(), x[0, 0].numel())
                self.products[player] = self.products.get(player, 0) + layer.weight.numel() * places
                self.numbers[player] = self.numbers.get(player, 0) + x[0].numel()

    @property
    def flops(self) -> int:
        """D's phase: G forward, D forward and back (twice forward) on two batches. G's: G so, D back to its input."""
        return 2 * BATCH * (4 * self.products["G"] + 8 * self.products["D"])

    @property
    def bytes(self) -> int:
        """A gradient written and read, Adam's w, m and v read and written: 8 float32 a weight. Outputs in bfloat16 are
        written and read; where they are differentiated read once more, and their gradients written and read.
        """
        moved = 2 * self.numbers["G"] + 2 * 5 * self.numbers["D"] + 5 * (self.numbers["G"] + self.numbers["D"])
        return 8 * 4 * self.parameters + 2 * BATCH * moved


def floor() -> Floor:
    found = Floor()
    found.add("G", generator(), (LATENT,))
    found.add("D", discriminator(), (1, 28, 28))
    return found


def test_both_sides_of_the_dcgan_step_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, for two steps, by the traced graphs: the benchmark is ready for a GPU."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: graph)
    assert all(seconds(side, "cpu", 1, 1) > 0 for side in (plain, ours))


def test_the_plain_players_are_ours() -> None:
    from ganbench.training.state import new_state

    state = new_state(resolve("dcgan", NOISE, steps=1, overrides=EVERYTHING), NOISE, torch.device("cpu"))
    for name, network in (("G", generator()), ("D", discriminator())):
        shapes = [sorted(p.shape for p in each.parameters()) for each in (network, state.players[name].network)]
        assert shapes[0] == shapes[1]


def test_the_floor_of_a_dcgan_step() -> None:
    """What docs/performance.md says. By hand: 100 x 6272, 128 x 64 x 4² x 7², 64 x 4² x 14²; back, and 6272."""
    found = floor()
    assert found.products == {"G": 627_200 + 6_422_528 + 200_704, "D": 200_704 + 6_422_528 + 6_272}
    assert found.numbers == {"G": 6_272 + 12_544 + 784, "D": 12_544 + 6_272 + 1}
    assert found.flops / FLOPS_A_SECOND == pytest.approx(10.6e-6, rel=0.01)
    assert found.bytes / BYTES_A_SECOND == pytest.approx(24.6e-6, rel=0.01)


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_dcgan_step_on_a_gpu() -> None:
    """bfloat16, channels last, compiled and recorded, data on the device: at least 4 times the eager step."""
    theirs, mine = (seconds(side, "cuda", CHUNK, CHUNKS) for side in (plain, ours))
    least = max(floor().bytes / BYTES_A_SECOND, floor().flops / FLOPS_A_SECOND)
    print(  # noqa: T201
        f"\n{torch.cuda.get_device_name()}: eager {theirs * 1e6:.0f} us, ours {mine * 1e6:.0f} us, ratio "
        f"{theirs / mine:.1f}; an H100's floor {least * 1e6:.0f} us"
    )
    assert theirs / mine >= 4
