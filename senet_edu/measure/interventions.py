"""Measure what happens to the answers of the shipped SE-ResNet-20 when its gates are replaced (chapter 9).

    python -m senet_edu.measure.interventions                           # all 10,000 test images
    python -m senet_edu.measure.interventions --images 250 --out /tmp   # a small part, to try something out
    python -m senet_edu.measure.interventions --kinds same_prediction   # one kind, into the file that is there

Eight interventions, in each of the nine blocks and in all at once, those that draw lots with several seeds. Writes
`interventions.json`.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from senet_edu import store, zoo
from senet_edu.analysis import (
    BY_CHANCE,
    BY_PREDICTION,
    INTERVENTIONS,
    answers,
    donors,
    effect,
    gates_of,
    replace_gates,
    toward_donor,
)
from senet_edu.commandline import guarded, positive
from senet_edu.data import ImageData, load_cifar10
from senet_edu.zoo import load_pretrained

HOLDS = {
    "results/interventions.json": store.Holding(
        "accuracy after gates were replaced, by block and class",
        ("00_one_minute", "02_squeeze", "03_excitation", "04_rescale", "09_are_gates_explanations", "13_shipping_se"),
    ),
}

T = TypeVar("T")
NETWORK = "se_resnet20"
BATCH = 125
KINDS = INTERVENTIONS | BY_PREDICTION
FACTS = ("network", "sha256", "data", "images", "train_images", "seeds", "class_names", "blocks", "accuracy")
"""What a stored file and a measurement of some more kinds must agree in."""


def by_batch(title: str, run: Callable[[nn.Module, Tensor], T], images: int, workers: int) -> list[T]:
    """Call `run` with a network and the numbers of a batch's images, for all batches, one network and thread a worker.

    Threads of this process, because what they share is large; PyTorch lets go of Python's lock while it computes.
    """
    mine = threading.local()

    def one(rows: Tensor) -> T:
        if not hasattr(mine, "model"):
            torch.set_num_threads(1)
            mine.model = load_pretrained(NETWORK).to(memory_format=torch.channels_last)  # a fifth faster on a CPU
        return run(mine.model, rows)

    batches = torch.arange(images).split(BATCH)
    with ThreadPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(one, batches), title, len(batches)))


def measure(data: ImageData, seeds: int, workers: int, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, Any]:
    """All numbers of these kinds, on all test images of `data`; its training images serve the mean gates."""
    labels = data.test_labels

    def all_gates(title: str, images: Tensor) -> dict[str, Tensor]:
        parts = by_batch(title, lambda model, rows: gates_of(model, images[rows]), len(images), workers)
        return {block: torch.cat([part[block] for part in parts]) for block in parts[0]}

    def all_answers(title: str, sets: Sequence[Mapping[str, Tensor]]) -> Tensor:
        def run(model: nn.Module, rows: Tensor) -> Tensor:
            mine = [{block: s[rows] for block, s in changed.items()} for changed in sets]
            return answers(model, data.test_images[rows], mine)

        return torch.cat(by_batch(title, run, len(labels), workers), 1)

    means = {}
    if "mean" in kinds:
        means = {block: s.mean(0) for block, s in all_gates("gates, training images", data.train_images).items()}
    gates = all_gates("gates, test images", data.test_images)
    before = all_answers("untouched", [{}])[0]
    places = {block: [block] for block in gates} | {"all": list(gates)}
    lots = {kind: range(seeds if kind in BY_CHANCE or kind in BY_PREDICTION else 1) for kind in kinds}
    new = {
        (kind, seed): replace_gates(kind, gates, means, labels, seed, predicted=before)
        for kind in kinds
        for seed in lots[kind]
    }
    cases = [(*run, place) for run in new for place in places]
    after = dict(
        zip(cases, all_answers("interventions", [{b: new[k, seed][b] for b in places[at]} for k, seed, at in cases]))
    )
    of_class = [labels == k for k in range(len(data.classes))]

    def answers_of(kind: str, place: str) -> Tensor:
        return torch.stack([after[kind, seed, place] for seed in lots[kind]])

    def report(kind: str, place: str) -> dict[str, Any]:
        now = answers_of(kind, place)
        by_class = [effect(before[mine], now[:, mine], labels[mine]) for mine in of_class]
        result = asdict(effect(before, now, labels))
        result["classes"] = [{"change": e.change, "margin": e.margin} for e in by_class]
        if kind.startswith("other_"):
            same, classes = kind.replace("other", "same"), before if kind in BY_PREDICTION else labels
            if same in kinds:
                beyond = effect(answers_of(same, place), now, labels)
                result[f"beyond_{same}"] = {"change": beyond.change, "margin": beyond.margin}
            drawn = [donors(classes, Generator().manual_seed(seed), same_class=False) for seed in lots[kind]]
            shares = [toward_donor(before, one, classes, donor) for one, donor in zip(now, drawn)]
            result["toward_donor"], result["toward_donor_by_chance"] = (sum(x) / len(x) for x in zip(*shares))
        return result

    right = before == labels
    return {
        "network": NETWORK,
        "sha256": zoo.facts(NETWORK)["sha256"],
        "data": data.name,
        "images": len(labels),
        "whole_test_set": len(labels) == 10_000,
        "train_images": len(data.train_labels),
        "seeds": list(range(seeds)),
        "class_names": list(data.classes),
        "blocks": list(gates),
        "accuracy": right.double().mean().item(),
        "class_accuracy": [right[mine].double().mean().item() for mine in of_class],
        "interventions": {
            kind: {
                "what": KINDS[kind],
                "by_chance": kind in BY_CHANCE or kind in BY_PREDICTION,
                "places": {place: report(kind, place) for place in places},
            }
            for kind in kinds
        },
    }


def extended(
    stored: Mapping[str, Any], results: Mapping[str, Any], about: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stored measurement with some kinds measured later, each of which carries its own `about`; and the file's own.

    Raises:
        ValueError: the two are not of the same network, data or seeds.
    """
    odd = [name for name in FACTS if stored[name] != results[name]]
    if odd:
        raise ValueError(f"the stored measurement differs in {', '.join(odd)}; measure all kinds anew")
    later = {kind: {**one, "about": dict(about)} for kind, one in results["interventions"].items()}
    found = {**stored["interventions"], **later}
    whole = {**stored, "interventions": {kind: found[kind] for kind in KINDS if kind in found}}
    return whole, whole.pop("about")


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.interventions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, metavar="KIND", help=f"only these, into a stored file: {', '.join(KINDS)}"
    )
    parser.add_argument("--images", type=positive, default=10_000, help="to test, as many of each class (%(default)s)")
    parser.add_argument("--train-images", type=positive, default=10_000, help="for the mean gates (%(default)s)")
    parser.add_argument("--seeds", type=positive, default=5, help="(%(default)s)")
    parser.add_argument("--workers", type=positive, default=torch.get_num_threads(), help="threads (%(default)s)")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    stored = store.load("interventions", folder=args.out) if args.kinds else None
    data = load_cifar10(download=False).subset(train=args.train_images, test=args.images)
    started = time.perf_counter()
    results = store.rounded(measure(data, args.seeds, args.workers, args.kinds or tuple(KINDS)))
    about = store.about(
        torch.device("cpu"),
        command=store.typed(parser.prog, argv),
        seeds=range(args.seeds),
        settings={"network": NETWORK, "batch": BATCH, "workers": args.workers},
        data={"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
        seconds=time.perf_counter() - started,
        dtype=torch.float32,
    )
    took = about["seconds"]
    if stored is not None:
        results, about = extended(stored, results, about)
    path = store.keep("interventions", results, about, folder=args.out)
    print(f"{path.name}: {100 * results['accuracy']:.2f} % untouched, {took:.0f} s")


if __name__ == "__main__":
    main()
