"""Plots of published pairs of networks."""

from __future__ import annotations

from collections.abc import Sequence

from senet_edu.plots.style import Picture, new_figure, number, picture, theme
from senet_edu.published import Pair


@picture
def published_gains(pairs: Sequence[Pair]) -> Picture:
    """Points of accuracy that SE brings in published pairs of networks, a row for each source, a dot for each pair.

    Args:
        pairs: from `senet_edu.published`.
    """
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    figure = new_figure(1.0 + 0.42 * len(sources))
    ax = figure.subplots()
    ax.axvline(0, color=theme.plain, linewidth=1.5)
    for y, source in enumerate(sources):
        rows = sorted((pair for pair in pairs if pair.source == source), key=lambda pair: pair.gain)
        for k, pair in enumerate(rows):  # neighbors go up and down, so that near dots can be told apart
            fill = theme.ink if pair.gain > 0 else theme.card
            shift = 0 if len(rows) == 1 else 0.14 * (-1) ** k
            ax.plot(pair.gain, y + shift, "o", color=fill, markeredgecolor=theme.ink, markersize=7, zorder=2)
        if rows[0].gain < 0:
            name, shift = rows[0].network.removeprefix("ResNet-50, "), 0 if len(rows) == 1 else 0.14
            beside = {"textcoords": "offset points", "ha": "right", "va": "center", "color": theme.soft}
            ax.annotate(name, (rows[0].gain, y + shift), (-7, 0), **beside)
        gains = sum(pair.gain > 0 for pair in rows)
        ax.annotate(f"{gains} of {len(rows)}", (1, y), (6, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center")  # fmt: skip
    ax.annotate("gain", (1, -0.75), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", color=theme.soft)  # fmt: skip
    ax.set_yticks(range(len(sources)), [source.label for source in sources])
    ax.set_ylim(len(sources) - 0.5, -1)
    ax.margins(x=0.08)
    ax.set_xlim(left=min(-2.9, ax.get_xlim()[0]))  # room for the names
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("accuracy with SE less accuracy without, points")
    gains = sum(pair.gain > 0 for pair in pairs)
    lowest = min(pairs, key=lambda pair: pair.gain)
    highest = max(pairs, key=lambda pair: pair.gain)
    return Picture(
        figure,
        f"A dot for each of {len(pairs)} published pairs of networks, a row for each of {len(sources)} sources: "
        f"accuracy with SE less accuracy without. {gains} gain, open dots do not. From {number(lowest.gain)} points "
        f"({lowest.source.label}, {lowest.network}) to {number(highest.gain)} "
        f"({highest.source.label}, {highest.network}).",
    )
