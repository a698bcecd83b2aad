"""What seeds allow to say: the difference of two rows of runs, paired by seed, with its 95 % interval."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

# Student's t at 97.5 %, for 1 to 30 degrees of freedom.
T975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Difference:
    """A mean difference, with the half width of its 95 % interval and the number of pairs."""

    mean: float
    margin: float
    count: int

    @property
    def points(self) -> str:
        """Of accuracies, in points, such as `-1.2 ± 0.7`: what figures, tables and text show, so all round alike.

        A second decimal where one would hide on which side of zero the interval ends: `-0.52 ± 0.48`.
        """
        mean, margin = 100 * self.mean, 100 * self.margin
        digits = 2 if f"{abs(mean):.1f}" == f"{margin:.1f}" else 1
        shown = f"{mean:+.{digits}f}"
        text = f"{shown if float(shown) else f'{0:.{digits}f}'} ± {margin:.{digits}f}"
        return text.replace("-", "\N{MINUS SIGN}").replace(" ", "\N{NO-BREAK SPACE}")

    @property
    def verdict(self) -> str:
        """`"better"` or `"worse"` where the interval lies on one side of zero, else `"undecided"`."""
        if abs(self.mean) <= self.margin:
            return "undecided"
        return "better" if self.mean > 0 else "worse"


def accuracies(runs: list[dict[str, Any]], row: str, value: str = "test_accuracy") -> dict[int, float]:
    """Seed to a number of the run with that seed, by default its accuracy on the test images.

    Raises:
        ValueError: there is no run of such a row.
    """
    found = {run["seed"]: run[value] for run in runs if run["row"] == row}
    if not found:
        raise ValueError(f"row {row!r} has no run; there are {', '.join(dict.fromkeys(r['row'] for r in runs))}")
    return dict(sorted(found.items()))


def paired(a: dict[int, float], b: dict[int, float]) -> Difference:
    """a minus b over the seeds that both have, with a 95 % interval after Student.

    The two runs of a seed share the order of the images, the crops and the flips. So their difference has less chance
    in it than two runs with different seeds, and the interval is that of the differences d: t · sd(d) / √n.

    Raises:
        ValueError: fewer than two seeds in common.
    """
    d = [a[seed] - b[seed] for seed in a if seed in b]
    if len(d) < 2:
        raise ValueError(f"a and b must have two seeds or more in common, got {sorted(a)} and {sorted(b)}")
    t = T975[min(len(d) - 1, len(T975)) - 1]
    return Difference(statistics.mean(d), t * statistics.stdev(d) / len(d) ** 0.5, len(d))


def compare(runs: list[dict[str, Any]], row: str, base: str = "plain", value: str = "test_accuracy") -> Difference:
    """A row against another, paired by seed (see `paired`)."""
    return paired(accuracies(runs, row, value), accuracies(runs, base, value))
