"""Plots of SE inside a ResNet: its places in a block, what it costs, and where its maps are small."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from senet_edu.plots.style import Picture, new_figure, picture, theme

_SLOTS = {"pre": 1, "conv1": 2, "conv2": 3, "3x3": 4, "conv3": 5, "standard": 6, "sum": 7, "post": 8.5}


_SHORTCUT = 1.55


def _box(ax: Axes, x: float, y: float, label: str, *, se: bool = False, width: float = 1.5) -> None:
    """A layer, or an SE block over a band in the colors of its three steps."""
    height = 0.64
    low, left = y + height / 2, x - width / 2  # heights are counted from the top
    edge = {"facecolor": theme.card if se else theme.faint, "edgecolor": theme.ink if se else theme.plain}
    ax.add_patch(Rectangle((left, y - height / 2), width, height, **edge, linewidth=1.2, zorder=3))
    if se:
        for k, color in enumerate((theme.squeeze, theme.excitation, theme.rescale)):
            band = (left + k * width / 3, low - 0.16), width / 3, 0.16
            ax.add_patch(Rectangle(*band, color=color, linewidth=0, zorder=4))
    place = (x, y - 0.08) if se else (x, y)
    ax.annotate(label, place, ha="center", va="center_baseline", zorder=4, fontweight="bold" if se else "normal")


def _block_diagram(ax: Axes, placement: str) -> None:
    """A bottleneck from top to bottom with SE in one of its places, see `senet_edu.resnet.ResidualBlock`."""
    arrow = {
        "arrowstyle": "-|>",
        "color": theme.plain,
        "linewidth": 1.4,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 9,
    }
    end = 9.4
    ax.annotate("", (0, end), (0, -0.1), arrowprops=arrow, zorder=1)
    ax.plot([0, _SHORTCUT, _SHORTCUT], [0.35, 0.35, _SLOTS["sum"]], color=theme.plain, linewidth=1.4, zorder=1)
    ax.annotate("", (0.2, _SLOTS["sum"]), (_SHORTCUT, _SLOTS["sum"]), arrowprops=arrow, zorder=1)
    for slot, label in {"conv1": "1×1", "conv2": "3×3", "conv3": "1×1"}.items():
        _box(ax, 0, _SLOTS[slot], label)
    ax.plot(0, _SLOTS["sum"], "o", markersize=15, markerfacecolor=theme.card, markeredgecolor=theme.plain, zorder=3)
    ax.annotate("ReLU", (0.15, _SLOTS["sum"] + 0.75), va="center", color=theme.soft)
    ax.annotate("+", (0, _SLOTS["sum"]), ha="center", va="center_baseline", zorder=4)
    if placement == "identity":
        _box(ax, _SHORTCUT, _SLOTS["conv2"] + 0.5, "SE", se=True, width=1.1)
    elif placement != "none":
        _box(ax, 0, _SLOTS[placement], "SE", se=True, width=1.1)
    ax.set(xlim=(-0.95, 2.25), ylim=(end + 0.05, -0.15))
    ax.set_axis_off()


@picture
def placements(notes: Mapping[str, str]) -> Picture:
    """Fig. 5 of the paper, with the place behind the 3x3 convolution: bottleneck blocks side by side.

    Args:
        notes: placement (see `senet_edu.resnet.ResidualBlock`) to the lines to print below its diagram.
    """
    columns = 3
    rows = -(-len(notes) // columns)
    figure = new_figure(4.1 * rows)
    figure.get_layout_engine().set(hspace=0.08)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for ax, (placement, note) in zip(axes, notes.items()):
        _block_diagram(ax, placement)
        title = {"none": "no SE", "standard": "standard", "3x3": "behind the 3×3"}.get(placement, placement.upper())
        ax.set_title("identity" if placement == "identity" else title)
        ax.annotate(note, (0, 0), (0, -4), xycoords="axes fraction", textcoords="offset points", va="top")
    listed = "; ".join(f"{name}: {note}" for name, note in notes.items()).replace("\n", ", ")
    return Picture(figure, f"Block diagrams of a bottleneck with an SE block in its several places. {listed}.")


@picture
def where_se_costs(parameters: Mapping[str, int], elements: Mapping[str, int]) -> Picture:
    """What SE adds, stage by stage: parameters, and elements that it reads to squeeze and again to rescale.

    Args:
        parameters: stage to parameters of its SE blocks.
        elements: stage to elements of all maps that its SE blocks see for one image.
    """
    figure = new_figure(2.7)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, values, color in (
        (axes[0], "parameters added", parameters, theme.excitation),
        (axes[1], "map elements, per image", elements, theme.rescale),
    ):
        ax.barh(range(len(values)), list(values.values()), color=color, height=0.65)
        for y, value in enumerate(values.values()):
            text = f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value / 1e3:.0f} k"
            ax.annotate(text, (value, y), (4, 0), textcoords="offset points", va="center")
        ax.set_title(title)
        ax.set_xlim(0, 1.35 * max(values.values()))
        ax.set_xticks([])
        ax.tick_params(left=False)
        ax.spines[:].set_visible(False)
    axes[0].set_yticks(range(len(parameters)), parameters)
    axes[0].invert_yaxis()
    each = ", ".join(f"{name} {n:,} and {elements[name]:,}" for name, n in parameters.items())
    return Picture(figure, f"Bars by stage, parameters of the SE blocks and elements of the maps they read: {each}.")


@picture
def map_sides(rows: Mapping[str, Mapping[str, int]]) -> Picture:
    """Squares to scale: how large the maps are along a network.

    Args:
        rows: name of a network to (layer -> side of its maps in pixels).
    """
    figure = new_figure(1.6 * len(rows))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    largest = max(side for sides in rows.values() for side in sides.values())
    longest = max(map(len, rows.values())) - 1
    for ax, (title, sides) in zip(axes, rows.items()):
        for k, (name, side) in enumerate(sides.items()):
            middle = 1.55 * largest * k
            color = theme.plain if side > 1 else theme.squeeze
            ax.add_patch(Rectangle((middle - side / 2, 0), side, side, color=color))
            ax.annotate(f"{side} × {side}", (middle, side), (0, 3), textcoords="offset points", ha="center")
            ax.annotate(name, (middle, 0), (0, -4), textcoords="offset points", ha="center", va="top", color=theme.soft)
        ax.set(xlim=(-0.75 * largest, 1.55 * largest * longest + 0.75 * largest), ylim=(-0.35 * largest, 1.3 * largest))
        ax.set_aspect("equal")
        ax.set_title(title)
        ax.set_axis_off()
    listed = "; ".join(f"{title}: " + ", ".join(f"{n} {s}" for n, s in sides.items()) for title, sides in rows.items())
    return Picture(figure, f"Sides of the feature maps in pixels, as squares to scale. {listed}.")
