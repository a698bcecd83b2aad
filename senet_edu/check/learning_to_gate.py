"""Judges of the chapter on how gates learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from senet_edu.check.judge import as_number, ask, call, diagnose, judge, judge_claims
from senet_edu.se import SEBlock


def revive(function: Callable[[SEBlock, Tensor], Any]) -> None:
    """`revive(se, z)` sets the first bias so that each hidden unit is on for some descriptors and off for others."""
    praise = "Every unit says yes to some and no to others: gates answer to the image, and gradients flow."
    judge(function, _revive, praise)


def _revive(function: Callable[[SEBlock, Tensor], Any]) -> str | None:
    for means in ((0.0, 0.0, 0.0, 0.0), (-3.0, 2.0, -1.5, -6.0)):  # the second time, zero biases would not do
        se, z = dead_block(means)
        before = {name: p.detach().clone() for name, p in se.named_parameters()}
        call(function, se, z.clone())
        after = dict(se.named_parameters())
        if "fc1.bias" not in after:
            return "the first layer has lost its bias, or it no longer is a parameter that can be trained."
        bias = after["fc1.bias"]
        if bias.shape != before["fc1.bias"].shape or bias.dtype != before["fc1.bias"].dtype:
            kind = str(bias.dtype).removeprefix("torch.")
            return f"fc1.bias must stay 4 numbers of float32; yours has shape {tuple(bias.shape)}, {kind}."
        changed = [name for name, p in before.items() if name not in after or not torch.equal(p, after[name])]
        if "fc2.bias" in changed:
            return "fc2.bias moves all gates by one amount, but the hidden units stay off. Leave it as it was."
        if others := [name for name in changed if name != "fc1.bias"]:
            return f"you changed {', '.join(others)}. What it has learned may be right; only fc1.bias is at fault."
        if not changed:
            return "nothing has changed. Inside `with torch.no_grad():`, set se.fc1.bias in place: copy_, zero_, …"
        if not bias.requires_grad:
            return "fc1.bias can no longer be trained: it has lost requires_grad."
        if hint := _units(z @ before["fc1.weight"].T, bias.detach()):
            return hint
    return None


def _units(answers: Tensor, bias: Tensor) -> str | None:
    """A hint unless each hidden unit is on for some of the answers W1 z `(N, C/r)` and off for others."""
    on = (answers + bias > 0).double().mean(0)  # share of descriptors, by unit
    if (on == 0).any():
        unit = int((on == 0).nonzero()[0])
        if not bias.any():
            return (
                f"without a bias, W1 z of unit {unit} is still below zero for every descriptor here. Look at z @ W1.T: "
                "where does each unit lie?"
            )
        return f"hidden unit {unit} is still off for every descriptor."
    if (on == 1).any():
        unit = int((on == 1).nonzero()[0])
        return f"hidden unit {unit} is now on for every descriptor: its ReLU never says no. A smaller bias?"
    return None


def dead_block(means: Sequence[float]) -> tuple[SEBlock, Tensor]:
    """An SE block of 16 channels whose four hidden units are off for every descriptor, by its first bias alone.

    `means` are those of W1 z over the descriptors `(64, 16)`, one a unit.
    """
    generator = torch.Generator().manual_seed(0)
    se = SEBlock(16, reduction=4, bias=True)
    with torch.no_grad():
        for layer in (se.fc1, se.fc2):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / 2)
        se.fc1.bias.fill_(-10)
        z = torch.randn(64, 16, generator=generator) / 5
        z += (torch.tensor(means) - (z @ se.fc1.weight.T).mean(0)) @ torch.linalg.pinv(se.fc1.weight).T
    return se, z


def starting_bias(function: Callable[[float], float]) -> None:
    """`bias_for(gate)`: the bias b2 at which a gate starts, ln(s / (1 - s)), while W2 δ(W1 z) is zero."""
    praise = "The logit, the inverse of the sigmoid: 0.5 gives 0, and near 0 and 1 it grows without limit."
    judge(function, _starting_bias, praise)


def _starting_bias(function: Callable[[float], float]) -> str | None:
    for gate in (0.88, 0.5, 0.1, 0.99):
        got = as_number(ask(function, gate), "the bias must be a number")
        started = float(torch.tensor(got, dtype=torch.float64).sigmoid())
        if abs(started - gate) < 1e-4:
            continue
        mistakes = {
            "the sign: yours starts gates at 1 - s.": math.log((1 - gate) / gate),
            "that is the odds, s / (1 - s); take the logarithm.": gate / (1 - gate),
            "that is ln s; divide by 1 - s before you take the logarithm.": math.log(gate),
            "that is σ(s); you need the other direction, from the gate to the logit.": 1 / (1 + math.exp(-gate)),
            "use the natural logarithm, math.log, not that to the base 2.": math.log2(gate / (1 - gate)),
            "use the natural logarithm, math.log, not that to the base 10.": math.log10(gate / (1 - gate)),
            "that is the gate itself; the sigmoid comes after the bias.": gate,
        }
        known = diagnose(got, mistakes, lambda got, wrong: abs(got - wrong) < 1e-4)
        return known or f"for a gate of {gate} you give {got:.3f}, and σ of that is {started:.3f}."
    return None


_LEAVES_HALF = {
    "W1 = 0": (
        False,
        "the hidden units are zero, and with them the gradient of W2. What comes back to W1 has to pass the ReLU, "
        "whose slope at zero is 0 in PyTorch.",
    ),
    "W2 = 0": (
        True,
        "the hidden units are not zero, and the gradient of W2 is made of them. W1 has none in the first step, because "
        "it comes through W2. In the second step W2 is no longer zero.",
    ),
    "all off": (
        False,
        "the hidden units are zero, and with them the gradient of W2; and no gradient passes their ReLU to W1.",
    ),
    "γ = 0": (
        True,
        "the batch norm in front gets a gradient of its own, from the rescaled maps. After one step z is no longer "
        "zero.",
    ),
    "width 0": (False, "count its weights."),
}
"""Five blocks whose gates are all one half: whether they leave it, and what a reader should look at."""


def leaves_half(answers: Mapping[str, Any]) -> None:
    """Which of five blocks, all gates at one half, can leave it when they are trained: name to True or False."""
    judge_claims(answers, _LEAVES_HALF, "All five. A zero does no harm while some weight still gets a gradient.")
