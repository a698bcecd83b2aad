"""Plots of what happens to a trained network on its way to where it is used."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.colors import PowerNorm
from torch import Tensor

from senet_edu.plots.style import Picture, half, new_figure, number, picture, theme


@picture
def accuracy_changes(rows: Mapping[str, tuple[float, float]], images: int) -> Picture:
    """A dot for each change made to a network: points of accuracy won or lost, with the 95 % interval.

    Args:
        rows: name of the change to points and margin.
        images: how many test images.
    """
    figure = new_figure(0.9 + 0.34 * len(rows))
    ax = figure.subplots()
    ax.axvline(0, color=theme.plain, linestyle="--", linewidth=1.5)
    for y, (points, margin) in enumerate(rows.values()):
        sure = abs(points) > margin
        ax.plot([points - margin, points + margin], [y, y], color=theme.line, linewidth=3, zorder=1)
        ax.plot(points, y, "o", markersize=8, color=theme.ink, markerfacecolor=theme.ink if sure else theme.card)
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("points of accuracy won or lost")
    each = "; ".join(f"{name} {number(points)} ± {number(margin)}" for name, (points, margin) in rows.items())
    return Picture(
        figure,
        f"A dot with a 95 % interval for each change, on {images:,} test images, open where the interval holds zero. "
        f"Points of accuracy: {each}.",
    )


@picture
def gates_in_tiles(alone: Tensor, together: Tensor, block: str) -> Picture:
    """Gates of a tile by itself against those that it gets within a larger picture: how many of each pair of values.

    Args:
        alone: gates `(N, C)` of tiles that are squeezed one by one.
        together: gates `(N, C)` of the same tiles, squeezed with their neighbors.
        block: name of the block.
    """
    figure = new_figure(3.4, 3.8)
    ax = figure.subplots()
    dots = (gates.flatten().numpy() for gates in (alone, together))
    ax.hist2d(*dots, bins=20, range=[(0, 1), (0, 1)], cmap=theme.amount, norm=PowerNorm(0.3))
    ax.plot([0, 1], [0, 1], color=theme.ink, linewidth=1)
    ends = {"ticks": [0, 0.5, 1], "labels": ["0", "½", "1"]}
    ax.set_xticks(**ends)
    ax.set_yticks(**ends)
    half(ax)
    half(ax, upward=False)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set_xlabel("gate of the tile alone")
    ax.set_ylabel("with its neighbors")
    ax.set_title(block)
    largest = (alone - together).abs().max().item()
    return Picture(
        figure,
        f"Gates of {block} for each tile and channel: alone to the right, within the whole picture upwards; the more "
        f"there are, the darker. On the diagonal nothing changes; the largest change is {number(largest)}.",
    )
