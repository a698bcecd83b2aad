"""Everything that this book wants from a GPU, in pieces of as many minutes as you have (chapters 11 and 7).

    python -m senet_edu.measure.gpu --dry-run       # what is missing, and how long it may take
    python -m senet_edu.measure.gpu --minutes 9     # does what fits, the most worth knowing first
    python -m senet_edu.measure.gpu                 # all of it

Each run is kept when it ends, in the files of `HOLDS`, and a run that was broken off goes on from its checkpoint in
`--work`. So the same command goes on after a stop, a crash or a month, and measures nothing twice. Times that a step
may take are estimates until a run of its kind was measured; then they are that run's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from senet_edu import store
from senet_edu.commandline import guarded
from senet_edu.data import ImageData
from senet_edu.data import load as load_data
from senet_edu.machine import usable
from senet_edu.measure import ablations
from senet_edu.measure.ablations import FULL, STANDARD, same_recipe
from senet_edu.measure.intervals import compare
from senet_edu.measure.speed import random_images
from senet_edu.train import RECIPES, Recipe, Run, evaluate, train_many

HOLDS = {
    "results/h200.jsonl": store.Holding(
        "recipes on one H200, by an earlier version, run by run",
        ("07_does_it_help", "11_train_cifar10", "13_shipping_se"),
    ),
    "results/h200_speed.json": store.Holding("speeds on one H200, by an earlier version", ("11_train_cifar10",)),
    "results/gpu.jsonl": store.Holding("speeds and recipes on a GPU, run by run", ("11_train_cifar10",)),
    "results/ablations_full.jsonl": store.Holding("accuracy of each run of the full protocol", ("07_does_it_help",)),
    "results/ablations_full_cifar100.jsonl": store.Holding(
        "accuracy of each run of the full protocol on CIFAR-100", ("07_does_it_help",)
    ),
}
TOGETHER = 16  # networks that are handed over at once, to share a GPU
MARGIN = 0.001  # of the pair plain and SE, at which no more seeds are needed
FEWEST = 5  # pairs before an interval may end the search
SIDE, BATCH = 32, 512
# Images a second on one H200, torch 2.11: measured one at a time in a compiled loop, see results/h200.json.
ESTIMATES = {"resnet20": 43_700, "se_resnet20": 46_900, "se_resnet18_cifar": 44_100, "se_resnet10_cifar": 65_000}
ESTIMATE_TOGETHER = 170_000  # of twelve processes, all together
COMPILING = 40.0  # seconds, cold


@dataclass(frozen=True)
class Task:
    """One thing to measure."""

    part: str
    name: str
    seconds: float
    """Expected."""


@dataclass(frozen=True)
class Place:
    """Where things are measured and kept."""

    device: torch.device
    results: Path
    work: Path
    command: str = ""
    data: Callable[[str], ImageData] = load_data
    full: ablations.Protocol = FULL

    def runs(self) -> list[dict[str, Any]]:
        """What was measured, apart from ablations: each with `part`, `name`, its numbers and `about`."""
        return stored_runs("gpu", self.results)

    def keep(self, part: str, name: str, numbers: dict[str, Any], about: dict[str, Any]) -> None:
        others = [run for run in self.runs() if (run["part"], run["name"]) != (part, name)]
        run = {"part": part, "name": name, **numbers, "about": about}
        store.keep_runs("gpu", [*others, run], folder=self.results)


def stored_runs(name: str, folder: Path) -> list[dict[str, Any]]:
    """What is there already; nothing where there is no file yet."""
    return store.load_runs(name, folder=folder) if (folder / f"{name}.jsonl").exists() else []


# ---- Recipes: accuracy and time


TIMED = {"sprint": 10, "fast": 5, "colab": 5, "colab resnet20": 5}
"""Recipe to how many seeds. A name behind it is another network."""


def recipe_of(name: str, seed: int) -> Recipe:
    """`"sprint"`, or `"colab resnet20"`: that recipe for a plain network."""
    recipe, _, model = name.partition(" ")
    found = RECIPES[recipe].recipe
    return replace(found, seed=seed, compile=True, **({"model": model, "model_options": {}} if model else {}))


def seconds_of(recipe: Recipe, rate: float | None = None) -> float:
    """How long a run may take by itself, without compiling."""
    return recipe.epochs * 50_000 / (rate or ESTIMATES.get(recipe.model, min(ESTIMATES.values())))


def without_compiling(history: list[dict[str, Any]]) -> float:
    """The seconds of all epochs, the first of each size replaced by the median of the others of that size."""
    total = 0.0
    for size in dict.fromkeys(row["size"] for row in history):
        first, *rest = (row["seconds"] for row in history if row["size"] == size)
        total += sum(rest) + (statistics.median(rest) if rest else first)
    return total


def recipe_tasks(place: Place, names: Sequence[str]) -> list[Task]:
    """The runs of recipes that are missing, seed by seed for each."""
    found = {(run["part"], run["name"]): run for run in place.runs()}
    tasks = []
    for name in names:
        measured = []
        for seed in range(TIMED[name]):
            run, recipe = found.get((name, f"seed {seed}")), recipe_of(name, seed)
            if run and same_recipe(run["about"], recipe):  # an earlier recipe of that name is measured anew
                measured.append(run["wall"])
                continue
            expected = measured[-1] if measured else seconds_of(recipe) + COMPILING * (seed == 0)
            tasks.append(Task(name, f"seed {seed}", expected))
    return tasks


def measure_recipes(place: Place, tasks: Sequence[Task]) -> list[str]:
    """Runs of recipes, each alone on the device, tested with and without mirrored images."""
    failed = []
    for task in tasks:
        recipe = recipe_of(task.part, int(task.name.removeprefix("seed ")))
        data = place.data(recipe.data)

        def keep(run: Run, seconds: float, task: Task = task, recipe: Recipe = recipe, data: ImageData = data) -> None:
            _, mirrored = evaluate(run.model, data.test_images, data.test_labels, mirror=True)
            numbers = {
                "seed": recipe.seed,
                "test_accuracy": run.history[-1]["test_accuracy"],
                "test_accuracy_mirrored": mirrored,
                "seconds_without_compiling": round(without_compiling(run.history), 2),
                "wall": round(seconds, 1),
                "images_per_second": [row["images_per_second"] for row in run.history],
                "train_accuracy": [round(row["train_accuracy"], 4) for row in run.history],
            }
            place.keep(task.part, task.name, numbers, made(place, recipe, data, seconds))

        failed += together(place, [(task, recipe, keep)], data)
    return failed


Keep = Callable[[Run, float], None]


def together(place: Place, jobs: Sequence[tuple[Task, Recipe, Keep]], data: ImageData) -> list[str]:
    """Train side by side on the device, each going on where it was broken off. Returns a line for each that failed.

    A run is kept as soon as it ends, with its share of the seconds: those since the end of the one before it.
    """
    failed, last = [], time.perf_counter()

    def keep(index: int, run: Run | Exception) -> None:
        nonlocal last
        task, _, keep_it = jobs[index]
        seconds, last = time.perf_counter() - last, time.perf_counter()
        try:
            if isinstance(run, Exception):
                raise run
            keep_it(run, seconds)
        except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
            failed.append(f"{task.part}, {task.name}: {error}")
        print(f"{task.part}, {task.name}: {seconds:.0f} s (expected {task.seconds:.0f})", flush=True)

    train_many(
        [recipe for _, recipe, _ in jobs],
        data=data,
        out=[place.work / folder_of(task, recipe) for task, recipe, _ in jobs],
        resume=True,
        device=place.device,
        eval_every=10_000,  # only the last epoch
        on_run=keep,
        progress=False,
        command=place.command,
    )
    return failed


def folder_of(task: Task, recipe: Recipe) -> str:
    """Where a run goes on after a stop; another recipe has another folder."""
    digest = hashlib.sha256(json.dumps(asdict(recipe)).encode()).hexdigest()[:8]
    return f"{task.part} {task.name} {digest}".replace(" ", "-")


def made(place: Place, recipe: Recipe, data: ImageData, seconds: float, processes: int = 1) -> dict[str, Any]:
    """The `about` of a run."""
    return store.about(
        place.device,
        command=place.command,
        seeds=[recipe.seed],
        recipe=asdict(recipe),
        data={"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
        seconds=seconds,
        processes=processes,
    )


# ---- Speed


@dataclass(frozen=True)
class Loop:
    """A way to carry out steps: compiled or not, recorded as a CUDA graph or not, and how many networks in turns."""

    compile: bool = False
    capture: bool = False
    networks: int = 1


LOOPS = {
    "eager": Loop(),
    "compiled": Loop(compile=True),
    "graph": Loop(capture=True),
    "compiled graph": Loop(compile=True, capture=True),
    **{f"{count} at once": Loop(compile=True, capture=True, networks=count) for count in (4, 8, 16)},
}
SPEED = Recipe("se_resnet20", {"reduction": 4}, epochs=6, batch_size=BATCH, lr=0.5, sizes=((0.0, SIDE),))


def speed_tasks(place: Place) -> list[Task]:
    """The ways to carry out a step that were not timed yet."""
    found = {(run["part"], run["name"]) for run in place.runs()}
    tasks = [
        Task("speed", name, 10.0 + loop.networks + COMPILING * (loop.compile and loop.networks == 1))
        for name, loop in LOOPS.items()
    ]
    return [task for task in tasks if (task.part, task.name) not in found]


def measure_speeds(place: Place, tasks: Sequence[Task]) -> list[str]:
    """Images a second of SE-ResNet-20 on images of noise, of all networks together.

    The first epoch, which warms up, is not counted. Networks that take turns begin and end an epoch in the same round,
    so a round takes as long as an epoch of one of them.
    """
    data, failed = random_images(40 * BATCH), []
    for task in tasks:
        loop, started = LOOPS[task.name], time.perf_counter()
        recipe = replace(SPEED, compile=loop.compile)
        runs = train_many(
            [replace(recipe, seed=seed) for seed in range(loop.networks)],
            data=data,
            device=place.device,
            eval_every=recipe.epochs,
            at_once=loop.networks,
            capture=loop.capture,
            progress=False,
        )
        errors = [run for run in runs if isinstance(run, Exception)]
        if errors:
            failed.append(f"{task.part}, {task.name}: {errors[0]}")
            continue
        seconds = [row["seconds"] for run in runs for row in run.history[1:]]
        images = len(data.train_images) // recipe.batch_size * recipe.batch_size
        numbers = {
            "images_per_second": round(loop.networks * images / statistics.median(seconds), 1),
            "networks": loop.networks,
            "seconds_to_start": [round(run.history[0].get("seconds_to_start", 0.0), 1) for run in runs],
            "seconds_all": seconds,
        }
        about = made(place, recipe, data, time.perf_counter() - started, loop.networks)
        place.keep(task.part, task.name, numbers, about | {"settings": asdict(loop)})
    return failed


# ---- Ablations


def ablation_runs(place: Place, data: str) -> list[dict[str, Any]]:
    return stored_runs(ablations.name_of(place.full, data), place.results)


def ablation_tasks(place: Place, data: str) -> list[Task]:
    """Networks of the full protocol that are missing; of the pairs beyond those of all rows, while they are too few."""
    runs = ablation_runs(place, data)
    measured = [run["seconds"] for run in runs if run["seconds"]]
    seconds = statistics.mean(measured) if measured else seconds_of(place.full.base, ESTIMATE_TOGETHER)
    few = place.full.seeds[""]
    enough = False
    if sum(run["row"] == "plain" for run in runs) >= max(FEWEST, few):
        found = compare(runs, STANDARD)
        enough = found.count >= FEWEST and found.margin <= MARGIN
    plan = [(row, seed) for row, seed in place.full.plan() if seed < few or not enough]
    plan.sort(key=lambda run: run[1] >= few)  # every row first, then more pairs
    return [Task(f"ablations {data}", f"{row} {seed}", seconds) for row, seed in ablations.missing(runs, plan)]


def measure_ablations(place: Place, tasks: Sequence[Task]) -> list[str]:
    """Networks of the full protocol, side by side."""
    data = tasks[0].part.removeprefix("ablations ")
    found = ablations.prepared(place.data(data), place.full.side, place.full.train_images)
    jobs = []
    for task in tasks:
        row, seed = task.name.split()
        recipe = place.full.recipe(row, int(seed), data)

        def keep(run: Run, seconds: float, row: str = row, recipe: Recipe = recipe) -> None:
            about = made(place, recipe, found, round(seconds, 1), len(tasks))
            about |= {"settings": {"protocol": place.full.name}}
            lines = ablations.results(place.full, row, recipe.seed, found, run, about)
            new = {(line["row"], line["seed"]) for line in lines}
            runs = [one for one in ablation_runs(place, data) if (one["row"], one["seed"]) not in new]
            store.keep_runs(ablations.name_of(place.full, data), runs + lines, folder=place.results)

        jobs.append((task, recipe, keep))
    return together(place, jobs, found)


# ---- All of it


@dataclass(frozen=True)
class Part:
    """A kind of task: what is missing of it, what measures some of them, and how many at once."""

    missing: Callable[[], list[Task]]
    work: Callable[[Place, Sequence[Task]], list[str]]
    at_once: int = 1


def parts(place: Place) -> list[Part]:
    """The most worth knowing first."""

    def ablations_of(data: str) -> Part:
        return Part(lambda: ablation_tasks(place, data), measure_ablations, TOGETHER)

    return [
        Part(lambda: speed_tasks(place), measure_speeds),
        Part(lambda: recipe_tasks(place, ["sprint", "fast"]), measure_recipes),
        ablations_of("cifar10"),
        ablations_of("cifar100"),
        Part(lambda: recipe_tasks(place, ["colab", "colab resnet20"]), measure_recipes),
    ]


def that_fit(tasks: Sequence[Task], seconds: float, most: int) -> list[Task]:
    """The first tasks that are expected to take no longer than so many seconds together."""
    found: list[Task] = []
    for task in tasks:
        if len(found) < most and task.seconds <= seconds:
            found.append(task)
            seconds -= task.seconds
    return found


def measure(place: Place, seconds: float = float("inf")) -> list[str]:
    """Measure what is missing and fits into so many seconds. Returns a line for each task that failed.

    A task is begun only if it is expected to end in time. What failed is tried again by the next call.
    """
    end, failed = time.perf_counter() + seconds, []
    for part in parts(place):
        tried: set[tuple[str, str]] = set()
        while True:
            tasks = [task for task in part.missing() if (task.part, task.name) not in tried]
            tasks = that_fit(tasks, end - time.perf_counter(), part.at_once)
            if not tasks:
                break
            tried |= {(task.part, task.name) for task in tasks}
            failed += part.work(place, tasks)
    return failed


def left(place: Place) -> str:
    """What is missing, a line for each part, with expected times."""
    lines, total = [], 0.0
    for kind in parts(place):
        by_part: dict[str, list[Task]] = {}
        for task in kind.missing():
            by_part.setdefault(task.part, []).append(task)
        for part, tasks in by_part.items():
            seconds = sum(task.seconds for task in tasks)
            total += seconds
            names = ", ".join(task.name for task in tasks[:3]) + (", …" if len(tasks) > 3 else "")
            lines.append(f"{part:20}{len(tasks):5} to measure, about {seconds:6.0f} s: {names}")
    if not lines:
        return "Nothing is missing."
    return "\n".join([*lines, f"{'all':20}{'':5} about {total / 60:.0f} minutes"])


@guarded("Stopped. The same command goes on.")
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing that would take longer")
    parser.add_argument("--dry-run", action="store_true", help="print what is missing, and measure nothing")
    parser.add_argument("--device", default="cuda", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder of the results (%(default)s)")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help="folder of the runs (%(default)s)")
    args = parser.parse_args(argv)
    if not args.minutes > 0:
        parser.error(f"argument --minutes: must be more than 0, got {args.minutes:g}")
    command = store.typed(parser.prog, argv)
    device = torch.device("cpu") if args.dry_run else usable(args.device)
    place = Place(device, args.out, args.work, command)
    if not args.dry_run:
        failed = measure(place, 60 * args.minutes)
        if failed:
            print("\n".join(["These failed, and are tried again next time:", *failed]))
    print(left(place))


if __name__ == "__main__":
    main()
