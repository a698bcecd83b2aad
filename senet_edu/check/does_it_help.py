"""Judges of the chapter on whether SE helps."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from senet_edu.check.judge import as_numbers, ask, diagnose, judge, judge_claims, near
from senet_edu.measure.intervals import T975, paired

_SEED_CASES: tuple[tuple[dict[int, float], dict[int, float]], ...] = (
    (
        {0: 0.521, 1: 0.548, 2: 0.502, 3: 0.539, 4: 0.530},
        {0: 0.512, 1: 0.546, 2: 0.489, 3: 0.527, 4: 0.516},
    ),
    (
        {7: 0.913, 3: 0.921, 5: 0.907, 9: 0.930},  # in another order, and each with a seed that the other lacks
        {3: 0.915, 5: 0.909, 7: 0.904, 8: 0.911},
    ),
)


def seed_interval(function: Callable[[dict[int, float], dict[int, float]], tuple[float, float]]) -> None:
    """`interval(a, b)`: mean of a - b over the seeds that both have, and the margin of its 95 % interval."""
    judge(function, _seed_interval, "Paired by seed, with Student's t: that is what the intervals of this chapter are.")


def _seed_interval(function: Callable[[dict[int, float], dict[int, float]], tuple[float, float]]) -> str | None:
    for a, b in _SEED_CASES:
        case = f"for a = {a} and b = {b}"
        right, n = paired(a, b), len(a.keys() & b.keys())
        mean, margin = as_numbers(ask(function, dict(a), dict(b)), 2, "return two numbers: `return mean, margin`")
        if not math.isclose(mean, right.mean, abs_tol=1e-6):
            if math.isclose(mean, -right.mean, abs_tol=1e-6):
                return "the difference has the wrong sign: a minus b."
            if math.isclose(mean, statistics.mean(a.values()) - statistics.mean(b.values()), abs_tol=1e-6):
                return f"{case} some seeds stand on one side only. Such a run has no partner: leave it out."
            return f"{case} the mean is {right.mean:.5f}, yours is {mean:.5f}."
        if near(2e-3)(margin, right.margin):
            continue
        known = diagnose(margin, _wrong_margins(a, b, n), near(2e-3))
        return f"{case}: {known}" if known else f"{case} the margin is {right.margin:.5f}, yours is {margin:.5f}."
    return None


def _wrong_margins(a: dict[int, float], b: dict[int, float], n: int) -> dict[str, float]:
    """Typical wrong margins for n seeds in common, each by its hint."""
    d = [a[seed] - b[seed] for seed in a if seed in b]
    misplaced = [x - y for x, y in zip(a.values(), b.values())]
    ours, theirs = ([values[seed] for seed in values if seed in a and seed in b] for values in (a, b))
    sd, t, root = statistics.stdev(d), T975[n - 2], math.sqrt(n)
    unpaired = math.sqrt(statistics.variance(ours) + statistics.variance(theirs))
    return {
        "the partners are mixed up: pair by seed, a[seed] - b[seed], not by the place in the dictionary.": (
            t * statistics.stdev(misplaced) / math.sqrt(len(misplaced))
        ),
        "that is the interval of two unrelated groups. Take the differences first, then their sd.": t * unpaired / root,
        "that is the interval of two unrelated groups. Take the differences first, and then n - 1 = "
        f"{n - 1} degrees of freedom.": T975[2 * n - 3] * unpaired / root,
        "1.96 is for many seeds. With few, the sd itself is uncertain: take Student's t.": 1.96 * sd / root,
        "the factor t is missing.": sd / root,
        f"t for {n} degrees of freedom; {n} differences have {n - 1}, because the mean is taken from them, too.": (
            T975[n - 1] * sd / root
        ),
        "that sd divides by n; the sd of a sample divides by n - 1.": t * statistics.pstdev(d) / root,
        "√n is missing: that is how far a single difference strays, and their mean strays less.": t * sd,
        "divide by √n, not by n.": t * sd / n,
        "that is the whole width of the interval; the margin is half of it.": 2 * t * sd / root,
    }


_WHAT_FOLLOWS = {
    "A gains": (
        True,
        "all of its interval, 0.5 to 1.1, lies above zero. And that is not the luck of the surest of twenty: by "
        "Student's t with 4 degrees of freedom, chance alone would put one variant so far from zero with p = 0.0018, "
        "and one of twenty with at most 20 · 0.0018 = 0.036 (Bonferroni), which still is below 0.05.",
    ),
    "B has no effect": (
        False,
        "its interval goes from -0.1 to 1.1. Zero is in it, but so is a gain as large as that of A. "
        "Not shown is not the same as not there.",
    ),
    "C is better than A": (
        False,
        "both intervals are against the plain network. Whether C beats A takes the interval of C minus A.",
    ),
    "D gains less than 0.3": (True, "its interval ends at 0.1. An interval around zero can say a lot if it is short."),
    "A trained again with new seeds gains 0.8": (
        False,
        "A was picked because it stands out among twenty, so some luck is in its mean. And five other seeds "
        "give another mean anyway.",
    ),
}
"""What may be said of a table with intervals, and why."""


def what_follows(answers: Mapping[str, Any]) -> None:
    """Which of five sentences follow from a table of differences with 95 % intervals: sentence to True or False."""
    praise = (
        "All five. A table says less than it seems to; a short interval says more. A, the surest of twenty, holds even "
        "after Bonferroni: 20 · 0.0018 is below 0.05."
    )
    judge_claims(answers, _WHAT_FOLLOWS, praise)
