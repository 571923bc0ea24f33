"""The hyperparameters that every variant has, with their defaults where neither network nor variant says otherwise."""

from __future__ import annotations

from ganbench.variants.base import Hyper, Span

TRAINER = (
    Hyper("optimizer", "adam", "update rule of all players", choices=("adam", "rmsprop", "sgd")),
    Hyper(
        "lr",
        2e-4,
        "learning rate of the generator; the discriminator's is lr * lr_ratio",
        low=0.0,
        space=Span(1e-5, 1e-2, log=True),
    ),
    Hyper("lr_ratio", 1.0, "learning rate of the discriminator over that of the generator", low=0.0),
    Hyper("beta1", 0.5, "Adam: decay of the mean of gradients", low=0.0, high=1.0, space=Span(0.0, 0.9)),
    Hyper("beta2", 0.999, "Adam, RMSProp: decay of the mean of squared gradients", low=0.0, high=1.0),
    Hyper("momentum", 0.0, "SGD: momentum at the first step", low=0.0, high=1.0),
    Hyper("momentum_final", 0.0, "SGD: momentum after momentum_steps, if those are not 0", low=0.0, high=1.0),
    Hyper("momentum_steps", 0, "SGD: steps over which momentum goes linearly to momentum_final; 0: constant", low=0),
    Hyper("lr_decay", "none", "course of the learning rate", choices=("none", "linear", "exponential")),
    Hyper("lr_decay_rate", 1.000004, "exponential decay: what the learning rate is divided by at each step", low=1.0),
    Hyper("lr_min", 0.0, "the learning rate never decays below this", low=0.0),
    Hyper("n_dis", 1, "discriminator steps for each generator step", low=1, space=(1, 2, 5)),
    Hyper("ema", 0.0, "decay of the moving average of G's weights, which are then sampled; 0: off", low=0.0, high=1.0),
    Hyper("batch_size", 64, "samples in a minibatch", low=1),
    Hyper("precision", "fp32", "bf16: forward passes under bfloat16 autocast", choices=("fp32", "bf16")),
    Hyper("channels_last", False, "keep images and convolution weights in NHWC order"),
    Hyper(
        "update",
        "alternating",
        "players move in turn, all at once, or at once after a look ahead (Gidel et al. 2019)",
        choices=("alternating", "simultaneous", "extragradient"),
        switch=True,
    ),
    Hyper("n_gen", 1, "generator steps for each discriminator turn", low=1, switch=True),
    Hyper("optimistic", False, "twice the step less the one before (Daskalakis et al. 2018)", switch=True),
    Hyper(
        "consensus",
        0.0,
        "γ of consensus optimisation: γ ∇½‖v‖² on all players; 0: off",
        low=0.0,
        switch=True,
        space=Span(0.1, 100.0, log=True),
    ),
    Hyper("unrolled", 0, "D's steps that G looks through (Metz et al. 2017)", low=0, switch=True, space=(1, 5, 10)),
    Hyper("historical", 0.0, "weight of ‖θ - mean of past θ‖² on all players; 0: off", low=0.0, switch=True),
)

NETWORK = (
    Hyper("width", 64, "units or channels of the networks' layers", low=1),
    Hyper("depth", 3, "hidden layers", low=1),
    Hyper("latent_dim", 100, "dimensions of the latent z", low=1),
    Hyper(
        "prior",
        "normal",
        "distribution of z: N(0, 1), U(-1, 1), U(-√3, √3), which has unit variance, U(0, 1); or small images of data",
        choices=("normal", "uniform", "uniform_unit", "uniform_positive", "low_resolution"),
    ),
    Hyper(
        "norm",
        "none",
        "normalisation of the discriminator's layers",
        choices=("none", "batch", "layer", "spectral"),
    ),
)
"""Hyperparameters a network may have: it has those that it gives a default for."""

CONDITIONING = Hyper(
    "conditioning",
    "none",
    "how players are told the class: joined as one-hot or as a learned embedding, or by projection in D",
    choices=("none", "concat", "embedding", "projection"),
    switch=True,
)
G_NORM = Hyper(
    "g_norm", "batch", "normalisation of a convolutional G", choices=("batch", "virtual", "none"), switch=True
)
D_WIDTH = Hyper("d_width", 1.0, "width of D over that of G", low=0.0, switch=True)
D_DROPOUT = Hyper("d_dropout", 0.0, "dropout after D's hidden layers", low=0.0, high=0.99, switch=True)
PACK = Hyper("pack", 1, "samples that D judges as one (PacGAN)", low=1, switch=True, space=(2, 4))
MINIBATCH = Hyper("minibatch_disc", 0, "kernels of minibatch discrimination in D; 0: none", low=0, switch=True)
D_OUTPUTS = Hyper("d_outputs", 1, "numbers that D gives for a sample", low=1, switch=True)

ASSEMBLED = {
    "generator": (CONDITIONING,),
    "scores": (D_WIDTH, D_DROPOUT, PACK, MINIBATCH),
    "embedding": (D_WIDTH, D_DROPOUT, D_OUTPUTS),
    "joint": (D_WIDTH, D_DROPOUT),
    "codes": (D_WIDTH, D_DROPOUT),
    "autoencoder": (D_WIDTH, D_DROPOUT),
}
"""Switches that come with a role, where a network's players are assembled from parts."""

NEEDS = {
    CONDITIONING.name: {"generator", "scores", "gaussian"},
    PACK.name: {"generator", "recurrent", "scores"},
}
"""Switches that every player must go along with: the roles that do."""

OPTIONAL = (CONDITIONING, G_NORM)
"""Switches that other networks may have too: those that they give a default for."""
