"""Does it help? Train every row of chapter 7's table with several seeds.

    python -m senet_edu.measure.ablations                           # reduced, for a CPU: see `REDUCED`
    python -m senet_edu.measure.ablations --short                   # as it was measured first: see `SHORT`
    python -m senet_edu.measure.ablations --data cifar100 --rows plain se_r4 wide --seeds 5
    python -m senet_edu.measure.ablations --out mine                # anew, beside what the package holds

A row differs from the plain network, or from the one with standard SE blocks, in one thing. Each run becomes a line of
`results/ablations….jsonl`: row, seed, accuracy, time, and what made it. Stop it whenever you like: what is in the file
is not trained again. It goes seed by seed, so that a table that is not finished is complete for its first seeds.
Several networks train at once, a process a core, since a small network does not keep the cores of a CPU busy.

The full version takes a GPU: `python -m senet_edu.measure.gpu`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu import store
from senet_edu.analysis import gates_of
from senet_edu.commandline import guarded, positive
from senet_edu.cost import count_parameters, multiply_adds
from senet_edu.data import LOADERS, ImageData
from senet_edu.data import load as load_data
from senet_edu.gates import override_gates
from senet_edu.machine import usable
from senet_edu.measure.intervals import accuracies, compare, paired
from senet_edu.resnet import create_model
from senet_edu.train import Recipe, Run, evaluate, train_many

__all__ = [
    "FULL",
    "REDUCED",
    "ROWS",
    "SHORT",
    "STANDARD",
    "Protocol",
    "Row",
    "accuracies",
    "compare",
    "load",
    "paired",
    "shrink",
]

HOLDS = {
    "results/ablations.jsonl": store.Holding(
        "accuracy of each run of chapter 7’s variants",
        ("07_does_it_help", "10_relatives", "11_train_cifar10", "13_shipping_se"),
    ),
    "results/ablations_short.jsonl": store.Holding("the same after half of the training", ("07_does_it_help",)),
    "results/ablations_cifar100.jsonl": store.Holding("the same on CIFAR-100, a few rows", ("07_does_it_help",)),
}


# ---- What is trained


def _nothing(base: Recipe) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Row:
    """A row of the table: a plain network or one with SE blocks, its options, and what its recipe changes."""

    group: str
    title: str
    se: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Recipe], dict[str, Any]] = _nothing
    """From the protocol's recipe to the entries that this row replaces."""
    of: str = ""
    """The row whose trained networks are tested in another way here; nothing is trained."""


