"""What seeds allow to say, held to Student's distribution and to invented experiments whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from senet_edu.measure.intervals import T975, Difference, accuracies, compare, paired


def student(df: int, t: float) -> float:
    """The probability of less than t under Student's distribution, by integrating its density."""
    x = np.linspace(0, t, 20_001)
    density = (1 + x**2 / df) ** (-(df + 1) / 2)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return 0.5 + scale * (density[1:] + density[:-1]).sum() / 2 * (x[1] - x[0])


def test_t_table_against_the_integral() -> None:
    for df, t in enumerate(T975, start=1):
        assert student(df, t - 6e-4) < 0.975 < student(df, t + 6e-4)
    assert len(T975) == 30


def test_interval_covers_the_truth_nineteen_times_in_twenty() -> None:
    generator = np.random.default_rng(0)
    for n in (2, 5, 12):
        hits = 0
        for _ in range(4_000):
            shared, own, other = generator.normal(0, 1, (3, n))
            found = paired(dict(enumerate(0.3 + shared + own)), dict(enumerate(shared + other)))
            hits += abs(found.mean - 0.3) <= found.margin
        assert abs(hits / 4_000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4_000)


def test_pairs_are_made_by_seed_and_not_by_place() -> None:
    runs = [{"row": "a", "seed": s, "test_accuracy": 0.5 + 0.1 * s} for s in (2, 0, 1)]
    runs += [{"row": "b", "seed": s, "test_accuracy": 0.4 + 0.1 * s} for s in (0, 1, 2, 3)]
    found = compare(runs, "a", "b")
    assert found.mean == pytest.approx(0.1) and found.margin == pytest.approx(0, abs=1e-9) and found.count == 3
    with pytest.raises(ValueError, match="two seeds or more in common"):
        paired({0: 0.5, 1: 0.6}, {1: 0.5})


def test_verdict() -> None:
    assert [Difference(m, 0.5, 5).verdict for m in (1.0, -1.0, 0.3, -0.5)] == ["better", "worse"] + 2 * ["undecided"]


def test_a_row_without_runs_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="'se_r3' has no run; there are plain"):
        accuracies([{"row": "plain", "seed": 0, "test_accuracy": 0.5}], "se_r3")


@pytest.mark.parametrize(
    ("mean", "margin", "text"),
    [
        (-0.0125, 0.0071, "\N{MINUS SIGN}1.2 ± 0.7"),  # where JavaScript and Python round apart
        (-0.0001, 0.007, "0.0 ± 0.7"),
        (0.004, 0.02, "+0.4 ± 2.0"),
        (-0.0052, 0.0048, "\N{MINUS SIGN}0.52 ± 0.48"),  # a second digit says on which side of zero it ends
        (0.0058, 0.0061, "+0.58 ± 0.61"),
        (0.00001, 0.0, "0.00 ± 0.00"),
    ],
)
def test_a_difference_is_written_in_points_with_one_rounding(mean: float, margin: float, text: str) -> None:
    assert Difference(mean, margin, 8).points == text.replace(" ", "\N{NO-BREAK SPACE}")
