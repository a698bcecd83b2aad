"""Judges of `does_it_help`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from senet_edu import check
from senet_edu.measure.intervals import T975


def by_numpy(
    a: dict, b: dict, *, sign: int = 1, pair: bool = True, ddof: int = 1, factor: float | None = None, root: float = 0.5
) -> tuple[float, float]:
    """With NumPy; the options are ways to get it wrong."""
    seeds = [seed for seed in a if seed in b]
    d = np.array([a[seed] - b[seed] for seed in seeds])
    n = len(d)
    t = {3: 4.3027, 5: 2.7764}[n] if factor is None else factor
    strays = np.array(list(a.values())) - np.array(list(b.values())) if not pair else d
    return sign * d.mean(), t * strays.std(ddof=ddof) / (n if pair else len(strays)) ** root


def unpaired(a: dict, b: dict, factor: float = 2.7764) -> tuple[float, float]:
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    return x.mean() - y.mean(), factor * np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))


def test_seed_interval(verdict: Callable[..., str]) -> None:
    assert verdict(check.seed_interval, by_numpy).startswith(check.TICK)
    assert verdict(check.seed_interval, lambda a, b: np.float32(by_numpy(a, b))).startswith(check.TICK)
    assert verdict(check.seed_interval, lambda a, b: torch.tensor(by_numpy(a, b))).startswith(check.TICK)
    assert verdict(check.seed_interval, lambda a, b: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("interval", "hint"),
    [
        (lambda a, b: by_numpy(a, b, sign=-1), "a minus b"),
        (lambda a, b: by_numpy(dict(sorted(a.items())[:5]), b)[0], "return mean, margin"),
        (lambda a, b: by_numpy(a, b, factor=1.96), "take Student's t"),
        (lambda a, b: by_numpy(a, b, factor=1), "the factor t is missing"),
        (lambda a, b: by_numpy(a, b, factor=2.5706), "5 differences have 4"),
        (lambda a, b: by_numpy(a, b, ddof=0), "divides by n - 1"),
        (lambda a, b: by_numpy(a, b, root=0), "√n is missing"),
        (lambda a, b: by_numpy(a, b, root=1), "by √n, not by n"),
        (lambda a, b: (by_numpy(a, b)[0], 2 * by_numpy(a, b)[1]), "the whole width"),
        (unpaired, "two unrelated groups. Take the differences first, then"),
        (lambda a, b: unpaired(a, b, 2.3060), "and then n - 1 = 4"),
        (lambda a, b: (sum(a.values()) / len(a) - sum(b.values()) / len(b), by_numpy(a, b)[1]), "has no partner"),
        (lambda a, b: (by_numpy(a, b)[0], 0.1), "yours is 0.10000"),
        (lambda a, b: (0.5, 0.1), "yours is 0.50000"),
        (lambda a, b: a["seed"], "KeyError"),
        (lambda a, b: sum(a) + "", "raised TypeError"),  # the reader's own, and nothing about two numbers
    ],
)
def test_seed_interval_hints(verdict: Callable[..., str], interval: Callable, hint: str) -> None:
    line = verdict(check.seed_interval, interval)
    assert line.startswith(check.CROSS) and hint in line


def test_pairs_by_place_are_noticed_where_the_seeds_stand_in_another_order(verdict: Callable[..., str]) -> None:
    def interval(a: dict, b: dict) -> tuple[float, float]:
        right = by_numpy(a, b)
        d = np.array([x - y for x, y in zip(a.values(), b.values())])
        return right[0], {4: 4.3027, 5: 2.7764}[len(d)] * d.std(ddof=1) / len(d) ** 0.5

    line = verdict(check.seed_interval, interval)
    assert line.startswith(check.CROSS) and "pair by seed" in line


CLAIMS = {
    "A gains": True,
    "B has no effect": False,
    "C is better than A": False,
    "D gains less than 0.3": True,
    "A trained again with new seeds gains 0.8": False,
}


def test_what_follows(verdict: Callable[..., str]) -> None:
    assert verdict(check.what_follows, CLAIMS).startswith(check.TICK)
    assert verdict(check.what_follows, CLAIMS | {"A gains": ...}).startswith(check.OPEN)
    for claim, follows in CLAIMS.items():
        assert verdict(check.what_follows, CLAIMS | {claim: not follows}).startswith(f"{check.CROSS} {claim}? ")
    assert "True or False" in verdict(check.what_follows, CLAIMS | {"A gains": "yes"})
    assert "no answer for 'A gains'" in verdict(check.what_follows, dict(list(CLAIMS.items())[1:]))


def test_what_follows_says_why_the_surest_of_twenty_gains(verdict: Callable[..., str]) -> None:
    """+0.8 ± 0.3 from five seeds: Student's t with 4 degrees of freedom, whose distribution is known in closed form."""
    t = 0.8 / (0.3 / T975[4 - 1])
    u = t / math.sqrt(4 + t**2)
    p = 1 - 1.5 * (u - u**3 / 3)  # two-sided
    hint = verdict(check.what_follows, CLAIMS | {"A gains": False})
    assert f"p = {p:.4f}" in hint and f"20 · {p:.4f} = {20 * p:.3f} (Bonferroni)" in hint
    assert 20 * p < 0.05 and "Bonferroni" in verdict(check.what_follows, CLAIMS)
