"""Judges of the chapter on the squeeze."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from senet_edu.check.judge import Raised, as_number, as_tensor, ask, close, diagnose, judge, shown


def same_mean(twins: Callable[[], tuple[Any, Any]], tell: Callable[[Any], Any]) -> None:
    """Two maps `(H, W)` with one mean, the larger maximum at least 5 times the other; `tell` gives them two numbers."""
    judge((twins, tell), _same_mean, "One mean, two different maps: what the mean forgets, your squeeze still sees.")


def _same_mean(answer: tuple[Callable[[], Any], Callable[[Any], Any]]) -> str | None:
    twins, tell = answer
    maps = ask(twins)
    if not isinstance(maps, tuple | list) or len(maps) != 2:
        return f"twins() must return two maps: `return first, second`; yours returns {shown(maps)}."
    first, second = (as_tensor(u, "twins() must return two maps, arrays or tensors (H, W)").double() for u in maps)
    if first.ndim != 2 or second.ndim != 2 or not first.numel() or not second.numel():
        return f"a map has two axes, (H, W); yours have shapes {tuple(first.shape)} and {tuple(second.shape)}."
    if not close(first.mean(), second.mean()):
        return f"the means differ: {first.mean():.4g} and {second.mean():.4g}."
    low, high = sorted((float(first.max()), float(second.max())))
    if low <= 0:
        return f"let both maxima be above zero, so that one can be 5 times the other; now one is {low:.4g}."
    if high < 5 * low:
        return f"the maxima are {low:.4g} and {high:.4g}; the larger must be at least 5 times the smaller."

    def told(u: Any) -> float:
        return as_number(ask(tell, u), "tell(u) must be one number, as every squeeze is")

    one, other = map(told, maps)
    if close(one, other):
        same_as = " That is the mean, which the twins share." if close(one, float(first.mean())) else ""
        return f"tell gives {one:.4g} for both maps.{same_as}"
    flat, square = torch.full((12, 20), 0.25), torch.zeros(12, 20)
    square[6:, 10:] = 1  # a quarter of the map, so its mean is 0.25, too
    if close(*(told(_like(u, maps[0])) for u in (flat, square))):
        return "tell parts your twins, but not a flat map of 0.25 from one with a quarter at 1 and the rest at 0."
    return None


def _like(u: Tensor, example: Any) -> Any:
    """The map as the reader's are: a tensor, nested lists, or an array."""
    if isinstance(example, Tensor):
        return u.to(example.device)
    return u.tolist() if isinstance(example, list | tuple) else u.numpy()


def center(function: Callable[[Tensor], Tensor]) -> None:
    """Subtract from every map of `(N, C, H, W)` its own mean."""
    judge(function, _center, "Right for every N, C, H and W: the two kept axes make z line up with the maps.")


def _center(function: Callable[[Tensor], Tensor]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((8, 8, 8, 8), (2, 3, 5, 7), (1, 4, 1, 1)):
        u = torch.randn(shape, generator=generator) + torch.randn(*shape[:2], 1, 1, generator=generator)
        given = u.clone()
        try:
            result = ask(function, given)
        except Raised as raised:
            if raised.mentions("must match the size"):
                return (
                    f"for u of shape {shape} PyTorch says: {raised.error}. Do the axes of the mean line up with those "
                    "of u?"
                )
            raise
        got = as_tensor(result, "the result must be the centered maps")
        if close(got, u - u.mean((2, 3), keepdim=True)):
            continue
        if got.shape != u.shape:
            return f"for u of shape {shape} the result must have the same shape; yours has {tuple(got.shape)}."
        mistakes = {
            "you subtract one mean of everything; each map has its own.": u - u.mean(),
            "you mean over the batch, too; each image has its own z.": u - u.mean((0, 2, 3), keepdim=True),
            "you mean over the channels, axis 1; squeeze means over H and W.": u - u.mean(1, keepdim=True),
            "these are the means; subtract them from u.": u.mean((2, 3), keepdim=True).expand_as(u),
            "the other way round: subtract the means from u.": u.mean((2, 3), keepdim=True) - u,
            "these are the maps as they were; subtract from each its mean.": u,
        }
        if shape == (8, 8, 8, 8):
            mistakes |= {
                f"no error for u of shape {shape}, but wrong: without keepdim, z (N, C) is lined up with the axes "
                "(H, W).": u - u.mean((2, 3))
            }
        known = diagnose(got, mistakes)
        return known or f"for u of shape {shape} the maps do not come out with mean zero and otherwise unchanged."
    return None