STANDARD = "se_r4"
WIDE = (16, 33, 65)
"""Widths of the plain network with nearly the parameters of the standard SE network, at 8 layers and at 20."""
ROWS = {
    "plain": Row("plain", "no SE", se=False),
    "se_r2": Row("reduction", "r = 2", options={"reduction": 2}),
    "se_r4": Row("reduction", "r = 4, the standard here", options={"reduction": 4}),
    "se_r8": Row("reduction", "r = 8", options={"reduction": 8}),
    "se_r16": Row("reduction", "r = 16", options={"reduction": 16}),
    "max": Row("squeeze", "maximum", options={"reduction": 4, "squeeze": "max"}),
    "relu": Row("gate", "ReLU", options={"reduction": 4, "gate": "relu"}),
    "tanh": Row("gate", "tanh", options={"reduction": 4, "gate": "tanh"}),
    "softmax": Row("gate", "softmax", options={"reduction": 4, "gate": "softmax"}),
    "constant": Row("constant", "learned, the same for all images", options={"attention": "constant"}),
    "frozen": Row("constant", "r = 4, frozen to its mean gates after training", options={"reduction": 4}, of="se_r4"),
    "pre": Row("placement", "PRE", options={"reduction": 4, "placement": "pre"}),
    "post": Row("placement", "POST", options={"reduction": 4, "placement": "post"}),
    "identity": Row("placement", "Identity", options={"reduction": 4, "placement": "identity"}),
    "stage1": Row("stage", "stage 1 alone", options={"reduction": 4, "stages": [1]}),
    "stage2": Row("stage", "stage 2 alone", options={"reduction": 4, "stages": [2]}),
    "stage3": Row("stage", "stage 3 alone", options={"reduction": 4, "stages": [3]}),
    "eca": Row("relatives", "ECA", options={"attention": "eca"}),
    "cbam": Row("relatives", "CBAM", options={"attention": "cbam"}),
    "wide": Row("width", "plain, as many parameters", se=False, options={"planes": WIDE}),
    "random_flip": Row(
        "recipe", "a coin for each flip", options={"reduction": 4}, change=lambda base: {"flip": "random"}
    ),
    "cutout": Row(
        "recipe", "cutout", options={"reduction": 4}, change=lambda base: {"cutout": base.sizes[-1][1] // 4}
    ),
    "ema": Row(
        "recipe", "running average of weights", options={"reduction": 4}, change=lambda base: {"ema": 0.99}
    ),
}  # fmt: skip
"""In the order of the table."""


@dataclass(frozen=True)
class Protocol:
    """How much is trained: the whole thing on a GPU, or a reduced version that a CPU can do."""

    name: str
    base: Recipe
    """Of the standard SE network; the rows differ from it. All its images have one side."""
    seeds: Mapping[str, int]
    """How many for a row; `""` stands for the rows that are not named."""
    train_images: int | None = None
    """As many of each class; all when None."""

    @property
    def side(self) -> int:
        """Of the images, px."""
        return self.base.sizes[-1][1]

    def recipe(self, name: str, seed: int, data: str = "cifar10") -> Recipe:
        """What `senet_edu.train` is given for one run of a row.

        Raises:
            ValueError: there is no such row.
        """
        if name not in ROWS:
            raise ValueError(f"row must be one of {', '.join(ROWS)}; got {name!r}")
        row = ROWS[name]
        model = self.base.model if row.se else self.base.model.removeprefix("se_")
        change = {"model": model, "model_options": row.options, "data": data, "seed": seed} | row.change(self.base)
        return replace(self.base, **change)

    def plan(self, rows: Iterable[str] = ROWS, seeds: int | None = None) -> list[tuple[str, int]]:
        """Runs as (row, seed) in the order of their worth: the rows with the most seeds first, then seed by seed.

        Args:
            seeds: for every row; as many as the protocol says when None.
        """
        count = {row: self.seeds.get(row, self.seeds[""]) if seeds is None else seeds for row in rows}
        runs = [(row, seed) for row in rows for seed in range(count[row])]
        return sorted(runs, key=lambda run: (-count[run[0]], run[1]))


MANY = ("plain", STANDARD, "frozen", "wide", "eca")
"""The rows that answer the chapter's questions; they get more seeds."""
# Sixteen epochs, and how the spread of a pair, plain and SE (sd of the differences), led there. Of two pairs, tested on
# 10,000 training images that were held out, it was 0.9 points after four epochs and 0.2 after eight. So the table was
# first made with eight, and of eight pairs it was 0.84: two pairs know little of a spread. It is kept as `SHORT`.
REDUCED = Protocol(
    "reduced",
    Recipe("se_resnet8", {"reduction": 4}, epochs=16, batch_size=128, lr=0.25, sizes=((0.0, 16),)),
    {"": 5} | dict.fromkeys(MANY, 8),
)
SHORT = replace(REDUCED, name="short", base=replace(REDUCED.base, epochs=8))
FULL = Protocol(
    "full",
    Recipe("se_resnet20", {"reduction": 4}, epochs=25, batch_size=512, lr=0.5, sizes=((0.0, 32),)),
    {"": 5, "plain": 64, STANDARD: 64, "frozen": 64},
)


def shrink(images: Tensor, side: int) -> Tensor:
    """uint8 images `(N, 3, H, W)` to `(N, 3, side, side)`, by the filter by which training makes images smaller."""

    def small(part: Tensor) -> Tensor:
        return F.interpolate(part.float(), (side, side), mode="bilinear", antialias=True).round().clamp(0, 255).byte()

    return torch.cat([small(part) for part in images.split(5_000)])


def prepared(data: ImageData, side: int, train_images: int | None = None) -> ImageData:
    """A data set with as many training images (all when None), and all its images of one side."""
    data = data.subset(train=train_images)
    if data.train_images.shape[2] == side:
        return data
    small = {part: shrink(getattr(data, part), side) for part in ("train_images", "test_images")}
    return replace(data, name=f"{data.name}, {side} x {side}", **small)


@cache
def images(name: str, side: int, train_images: int | None = None) -> ImageData:
    """`prepared` data of a name, loaded once a process."""
    return prepared(load_data(name), side, train_images)


# ---- What is stored


def name_of(protocol: Protocol = REDUCED, data: str = "cifar10") -> str:
    """What the runs of a protocol are called among the results."""
    parts = ["ablations"] + [name for name, usual in ((protocol.name, "reduced"), (data, "cifar10")) if name != usual]
    return "_".join(parts)


def load(protocol: Protocol = REDUCED, data: str = "cifar10", *, folder: Path | None = None) -> list[dict[str, Any]]:
    """The runs, a dictionary each: `row`, `seed`, `test_accuracy` (0..1), `parameters`, `seconds`, `about` and more.

    Raises:
        FileNotFoundError: nothing was measured yet by this protocol.
        ValueError: the file is damaged, or has a run twice.
    """
    file = (folder or store.RESULTS) / f"{name_of(protocol, data)}.jsonl"
    if not file.exists():
        raise FileNotFoundError(f"protocol {protocol.name!r} was not measured on {data}: {file.name} is not there")
    runs = store.load_runs(file.stem, folder=file.parent)
    twice = [key for key, count in Counter((run["row"], run["seed"]) for run in runs).items() if count > 1]
    if twice:
        raise ValueError(f"{file} is damaged: it has {len(twice)} runs twice, the first is {twice[0]}. {store.REMEDY}.")
    return runs


# ---- Training


def frozen_gates(model: nn.Module, data: ImageData, count: int = 10_000) -> dict[str, Tensor]:
    """The mean gates `(C,)` of each block over training images, as many of each class."""
    part = data.subset(train=min(count, len(data.train_images))).train_images
    return {block: s.mean(0) for block, s in gates_of(model, part).items()}


def tested(model: nn.Module, data: ImageData) -> dict[str, float]:
    """Accuracy and loss on the test images; accuracy also with each image shown mirrored, too."""
    loss, accuracy = evaluate(model, data.test_images, data.test_labels)
    _, mirrored = evaluate(model, data.test_images, data.test_labels, mirror=True)
    return {"test_accuracy": accuracy, "test_accuracy_mirrored": mirrored, "test_loss": round(loss, 5)}


def size_of(recipe: Recipe, data: ImageData) -> dict[str, int]:
    """Parameters and multiply-adds of a recipe's network on these images."""
    model = create_model(recipe.model, num_classes=len(data.classes), **recipe.model_options)
    return {"parameters": count_parameters(model), "multiply_adds": multiply_adds(model, data.test_images.shape[1:])}


def results(
    protocol: Protocol, name: str, seed: int, found: ImageData, run: Run, about: dict[str, Any]
) -> list[dict[str, Any]]:
    """The lines of a trained network: its row's, and those of the rows that test it in another way."""
    recipe = protocol.recipe(name, seed, about["recipe"]["data"])
    key = {"protocol": protocol.name, "seed": seed}
    facts = {"train_accuracy": round(run.history[-1]["train_accuracy"], 5), "seconds": about["seconds"], "about": about}
    lines = [{"row": name, **key, **tested(run.model, found), **size_of(recipe, found), **facts}]
    for other, row in ROWS.items():
        if row.of == name:  # constants go into the batch norm before them: the plain network is what remains
            plain = protocol.recipe("plain", seed, recipe.data)
            with override_gates(run.model, frozen_gates(run.model, found)):
                numbers = tested(run.model, found)
            nothing = {"train_accuracy": None, "seconds": 0.0, "about": about | {"seconds": 0.0}}  # is trained
            lines.append({"row": other, **key, **numbers, **size_of(plain, found), **nothing})
    return lines


def made(
    protocol: Protocol, recipe: Recipe, found: ImageData, *, device: torch.device, command: str, **known: Any
) -> dict[str, Any]:
    """The `about` of one run."""
    return store.about(
        device,
        command=command,
        seeds=[recipe.seed],
        recipe=asdict(recipe),
        settings={"protocol": protocol.name},
        data={"name": found.name, "train": len(found.train_images), "test": len(found.test_images)},
        **known,
    )


def same_recipe(about: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a run was made by this recipe. An entry that its own recipe does not name is the default one."""
    now, usual = (json.loads(json.dumps(asdict(one))) for one in (recipe, Recipe()))
    return all(about["recipe"].get(key, usual[key]) == now[key] for key in now)


def same_making(about: Mapping[str, Any], recipe: Recipe, data: ImageData) -> bool:
    """Whether a run was made by this recipe from these images."""
    images = {"name": data.name, "train": len(data.train_images), "test": len(data.test_images)}
    return same_recipe(about, recipe) and about["data"] == images


def missing(runs: Iterable[dict[str, Any]], plan: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """What is still to be trained of a plan: each network once, that of a row which only tests another's included."""
    done = {(one["row"], one["seed"]) for one in runs}
    open_runs = [(ROWS[row].of or row, seed) for row, seed in plan if (row, seed) not in done]
    return list(dict.fromkeys(open_runs))


def measure(
    protocol: Protocol = REDUCED,
    data: str = "cifar10",
    rows: Iterable[str] = ROWS,
    seeds: int | None = None,
    *,
    device: str = "cpu",
    workers: int = 1,
    folder: Path | None = None,
    command: str = "",
    progress: bool = True,
) -> list[str]:
    """Train what is missing and keep each run as it ends. Returns a line for each run that failed.

    Raises:
        FileNotFoundError, ValueError: the data set or the file of the results cannot be used.
        ValueError: the file has runs that were made in another way.
    """
    name = name_of(protocol, data)
    file = (folder or store.RESULTS) / f"{name}.jsonl"
    runs = load(protocol, data, folder=folder) if file.exists() else []
    todo = missing(runs, protocol.plan(rows, seeds))
    found = images(data, protocol.side, protocol.train_images)  # an error is said here once, and not by every worker
    for one in runs:
        if not same_making(one["about"], protocol.recipe(one["row"], one["seed"], data), found):
            which = f"{one['row']}, seed {one['seed']}"
            raise ValueError(f"{file} has a run of another protocol, {which}: move it away to measure anew")

    recipes = [protocol.recipe(row, seed, data) for row, seed in todo]
    place, failed = usable(device), []

    def keep(index: int, run: Run | Exception) -> None:
        row, seed = todo[index]
        if isinstance(run, Exception):  # a network that diverges must not cost the others
            failed.append(f"{row}, seed {seed}: {run}")
            return
        seconds = sum(epoch["seconds"] for epoch in run.history)
        about = made(protocol, recipes[index], found, device=place, command=command, seconds=seconds, processes=workers)
        if place.type == "cpu":
            about["threads"] = 1  # in each process
        lines = results(protocol, row, seed, found, run, about)
        new = {(line["row"], line["seed"]) for line in lines}
        runs[:] = [one for one in runs if (one["row"], one["seed"]) not in new] + lines
        store.keep_runs(name, runs, folder=folder)

    options = {"device": device, "eval_every": protocol.base.epochs, "command": command, "progress": progress}
    train_many(recipes, data=found, at_once=workers, on_run=keep, **options)
    return failed


@guarded("Stopped. The same command goes on with the runs that are missing.")
def main(argv: Sequence[str] | None = None, protocol: Protocol = REDUCED) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.ablations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", default="cifar10", choices=LOADERS, help="(%(default)s)")
    parser.add_argument("--short", action="store_true", help=f"{SHORT.base.epochs} epochs, as it was measured first")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=positive, help="for every row (the protocol's)")
    parser.add_argument("--device", default="cpu", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder (%(default)s)")
    parser.add_argument("--workers", type=positive, default=torch.get_num_threads(), help="at once (%(default)s)")
    args = parser.parse_args(argv)
    command = store.typed(parser.prog, argv)
    failed = measure(
        SHORT if args.short else protocol,
        args.data,
        args.rows,
        args.seeds,
        device=args.device,
        workers=args.workers,
        folder=args.out,
        command=command,
        progress=sys.stderr.isatty(),
    )
    if failed:
        raise SystemExit("\n".join(["These runs failed; all others are kept:", *failed]))


if __name__ == "__main__":
    main()
