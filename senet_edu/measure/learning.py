"""Record how the gates of SE-ResNet-20 leave one half while it is trained (chapter 6).

    python -m senet_edu.measure.learning                                        # all 50,000 training images
    python -m senet_edu.measure.learning --images 1000 --out /tmp               # a small part, to try something out

Trains the variants below for two epochs on images of 16x16 pixels, on one thread. On the way it stops at steps that are
evenly spaced on a logarithmic scale, and looks at the gates of the same test images each time. Writes `learning.json`.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu import store
from senet_edu.analysis import calibrate_batch_norm, gates_of
from senet_edu.commandline import guarded, positive
from senet_edu.data import ImageData, load_cifar10
from senet_edu.measure.ablations import shrink
from senet_edu.train import Recipe, train

HOLDS = {
    "results/learning.json": store.Holding("gates recorded while networks were trained", ("06_learning_to_gate",)),
}

SIZE = 16  # side of all images, px
BINS = 41  # an odd number, so that one half is the middle of a bin
RECIPE = Recipe("se_resnet20", epochs=2, sizes=((0.0, SIZE),))


@dataclass(frozen=True)
class Variant:
    """A network whose gates are recorded."""

    what: str
    model_options: dict[str, Any]
    seeds: tuple[int, ...] = (0,)


VARIANTS = {
    "standard": Variant("r = 4", {"reduction": 4}, (0, 1, 2)),
    "zero_init": Variant("r = 4, the last batch norms start at zero", {"reduction": 4, "zero_init_residual": True}),
    "r16": Variant("r = 16, one hidden unit in the first stage", {"reduction": 16}),
}


def steps_to_record(total: int, count: int = 30) -> list[int]:
    """Steps from 0 to the last, evenly spaced in log(1 + step) up to rounding; fewer than `count`, as none is twice."""
    return sorted({round(math.expm1(math.log1p(total) * k / (count - 1))) for k in range(count)})


def histogram(gates: Tensor) -> list[int]:
    """Counts of gates of any shape in equal bins over 0..1."""
    return torch.histc(gates.float(), BINS, 0, 1).long().tolist()


def numbers(gates: Tensor) -> dict[str, float]:
    """The gates `(N, C)` of one block in four numbers."""
    s = gates.double()
    return {
        "mean": s.mean().item(),
        # Far from one half and different from image to image are two things: a gate may rest at 0.8.
        "distance": (s - 0.5).abs().mean().item(),
        "spread": s.std(0, correction=0).mean().item(),
        # No hidden unit is on, so every logit is zero, and every gate is exactly one half.
        "at_half": (gates == 0.5).all(1).double().mean().item(),
    }


def gates_now(model: nn.Module, reference: Tensor, images: Tensor) -> dict[str, Tensor]:
    """The gates of each block for images, with the batch statistics of the reference images.

    Running statistics lag behind the weights, and before the first step they are 0 and 1, which fit nothing. So a copy
    measures its statistics anew, on training images. Its gates are those of a training step; the model is left alone.
    """
    model = copy.deepcopy(model)
    calibrate_batch_norm(model, reference)
    return gates_of(model, images)


def record(recipe: Recipe, data: ImageData, reference: Tensor, images: Tensor) -> dict[str, Any]:
    """Train, and look at the gates now and then.

    Returns:
        `blocks`; `steps`, those after which was looked; and for each of them and each block, in lists of lists, a
        `histogram` of the gates and the `numbers`; `train_accuracy` of the last epoch.
    """
    total = recipe.epochs * (len(data.train_images) // min(recipe.batch_size, len(data.train_images)))
    steps, seen = steps_to_record(total), []

    def look(step: int, model: nn.Module) -> None:
        if step in steps:
            seen.append(gates_now(model, reference, images))

    run = train(recipe, data=data, device="cpu", eval_every=recipe.epochs, on_step=look, progress=sys.stderr.isatty())
    result = {"blocks": list(seen[0]), "steps": steps, "train_accuracy": run.history[-1]["train_accuracy"]}
    result["histogram"] = [[histogram(s) for s in gates.values()] for gates in seen]
    found = [[numbers(s) for s in gates.values()] for gates in seen]
    return result | {name: [[one[name] for one in row] for row in found] for name in found[0][0]}


def measure(data: ImageData, variants: dict[str, Variant], reference: int = 500) -> dict[str, Any]:
    """Record all variants with all their seeds; of the first seed the histograms are kept, too."""
    images = shrink(data.test_images, SIZE)
    calibration = shrink(data.subset(train=reference).train_images, SIZE)
    results: dict[str, Any] = {
        "data": data.name,
        "train_images": len(data.train_images),
        "whole_training_set": len(data.train_images) == 50_000,
        "images": len(images),
        "calibration_images": len(calibration),
        "size": SIZE,
        "bins": BINS,
        "variants": {},
    }
    for name, variant in variants.items():
        runs = []
        for seed in variant.seeds:
            started = time.perf_counter()
            recipe = Recipe(**asdict(RECIPE) | {"model_options": variant.model_options, "seed": seed})
            runs.append(record(recipe, data, calibration, images))
            print(f"{name}, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
        results |= {key: runs[0][key] for key in ("blocks", "steps")}
        results["variants"][name] = asdict(variant) | {
            "train_accuracy": [run["train_accuracy"] for run in runs],
            "histogram": runs[0]["histogram"],
            **{key: [run[key] for run in runs] for key in ("mean", "distance", "spread", "at_half")},
        }
    return results


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.learning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=positive, help="training images, as many of each class; all when left out")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = load_cifar10(download=False).subset(train=args.images, test=250)
    started = time.perf_counter()
    results = measure(data, VARIANTS)
    about = store.about(
        torch.device("cpu"),
        command=store.typed(parser.prog, argv),
        seeds=sorted({seed for variant in VARIANTS.values() for seed in variant.seeds}),
        recipe=asdict(RECIPE),
        settings={"variants": {name: variant.model_options for name, variant in VARIANTS.items()}},
        data={"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
        seconds=time.perf_counter() - started,
    )
    path = store.keep("learning", store.rounded(results, 5), about, folder=args.out)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {about['seconds']:.0f} s")


if __name__ == "__main__":
    main()
