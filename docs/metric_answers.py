"""How each metric answers to what can be wrong with samples, and what real data score: makes the tables and figures of
docs/metrics.md.

    python docs/metric_answers.py real          docs/real_scores.csv: held-out real images by every extractor
    python docs/metric_answers.py answers       docs/metric_answers.csv: scores under five faults at rising strength
    python docs/metric_answers.py figures       docs/images/metric_answers_*.png from that table
    python docs/metric_answers.py tables        the tables of docs/metrics.md from both

MNIST and Fashion-MNIST are taken from GANBENCH_DATA. The samples are real images that no metric has seen: `valid`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

import ganbench
from ganbench.data import find
from ganbench.metrics import METRICS
from ganbench.metrics.base import ANY, pinned
from ganbench.reports.names import direction, loss

HERE = Path(__file__).parent
DATASETS = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}
"""Each with the other, whose images stand for samples of the wrong kind."""

EXTRACTORS = ("pixels", "classifier", "efficientnet-lite0")
N = 2_000
STRENGTHS = (0.25, 0.5, 1.0)
SEED = 0

Fault = Callable[[str, Tensor, float], Tensor]


def blur(dataset: str, images: Tensor, strength: float) -> Tensor:
    """A Gaussian of up to 2 pixels."""
    sigma = 2 * strength
    at = torch.arange(-7, 8, dtype=torch.float32)
    window = torch.exp(-(at**2) / (2 * sigma**2))
    window /= window.sum()
    padded = F.pad(images.float(), (7, 7, 7, 7), mode="reflect")
    return F.conv2d(F.conv2d(padded, window.view(1, 1, 1, -1)), window.view(1, 1, -1, 1)).round().to(torch.uint8)


def noise(dataset: str, images: Tensor, strength: float) -> Tensor:
    """Gaussian noise of up to half the range of pixels."""
    added = torch.randn(images.shape, generator=torch.Generator().manual_seed(SEED)) * 127.5 * strength
    return (images.float() + added).round().clamp(0, 255).to(torch.uint8)


def dropped(dataset: str, images: Tensor, strength: float) -> Tensor:
    """Up to nine of the ten classes are missing, and others in their place."""
    pool, labels = find(dataset).images("valid"), find(dataset).labels("valid")
    assert labels is not None
    kept = pool[labels < 10 - round(9 * strength)]
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(SEED))
    return kept[order.repeat(len(images) // len(kept) + 1)[: len(images)]]


def memorised(dataset: str, images: Tensor, strength: float) -> Tensor:
    """A share of the samples are copies of training images."""
    return _replaced(images, find(dataset).images("train"), strength)


def foreign(dataset: str, images: Tensor, strength: float) -> Tensor:
    """A share of the samples are of another data set: right images under the wrong label."""
    return _replaced(images, find(DATASETS[dataset]).images("train"), strength)


def _replaced(images: Tensor, others: Tensor, strength: float) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    where = torch.randperm(len(images), generator=generator)[: round(strength * len(images))]
    images = images.clone()
    images[where] = others[torch.randperm(len(others), generator=generator)[: len(where)]]
    return images


FAULTS: dict[str, Fault] = {
    "blur": blur,
    "noise": noise,
    "modes dropped": dropped,
    "memorised": memorised,
    "of another data set": foreign,
}


def held_out(dataset: str, n: int, split: str = "valid") -> Tensor:
    """Real images that no metric is held against and no extractor was trained on."""
    images = find(dataset).images(split)
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))[:n]]


def measured(*, features: bool) -> list[str]:
    """The scores for grey images, those of features or those of the images themselves."""
    names = []
    for card in METRICS:
        if "images" in card.kinds and card.takes(find("mnist")) and (card.extractor == ANY) == features:
            names += [name for name in card.directions if card.extractor in (ANY, None)]
    return names


def scores(dataset: str, images: Tensor, features: str | None, names: list[str]) -> list[dict[str, object]]:
    found = ganbench.evaluate(images, dataset, names, n=len(images), features=features)
    return [
        {"metric": score.metric, "features": features or "", "value": score.value, "stderr": score.stderr}
        | {"flags": "; ".join(score.flags), "protocol": score.protocol_text}
        for score in found
    ]


def every_score(dataset: str, images: Tensor, features: str) -> list[dict[str, object]]:
    of_features = scores(dataset, images, features, measured(features=True))
    return of_features + scores(dataset, images, None, measured(features=False))


def real() -> None:
    """10,000 held-out images of each data set by every extractor."""
    rows = []
    for features in (None, *EXTRACTORS):
        for dataset in DATASETS:
            names = measured(features=features is not None)
            if features == "efficientnet-lite0":  # 50,000 training images take it too long on two cores
                names = [name for name in names if pinned(name, find(dataset))[0].split != "train"]
            split = "valid" if features else "train"  # Parzen chooses its sigma on `valid`
            found = scores(dataset, held_out(dataset, 10_000, split), features, names)
            rows += [{"dataset": dataset, **row} for row in found]
            pd.DataFrame(rows).to_csv(HERE / "real_scores.csv", index=False, float_format="%.6g")
            print(dataset, features, file=sys.stderr)  # noqa: T201


def answers(features: str = "classifier") -> None:
    """Every metric under every fault, on the features of the data set's own classifier."""
    rows = []
    for dataset in DATASETS:
        unspoiled = every_score(dataset, held_out(dataset, N), features)
        for fault, spoil in FAULTS.items():
            rows += [{"dataset": dataset, "fault": fault, "strength": 0, **row} for row in unspoiled]
            for strength in STRENGTHS:
                found = every_score(dataset, spoil(dataset, held_out(dataset, N), strength), features)
                rows += [{"dataset": dataset, "fault": fault, "strength": strength, **row} for row in found]
                print(dataset, fault, strength, file=sys.stderr)  # noqa: T201
    pd.DataFrame(rows).drop(columns="protocol").to_csv(HERE / "metric_answers.csv", index=False, float_format="%.6g")


