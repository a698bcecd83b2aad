"""Judges of the chapter on shipping a network with SE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from senet_edu.check.judge import Wrong, as_tensor, ask, close, diagnose, judge, shown

_LARGEST = 65504  # of float16


def folded(function: Callable[[Tensor, Tensor, Tensor], Any]) -> None:
    """`fold(weight, bias, gates)`: a batch norm's weight and bias `(C,)`, times the mean of the gates `(N, C)`."""
    judge(function, _folded, "The batch norm now does what the mean gates did, and the block can go.")


def _folded(function: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.rand(2, 5, generator=generator) + 0.5
    gates = torch.rand(7, 5, generator=generator)
    answer = ask(function, weight.clone(), bias.clone(), gates.clone())
    if isinstance(answer, str | dict | set) or not hasattr(answer, "__len__") or len(answer) != 2:
        return f"fold must return two things, `return weight, bias`, not {shown(answer)}."
    got = [as_tensor(part, "fold must return numbers") for part in answer]
    s = gates.mean(0)
    for name, part in zip(("weight", "bias"), got):
        if part.shape != (5,):
            return f"the {name} must have one number for each channel, (5,); yours has the shape {tuple(part.shape)}."
    mistakes = {
        "the bias is as before: a gate multiplies all that the batch norm puts out.": [weight * s, bias],
        "these are the gates of the first image alone, not their means.": [weight * gates[0], bias * gates[0]],
        "each channel has a mean of its own; you took one mean for all.": [weight * gates.mean(), bias * gates.mean()],
    }
    if all(map(close, got, (weight * s, bias * s))):
        return None
    return diagnose(got, mistakes, lambda a, b: all(map(close, a, b))) or "these are not weight · s and bias · s."


def overflows(function: Callable[[Tensor], Any]) -> None:
    """`overflows(x)`: the channels of `(N, C, H, W)` whose sum over a map, of any image, leaves float16."""
    judge(function, _overflows, "Every value fits, and the sum does not: that is how a squeeze overflows.")


def _overflows(function: Callable[[Tensor], Any]) -> str | None:
    x = torch.ones(2, 6, 64, 64)
    x[0, 1] = 20.0  # sums to 81,920, in the first image alone
    x[1, 4] = -20.0
    x[:, 3] = 15.0  # sums to 61,440, which fits
    x[0, 5, :32], x[0, 5, 32:] = 100.0, -100.0  # cancels
    answer = ask(function, x.clone())
    if isinstance(answer, set):
        answer = sorted(answer)
    flat = as_tensor(answer, "overflows must return a list of channel numbers").flatten()
    if flat.dtype == torch.bool:
        raise Wrong(
            "overflows must return channel numbers; yours are True and False, which `nonzero` turns into numbers."
        )
    if not (flat.isfinite() & (flat == flat.round())).all():
        raise Wrong("overflows must return channel numbers, whole ones from 0.")
    found, wanted = sorted({int(channel) for channel in flat}), [1, 4]
    if found == wanted:
        return None
    mistakes = {
        "channel 4 sums to -81,920, and -65504 is as far as float16 reaches below zero: take the absolute value.": [1],
        "no single value leaves float16 here. It is the sum over a map that does.": [],
        "you sum absolute values: in channel 5 the halves cancel.": [1, 4, 5],
        "channels count from 0.": [2, 5],
    }
    return diagnose(found, mistakes, lambda a, b: a == b) or f"you find {found}; two channels leave ±{_LARGEST:,}."
