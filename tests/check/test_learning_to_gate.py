"""Judges of `learning_to_gate`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from senet_edu import SEBlock, check, record_gates


def set_bias(bias: Callable[[SEBlock, Tensor], Any], name: str = "fc1") -> Callable:
    """A repair that sets a bias to what `bias` makes of the block and the descriptors."""

    def revive(se: SEBlock, z: Tensor) -> None:
        with torch.no_grad():
            getattr(se, name).bias.copy_(torch.as_tensor(bias(se, z)))

    return revive


def answers(se: SEBlock, z: Tensor) -> Tensor:
    return z @ se.fc1.weight.T


def new_weights(se: SEBlock, z: Tensor) -> None:
    nn.init.normal_(se.fc1.weight)
    nn.init.zeros_(se.fc1.bias)


def no_bias(se: SEBlock, z: Tensor) -> None:
    se.fc1.bias = None


def frozen_bias(se: SEBlock, z: Tensor) -> None:
    se.fc1.bias = nn.Parameter(-answers(se, z).mean(0).detach(), requires_grad=False)


def other_bias(bias: Tensor) -> Callable:
    def revive(se: SEBlock, z: Tensor) -> None:
        se.fc1.bias = nn.Parameter(bias)

    return revive


@pytest.mark.parametrize("center", [lambda values: values.mean(0), lambda values: values.median(0).values])
def test_revive(verdict: Callable[..., str], center: Callable) -> None:
    assert verdict(check.revive, set_bias(lambda se, z: -center(answers(se, z)))).startswith(check.TICK)
    assert verdict(check.revive, lambda se, z: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("revive", "hint"),
    [
        (lambda se, z: None, "nothing has changed"),
        (set_bias(lambda se, z: 0.0), "W1 z of unit 0 is still below zero"),
        (set_bias(lambda se, z: -5.0), "unit 0 is still off"),
        (set_bias(lambda se, z: 50.0), "unit 0 is now on for every descriptor"),
        (set_bias(lambda se, z: -answers(se, z).mean()), "unit 0 is still off"),
        (set_bias(lambda se, z: answers(se, z).mean(0)), "unit 0 is still off"),
        (set_bias(lambda se, z: -answers(se, z).amin(0) + 0.1), "unit 0 is now on"),
        (set_bias(lambda se, z: 3.0, "fc2"), "fc2.bias moves all gates"),
        (new_weights, "you changed fc1.weight"),
        (no_bias, "lost its bias"),
        (frozen_bias, "lost requires_grad"),
        (other_bias(torch.zeros(())), "fc1.bias must stay 4 numbers of float32; yours has shape (), float32"),
        (other_bias(torch.zeros(4).double()), "yours has shape (4,), float64"),
        (lambda se, z: se.fc1.bias.zero_(), "RuntimeError"),  # a leaf that requires grad, in place
    ],
)
def test_revive_hints(verdict: Callable[..., str], revive: Callable, hint: str) -> None:
    line = verdict(check.revive, revive)
    assert line.startswith(check.CROSS) and hint in line


@pytest.mark.parametrize("means", [(0.0, 0.0, 0.0, 0.0), (-3.0, 2.0, -1.5, -6.0)])
def test_the_block_to_be_revived_is_dead(means: tuple[float, ...]) -> None:
    se, z = check.learning_to_gate.dead_block(means)
    assert torch.allclose(answers(se, z).mean(0), torch.tensor(means), atol=1e-4)
    (se.excite(z) * torch.randn(16)).sum().backward()
    assert torch.equal(se.excite(z), torch.full((64, 16), 0.5))
    assert not se.fc1.weight.grad.any() and not se.fc1.bias.grad.any() and not se.fc2.weight.grad.any()
    assert se.fc2.bias.grad.all()


def test_starting_bias(verdict: Callable[..., str]) -> None:
    assert verdict(check.starting_bias, lambda s: math.log(s / (1 - s))).startswith(check.TICK)
    assert verdict(check.starting_bias, lambda s: torch.logit(torch.tensor(s))).startswith(check.TICK)
    assert verdict(check.starting_bias, lambda s: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("bias_for", "hint"),
    [
        (lambda s: math.log((1 - s) / s), "the sign"),
        (lambda s: s / (1 - s), "that is the odds"),
        (math.log, "that is ln s"),
        (lambda s: 1 / (1 + math.exp(-s)), "the other direction"),
        (lambda s: math.log2(s / (1 - s)), "to the base 2"),
        (lambda s: math.log10(s / (1 - s)), "to the base 10"),
        (lambda s: s, "that is the gate itself"),
        (lambda s: -1000.0, "for a gate of 0.88 you give -1000.000, and σ of that is 0.000"),
        (lambda s: -math.inf, "you give -inf, and σ of that is 0.000"),
        (lambda s: "2", "the bias must be a number, not '2'"),
        (lambda s: 2.0, "for a gate of 0.88 you give 2.000, and σ of that is 0.881"),
        (lambda s: None, "returns None: is the `return` missing?"),
    ],
)
def test_starting_bias_hints(verdict: Callable[..., str], bias_for: Callable, hint: str) -> None:
    line = verdict(check.starting_bias, bias_for)
    assert line.startswith(check.CROSS) and hint in line


def leaves_half(name: str) -> bool:
    """Train a block of this kind on a toy task, and see whether its gates leave one half."""
    C = 16
    u = torch.randn(32, C, 4, 4) + torch.randn(32, C, 1, 1)
    norm, se = nn.BatchNorm2d(C), SEBlock(C, reduction=4)
    if name == "width 0":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            se.fc1, se.fc2 = nn.Linear(C, 0, bias=False), nn.Linear(0, C, bias=False)
    elif name == "γ = 0":
        nn.init.zeros_(norm.weight)
    elif name == "all off":
        u = u - 6 * torch.linalg.pinv(se.fc1.weight.detach()).sum(1)[:, None, None]
        assert (se.squeeze(u) @ se.fc1.weight.T).max() < 0
    else:
        nn.init.zeros_(se.get_submodule({"W1 = 0": "fc1", "W2 = 0": "fc2"}[name]).weight)
    network = nn.Sequential(norm, se) if name == "γ = 0" else se
    target = torch.randn_like(u)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)

    def gates() -> Tensor:
        with record_gates(network) as recorded, torch.no_grad():
            network(u)
        return next(iter(recorded.values()))

    assert torch.equal(gates(), torch.full((32, C), 0.5))
    for _ in range(5):
        optimizer.zero_grad()
        (network(u) - target).square().mean().backward()
        optimizer.step()
    return not torch.equal(gates(), torch.full((32, C), 0.5))


HALVES = ("W1 = 0", "W2 = 0", "all off", "γ = 0", "width 0")


def test_leaves_half(verdict: Callable[..., str]) -> None:
    right = {name: leaves_half(name) for name in HALVES}
    assert verdict(check.leaves_half, right).startswith(check.TICK)
    assert verdict(check.leaves_half, right | {"γ = 0": ...}).startswith(check.OPEN)
    for name, leaves in right.items():
        line = verdict(check.leaves_half, right | {name: not leaves})
        assert line.startswith(f"{check.CROSS} {name}? ")
    assert "no answer for 'all off'" in verdict(check.leaves_half, {"W1 = 0": False, "W2 = 0": True})
    assert verdict(check.leaves_half, ...).startswith(check.OPEN)
    assert "give a dictionary" in verdict(check.leaves_half, list(right))
    assert verdict(check.leaves_half, {name: np.bool_(leaves) for name, leaves in right.items()}).startswith(check.TICK)
    assert "answer True or False, not 'yes'" in verdict(check.leaves_half, right | {"W2 = 0": "yes"})
