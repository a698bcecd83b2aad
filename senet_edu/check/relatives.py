"""Judges of the chapter on the relatives of SE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv1d

from senet_edu.check.judge import Raised, as_tensor, ask, close, diagnose, judge, shown


def eca(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Efficient channel attention as a function: `eca(x, weight)` with the k weights of its kernel, k odd."""
    judge(function, _eca, "Right for every k and C: a handful of weights gates all the channels.")


def _eca(function: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for shape, k in (((2, 8, 5, 7), 3), ((3, 16, 4, 6), 5), ((1, 6, 3, 3), 1), ((2, 12, 7, 5), 7)):
        x = torch.randn(shape, generator=generator) + torch.randn(*shape[:2], 1, 1, generator=generator)
        weight = torch.randn(k, generator=generator)
        given = x.clone()
        case = f"for x of shape {shape} and k = {k}"
        try:
            result = ask(function, given, weight)
        except Raised as raised:
            if raised.mentions("must match the size"):
                return (
                    f"{case} PyTorch says: {raised.error}. There must be a gate for each of the {shape[1]} channels: "
                    "does the kernel have padding k // 2 at both ends?"
                )
            raise
        if not torch.equal(given, x):
            return "your function changes x itself; make a new tensor: x * s, not x *= s."
        got = as_tensor(result, "your function must return the gated maps")
        if close(got, _gated(x, _slide(_mean(x), weight))):
            continue
        if known := diagnose(got, {hint: wrong(x, weight) for hint, wrong in _ECA_MISTAKES.items()}):
            return known
        if got.shape != x.shape:
            return f"{case} the result has shape {tuple(got.shape)}; ECA keeps it."
        return f"{case} the values differ from ECA's: compare z, the logits, the gates."
    return None


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def _slide(signals: Tensor, weight: Tensor) -> Tensor:
    """Each row of `(M, L)` under the kernel, zeros beyond the ends."""
    return conv1d(signals[:, None], weight[None, None], padding=len(weight) // 2)[:, 0]


def _gated(x: Tensor, logits: Tensor, sigma: Callable[[Tensor], Tensor] = torch.sigmoid) -> Tensor:
    return x * sigma(logits)[:, :, None, None]


_ECA_MISTAKES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "the sigmoid is missing: these logits are not between 0 and 1.": (
        lambda x, w: _gated(x, _slide(_mean(x), w), lambda a: a)
    ),
    "softmax makes the channels compete; ECA's σ is the sigmoid.": (
        lambda x, w: _gated(x, _slide(_mean(x), w), lambda a: a.softmax(1))
    ),
    "these are the gates; multiply the maps by them.": lambda x, w: _slide(_mean(x), w).sigmoid(),
    "these are the gates, stretched over the maps; multiply the maps by them.": (
        lambda x, w: _gated(torch.ones_like(x), _slide(_mean(x), w))
    ),
    "your kernel slides over the pixels; it must slide over the channels, along z.": (
        lambda x, w: x * _slide(x.flatten(2).flatten(0, 1), w).view_as(x).sigmoid()
    ),
    "your kernel slides over the columns of the map; it must slide over the channels, along z.": (
        lambda x, w: x * _slide(x.mean(2).flatten(0, 1), w).view(*x.shape[:2], 1, -1).sigmoid()
    ),
    "you mean over the channels, and the kernel slides over rows of pixels; z means over H and W.": (
        lambda x, w: x * _slide(x.mean((1, 2)), w)[:, None, None].sigmoid()
    ),
    "you mean over the channels, and the kernel slides over columns of pixels; z means over H and W.": (
        lambda x, w: x * _slide(x.mean((1, 3)), w)[:, None, :, None].sigmoid()
    ),
    "the squeeze is missing: your kernel runs over the channels at every pixel by itself.": (
        lambda x, w: x * _slide(x.movedim(1, 3).flatten(0, 2), w).view_as(x.movedim(1, 3)).movedim(3, 1).sigmoid()
    ),
    "your kernel slides over the images of the batch; it must slide over the channels of each.": (
        lambda x, w: _gated(x, _slide(_mean(x).T, w).T)
    ),
    "you mean over the batch, too; each image has its own z.": (
        lambda x, w: _gated(x, _slide(_mean(x).mean(0, keepdim=True), w).expand(x.shape[:2]))
    ),
    "the squeeze adds the pixels up; z is their mean.": lambda x, w: _gated(x, _slide(x.sum((2, 3)), w)),
    "the squeeze takes the maximum; z is the mean of each map.": lambda x, w: _gated(x, _slide(x.amax((2, 3)), w)),
    "your kernel is the wrong way round: weight[0] belongs to the channel before, as in `conv1d`.": (
        lambda x, w: _gated(x, _slide(_mean(x), w.flip(0)))
    ),
    "your channels are a ring; beyond the first and the last channel are zeros.": (
        lambda x, w: _gated(x, torch.stack([v * _mean(x).roll(len(w) // 2 - i, 1) for i, v in enumerate(w)]).sum(0))
    ),
}
"""What a typical mistake makes of x and the kernel."""


SEES = {
    "se": "one gate a channel, from all pixels of all channels",
    "ese": "one gate a channel, from all pixels of all channels",
    "eca": "one gate a channel, from all pixels of k neighboring channels",
    "scse": "one gate a pixel, from that pixel alone, beside those of an SE block",
    "cbam": "one gate a pixel, from a 7 x 7 window of all channels, behind those of a kind of SE block",
    "no_squeeze": "one gate for each value, from all channels of its pixel",
    "ge_theta_minus": "one gate for each value, from a window of its own channel or from all of it, by a mean",
    "ge_theta": "one gate for each value, from a window of its own channel, by convolutions",
    "simam": "one gate for each value, from all pixels of its own channel",
    "coordinate": "one gate for each value, from the row and the column of its pixel in all channels",
}
"""What one gate of each relative depends on."""

_WHOSE = {"A": "eca", "B": "cbam", "C": "simam", "D": "coordinate", "E": "no_squeeze"}


def whose_gate(answers: Mapping[str, Any]) -> None:
    """Five gates on 256 channels of 32 x 32 pixels, told by their shape and by what reaches them: letter to name."""
    judge(answers, _whose_gate, "All five: the shape and the two counts give each of them away.")


def _whose_gate(answers: Mapping[str, Any]) -> str | None:
    if not isinstance(answers, Mapping):
        return f"give a dictionary, each letter to a name, not {shown(answers)}."
    for letter, name in _WHOSE.items():
        if letter not in answers:
            return f"there is no answer for {letter}."
        given = answers[letter]
        if not isinstance(given, str) or given not in SEES:
            return f"{letter}: {shown(given)} is not a name of this exercise; they are {', '.join(SEES)}."
        if given != name:
            return f"{letter}: {given} has {SEES[given]}. Compare that with the shape and the counts of {letter}."
    return None
