"""Players: what the parts of a family become when a variant gives them a role."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganbench.errors import UnknownNameError
from ganbench.networks.layers import BatchNorm, MinibatchDiscrimination, VirtualBatchNorm, normalised, one_hot
from ganbench.networks.parts import Order, Parts, Trunk

EMBEDDED = 32
"""Numbers a class is embedded in."""

REFERENCE = 64
"""Latents of the fixed batch of virtual batch norm."""

MINIBATCH_DIMENSIONS = 5

Players = dict[str, nn.Module]


class Labels(nn.Module):
    """Classes (n,) as vectors: one-hot, or a learned embedding."""

    def __init__(self, classes: int, *, embedded: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, EMBEDDED) if embedded else None
        self.classes = classes
        self.width = EMBEDDED if embedded else classes

    def forward(self, y: Tensor) -> Tensor:
        """(n, width) float32."""
        return one_hot(y, self.classes) if self.embedding is None else self.embedding(y)


class Generator(nn.Module):
    """(n, inputs) latents, and classes where it is conditional → (n, *shape)."""

    def __init__(self, body: nn.Module, activation: nn.Module | None, labels: Labels | None = None) -> None:
        super().__init__()
        self.labels, self.body, self.activation = labels, body, activation

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Samples."""
        inputs = z if self.labels is None else torch.cat([z, self.labels(y)], 1)
        made: Tensor = self.body(inputs)
        return made if self.activation is None else self.activation(made)


