"""Judges of the chapter on training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.check.judge import as_number, as_tensor, ask, judge, shown
from senet_edu.train import Run


def one_cycle(function: Callable[[float, float, float], float]) -> None:
    """`one_cycle(share, peak, warmup)`: the learning rate when a share (0 to 1) of the steps is done.

    From peak / 25 up to the peak at `share == warmup`, then down to 0, both on straight lines: what PyTorch's
    `OneCycleLR` does with `anneal_strategy="linear"` and its default `div_factor=25`.
    """
    judge(function, _one_cycle, "The same as PyTorch's OneCycleLR, for several peaks and warm-ups.")


def _one_cycle(function: Callable[[float, float, float], float]) -> str | None:
    steps = 1000
    for peak, warmup in ((0.25, 0.2), (1.0, 0.5), (0.04, 0.3)):

        def rate(share: float, peak: float = peak, warmup: float = warmup) -> float:
            return as_number(ask(function, share, peak, warmup), "the learning rate must be a number")

        def off(got: float, wanted: float, peak: float = peak) -> bool:
            return abs(got - wanted) > 0.01 * peak

        got = [rate(step / steps) for step in range(steps)]
        if not any(map(off, got, _rates_of_pytorch(peak, warmup, steps))):
            continue
        case = f"with peak={peak} and warmup={warmup}"
        first, up, top, down, last = map(rate, (0, warmup / 2, warmup, (1 + warmup) / 2, 1.0))
        if not off(first, 0):
            return "yours begins at 0, where nothing is learned; begin at peak / 25."
        if off(first, peak / 25):
            return f"{case} the rate begins at {first:.4g}; it should be peak / 25 = {peak / 25:.4g}."
        if off(top, peak):
            return f"{case} the rate is {top:.4g} at share={warmup}; there it should be at its peak."
        if not off(last, peak / 25):
            return "yours falls back to where it began; it should fall to 0."
        if off(last, 0):
            return f"{case} the rate ends at {last:.4g}; it should end at 0."
        if off(up, 0.52 * peak):
            return f"{case} the rate is {up:.4g} halfway up; on a straight line it would be {0.52 * peak:.4g}."
        if off(down, 0.5 * peak):
            return f"{case} the rate is {down:.4g} halfway down; on a straight line it would be {0.5 * peak:.4g}."
        return f"{case} begin, peak and end are right, but between them it leaves PyTorch's lines."
    return None


def _rates_of_pytorch(peak: float, warmup: float, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, steps + 1, pct_start=warmup, anneal_strategy="linear", cycle_momentum=False
    )
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def random_flip(function: Callable[[Tensor], Tensor]) -> None:
    """Mirror each of the uint8 images `(N, 3, H, W)` left to right with probability one half, each by its own coin."""
    judge(function, _random_flip, "A coin for every image, and the originals untouched.")


def _random_flip(function: Callable[[Tensor], Tensor]) -> str | None:
    images = torch.randint(256, (400, 3, 6, 8), generator=torch.Generator().manual_seed(0)).byte()
    before = images.clone()
    results = []
    for _ in range(2):
        results.append(ask(function, images))
        if not torch.equal(images, before):
            return "your function changes the images that it is given; the next epoch needs them as they were."
    first, second = (as_tensor(result, "the result must be the images") for result in results)
    for result in (first, second):
        if result.shape != images.shape:
            return (
                f"the result must have the shape of the input, {tuple(images.shape)}; yours has {tuple(result.shape)}."
            )
    if first.dtype != torch.uint8 and hasattr(results[0], "dtype"):  # a list has none
        return f"the images are uint8, your result is {str(first.dtype).removeprefix('torch.')}."

    def equal(wanted: Tensor, result: Tensor) -> Tensor:
        return (result == wanted).flatten(1).all(1)

    kept, mirrored = equal(images, first), equal(images.flip(3), first)
    share = mirrored.float().mean().item()
    if (kept | mirrored).all() and share in (0, 1):
        done = "mirrored" if share else "as they were"
        return f"all images come out {done}: one coin for the whole batch? Draw a number for each of the N images."
    if not (kept | mirrored).all():
        if (kept | equal(images.flip(2), first)).all():
            return "you turn images upside down: axis 2 is the height, axis 3 the width."
        rows_kept, rows_flipped = ((first == other).all(3) for other in (images, images.flip(3)))
        if (rows_kept | rows_flipped).all():
            return "some rows or channels of an image are mirrored and others not: one coin for a whole image."
        return "some results are neither the image nor its mirror image."
    if (mirrored == equal(images.flip(3), second)).all():
        return "the same images are mirrored again in the second call: the coins must be new each time."
    if not 0.4 < share < 0.6:
        return f"{100 * share:.0f} % of the images are mirrored; it should be about half."
    return None


HELD_OUT = 500  # images: at 40 % they leave a margin of 4 points


def reach_target(run: Any, *, images: int = 800, target: float = 0.40) -> None:
    """A `senet_edu.train.Run` on at most so many training images that reaches an accuracy on others, held out.

    The images that it is judged by are training images, too (`Recipe.holdout`), as the reader tries several recipes: a
    choice by test images would be a choice of what fits them. At least `HELD_OUT` of them, for a margin of 4 points.

    Args:
        run: what `train` returned.
        images: how many training images are allowed.
        target: the accuracy (0..1) on the held-out images to reach after the last epoch.
    """

    def test(run: Any) -> str | None:
        if not isinstance(run, Run):
            return f"give the judge what train(…) returns, `run = train(recipe, data=more)`, not {shown(run)}."
        data, recipe = run.about["data"], run.about["recipe"]
        if not recipe["holdout"]:
            return f"you chose by test images; let `holdout={HELD_OUT}` test on training images that are held out."
        if recipe["holdout"] < HELD_OUT:
            return f"{recipe['holdout']} held-out images say too little; hold out {HELD_OUT}."
        if data["train"] > images:
            return f"you trained on {data['train']:,} images; the task is to manage with {images}."
        last, best = run.history[-1], max(row.get("test_accuracy", 0) for row in run.history)
        accuracy = last["test_accuracy"]
        if accuracy >= target:
            return None
        margin = 196 * (accuracy * (1 - accuracy) / recipe["holdout"]) ** 0.5
        reached = (
            f"{100 * accuracy:.1f} ± {margin:.1f} % of the held-out images, and the target is {100 * target:.0f} %."
        )
        if best >= target:
            return f"{reached} An epoch before was better, but the best of many epochs is a lucky one."
        if last["size"] < 32:
            return f"{reached} The last training images had {last['size']} pixels, but the held-out ones have 32."
        if last["train_accuracy"] < target:
            return f"{reached} Even on the training images it is {100 * last['train_accuracy']:.1f} %: train longer."
        if recipe["epochs"] <= 4:
            return f"{reached} {recipe['epochs']} epochs are few."
        return f"{reached} On the training images it is {100 * last['train_accuracy']:.1f} %."

    judge(run, test, "Reached, with as few images and no look at the test images: the recipe made the difference.")
