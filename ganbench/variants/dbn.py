"""The deep belief net: a baseline that is not adversarial, trained greedily by the one loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.variants.base import VARIANTS, H, Hyper, Phase, Variant

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch, Nets


def contrastive_divergence(nets: Nets, batch: Batch, h: H) -> Tensor:
    """CD-k of the machine whose turn it is: E F(v) - E F(v'), v' after k Gibbs sweeps. Hinton 2002, equation 5.

    The run's steps are divided evenly among the machines, from the bottom up (Hinton et al. 2006, section 4).
    """
    loss: Tensor = nets.G.greedy_loss(batch.real, h["progress"], int(h["cd_sweeps"]))
    return loss


DBN = VARIANTS.add(
    Variant(
        name="dbn",
        title="Deep belief net",
        family="likelihood",
        paper="Hinton et al. 2006, A fast learning algorithm for deep belief nets",
        year=2006,
        phases=(Phase("G", contrastive_divergence, reads=("real",)),),
        roles={"G": "boltzmann"},
        presets={"": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.5, "momentum_final": 0.9, "momentum_steps": 3_000}},
        hypers=(Hyper("cd_sweeps", 1, "k of CD-k, Gibbs sweeps for each update", low=1),),
        networks={"images": "boltzmann"},
        kinds=("images",),
        objective=False,
        doc="Stacked restricted Boltzmann machines, each trained by contrastive divergence on the one below.",
        equation="∇ (E F(v) - E F(v')), F(v) = -aᵀv - Σ sp(b + Wv)",
        remarks="The published Parzen estimate of 138 ± 2 is another net's. No fine-tuning by wake-sleep. Samples are "
        "the last layer's probabilities after 200 sweeps at the top.",
        oracle="free energy against enumeration of a machine of 3 x 2 units; CD's gradient by hand",
    )
)