class Referenced(nn.Module):
    """A body with virtual batch norms: a fixed batch of latents goes in front of every batch (Salimans et al. 2016)."""

    latents: Tensor

    def __init__(self, body: nn.Module, latents: Tensor) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("latents", latents)
        for module in body.modules():
            if isinstance(module, VirtualBatchNorm):
                module.reference = len(latents)

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, inputs) → (n, *shape)."""
        made: Tensor = self.body(torch.cat([self.latents.to(inputs), inputs]))
        return made[len(self.latents) :]


class Discriminator(nn.Module):
    """A trunk and a head: (n, *shape) → scores (n / pack,), or embeddings (n, outputs).

    `extra` numbers, a latent or a class, join the sample; `projection` adds ⟨embedding of the class, features⟩
    (Miyato and Koyama 2018). `features` is what precedes the head.
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Module,
        *,
        pack: int = 1,
        labels: Labels | None = None,
        projection: nn.Embedding | None = None,
        minibatch: MinibatchDiscrimination | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.minibatch, self.head = trunk, minibatch, head
        self.labels, self.projection, self.pack = labels, projection, pack

    def features(self, x: Tensor, z: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """(n / pack, k): the last hidden layer."""
        if self.pack > 1:  # on the channel or feature axis, PacGAN
            x = x.reshape(-1, self.pack * x.shape[1], *x.shape[2:])
        extra = z if self.labels is None else self.labels(y)
        found: Tensor = self.trunk(x) if extra is None else self.trunk(x, extra)
        return found

    def forward(self, x: Tensor, z: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """Scores."""
        features = self.features(x, z, y)
        scores = self.head(features if self.minibatch is None else self.minibatch(features))
        if self.projection is not None:
            scores = scores + (self.projection(y) * features).sum(1, keepdim=True)
        given: Tensor = scores.flatten() if scores.shape[1] == 1 else scores
        return given


class Encoder(nn.Module):
    """(n, *shape), and classes where it is conditional → (n, outputs)."""

    def __init__(self, trunk: nn.Module, head: nn.Module, labels: Labels | None = None) -> None:
        super().__init__()
        self.labels, self.trunk, self.head = labels, trunk, head

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes, or means and log variances side by side."""
        features = self.trunk(x) if self.labels is None else self.trunk(x, self.labels(y))
        codes: Tensor = self.head(features)
        return codes


class Recurrent(nn.Module):
    """Paints in steps: ΔC_t from the latent and an encoding of ΔC_{t-1}, activation(Σ ΔC_t). Im et al. 2016 (GRAN)."""

    def __init__(
        self, body: nn.Module, encoder: nn.Module, activation: nn.Module | None, hidden: int, steps: int
    ) -> None:
        super().__init__()
        self.body, self.encoder, self.activation = body, encoder, activation
        self.hidden, self.steps = hidden, steps

    def forward(self, z: Tensor) -> Tensor:
        """Samples."""
        return self.paint(self.increments(z))

    def increments(self, z: Tensor) -> list[Tensor]:
        """ΔC_1 ... ΔC_T, each (n, *shape)."""
        state = z.new_zeros(len(z), self.hidden)
        made: list[Tensor] = []
        for _ in range(self.steps):
            made.append(self.body(torch.cat([z, state], 1)))
            state = torch.tanh(self.encoder(made[-1]))
        return made

    def paint(self, increments: list[Tensor]) -> Tensor:
        """activation(Σ ΔC_t): the logistic function, for images of -1 to 1 as tanh(Σ / 2)."""
        total = torch.stack(increments).sum(0)
        if self.activation is None:
            return total
        painted: Tensor = self.activation(total / 2 if isinstance(self.activation, nn.Tanh) else total)
        return painted


def assemble(order: Order, parts: Parts) -> dict[str, nn.Module]:
    """The players of an order."""
    players: Players = {}
    for name, role in order.roles.items():
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        players[name] = ROLES[role](order, parts, players)
        parts.initialise(players[name])
    return players


def _labels(order: Order, *, discriminator: bool = False) -> Labels | None:
    """How a player is told the class; a discriminator with projection is not told at its input."""
    how = order.settings.get("conditioning", "none")
    if how == "none" or (discriminator and how == "projection"):
        return None
    return Labels(order.classes, embedded=how != "concat")


def _width(labels: Labels | None) -> int:
    return 0 if labels is None else labels.width


def _generator(order: Order, parts: Parts, built: Players) -> nn.Module:
    labels = _labels(order)
    inputs = order.latents + _width(labels)
    body = parts.body(inputs)
    if any(isinstance(module, VirtualBatchNorm) for module in body.modules()):
        body = Referenced(body, torch.randn(REFERENCE, inputs))
    return Generator(body, parts.activation(), labels)


def _recurrent(order: Order, parts: Parts, built: Players) -> nn.Module:
    hidden = order.latents
    want = Trunk(norm=parts.encoder_norm)
    body = parts.body(order.latents + hidden)
    trunk = parts.trunk(order.shape, want)
    encoder = Encoder(trunk, nn.Linear(_features(trunk), hidden))
    return Recurrent(body, encoder, parts.activation(), hidden, int(order.settings["paint_steps"]))


def _want(order: Order, extra: int) -> Trunk:
    h = order.settings
    return Trunk(extra, str(h.get("norm", "none")), float(h.get("d_width", 1)), float(h.get("d_dropout", 0)))


def _discriminator(order: Order, trunk: nn.Module, labels: Labels | None = None, outputs: int = 1) -> nn.Module:
    h = order.settings
    features, kernels = _features(trunk), int(h.get("minibatch_disc", 0))
    minibatch = MinibatchDiscrimination(features, kernels, MINIBATCH_DIMENSIONS) if kernels else None
    head = normalised(nn.Linear(features + kernels, outputs), str(h.get("norm", "none")), inner=False)[0]
    projected = h.get("conditioning", "none") == "projection"
    return Discriminator(
        trunk,
        head,
        pack=int(h.get("pack", 1)),
        labels=labels,
        projection=nn.Embedding(order.classes, features) if projected else None,
        minibatch=minibatch,
    )


def _scores(order: Order, parts: Parts, built: Players) -> nn.Module:
    labels = _labels(order, discriminator=True)
    pack = int(order.settings.get("pack", 1))
    shape = (pack * order.shape[0], *order.shape[1:])
    return _discriminator(order, parts.trunk(shape, _want(order, _width(labels))), labels)


def _embedding(order: Order, parts: Parts, built: Players) -> nn.Module:
    return _discriminator(order, parts.trunk(order.shape, _want(order, 0)), outputs=int(order.settings["d_outputs"]))


def _joint(order: Order, parts: Parts, built: Players) -> nn.Module:
    return _discriminator(order, parts.trunk(order.shape, _want(order, order.latents)))


def _codes(order: Order, parts: Parts, built: Players) -> nn.Module:
    return _discriminator(order, parts.codes(order.latents, _want(order, 0)))


def _encoder(order: Order, parts: Parts, built: Players, outputs: int = 1) -> nn.Module:
    labels = _labels(order)
    trunk = parts.trunk(order.shape, Trunk(_width(labels), parts.encoder_norm))
    return Encoder(trunk, nn.Linear(_features(trunk), outputs * order.latents), labels)


def _gaussian(order: Order, parts: Parts, built: Players) -> nn.Module:
    return _encoder(order, parts, built, outputs=2)


def _autoencoder(order: Order, parts: Parts, built: Players) -> nn.Module:
    """D of BEGAN: an encoder and a decoder of the generator's kind, (n, *shape) → (n, *shape)."""
    trunk = parts.trunk(order.shape, _want(order, 0))
    encoder = Encoder(trunk, nn.Linear(_features(trunk), order.latents))
    return nn.Sequential(encoder, Generator(parts.body(order.latents), parts.activation()))


def _code_head(order: Order, parts: Parts, built: Players) -> nn.Module:
    """Q of InfoGAN on D's features: FC 128, batch norm, LeakyReLU, FC to logits of the class and means of the rest."""
    features = _features(built["D"].get_submodule("trunk"))
    outputs = int(order.settings["codes_categorical"]) + int(order.settings["codes_continuous"])
    return nn.Sequential(nn.Linear(features, 128), BatchNorm(128), nn.LeakyReLU(0.1), nn.Linear(128, outputs))


def _features(trunk: nn.Module) -> int:
    features = trunk.features
    assert isinstance(features, int), f"a trunk tells the number of its features, {type(trunk).__name__} does not"
    return features


ROLES: dict[str, Callable[[Order, Parts, Players], nn.Module]] = {
    "generator": _generator,
    "recurrent": _recurrent,
    "scores": _scores,
    "embedding": _embedding,
    "joint": _joint,
    "codes": _codes,
    "encoder": _encoder,
    "gaussian": _gaussian,
    "autoencoder": _autoencoder,
    "code head": _code_head,
}
"""What a player can be: generator latents → samples; scores samples → logits; joint (samples, latents) → logits;
codes latents → logits; encoder samples → latents; gaussian samples → means and log variances of latents; autoencoder
samples → samples; embedding samples → vectors; code head D's features → codes."""
