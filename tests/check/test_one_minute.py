"""Judges of `one_minute`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from senet_edu import check, override_gates, record_gates
from senet_edu.data import CLASSES


def falls(
    net: nn.Module, x: Tensor, block: str, channel: int | slice, gate: float = 0, sign: int = 1, of: str = "softmax"
) -> str:
    def change(s: Tensor) -> Tensor:
        s = s.clone()
        s[:, channel] = gate
        return s

    measure = {"softmax": lambda logits: logits.softmax(1), "logits": lambda logits: logits}[of]
    with record_gates(net):  # any context around it must do no harm
        before = measure(net(x))
        with override_gates(net, {block: change}):
            after = measure(net(x))
    return CLASSES[int((sign * (before - after)).argmax())]


def leaks(net: nn.Module, x: Tensor, block: str, channel: int) -> str:
    net.get_submodule(block).gate.register_forward_hook(lambda module, args, s: 0 * s)
    return "cat"


def relatively(net: nn.Module, x: Tensor, block: str, channel: int) -> str:
    """The class that loses the largest part of its own probability."""

    def mute(s: Tensor) -> Tensor:
        return s.index_fill(1, torch.tensor([channel]), 0)

    before = net(x).softmax(1)[0]
    with override_gates(net, {block: mute}):
        after = net(x).softmax(1)[0]
    return CLASSES[int((after / before).argmin())]


def without_with(net: nn.Module, x: Tensor, block: str, channel: int) -> str:
    before = net(x).softmax(1)[0]
    override_gates(net, {block: 0.0})
    return CLASSES[int((before - net(x).softmax(1)[0]).argmax())]


def test_falling_class(verdict: Callable[..., str]) -> None:
    assert verdict(check.falling_class, falls).startswith(check.TICK)
    assert verdict(check.falling_class, lambda *case: CLASSES.index(falls(*case))).startswith(check.TICK)
    for kind in (np.str_, lambda name: np.int64(CLASSES.index(name)), lambda name: torch.tensor([CLASSES.index(name)])):
        assert verdict(check.falling_class, lambda *case: kind(falls(*case))).startswith(check.TICK)  # noqa: B023
    assert verdict(check.falling_class, lambda net, x, block, channel: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("falls", "hint"),
    [
        (lambda *case: falls(*case, sign=-1), "which rises most"),
        (lambda net, x, block, channel: CLASSES[int(net(x).argmax())], "which was on top before"),
        (lambda *case: falls(*case, of="logits"), "falls most in logits, or in proportion"),
        (lambda net, x, block, channel: falls(net, x, block, slice(None)), "you mute the whole block"),
        (lambda *case: falls(*case, gate=1), "you set the gate to 1"),
        (lambda net, x, block, channel: falls(net, x, block, 0), "falls by"),
        (leaks, "computes something else"),
        (relatively, "in proportion to its own probability"),
        (without_with, "override_gates acts inside of its `with` only"),
        (lambda *case: None, "is the `return` missing"),
        (lambda *case: 17, "return one of the ten classes"),
        (lambda *case: -1, "return one of the ten classes"),
        (lambda net, x, block, channel: net(x).softmax(1), "ship, truck, not a tensor of shape (1, 10)"),
        (lambda *case: "dachshund", "return one of the ten classes"),
        (lambda *case: case[7], "IndexError"),
    ],
)
def test_falling_class_hints(verdict: Callable[..., str], falls: Callable, hint: str) -> None:
    line = verdict(check.falling_class, falls)
    assert line.startswith(check.CROSS) and hint in line
