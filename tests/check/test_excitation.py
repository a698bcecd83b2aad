"""Judges of `excitation`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from senet_edu import SEBlock, check


def test_hidden_width(verdict: Callable[..., str]) -> None:
    assert verdict(check.hidden_width, 1, 1 / 2, 1).startswith(check.TICK)
    assert verdict(check.hidden_width, 1, ..., 1).startswith(check.OPEN)
    se = SEBlock(16, 16)  # the truth that the judge stands for
    assert se.fc1.out_features == 1
    with torch.no_grad():
        z = torch.randn(1000, 16)
        off = (se.excite(z) == 0.5).all(1)
        assert 0.3 < off.float().mean() < 0.7  # the one unit is off for about half of all inputs
        assert torch.linalg.matrix_rank(se.fc2(se.relu(se.fc1(z)))) == 1


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ((0, 0.5, 1), "C is smaller than r"),
        ((4, 0.5, 1), "r = 4"),
        ((8, 0.5, 1), "timm"),
        ((16, 0.5, 1), "16 is C"),
        ((2, 0.5, 1), "C // r"),
        ((1, 0, 1), "not gates of 0. What is σ(0)?"),
        ((1, 1, 1), "gate_when_off: What is σ(0)?"),
        ((1, 0.5, 16), "directions"),
        (("one", 0.5, 1), "width must be a number, not 'one'"),
    ],
)
def test_hidden_width_hints(verdict: Callable[..., str], answers: tuple, hint: str) -> None:
    line = verdict(check.hidden_width, *answers)
    assert line.startswith(check.CROSS) and hint in line


def excite_right(z: Tensor, W1: Tensor, W2: Tensor, b1: Tensor | float | None = None, b2: Any = None) -> Tensor:
    hidden = torch.einsum("hc,nc->nh", W1, z) + (0 if b1 is None else b1)
    return 1 / (1 + torch.exp(-(hidden.clamp(min=0) @ W2.T + (0 if b2 is None else b2))))


def test_excite(verdict: Callable[..., str]) -> None:
    assert verdict(check.excite, excite_right).startswith(check.TICK)
    assert verdict(check.excite, lambda *given: excite_right(*given).numpy()).startswith(check.TICK)
    assert verdict(check.excite, lambda *given: excite_right(*given).double()).startswith(check.TICK)
    assert verdict(check.excite, lambda z, W1, W2, b1=None, b2=None: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("excite", "hint"),
    [
        (lambda z, W1, W2, *b: (z @ W1.T).relu() @ W2.T, "logits"),
        (lambda z, W1, W2, *b: (z @ W1.T @ W2.T).sigmoid(), "δ, the ReLU after W1, is missing"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).relu().sigmoid(), "after W2, too"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).softmax(1), "softmax"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).sigmoid(), "right without biases"),
        (lambda z, W1, W2, *b: (W2 @ (W1 @ z).relu()).sigmoid(), "z @ W1.T"),
        (lambda z, W1, W2, *b: (z @ W1.T).relu().sigmoid(), "shape of z"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).tanh(), "not those of SEBlock"),
        (
            lambda z, W1, W2, b1=None, b2=None: ((z @ W1.T + b1 if b1 else z @ W1.T).relu() @ W2.T).sigmoid(),
            "`if b1 is not None:`",
        ),
        (lambda z, W1, W2: ((z @ W1.T).relu() @ W2.T).sigmoid(), "TypeError"),
    ],
)
def test_excite_hints(verdict: Callable[..., str], excite: Callable, hint: str) -> None:
    line = verdict(check.excite, excite)
    assert line.startswith(check.CROSS) and hint in line


def test_both_open(verdict: Callable[..., str]) -> None:
    assert verdict(check.both_open, torch.tensor([2.3, 9.0, -2.3])).startswith(check.TICK)
    assert verdict(check.both_open, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("logits", "hint"),
    [
        ([0.95, 0.95, 0.05], "gate 0 is 0.721"),  # gates given for logits
        ([3, 2, -3], "gate 1 is 0.881"),
        ([3, 3, 0], "gate 2 is 0.500"),
        ([3, 3], "three numbers"),
        ("3, 3, -3", "three numbers, such as [1, 0, 2], not '3, 3, -3'"),
    ],
)
def test_both_open_hints(verdict: Callable[..., str], logits: list[float], hint: str) -> None:
    line = verdict(check.both_open, logits)
    assert line.startswith(check.CROSS) and hint in line
