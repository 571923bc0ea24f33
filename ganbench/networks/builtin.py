"""The cards of the built-in networks."""

from __future__ import annotations

from ganbench.networks.base import NETWORKS, Network, Settings

_TOY: Settings = {
    "width": 64,
    "depth": 3,
    "latent_dim": 2,
    "prior": "normal",
    "norm": "none",
    "batch_size": 128,
    "lr_decay": "linear",
    "steps": 3000,
}

NETWORKS.add(
    Network(
        name="mlp",
        kind="points",
        title="Multilayer perceptrons with ReLU, for points",
        parts="ganbench.networks.mlp:Mlp",
        defaults=_TOY,
        version=2,  # weights are drawn in another order
    )
)

NETWORKS.add(
    Network(
        name="maxout-toy",
        kind="points",
        title="PacGAN's pair for mixtures: ReLU and batch norm in G, maxout in D",
        parts="ganbench.networks.maxout:MaxoutToy",
        paper="Lin et al. 2018, PacGAN (synthetic data)",
        defaults={"width": 400, "depth": 4, "latent_dim": 2, "prior": "normal", "batch_size": 100, "steps": 400_000},
    )
)

NETWORKS.add(
    Network(
        name="maxout",
        kind="images",
        title="The 2014 pair: ReLU generator, maxout discriminator with dropout",
        parts="ganbench.networks.maxout:Maxout2014",
        paper="Goodfellow et al. 2014, Generative adversarial nets (MNIST)",
        defaults={"width": 1200, "latent_dim": 100, "prior": "uniform_unit", "batch_size": 100, "steps": 25_000},
        pixels=(0.0, 1.0),
        version=2,  # weights are drawn in another order
    )
)

NETWORKS.add(
    Network(
        name="maxout-cgan",
        kind="images",
        title="The conditional 2014 pair: latent and class enter by layers of their own",
        builder="ganbench.networks.conditional:build",
        paper="Mirza and Osindero 2014, Conditional generative adversarial nets (MNIST)",
        defaults={
            "width": 1200,
            "latent_dim": 100,
            "prior": "uniform_positive",
            "conditioning": "none",
            "batch_size": 100,
            "steps": 25_000,
        },
        pixels=(0.0, 1.0),
    )
)

NETWORKS.add(
    Network(
        name="dense",
        kind="images",
        title="Multilayer perceptrons for images, logistic output",
        parts="ganbench.networks.mlp:Dense",
        defaults={
            "width": 512,
            "depth": 2,
            "latent_dim": 50,
            "prior": "uniform",
            "norm": "none",
            "batch_size": 128,
            "steps": 5_000,
        },
        pixels=(0.0, 1.0),
    )
)

_DCGAN: Settings = {
    "width": 64,
    "latent_dim": 100,
    "prior": "uniform",
    "norm": "batch",
    "g_norm": "batch",
    "batch_size": 64,
}
_CONVOLUTIONAL = (28, 32, 64)

NETWORKS.add(
    Network(
        name="dcgan",
        kind="images",
        title="Strided convolutions for 28, 32 and 64 pixels",
        parts="ganbench.networks.dcgan:Dcgan",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        defaults={**_DCGAN, "steps": 20_000},
        sizes=_CONVOLUTIONAL,
    )
)

NETWORKS.add(
    Network(
        name="dcgan-mini",
        kind="images",
        title="DCGAN of half the width, tuned to a few minutes on two CPU cores",
        parts="ganbench.networks.dcgan:Dcgan",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        defaults={**_DCGAN, "width": 32, "steps": 1500},
        # the papers' rates are for ten times as many steps and more; the leaderboard's network column tells them apart
        tuned={"lr": 1e-3, "lr_decay": "linear"},
        sizes=_CONVOLUTIONAL,
    )
)

NETWORKS.add(
    Network(
        name="unpool",
        kind="images",
        title="Unpooling and convolution in G, convolution and pooling in D",
        parts="ganbench.networks.dcgan:Unpool",
        defaults={**_DCGAN, "steps": 20_000},
        sizes=_CONVOLUTIONAL,
    )
)

NETWORKS.add(
    Network(
        name="resnet",
        kind="images",
        title="Residual networks of SN-GAN (with spectral norm) and WGAN-GP (without)",
        parts="ganbench.networks.resnet:ResNet",
        paper="Miyato et al. 2018; Gulrajani et al. 2017 (CIFAR-10)",
        defaults={
            "width": 128,
            "latent_dim": 128,
            "prior": "normal",
            "norm": "none",
            "batch_size": 64,
            "steps": 50_000,
        },
        sizes=_CONVOLUTIONAL,
    )
)

NETWORKS.add(
    Network(
        name="pyramid",
        kind="images",
        title="A Laplacian pyramid, a pair of networks for each level",
        builder="ganbench.networks.pyramid:build",
        roles=("pyramid",),
        paper="Denton et al. 2015, Deep generative image models using a Laplacian pyramid of adversarial networks",
        defaults={"width": 64, "latent_dim": 100, "prior": "uniform", "batch_size": 64, "steps": 5_000},
        sizes=_CONVOLUTIONAL,
        planes=True,
    )
)

NETWORKS.add(
    Network(
        name="srresnet",
        kind="images",
        title="Residual blocks that enlarge images four times",
        builder="ganbench.networks.srresnet:build",
        roles=("upscaler", "scores"),
        paper="Ledig et al. 2017, Photo-realistic single image super-resolution (SRResNet)",
        defaults={
            "width": 64,
            "depth": 16,
            "prior": "low_resolution",
            "norm": "batch",
            "batch_size": 16,
            "steps": 10_000,
        },
        sizes=_CONVOLUTIONAL,
        scale=4,
    )
)

NETWORKS.add(
    Network(
        name="boltzmann",
        kind="images",
        title="Stacked restricted Boltzmann machines",
        builder="ganbench.networks.boltzmann:build",
        roles=("boltzmann",),
        alone=True,
        paper="Hinton et al. 2006, A fast learning algorithm for deep belief nets",
        defaults={"width": 500, "depth": 2, "latent_dim": 500, "prior": "normal", "batch_size": 100, "steps": 10_000},
        pixels=(0.0, 1.0),
    )
)
