"""Does it help? The networks that chapter 8 compares, and how their runs are compared.

`scripts/ablate.py` trains every row with several seeds and writes a line of JSON for each run; here is what it trains,
and what may be concluded. A row differs from the plain network, or from the one with standard SE blocks, in one thing.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from senet_edu.data import ImageData
from senet_edu.train import Recipe
from senet_edu.zoo import RESULTS


@dataclass(frozen=True)
class Row:
    """A row of the table: a plain network or one with SE blocks, its options, and what its recipe changes."""

    group: str
    title: str
    se: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


STANDARD = "se_r4"
ROWS = {
    "plain": Row("plain", "no SE", se=False),
    "se_r2": Row("reduction", "r = 2", options={"reduction": 2}),
    "se_r4": Row("reduction", "r = 4, the standard here"),
    "se_r8": Row("reduction", "r = 8", options={"reduction": 8}),
    "se_r16": Row("reduction", "r = 16", options={"reduction": 16}),
    "max": Row("squeeze", "maximum", options={"squeeze": "max"}),
    "relu": Row("gate", "ReLU", options={"gate": "relu"}),
    "tanh": Row("gate", "tanh", options={"gate": "tanh"}),
    "softmax": Row("gate", "softmax", options={"gate": "softmax"}),
    "pre": Row("placement", "PRE", options={"placement": "pre"}),
    "post": Row("placement", "POST", options={"placement": "post"}),
    "identity": Row("placement", "Identity", options={"placement": "identity"}),
    "stage1": Row("stage", "stage 1 alone", options={"stages": [1]}),
    "stage2": Row("stage", "stage 2 alone", options={"stages": [2]}),
    "stage3": Row("stage", "stage 3 alone", options={"stages": [3]}),
    "eca": Row("relatives", "ECA", options={"attention": "eca"}),
    "cbam": Row("relatives", "CBAM", options={"attention": "cbam"}),
    "wide": Row("width", "plain, as many parameters", se=False),
    "random_flip": Row("recipe", "a coin for each flip", recipe={"flip": "random"}),
    "cutout": Row("recipe", "cutout", recipe={"cutout": "quarter"}),
    "ema": Row("recipe", "running average of weights", recipe={"ema": 0.99}),
}
"""In the order of the table. SE blocks have r = 4 and stand in every block, where a row does not say otherwise."""

# The widths of the plain network whose parameters come nearest to those of the standard SE network.
WIDE = {"resnet8": (16, 33, 65), "resnet20": (16, 33, 65)}


@dataclass(frozen=True)
class Protocol:
    """How much is trained: the whole thing on a GPU, or a reduced version that a CPU can do."""

    name: str
    network: str
    side: int
    train_images: int
    epochs: int
    batch_size: int
    lr: float

    def recipe(self, row: Row, seed: int, data: str = "cifar10") -> Recipe:
        """What `senet_edu.train` is given for one run."""
        options = dict(row.options)
        if row.se and "attention" not in options:
            options = {"reduction": 4} | options
        if row.group == "width":
            options["planes"] = WIDE[self.network]
        change = {name: self.side // 4 if value == "quarter" else value for name, value in row.recipe.items()}
        return Recipe(
            ("se_" if row.se else "") + self.network,
            options,
            data,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            sizes=((0.0, self.side),),
            seed=seed,
            **change,
        )

    def prepare(self, data: ImageData) -> ImageData:
        """The data set with as many training images, all of this protocol's side."""
        data = data.subset(train=self.train_images)
        if data.train_images.shape[2] == self.side:
            return data
        train, test = (shrink(images, self.side) for images in (data.train_images, data.test_images))
        name = f"{data.name}, {self.side} x {self.side}"
        return ImageData(name, train, data.train_labels, test, data.test_labels, data.classes)


REDUCED = Protocol("reduced", "resnet8", side=16, train_images=50_000, epochs=2, batch_size=128, lr=0.25)
FULL = Protocol("full", "resnet20", side=32, train_images=50_000, epochs=100, batch_size=512, lr=0.5)


def shrink(images: Tensor, side: int) -> Tensor:
    """uint8 images `(N, 3, H, W)` to `(N, 3, side, side)`, each pixel the mean of the area that it covers."""
    parts = [F.interpolate(part.float(), (side, side), mode="area").round().byte() for part in images.split(5_000)]
    return torch.cat(parts)


def path(protocol: Protocol = REDUCED, data: str = "cifar10") -> Path:
    """Where the runs of a protocol lie, or will lie."""
    parts = ["ablations"] + [name for name, usual in ((protocol.name, "reduced"), (data, "cifar10")) if name != usual]
    return RESULTS / ("_".join(parts) + ".jsonl")


def load(protocol: Protocol = REDUCED, data: str = "cifar10") -> list[dict[str, Any]]:
    """The runs, a dictionary each: `row`, `seed`, `test_accuracy` (0..1), `parameters`, `seconds`, `about` and more.

    Raises:
        ValueError: nothing was measured yet by this protocol.
    """
    file = path(protocol, data)
    if not file.exists():
        raise ValueError(f"protocol {protocol.name!r} was not measured on {data}: {file.name} is not there")
    return [json.loads(line) for line in file.read_text().splitlines()]


def accuracies(runs: list[dict[str, Any]], row: str, value: str = "test_accuracy") -> dict[int, float]:
    """Seed to a number of the run with that seed, by default its accuracy on the test images.

    Raises:
        ValueError: there is no run of such a row.
    """
    found = {run["seed"]: run[value] for run in runs if run["row"] == row}
    if not found:
        raise ValueError(f"row {row!r} has no run; there are {', '.join(dict.fromkeys(r['row'] for r in runs))}")
    return dict(sorted(found.items()))


# Student's t at 97.5 %, for 1 to 30 degrees of freedom.
T975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Difference:
    """A mean difference, with the half width of its 95 % interval and the number of pairs."""

    mean: float
    margin: float
    count: int

    @property
    def verdict(self) -> str:
        """`"better"` or `"worse"` where the interval lies on one side of zero, else `"undecided"`."""
        if abs(self.mean) <= self.margin:
            return "undecided"
        return "better" if self.mean > 0 else "worse"


def paired(a: dict[int, float], b: dict[int, float]) -> Difference:
    """a minus b over the seeds that both have, with a 95 % interval after Student.

    The two runs of a seed share the order of the images, the crops and the flips. So their difference has less chance
    in it than two runs with different seeds, and the interval is that of the differences d: t · sd(d) / √n.

    Raises:
        ValueError: fewer than two seeds in common.
    """
    d = [a[seed] - b[seed] for seed in a if seed in b]
    if len(d) < 2:
        raise ValueError(f"a and b must have two seeds or more in common, got {sorted(a)} and {sorted(b)}")
    t = T975[min(len(d) - 1, len(T975)) - 1]
    return Difference(statistics.mean(d), t * statistics.stdev(d) / len(d) ** 0.5, len(d))


def compare(runs: list[dict[str, Any]], row: str, base: str = "plain", value: str = "test_accuracy") -> Difference:
    """A row against another, paired by seed (see `paired`)."""
    return paired(accuracies(runs, row, value), accuracies(runs, base, value))
