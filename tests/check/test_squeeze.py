"""Judges of `squeeze`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from senet_edu import check


def flat_and_peak(peak: float = 6.4) -> tuple[Tensor, Tensor]:
    flat, high = torch.full((8, 8), 0.1), torch.zeros(8, 8)
    high[3, 5] = peak
    return flat, high


@pytest.mark.parametrize("tell", [torch.max, torch.std, lambda u: (u > u.mean()).float().mean().item()])
def test_same_mean_accepts_different_squeezes(verdict: Callable[..., str], tell: Callable) -> None:
    assert verdict(check.same_mean, flat_and_peak, tell).startswith(check.TICK)


def test_same_mean_accepts_arrays(verdict: Callable[..., str]) -> None:
    def twins() -> list[np.ndarray]:
        return [u.numpy() for u in flat_and_peak()]

    assert verdict(check.same_mean, twins, lambda u: np.quantile(u, 0.9)).startswith(check.TICK)


@pytest.mark.parametrize(
    ("twins", "tell", "hint"),
    [
        (lambda: torch.ones(2, 4, 4), torch.max, "must return two maps"),
        (lambda: (torch.ones(16), torch.ones(16)), torch.max, r"yours have shapes \(16,\) and \(16,\)"),
        (lambda: flat_and_peak(6.0), torch.max, "the means differ: 0.1 and 0.09375"),
        (lambda: (torch.ones(4, 4), torch.ones(4, 4)), torch.max, "at least 5 times"),
        (lambda: (-torch.ones(4, 4), -torch.ones(4, 4)), torch.max, "above zero"),
        (flat_and_peak, torch.mean, "That is the mean"),
        (flat_and_peak, lambda u: 7, r"tell gives 7 for both maps\.$"),
        (flat_and_peak, lambda u: u.mean(0), r"must be one number, .* shape \(8,\)"),
        (flat_and_peak, lambda u: float(u.max() == 6.4), "not a flat map of 0.25"),
        (flat_and_peak, lambda u: u.nonsense(), "AttributeError"),
    ],
)
def test_same_mean_hints(verdict: Callable[..., str], twins: Callable, tell: Callable, hint: str) -> None:
    line = verdict(check.same_mean, twins, tell)
    assert line.startswith(check.CROSS) and re.search(hint, line)


@pytest.mark.parametrize(("twins", "tell"), [(lambda: ..., lambda u: ...), (flat_and_peak, lambda u: ...)])
def test_same_mean_open(verdict: Callable[..., str], twins: Callable, tell: Callable) -> None:
    assert verdict(check.same_mean, twins, tell).startswith(check.OPEN)


def test_center(verdict: Callable[..., str]) -> None:
    assert verdict(check.center, lambda u: u - u.mean((2, 3))[:, :, None, None]).startswith(check.TICK)
    assert verdict(check.center, lambda u: u.numpy() - u.numpy().mean((2, 3), keepdims=True)).startswith(check.TICK)
    assert verdict(check.center, lambda u: (u - u.mean((2, 3), keepdim=True)).tolist()).startswith(check.TICK)
    assert verdict(check.center, lambda u: (u - u.mean((2, 3), keepdim=True)).double()).startswith(check.TICK)
    assert verdict(check.center, lambda u: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("center", "hint"),
    [
        (lambda u: u - u.mean((2, 3)), "without keepdim"),
        (lambda u: u - u.mean(), "one mean of everything"),
        (lambda u: u - u.mean((0, 2, 3), keepdim=True), "over the batch"),
        (lambda u: u - u.mean(1, keepdim=True), "over the channels"),
        (lambda u: u.mean((2, 3), keepdim=True).expand_as(u), "subtract them"),
        (lambda u: u - u.mean((2, 3), keepdim=True) if u.shape[1] == u.shape[2] else u - u.mean((2, 3)), "line up"),
        (lambda u: u.mean((2, 3)), "same shape; yours has (8, 8)"),
        (lambda u: None, "is the `return` missing"),
        (lambda u: u @ torch.ones(3, 3), "your answer raised RuntimeError"),  # no word of the axes of a mean
        (lambda u: u - u.amax((2, 3), keepdim=True), "mean zero"),
    ],
)
def test_center_hints(verdict: Callable[..., str], center: Callable, hint: str) -> None:
    line = verdict(check.center, center)
    assert line.startswith(check.CROSS) and hint in line
