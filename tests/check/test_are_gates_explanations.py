"""Judges of `are_gates_explanations`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from senet_edu import check, record_gates
from senet_edu.analysis import effect, gates_of


def frozen(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    return {block: s.mean(0) for block, s in gates_of(model, images).items()}


def by_functions(model: nn.Module, images: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    return {block: lambda s, mean=mean: mean.expand_as(s) for block, mean in frozen(model, images).items()}


def in_training(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    with record_gates(model) as gates:
        model.train()(images / 255)
    return {block: s.mean(0) for block, s in gates.items()}


def test_frozen_gates(verdict: Callable[..., str]) -> None:
    assert verdict(check.frozen_gates, frozen).startswith(check.TICK)
    assert verdict(check.frozen_gates, lambda m, x: {b: s[None] for b, s in frozen(m, x).items()})[0] == check.TICK
    assert verdict(check.frozen_gates, by_functions).startswith(check.TICK)
    assert verdict(check.frozen_gates, lambda model, images: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("frozen", "hint"),
    [
        (lambda m, x: {b: s.mean() for b, s in gates_of(m, x).items()}, "every channel has its own mean"),
        (lambda m, x: {b: s.mean(1) for b, s in gates_of(m, x).items()}, "mean over the images, axis 0"),
        (lambda m, x: gates_of(m, x), "still has a row for each image"),
        (lambda m, x: {b: s.median(0).values for b, s in gates_of(m, x).items()}, "that is the median"),
        (lambda m, x: {b: s[0] for b, s in gates_of(m, x).items()}, "gates of the first image"),
        (lambda m, x: {b: s[1:].mean(0) for b, s in gates_of(m, x).items()}, "layer1.0.se are not its mean gates"),
        (lambda m, x: {b: s.mean(0)[:3] for b, s in gates_of(m, x).items()}, "layer1.0.se needs shape (16,), got (3,)"),
        (lambda m, x: {"layer3.2.se": gates_of(m, x)["layer3.2.se"].mean(0)}, "leaves out layer1.0.se"),
        (lambda m, x: [s.mean(0) for s in gates_of(m, x).values()], "return a dictionary"),
        (in_training, "in training mode"),
        (lambda m, x: {b: s.numpy() for b, s in frozen(m, x).items()}, "a tensor or a function; yours for layer1.0.se"),
        (lambda m, x: frozen(m, x) | {"layer9": 1.0}, "'layer9' is not an SE block of this model"),
        (lambda m, x: None, "is the `return` missing"),
        (lambda m, x: {b: s.mean(0) for b, s in gates.items()}, "NameError"),  # noqa: F821
    ],
)
def test_frozen_gates_hints(verdict: Callable[..., str], frozen: Callable, hint: str) -> None:
    line = verdict(check.frozen_gates, frozen)
    assert line.startswith(check.CROSS) and hint in line


def interval(mended: int, broken: int, n: int) -> tuple[float, float]:
    """By `effect`, on answers with these counts."""
    before = torch.tensor([1] * mended + [0] * (n - mended))
    after = torch.tensor([0] * mended + [1] * broken + [0] * (n - mended - broken))
    e = effect(before, after, torch.zeros_like(before))
    return e.change, e.margin


def spoiled(margin: Callable[[float, float, int], float], sign: int = 1) -> Callable:
    """An answer with another margin, as a function of the mean change, the standard deviation and n."""

    def interval(mended: int, broken: int, n: int) -> tuple[float, float]:
        d = (mended - broken) / n
        return sign * d, margin(d, ((mended + broken) / n - d**2) ** 0.5, n)

    return interval


def in_float32(mended: int, broken: int, n: int) -> Tensor:
    d = torch.cat([torch.ones(mended), -torch.ones(broken), torch.zeros(n - mended - broken)])
    return torch.stack([d.mean(), 1.96 * d.std() / n**0.5])


def test_paired_interval(verdict: Callable[..., str]) -> None:
    assert verdict(check.paired_interval, interval).startswith(check.TICK)
    unbiased = spoiled(lambda d, sd, n: 1.96 * sd * (n / (n - 1)) ** 0.5 / n**0.5)
    assert verdict(check.paired_interval, unbiased).startswith(check.TICK)
    assert verdict(check.paired_interval, in_float32).startswith(check.TICK)
    assert verdict(check.paired_interval, lambda *given: in_float32(*given).numpy()).startswith(check.TICK)
    assert verdict(check.paired_interval, lambda mended, broken, n: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("interval", "hint"),
    [
        (spoiled(lambda d, sd, n: 1.96 * sd / n**0.5, sign=-1), "wrong sign"),
        (lambda m, b, n: (m - b, 0.0), "divide by n"),
        (lambda m, b, n: (m / n, 0.0), "the change is -0.14, yours is 0.1"),
        (lambda m, b, n: (m - b) / n, "return change, margin"),
        (lambda m, b, n: (m - b) / n + "", "raised TypeError"),  # the reader's own, and nothing about two numbers
        (lambda m, b, n: int("x"), "raised ValueError: invalid literal"),
        (lambda m, b, n: (100 * (m - b) / n, 0.0), "as a share it is a hundredth"),
        (lambda m, b, n: ((m - b) / n, 1.96 * (m + b) ** 0.5 / n), "less the square of the mean"),
        (spoiled(lambda d, sd, n: sd / n**0.5), "1.96 is missing"),
        (spoiled(lambda d, sd, n: 1.96 * sd), "strays less, by √n"),
        (spoiled(lambda d, sd, n: 1.96 * sd**2 / n**0.5), "needs its root"),
        (spoiled(lambda d, sd, n: 1.96 * sd / n), "by √n, not by n"),
        (spoiled(lambda d, sd, n: 3.92 * sd / n**0.5), "half of it"),
        (spoiled(lambda d, sd, n: 0.3), "the margin is 0.1569, yours is 0.3000"),
    ],
)
def test_paired_interval_hints(verdict: Callable[..., str], interval: Callable, hint: str) -> None:
    line = verdict(check.paired_interval, interval)
    assert line.startswith(check.CROSS) and hint in line
