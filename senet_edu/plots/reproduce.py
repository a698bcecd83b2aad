"""What reproduces: plots of runs that should have been the same, and tables of how stored files were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from senet_edu.plots.style import Picture, new_figure, picture, theme
from senet_edu.plots.table import Table
from senet_edu.provenance import Record, duration


@picture
def apart(steps: Sequence[int], distances: Mapping[str, Sequence[float]]) -> Picture:
    """How far the weights of training runs are from those of another run, step by step, both axes logarithmic.

    Args:
        steps: steps done; the first is 0.
        distances: name of a run to its distances after those steps. Zeros are not drawn.
    """
    figure = new_figure(3.2)
    ax = figure.subplots()
    x = np.asarray(steps) + 0.5  # so that step 0 has a place
    for k, (name, values) in enumerate(distances.items()):
        y = np.where(np.asarray(values) > 0, values, np.nan)
        ax.plot(x, y, "-o" if k == 0 else "--o", color=theme.ink if k == 0 else theme.soft, markersize=4)
        if np.isfinite(y).any():
            last = int(np.flatnonzero(np.isfinite(y))[-1])
            ax.annotate(name, (x[last], y[last]), (8, 0), textcoords="offset points", va="center",
                        color=theme.ink if k == 0 else theme.soft)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="steps done", ylabel="distance between the weights")
    shown = [step for step in steps if step in (0, 1, 2, 4, 8, 16, 32, 64) or step == steps[-1]]
    ax.set_xticks([step + 0.5 for step in shown], [str(step) for step in shown])
    ax.minorticks_off()
    listed = " and ".join(distances)
    return Picture(figure, f"How far the weights are from those of the first run, by step, for two runs: {listed}.")


def status_board(records: Sequence[Record]) -> Table:
    """Every stored file with the time of its run, its seeds and the start of its hash."""
    rows = []
    for record in records:
        ends = dict.fromkeys((*record.seeds[:1], *record.seeds[-1:]))
        seeds = " to ".join(map(str, ends)) or "none"
        rows.append((record.path, duration(record.seconds), seeds, f"{record.sha256[:12]}…"))
    return Table(("File", "Time of its run", "Seeds", "SHA-256"), tuple(rows))


def made_on(records: Sequence[Record]) -> Table:
    """How many stored files were made on which hardware, with which versions, in which precision."""
    rows = []
    for field in ("hardware", "versions", "precision"):
        for value, count in Counter(getattr(record, field) for record in records).items():
            rows.append((field, value or "not recorded", str(count)))
    return Table(("What", "Made with", "Files"), tuple(rows))