def figures() -> None:
    """A panel a metric, a line a fault; bands of two standard errors."""
    import matplotlib

    matplotlib.use("Agg")
    table = pd.read_csv(HERE / "metric_answers.csv")
    for dataset, of_dataset in table.groupby("dataset"):
        _figure(str(dataset), of_dataset)


def _figure(dataset: str, table: pd.DataFrame) -> None:
    from matplotlib import pyplot

    names = list(dict.fromkeys(table["metric"]))
    columns = 5
    rows = -(-len(names) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(3.1 * columns, 2.4 * rows), layout="constrained")
    for axes, name in zip(grid.flat, names, strict=False):
        _panel(axes, name, table[table["metric"] == name])
    for axes in list(grid.flat)[len(names) :]:
        axes.axis("off")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"{dataset}: each metric under five faults of rising strength", fontsize=12)
    figure.savefig(HERE / "images" / f"metric_answers_{dataset}.png", dpi=80)
    pyplot.close(figure)


def _panel(axes, name: str, table: pd.DataFrame) -> None:  # type: ignore[no-untyped-def]
    for fault, line in table.groupby("fault", sort=False):
        axes.plot(line["strength"], line["value"], marker=".", linewidth=1.2, label=fault)
        axes.fill_between(
            line["strength"], line["value"] - 2 * line["stderr"], line["value"] + 2 * line["stderr"], alpha=0.15
        )
    better = direction(name)
    arrow = {"higher": "↑", "lower": "↓"}.get(str(better), f"→ {better}")
    axes.set_title(f"{name} {arrow}", fontsize=10)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def verdicts() -> pd.DataFrame:
    """For each metric and fault whether the score got worse (+), better (-) or neither (0), beyond three errors."""
    table = pd.read_csv(HERE / "metric_answers.csv")
    found = {}
    for (metric, dataset, fault), line in table.groupby(["metric", "dataset", "fault"], sort=False):
        first, last = line.iloc[0], line.iloc[-1]
        error = float(np.hypot(first["stderr"], last["stderr"]))
        moved = loss(last["value"], direction(metric)) - loss(first["value"], direction(metric))
        sign = "0" if not abs(moved) > 3 * error else "+" if moved > 0 else "−"
        found.setdefault(metric, {}).setdefault(fault, []).append((dataset, sign))
    cells = {
        metric: {fault: " ".join(sign for _, sign in signs) for fault, signs in faults.items()}
        for metric, faults in found.items()
    }
    return pd.DataFrame.from_dict(cells, orient="index", columns=list(FAULTS))


def tables() -> None:
    """Put both tables between their marks in docs/metrics.md."""
    page = HERE / "metrics.md"
    text = page.read_text(encoding="utf-8")
    scored = pd.read_csv(HERE / "real_scores.csv", keep_default_na=False)
    scored["cell"] = [
        f"{float(value):.4g}" + (f" ± {float(stderr):.2g}" if stderr else "")
        for value, stderr in zip(scored["value"], scored["stderr"], strict=True)
    ]
    scored["metric"] = [
        name.removesuffix(f"-{features}") for name, features in zip(scored["metric"], scored["features"], strict=True)
    ]
    scored["column"] = (scored["dataset"] + ", " + scored["features"]).str.removesuffix(", ")
    wide = scored.pivot_table(index="metric", columns="column", values="cell", aggfunc="first", sort=False)
    for mark, table in (("real", wide.fillna("").reset_index()), ("answers", verdicts().reset_index(names="metric"))):
        begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table.to_markdown(index=False)}\n{end}{rest.split(end)[1]}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    {"real": real, "answers": answers, "figures": figures, "tables": tables}[sys.argv[1]]()
