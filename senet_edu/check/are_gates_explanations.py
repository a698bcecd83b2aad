"""Judges of the chapter on whether gates are explanations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.analysis import calibrate_batch_norm, gates_of
from senet_edu.check.judge import as_numbers, ask, close, diagnose, judge, near, shown
from senet_edu.gates import override_gates
from senet_edu.resnet import create_model


def frozen_gates(function: Callable[[nn.Module, Tensor], Mapping[str, Any]]) -> None:
    """`frozen(model, images)`: overrides that freeze every SE block to its mean gates over the images, `(C,)` each."""
    judge(function, _frozen_gates, "Every block keeps its level and no longer looks at the image.")


def _frozen_gates(function: Callable[[nn.Module, Tensor], Mapping[str, Any]]) -> str | None:
    model, images = _small_network()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    gates = gates_of(model, images)
    overrides = ask(function, model, images)
    if not isinstance(overrides, Mapping):
        return f"return a dictionary, name of a block to its gates, not {shown(overrides)}."
    if missing := [block for block in gates if block not in overrides]:
        return f"freeze all blocks; yours leaves out {', '.join(missing)}."
    if others := [name for name in overrides if name not in gates]:
        return f"{shown(others[0])} is not an SE block of this model; they are {', '.join(gates)}."
    if any(not torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items()):
        return "the model was changed: did it run in training mode, where batch norms count along?"
    for block, s in gates.items():
        if hint := _frozen_hint(block, s, overrides[block]):
            return hint
    with override_gates(model, overrides):
        now = gates_of(model, 255 - images)
    still = all(bool((s == s[0]).all()) for s in now.values())
    return None if still else "under your overrides the gates still differ from image to image."


def _frozen_hint(block: str, s: Tensor, override: Any) -> str | None:
    """None if the override is the mean of the gates s `(N, C)`, else a hint."""
    if not callable(override) and not isinstance(override, int | float | Tensor):
        return f"override_gates takes a number, a tensor or a function; yours for {block} is {shown(override)}."
    got = torch.as_tensor(ask(override, s) if callable(override) else override).detach()
    if got.shape == s.shape and bool((got == got[0]).all()):
        got = got[0]
    if got.shape not in ((s.shape[1],), (1, s.shape[1])):
        mistakes = {
            (): "that is one number for the whole block; every channel has its own mean.",
            (len(s),): "that is a mean over the channels, one for each image; mean over the images, axis 0.",
            tuple(s.shape): "that still has a row for each image; frozen gates are the same for all.",
        }
        return mistakes.get(tuple(got.shape), f"{block} needs shape ({s.shape[1]},), got {tuple(got.shape)}.")
    if close(got.reshape(-1), s.mean(0)):
        return None
    mistakes = {
        "that is the median; freeze to the mean.": s.median(0).values,
        "those are the gates of the first image; take the mean over all of them.": s[0],
    }
    return diagnose(got.reshape(-1), mistakes) or f"the values for {block} are not its mean gates over the images."


def _small_network() -> tuple[nn.Module, Tensor]:
    """An untrained SE-ResNet-20 in eval mode and a few uint8 images; the session's random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("se_resnet20", reduction=4)
        images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    calibrate_batch_norm(model, images)
    return model.eval(), images


def paired_interval(function: Callable[[int, int, int], tuple[float, float]]) -> None:
    """`interval(mended, broken, n)`: the change in accuracy and its 95 % margin, from two counts of n images."""
    judge(function, _paired_interval, "Two counts are enough: the answers that did not change sides add nothing.")


def _paired_interval(function: Callable[[int, int, int], tuple[float, float]]) -> str | None:
    same = near(2e-5)  # single precision passes
    for mended, broken, n in ((5, 12, 50), (30, 10, 1_000), (0, 0, 20), (40, 40, 100)):
        case = f"for {mended} mended and {broken} broken of {n}"
        change, margin = as_numbers(ask(function, mended, broken, n), 2, "return two numbers: `return change, margin`")
        d, square = (mended - broken) / n, (mended + broken) / n
        if not same(change, d):
            mistakes = {
                "the change has the wrong sign: a mended answer counts +1, a broken one -1.": -d,
                "the change is a share of the images: divide by n.": d * n,
                f"the change is {100 * d:g} points; as a share it is a hundredth of that.": 100 * d,
            }
            return f"{case} {diagnose(change, mistakes, same) or f'the change is {d:g}, yours is {change:g}.'}"
        sd = math.sqrt(square - d**2)
        right = [1.96 * sd / math.sqrt(n), 1.96 * sd / math.sqrt(n - 1)]  # either divisor of the variance
        if any(same(margin, value) for value in right):
            continue
        mistakes = {
            "the variance is the mean of the squares, less the square of the mean.": 1.96 * math.sqrt(square / n),
            "the factor 1.96 is missing.": sd / math.sqrt(n),
            "that is how far a single image strays; the mean of n strays less, by √n.": 1.96 * sd,
            "that is the variance; the margin needs its root.": 1.96 * sd**2 / math.sqrt(n),
            "divide the standard deviation by √n, not by n.": 1.96 * sd / n,
            "that is the width of the interval; the margin is half of it.": 2 * 1.96 * sd / math.sqrt(n),
        }
        known = diagnose(margin, mistakes, same)
        return f"{case}: {known}" if known else f"{case} the margin is {right[0]:.4f}, yours is {margin:.4f}."
    return None
