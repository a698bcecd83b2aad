"""Measure between which values the squeezed numbers z of the shipped SE-ResNet-20 lie on the training images.

    python -m senet_edu.measure.squeeze                              # all 50,000 training images
    python -m senet_edu.measure.squeeze --images 500 --out /tmp      # a small part, to try something out

For each SE block and channel the 0.1 and the 99.9 percentile: what a reader who pulls at z is held to in the figure of
the block. Writes `squeeze.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from senet_edu import store, zoo
from senet_edu.commandline import guarded, positive
from senet_edu.data import load_cifar10, normalize
from senet_edu.modes import evaluating
from senet_edu.se import SEBlock
from senet_edu.zoo import load_pretrained

HOLDS = {
    "results/squeeze.json": store.Holding(
        "between which values the squeezed numbers lie", ("02_squeeze", "03_excitation", "04_rescale")
    ),
}

NETWORK = "se_resnet20"
PERCENTILES = (0.1, 99.9)
BATCH = 125


@torch.no_grad()
def squeezed(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The squeezed numbers z of every SE block, `(N, C)` each, for images `(N, 3, H, W)` uint8."""
    found: dict[str, list[Tensor]] = {name: [] for name, one in model.named_modules() if isinstance(one, SEBlock)}
    hooks = [
        model.get_submodule(name).register_forward_pre_hook(
            lambda se, inputs, z=z: z.append(se.squeeze(inputs[0]))  # equation 2
        )
        for name, z in found.items()
    ]
    try:
        with evaluating(model):
            for batch in tqdm(images.split(BATCH), "images, by batch"):
                model(normalize(batch))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(z) for name, z in found.items()}


def measure(images: Tensor) -> dict[str, list[list[float]]]:
    """By SE block the two percentiles of z of every channel, C each."""
    at = torch.tensor(PERCENTILES, dtype=torch.float64) / 100
    z = squeezed(load_pretrained(NETWORK).to(memory_format=torch.channels_last), images)
    return {name: torch.quantile(values.double(), at, dim=0).tolist() for name, values in z.items()}


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.squeeze", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=positive, default=None, help="only so many training images (default: all)")
    parser.add_argument("--out", type=Path, default=None, help="folder of squeeze.json (default: the package's)")
    options = parser.parse_args(argv)
    if options.images is not None and options.images < 2:
        parser.error(f"--images must be 2 or more, got {options.images}")
    images = load_cifar10(download=False).train_images[: options.images]
    torch.set_num_threads(1)
    start = time.perf_counter()
    limits = measure(images)
    command = store.typed("python -m senet_edu.measure.squeeze", sys.argv[1:] if argv is None else argv)
    facts: dict[str, Any] = store.about(
        torch.device("cpu"),
        command=command,
        settings={"percentiles": list(PERCENTILES), "network": NETWORK},
        data={"name": "cifar10", "train": len(images), "test": 0},
        seconds=time.perf_counter() - start,
        dtype=torch.float32,
    )
    numbers = {"sha256": zoo.facts(NETWORK)["sha256"], "limits": store.rounded(limits, 4)}
    print(f"wrote {store.keep('squeeze', numbers, facts, folder=options.out)}")


if __name__ == "__main__":
    main()
