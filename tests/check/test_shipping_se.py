"""Judges of `shipping_se`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from senet_edu import check


def fold(weight: Any, bias: Any, gates: Any) -> tuple[Any, Any]:
    return weight * gates.mean(0), bias * gates.mean(0)


def overflows(x: Any) -> list[int]:
    return (x.sum((2, 3)).abs() > 65504).any(0).nonzero().flatten().tolist()


def test_right_answers(verdict: Callable[..., str]) -> None:
    assert verdict(check.folded, fold).startswith(check.TICK)
    assert verdict(check.folded, lambda *a: [part.numpy() for part in fold(*a)]).startswith(check.TICK)
    assert verdict(check.overflows, overflows).startswith(check.TICK)
    assert verdict(check.overflows, lambda x: set(overflows(x))).startswith(check.TICK)
    assert verdict(check.overflows, lambda x: x.half().sum((2, 3)).isinf().any(0).nonzero()).startswith(check.TICK)


@pytest.mark.parametrize(
    ("fold", "hint"),
    [
        (lambda w, b, g: (w * g.mean(0), b), "the bias is as before"),
        (lambda w, b, g: (w * g[0], b * g[0]), "first image"),
        (lambda w, b, g: (w * g.mean(), b * g.mean()), "one mean for all"),
        (lambda w, b, g: (w * g.sum(0), b * g.sum(0)), "these are not"),
        (lambda w, b, g: w * g.mean(0), "two things"),
        (lambda w, b, g: (w * g, b * g), "one number for each channel"),
    ],
)
def test_wrong_folds(verdict: Callable[..., str], fold: Callable, hint: str) -> None:
    said = verdict(check.folded, fold)
    assert said.startswith(check.CROSS) and hint in said


@pytest.mark.parametrize(
    ("overflows", "hint"),
    [
        (lambda x: (x.sum((2, 3)) > 65504).any(0).nonzero(), "absolute value"),
        (lambda x: (x.abs() > 65504).flatten(2).any(2).any(0).nonzero(), "no single value"),
        (lambda x: (x.abs().sum((2, 3)) > 65504).any(0).nonzero(), "the halves cancel"),
        (lambda x: [2, 5], "count from 0"),
        (lambda x: (x.sum((2, 3)).abs() > 65504).any(0), "True and False"),
    ],
)
def test_wrong_overflows(verdict: Callable[..., str], overflows: Callable, hint: str) -> None:
    said = verdict(check.overflows, overflows)
    assert said.startswith(check.CROSS) and hint in said


def test_unanswered(verdict: Callable[..., str]) -> None:
    assert verdict(check.folded, lambda w, b, g: ...).startswith(check.OPEN)
    assert verdict(check.overflows, lambda x: ...).startswith(check.OPEN)
