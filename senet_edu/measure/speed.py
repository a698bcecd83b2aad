"""Images per second of our training loop and of the common one: same network, same machine, taking turns (chapter 11).

    python -m senet_edu.measure.speed               # prints, and keeps nothing
    python -m senet_edu.measure.speed --store       # what chapter 11 shows; on an idle machine

`ours` is `senet_edu.train.train` itself, which reports each epoch's speed: augmentation, forward and backward pass,
optimizer and schedule of SE-ResNet-20 (r = 4) on 32 x 32 images, in the precision that it chooses for this machine.
`common` is what most tutorials write: a DataLoader with 2 workers and torchvision's RandomCrop(32, 4), flip, ToTensor
and Normalize; NCHW, float32, batches of 128, cross-entropy, SGD. `ratio` compares the two at this one image size.
`ratio_recipe` compares with the recipe as it ships, which trains on smaller images first: not the same work, but the
same number of images seen.

`peak_memory_mb` is what each loop needs by itself: on a GPU the most that PyTorch has allotted there, on a CPU the
resident memory of a process of its own, with its loader's workers. `share_of_peak` is the arithmetic of both passes
(three times the forward pass, a multiply-add counted as two) by what a large matrix product reaches on the same device
with the same data type and number of threads.

After each epoch of ours comes one of the common loop, so that a slow moment of the machine strikes both; medians are
reported, and the first epoch of each, which warms up, is not counted. No file is needed: the images are random.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from senet_edu import store
from senet_edu.commandline import guarded, positive
from senet_edu.cost import multiply_adds
from senet_edu.data import CLASSES, MEAN, STD, ImageData
from senet_edu.extras import extra
from senet_edu.machine import precision
from senet_edu.resnet import create_model
from senet_edu.train import RECIPES, Recipe, Run, train

HOLDS = {
    "results/training_speed.json": store.Holding("training images per second, two loops", ("11_train_cifar10",)),
}

RECIPE = RECIPES["laptop"].recipe
SIDE = 32


class Images(Dataset):
    """What torchvision's CIFAR10 is to a DataLoader: arrays in memory, turned into a PIL image one by one."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        with extra("book"):
            from torchvision import transforms  # slow to import, and nothing else here needs it

        self.images, self.labels = images.permute(0, 2, 3, 1).numpy(), labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(SIDE, 4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class CommonLoop:
    """The loop of most tutorials."""

    def __init__(self, data: ImageData, device: torch.device) -> None:
        self.device = device
        self.model = create_model(RECIPE.model, **RECIPE.model_options).to(device).train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        self.loader = DataLoader(
            Images(data.train_images, data.train_labels),
            batch_size=RECIPE.batch_size,
            shuffle=True,
            num_workers=2,
            drop_last=True,
            pin_memory=device.type == "cuda",
            persistent_workers=True,
        )

    def epoch(self) -> float:
        """Train an epoch; returns images per second."""
        start, seen = time.perf_counter(), 0
        for x, y in self.loader:
            x, y = x.to(self.device), y.to(self.device)
            loss = F.cross_entropy(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            seen += len(y)
        loss.item()  # waits for a GPU
        return seen / (time.perf_counter() - start)


def random_images(count: int) -> ImageData:
    """As many images of noise; a step takes as long on them as on photographs."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, SIDE, SIDE), generator=generator).byte()
    labels = torch.randint(len(CLASSES), (count,), generator=generator)
    return ImageData("noise", images, labels, images[:1], labels[:1], CLASSES)


def peak_memory(loop: str, images: int, device: torch.device) -> int:
    """Megabytes that an epoch of one loop needs; to be called in a fresh process."""
    data = random_images(images)
    if loop == "ours":
        train(replace(RECIPE, epochs=1, sizes=((0.0, SIDE),)), data=data, device=device, progress=False)
    else:
        loop_ = CommonLoop(data, device)
        loop_.epoch()
        del loop_  # ends the workers, whose memory counts only then
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    import resource  # Windows has none, and only this needs it

    here, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (here + workers * 2 * (loop == "common")) >> 10  # that of the children is the largest one's; there are two


def peak_arithmetic(device: torch.device, dtype: torch.dtype) -> float:
    """Multiplications and additions a second of a large matrix product, as exact as a convolution of this type."""
    side = 16_384 if device.type == "cuda" else 4096
    a = torch.randn(side, side, device=device, dtype=dtype)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    best = float("inf")
    try:
        for _ in range(4):
            start = time.perf_counter()
            (a @ a).sum().item()
            best = min(best, time.perf_counter() - start)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * side**3 / best


def ours_and_common(
    data: ImageData, rounds: int, device: torch.device
) -> tuple[CommonLoop, list[float], list[float], dict[int, float]]:
    """Both loops by turns. Returns the common one, images a second of its epochs and of ours, and ours by side."""
    common_loop = CommonLoop(data, device)
    common_loop.epoch()
    common: list[float] = []

    def take_turns(row: dict) -> None:
        common.append(common_loop.epoch())

    def ours(recipe: Recipe) -> Run:
        return train(recipe, data=data, device=device, eval_every=recipe.epochs, on_epoch=take_turns, progress=False)

    run = ours(replace(RECIPE, epochs=rounds + 1, sizes=((0.0, SIDE),)))
    # One epoch of each size of the recipe, and one before them to warm up.
    sides = [side for _, side in RECIPE.sizes]
    short = tuple(((i + 1) / (len(sides) + 1) if i else 0.0, side) for i, side in enumerate(sides))
    by_side = {
        row["size"]: row["images_per_second"]
        for row in ours(replace(RECIPE, epochs=len(sides) + 1, sizes=short)).history
    }
    return common_loop, common, [row["images_per_second"] for row in run.history[1:]], by_side


def measure(images: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Time `rounds` epochs of each loop, after one that warms up, and the recipe's three sizes."""
    data = random_images(images)
    common_loop, common_all, ours_all, by_side = ours_and_common(data, rounds, device)
    recipe_speed = RECIPE.epochs / sum(1 / by_side[RECIPE.size_at(epoch)] for epoch in range(RECIPE.epochs))
    flops = 6 * multiply_adds(common_loop.model, (3, SIDE, SIDE))
    dtypes = {"ours": precision(device), "common": torch.float32}
    peaks = {name: peak_arithmetic(device, dtype) for name, dtype in dtypes.items()}
    speeds = {"ours": statistics.median(ours_all), "common": statistics.median(common_all)}
    memory = {}
    for loop in speeds:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            memory[loop] = fresh.submit(peak_memory, loop, images, device).result()
    return {
        "ours": round(speeds["ours"], 1),
        "common": round(speeds["common"], 1),
        "ratio": round(speeds["ours"] / speeds["common"], 2),
        "ours_recipe": round(recipe_speed, 1),
        "ratio_recipe": round(recipe_speed / speeds["common"], 2),
        "peak_memory_mb": memory,
        "share_of_peak": {name: round(speeds[name] * flops / peaks[name], 3) for name in speeds},
        "peak_gflops": {name: round(peak / 1e9, 1) for name, peak in peaks.items()},
        "unit": "training images per second",
        "ours_is": f"senet_edu.train.train at {SIDE} x {SIDE} pixels: augmentation, both passes, optimizer, schedule",
        "ours_recipe_is": f"the same, averaged over the recipe's sizes {RECIPE.sizes} (share of the epochs, side)",
        "ours_all": ours_all,
        "ours_by_side": by_side,
        "common_all": [round(speed, 1) for speed in common_all],
        "model": f"{RECIPE.model} {RECIPE.model_options}",
        "images_per_epoch": images // RECIPE.batch_size * RECIPE.batch_size,
        "batch_size": RECIPE.batch_size,
        "precision": {name: str(dtype).removeprefix("torch.") for name, dtype in dtypes.items()},
    }


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print all of it as one JSON object, on the last line")
    parser.add_argument("--store", action="store_true", help="keep it with the package as results/training_speed.json")
    parser.add_argument("--images", type=positive, default=1_280, help="images an epoch (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=5, help="epochs of each loop that count (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    device = torch.device(args.device)
    result = measure(args.images, args.rounds, device)
    print(f"ours   {result['ours']:8.1f} images/s at {SIDE} x {SIDE}, {result['precision']['ours']}")
    print(f"common {result['common']:8.1f} images/s: ours is {result['ratio']} times as fast")
    print(f"ours   {result['ours_recipe']:8.1f} images/s over the whole recipe: {result['ratio_recipe']} times as fast")
    for name, unit in (("peak_memory_mb", "MB"), ("share_of_peak", "of the peak arithmetic")):
        print("; ".join(f"{loop} {number} {unit}" for loop, number in result[name].items()))
    if args.store:
        about = store.about(
            device,
            command=store.typed(parser.prog, argv),
            seeds=[RECIPE.seed],
            recipe=asdict(RECIPE),
            settings={"images": args.images, "rounds": args.rounds},
            data={"name": "noise", "train": args.images, "test": 1},
            seconds=time.perf_counter() - started,
        )
        store.keep("training_speed", result, about)
    if args.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
