"""Chapter 7: a prediction to commit to, and the runs that decide it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from senet_edu.explorables.lib.base import Explorable
from senet_edu.measure.ablations import ROWS, STANDARD, accuracies, compare
from senet_edu.published import PAPER_ABLATIONS, PAPER_PLAIN, PAPER_STANDARD

BASES = ("plain", STANDARD)
GROUPS = {
    "plain": "no SE",
    "reduction": "reduction",
    "squeeze": "squeeze",
    "gate": "gate",
    "constant": "constant gates",
    "placement": "placement",
    "stage": "SE in one stage",
    "relatives": "relatives",
    "width": "no SE, but wider",
    "recipe": "SE, another recipe",
}
"""What the groups of `ablations.ROWS` are called in a figure."""
SHORT_NAMES = {
    **{f"se_r{r}": f"SE, r = {r}" for r in (2, 4, 8, 16)},
    "frozen": "the same SE, gates frozen after training",
    "constant": "learned gates, the same for all images",
    "eca": "ECA, a relative of SE",
    "wide": "no SE, but wider: as many weights",
}
"""The rows that the chapter's questions are about, as a reader may call them who has not seen the table yet."""
MARKS = {
    "constant": "constant",
    "frozen": "frozen",
    "wide": "wider",
    "random_flip": "coin flips",
    "ema": "average",
}
"""What is written beside a dot, where the beginning of the row's title does not say it."""


def mark(title: str) -> str:
    """The beginning of a row's title, short enough to stand beside a dot."""
    return title.partition(",")[0].partition(" (")[0]


def measured(runs: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of `ablations.ROWS` that can be compared: those that share two seeds or more with both bases."""
    seeds = {name: {run["seed"] for run in runs if run["row"] == name} for name in ROWS}
    return [name for name in ROWS if all(len(seeds[name] & seeds[base]) >= 2 for base in BASES)]


def described(runs: Sequence[dict[str, Any]]) -> str:
    """What was trained, in one line, from what the runs say about themselves."""
    recipe = runs[0]["about"]["recipe"]
    network = recipe["model"].removeprefix("se_").replace("resnet", "ResNet-")
    side = recipe["sizes"][-1][1]
    data = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}.get(recipe["data"], recipe["data"])
    images = runs[0]["about"]["data"]["train"]
    return f"{network}, {images:,} images of {data} at {side}×{side} pixels, {recipe['epochs']} epochs"


class Ablations(Explorable):
    """Differences in accuracy with their 95 % intervals, paired by seed; the seeds of a row; accuracy against size.

    Args:
        runs: of `ablations.load()`. Rows with fewer than two seeds are left out. Network, data and epochs are read
            from the runs, so that a figure of a reduced version says so.
    """

    name = "ablations"

    def __init__(self, runs: Sequence[dict[str, Any]]) -> None:
        runs = list(runs)
        seeds = sorted({run["seed"] for run in runs})

        def row(name: str) -> dict[str, Any]:
            found = accuracies(runs, name)
            one = next(run for run in runs if run["row"] == name)
            differences = {base: compare(runs, name, base) for base in BASES}
            return {
                "key": name,
                "group": GROUPS[ROWS[name].group],
                "title": ROWS[name].title,
                "mark": MARKS.get(name, mark(ROWS[name].title)),
                "accuracy": [round(100 * found[seed], 2) if seed in found else None for seed in seeds],
                "parameters": one["parameters"],
                "operations": one["multiply_adds"],
                "versus": {b: [100 * d.mean, 100 * d.margin, d.points] for b, d in differences.items()},
            }

        paper = [
            {
                "key": "plain" if each is PAPER_PLAIN else STANDARD if each is PAPER_STANDARD else f"paper{i}",
                "group": GROUPS[each.group],
                "title": each.title,
                "mark": mark(each.title),
                "accuracy": [round(100 - each.error, 2)],
                "parameters": each.parameters and round(1e6 * each.parameters),
                "table": each.table,
            }
            for i, each in enumerate(PAPER_ABLATIONS)
        ]
        super().__init__(
            {
                "standard": STANDARD,
                "ours": {"about": described(runs), "seeds": seeds, "rows": [row(name) for name in measured(runs)]},
                "paper": {"about": "SE-ResNet-50, ImageNet", "seeds": [0], "rows": paper},
            },
            "Variants of SE compared with a network without SE, or with the standard SE network: the difference in "
            "accuracy of each, its seeds and its 95 % interval. Beside it, the runs of the chosen variant seed by "
            "seed, and all variants by size and accuracy. Choose our runs or the paper's, a variant, and a seed.",
        )


class Prediction(Explorable):
    """A guess for each variant, how far it lies from the network without SE; then what was measured, on the same axis.

    Args:
        runs: of `ablations.load()`.
    """

    name = "prediction"

    def __init__(self, runs: Sequence[dict[str, Any]]) -> None:
        runs = list(runs)
        rows = []
        for name in measured(runs):
            if name == "plain":
                continue
            d = compare(runs, name)
            label = SHORT_NAMES.get(name, f"{GROUPS[ROWS[name].group]}: {ROWS[name].title}")
            rows.append({"label": label, "mean": 100 * d.mean, "margin": 100 * d.margin, "points": d.points})
        furthest = max((abs(row["mean"]) + row["margin"] for row in rows), default=0)
        super().__init__(
            {"about": described(runs), "reach": max(2, math.ceil(furthest)), "rows": rows},
            "A list of variants of SE, each with a mark on one axis: points of accuracy above or below the network "
            "without SE. Drag each mark to where you expect the variant. A button then shows what was measured.",
        )
