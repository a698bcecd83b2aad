"""Judges of `train_cifar10`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from solutions import solutions
from torch import Tensor

from senet_edu import check
from senet_edu.data import procedural
from senet_edu.train import Recipe, Run


def triangle(share: float, peak: float, warmup: float) -> float:
    if share < warmup:
        return peak / 25 + (peak - peak / 25) * share / warmup
    return peak * (1 - share) / (1 - warmup)


def test_one_cycle_accepts_pytorchs_schedule(verdict: Callable[..., str]) -> None:
    assert verdict(check.one_cycle, triangle).startswith(check.TICK)
    for kind in (np.float32, torch.tensor, np.array):
        assert verdict(check.one_cycle, lambda *given: kind(triangle(*given))).startswith(check.TICK)  # noqa: B023
    in_one_line = lambda share, peak, warmup: float(np.interp(share, [0, warmup, 1], [peak / 25, peak, 0]))  # noqa: E731
    assert verdict(check.one_cycle, in_one_line).startswith(check.TICK)


def interpolated(*points: tuple[str, str]) -> Callable[[float, float, float], float]:
    """A schedule through points (share, rate), which may contain `peak` and `warmup`."""

    def schedule(share: float, peak: float, warmup: float) -> float:
        names = {"peak": peak, "warmup": warmup}
        xs, ys = zip(*[[eval(text, names) for text in point] for point in points])
        return float(np.interp(share, xs, ys))

    return schedule


@pytest.mark.parametrize(
    ("schedule", "hint"),
    [
        (interpolated(("0", "0"), ("warmup", "peak"), ("1", "0")), "begins at 0, where nothing is learned"),
        (interpolated(("0", "peak / 10"), ("warmup", "peak"), ("1", "0")), "it should be peak / 25 = 0.01"),
        (interpolated(("0", "peak / 25"), ("0.5", "peak"), ("1", "0")), "at share=0.2; there it should be at its peak"),
        (interpolated(("0", "peak / 25"), ("warmup", "peak"), ("1", "peak / 25")), "back to where it began"),
        (interpolated(("0", "peak / 25"), ("warmup", "peak"), ("1", "peak / 2")), "ends at 0.125; it should end at 0"),
        (lambda s, p, w: triangle(s, p, w) if s >= w else p / 25 * 25 ** (s / w), "halfway up; on a straight line"),
        (lambda s, p, w: triangle(s, p, w) if s <= w else p * (1 - s) ** 2 / (1 - w) ** 2, "halfway down; on a strai"),
        (lambda s, p, w: triangle(s, p, w) if abs(s - 0.7) > 0.05 else p, "leaves PyTorch's lines"),
        (lambda s, p, w: math.nan, "the learning rate must be a number, not NaN"),  # and not "the end is right"
        (lambda s, p, w: None, "returns None: is the `return` missing?"),
    ],
)
def test_one_cycle_hints(verdict: Callable[..., str], schedule: Callable[..., float], hint: str) -> None:
    line = verdict(check.one_cycle, schedule)
    assert line.startswith(check.CROSS) and hint in line


def flipped_where(images: Tensor, coins: Tensor, axis: int = 3) -> Tensor:
    return torch.where(coins, images.flip(axis), images)


def coins(*shape: int) -> Tensor:
    return torch.rand(shape) < 0.5


def test_random_flip_accepts_different_ways(verdict: Callable[..., str]) -> None:
    def by_index(images: Tensor) -> Tensor:
        images = images.clone()
        which = torch.rand(len(images)) < 0.5
        images[which] = images[which].flip(3)
        return images

    def in_a_loop(images: Tensor) -> Tensor:
        return torch.stack([image.flip(2) if torch.rand(()) < 0.5 else image for image in images])

    def in_numpy(images: Tensor) -> np.ndarray:
        return np.where(np.random.rand(len(images), 1, 1, 1) < 0.5, images.numpy()[..., ::-1], images.numpy())

    def as_list(images: Tensor) -> list:
        return by_index(images).tolist()

    for answer in (
        by_index,
        in_a_loop,
        in_numpy,
        as_list,
        lambda x: flipped_where(x, coins(len(x), 1, 1, 1)),
    ):
        assert verdict(check.random_flip, answer).startswith(check.TICK)


def flip_in_place(images: Tensor) -> Tensor:
    images[::2] = images[::2].flip(3)
    return images


@pytest.mark.parametrize(
    ("flip", "hint"),
    [
        (lambda x: x.flip(3) if torch.rand(()) < 0.5 else x, "one coin for the whole batch"),
        (lambda x: x, "all images come out as they were"),
        (lambda x: x.flip(3), "all images come out mirrored"),
        (flip_in_place, "changes the images that it is given"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1), axis=2), "upside down: axis 2 is the height"),
        (lambda x: flipped_where(x, coins(len(x), 1, x.shape[2], 1)), "one coin for a whole image"),
        (lambda x: flipped_where(x, coins(len(x), 3, 1, 1)), "one coin for a whole image"),
        (lambda x: flipped_where(x, coins(*x.shape)), "neither the image nor its mirror image"),
        (lambda x: flipped_where(x, (torch.arange(len(x)) % 2 == 0).view(-1, 1, 1, 1)), "coins must be new each time"),
        (lambda x: flipped_where(x, torch.rand(len(x), 1, 1, 1) < 0.1), "it should be about half"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1)).float(), "your result is float32"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1))[:, 0], "must have the shape of the input"),
        (lambda x: None, "is the `return` missing"),
    ],
)
def test_random_flip_hints(verdict: Callable[..., str], flip: Callable[[Tensor], Tensor], hint: str) -> None:
    for _ in range(3):  # whatever the coins
        line = verdict(check.random_flip, flip)
        assert line.startswith(check.CROSS) and (hint in line or "for the whole batch" in line)


def a_run(*accuracy: float, train: int = 800, holdout: int = 500, size: int = 32, train_accuracy: float = 0.5) -> Run:
    recipe = {"epochs": len(accuracy), "holdout": holdout}
    about = {"data": {"train": train, "test": holdout or 10_000}, "recipe": recipe}
    row = {"size": size, "train_accuracy": train_accuracy}
    return Run(torch.nn.Identity(), about, [row | {"test_accuracy": one} for one in accuracy])


@pytest.mark.parametrize(
    ("run", "hint"),
    [
        (a_run(0.5, train=50_000), "you trained on 50,000 images"),
        (a_run(0.5, train=1_300, holdout=0), "you chose by test images; let `holdout=500`"),
        (a_run(0.5, holdout=20), "20 held-out images say too little"),
        (a_run(0.5, 0.3), "30.0 ± 4.0 % of the held-out images, and the target is 40 %. An epoch before was better"),
        (a_run(0.3, size=16), "had 16 pixels, but the held-out ones have 32"),
        (a_run(0.3, train_accuracy=0.34), "Even on the training images it is 34.0 %: train longer"),
        (a_run(0.1, 0.2, 0.354), "35.4 ± 4.2 % of the held-out images, and the target is 40 %. 3 epochs are few"),
        (a_run(*[0.3] * 20, train_accuracy=0.9), "On the training images it is 90.0 %"),
        ("40 %", "give the judge what train(…) returns"),
    ],
)
def test_reach_target_hints(verdict: Callable[..., str], run: Any, hint: str) -> None:
    line = verdict(check.reach_target, run)
    assert line.startswith(check.CROSS) and hint in line


def test_reach_target_accepts_a_run_that_reaches_it(verdict: Callable[..., str]) -> None:
    assert verdict(check.reach_target, a_run(0.2, 0.40)).startswith(check.TICK)


def test_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    for judge, answer in (
        (check.one_cycle, lambda share, peak, warmup: ...),
        (check.random_flip, lambda images: ...),
        (check.reach_target, ...),
    ):
        assert verdict(judge, answer).startswith(check.OPEN)


def test_folded_recipe_is_one() -> None:
    """Its training takes minutes, so here it only has to be a recipe that goes further than the chapter's."""
    (solution,) = (one for one in solutions() if one.judge == "reach_target")
    recipes = []

    def train(recipe: Recipe, **options: Any) -> None:
        recipes.append(recipe)

    names = solution.run({"train": train, "data": procedural()})
    (recipe,) = recipes
    assert recipe.epochs > names["quick"].epochs and recipe.size_at(recipe.epochs - 1) == 32
    assert recipe.holdout == 500
