"""The original GAN and its closest kin: the discriminator is a classifier trained by cross-entropy."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Settings, Variant
from ganbench.variants.phases import discriminator, generator

_MAXOUT_2014: Settings = {
    "optimizer": "sgd",
    "lr": 0.1,
    "lr_decay": "exponential",
    "lr_decay_rate": 1.000004,
    "lr_min": 1e-6,
    "momentum": 0.5,
    "momentum_final": 0.7,
    "momentum_steps": 125_000,  # 250 epochs of 500 batches
    "batch_size": 100,
}
_POINTS: Settings = {"lr": 2e-3, "beta1": 0.5, "beta2": 0.999}

MINIMAX = VARIANTS.add(
    Variant(
        name="minimax",
        title="GAN, minimax loss",
        family="cross-entropy",
        paper="Goodfellow et al. 2014, Generative adversarial nets",
        year=2014,
        phases=(discriminator(losses.cross_entropy_d), generator(losses.minimax_g)),
        presets={"points": _POINTS, "maxout": _MAXOUT_2014},
        doc="The generator minimises log(1 - D(G(z))), which saturates where the discriminator is sure.",
        equation="D: -E log D(x) - E log(1 - D(G(z))); G: E log(1 - D(G(z)))",
        remarks="The paper alternates; its code updates both at once (`update = simultaneous`), D's loss halved.",
        oracle="case R: .328504 and -.223144; Dirac-GAN",
    )
)

NON_SATURATING = VARIANTS.add(
    Variant(
        name="ns",
        title="GAN, non-saturating loss",
        family="cross-entropy",
        paper="Goodfellow et al. 2014, Generative adversarial nets, section 3",
        year=2014,
        phases=(discriminator(losses.cross_entropy_d), generator(losses.non_saturating_g)),
        presets={"points": _POINTS, "maxout": _MAXOUT_2014},
        doc="The generator minimises -log D(G(z)): the same fixed point, stronger gradients early.",
        equation="D: -E log D(x) - E log(1 - D(G(z))); G: -E log D(G(z))",
        remarks="The 2014 code's network and schedule are `--network maxout`; it halves D's loss and sets G's output "
        "bias from the pixels' marginals, which is not done here. Its momentum reaches .7 after 125,000 steps. Rates "
        "on points are this project's, here and in all of its kin.",
        oracle="case R: .328504 and 1.609438; Dirac-GAN",
    )
)

DCGAN = VARIANTS.add(
    Variant(
        name="dcgan",
        title="DCGAN",
        family="cross-entropy",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={
            "": {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "batch_size": 128},
            "dcgan": {"norm": "batch", "prior": "uniform"},
        },
        networks={"images": "dcgan"},
        doc="The non-saturating loss on strided convolutions with batch norm in both players, N(0, .02) weights.",
        equation="as ns",
        remarks="A popular port makes two generator steps for each of D: `n_gen = 2` is that port, 1 the paper.",
        oracle="case R; weights' deviations; shapes",
    )
)

SNGAN = VARIANTS.add(
    Variant(
        name="sngan",
        title="SN-GAN",
        family="cross-entropy",
        paper="Miyato et al. 2018, Spectral normalization for generative adversarial networks",
        year=2018,
        phases=NON_SATURATING.phases,
        presets={"": {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "norm": "spectral"}, "points": {"lr": 1e-3}},
        doc="The non-saturating loss with W/σ(W) in every layer of the discriminator.",
        equation="as ns, every weight of D being W / σ(W)",
        remarks="Here on DCGAN's networks; the paper's plain convolutional net is not made. The hinge loss on its "
        "residual network is `hinge` with `--network resnet`.",
        oracle="[[3, 0], [4, 5]] has σ = 6.708204; the exact singular value after convergence",
    )
)

CGAN = VARIANTS.add(
    Variant(
        name="cgan",
        title="Conditional GAN",
        family="cross-entropy",
        paper="Mirza and Osindero 2014, Conditional generative adversarial nets",
        year=2014,
        phases=NON_SATURATING.phases,
        presets={
            "": {"conditioning": "concat"},
            "points": _POINTS,
            "maxout-cgan": {**_MAXOUT_2014, "lr_decay_rate": 1.00004},
        },
        doc="Both players are told the class. `conditioning` joins it as one-hot or embedded, or projects (2018).",
        equation="as ns, with D(x, y) and G(z, y)",
        remarks="Network and rates (`--network maxout-cgan`) are from memory of the paper.",
        oracle="case R; each class is asked for and got on the ring",
    )
)

PACGAN = VARIANTS.add(
    Variant(
        name="pacgan",
        title="PacGAN",
        family="cross-entropy",
        paper="Lin et al. 2018, PacGAN: The power of two samples in generative adversarial networks",
        year=2018,
        phases=NON_SATURATING.phases,
        presets={
            "": {"pack": 2},
            "points": _POINTS,
            "maxout-toy": {"lr": 1e-4, "beta1": 0.8, "update": "simultaneous", "lr_decay": "none"},
        },
        doc="D judges `pack` samples as one, joined on the feature or channel axis of its input layer.",
        equation="as ns, with D(x₁, ..., x_m)",
        remarks="`--network maxout-toy` is the authors' code's network, rates and simultaneous updates; it trains on "
        "100,000 fixed points, here every batch is fresh.",
        oracle="case R; D of a pack is D of the joined samples; gradients of penalties are over a pack",
    )
)

LABEL_SMOOTHED = VARIANTS.add(
    Variant(
        name="label-smoothing",
        title="One-sided label smoothing",
        family="improved techniques",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.4",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={"": {"label_smoothing": 0.9}, "points": _POINTS},
        doc="D's label of real samples is .9, of generated ones 0.",
        equation="-E [α log D(x) + (1 - α) log(1 - D(x))] - E log(1 - D(G(z)))",
        oracle="case R: .548227",
    )
)

FEATURE_MATCHED = VARIANTS.add(
    Variant(
        name="feature-matching",
        title="Feature matching",
        family="improved techniques",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.1",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={"": {"feature_matching": "sum"}, "points": _POINTS},
        doc="G matches the mean of D's last hidden layer on real samples.",
        equation="G: ‖E f(x) - E f(G(z))‖²",
        remarks="The paper sums squares (`sum`), the authors' code averages them (`mean`).",
        oracle="means (1, 2) and (3, 2): 4 summed, 2 averaged",
    )
)

MINIBATCH_DISCRIMINATION = VARIANTS.add(
    Variant(
        name="minibatch-disc",
        title="Minibatch discrimination",
        family="improved techniques",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.2",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={"": {"minibatch_disc": 100}, "points": {**_POINTS, "minibatch_disc": 16}},
        doc="D also sees how near each sample is to the others of its batch: 100 kernels of 5 dimensions.",
        equation="o_i = Σ_{j≠i} exp(-‖M_i - M_j‖₁)",
        remarks="16 kernels on points, where D's layers are small: this project's choice.",
        oracle="rows 0 and ln 2: .5",
    )
)

HISTORICAL_AVERAGING = VARIANTS.add(
    Variant(
        name="historical-avg",
        title="Historical averaging",
        family="improved techniques",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.3",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={"": {"historical": 1e-3}, "points": _POINTS},
        doc="Each player's loss holds its weights near the mean of their past.",
        equation="+ λ ‖θ - 1/t Σ θ_i‖²",
        remarks="The paper gives no weight: λ = .001 is this project's choice.",
        oracle="θ 3 with history {1, 2}: 2.25",
    )
)

VIRTUAL_BATCH_NORM = VARIANTS.add(
    Variant(
        name="virtual-bn",
        title="Virtual batch normalisation",
        family="improved techniques",
        paper="Salimans et al. 2016, Improved techniques for training GANs, section 3.5",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={
            "": {"g_norm": "virtual"},
            "dcgan": {"lr": 2e-4, "beta1": 0.5, "norm": "batch", "prior": "uniform"},
        },
        networks={"images": "dcgan"},
        kinds=("images",),
        doc="G's batch norms use a fixed reference batch and the sample itself: no sample depends on its neighbours.",
        equation="as ns",
        remarks="From memory of the paper. The reference is 64 latents, drawn once.",
        oracle="a sample's output does not depend on its batch; equal to batch norm on the reference itself",
    )
)

REGULARISED = VARIANTS.add(
    Variant(
        name="adaptive-l2",
        title="Adaptive L2 on a small discriminator with dropout",
        family="regularised discriminator",
        paper="None: a review's text and this project's controller, 2026",
        year=2026,
        phases=NON_SATURATING.phases,
        presets={"": {"l2": 1e-4, "l2_target": 0.8, "d_dropout": 0.2, "d_width": 0.5}, "points": _POINTS},
        doc="D has half of G's width, dropout, and L2 that grows while D is right more often than `l2_target`.",
        equation="+ c Σ w², c ← 1.01 c where D's accuracy is above the target, c / 1.01 where below",
        remarks="No paper publishes constants for it: the target of .8 is the review's, rate and start are this "
        "project's.",
        oracle="two steps of the coefficient by hand",
    )
)
