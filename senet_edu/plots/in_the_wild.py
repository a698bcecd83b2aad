"""Plots of SE in other networks: where it stands, what it adds, and how to begin."""

from __future__ import annotations

from collections.abc import Mapping

from senet_edu.plots.style import Picture, new_figure, picture, theme


@picture
def modules_with_se(modules: Mapping[str, tuple[int, int]]) -> Picture:
    """A chain of modules, each with its SE block: channels as bars, sides of the maps below.

    Args:
        modules: name to (channels, side of the map), in order.
    """
    figure = new_figure(2.9)
    ax = figure.subplots()
    widest = max(channels for channels, _ in modules.values())
    for i, (channels, _) in enumerate(modules.values()):
        ax.bar(i, channels, width=0.62, color=theme.plain)
        ax.bar(i, 0.07 * widest, bottom=channels, width=0.62, color=theme.excitation)
        ax.annotate(f"{channels}", (i, channels + 0.07 * widest), (0, 3), textcoords="offset points", ha="center")
    ax.annotate("SE", (-0.36, next(iter(modules.values()))[0]), (-4, -1), textcoords="offset points",
                ha="right", color=theme.excitation_text, weight="bold")  # fmt: skip
    below = ax.get_xaxis_transform()
    for side in dict.fromkeys(side for _, side in modules.values()):
        inside = [i for i, (_, s) in enumerate(modules.values()) if s == side]
        ends = [inside[0] - 0.4, inside[-1] + 0.4]
        ax.plot(ends, [-0.19, -0.19], transform=below, color=theme.ink, linewidth=1, clip_on=False)
        ax.text(sum(ends) / 2, -0.23, f"{side} × {side}", transform=below, ha="center", va="top")
    ax.set_xticks(range(len(modules)), [name.removeprefix("Mixed_") for name in modules])
    ax.set_xlim(-1.1, len(modules) - 0.5)
    ax.set_ylim(0, 1.22 * widest)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.tick_params(bottom=False)
    ax.set_title("channels that each SE block sees, by module and size of its maps")
    each = ", ".join(f"{name} {channels} at {side} by {side}" for name, (channels, side) in modules.items())
    return Picture(figure, f"A chain of modules, an SE block behind each; channels and sizes of the maps: {each}.")


@picture
def added_cost(rows: Mapping[str, tuple[float, float]]) -> Picture:
    """What SE adds to several networks, in percent: parameters on the left, multiply-adds on the right, on one scale.

    Args:
        rows: name of a network to (parameters, multiply-adds) that SE adds, each in percent of the network without.
    """
    figure = new_figure(0.9 + 0.42 * len(rows))
    axes = figure.subplots(1, 2, sharey=True)
    longest = max(max(row) for row in rows.values())
    for ax, column, title, color in (
        (axes[0], 0, "parameters added, %", theme.excitation),
        (axes[1], 1, "multiply-adds added, %", theme.soft),
    ):
        values = [row[column] for row in rows.values()]
        ax.barh(range(len(rows)), values, color=color, height=0.6)
        for y, value in enumerate(values):
            ax.annotate(f"{value:.{1 + column}f}", (value, y), (4, 0), textcoords="offset points", va="center")
        ax.set_title(title)
        ax.set_xlim(0, 1.2 * longest)
        ax.set_xticks([])
        ax.tick_params(left=False)
        ax.spines["bottom"].set_visible(False)
    axes[0].set_yticks(range(len(rows)), rows)
    axes[0].invert_yaxis()
    each = "; ".join(f"{name} {row[0]:.1f} and {row[1]:.2f}" for name, row in rows.items())
    return Picture(figure, f"Bars on one scale: parameters and multiply-adds that SE adds, in percent. {each}.")


@picture
def warm_starts(rows: Mapping[str, tuple[float, float]], plain: float, images: int) -> Picture:
    """Test accuracy of a network with new SE blocks, before and after some steps of training, for several starts.

    Args:
        rows: name of a start to its accuracy before and after, from 0 to 1.
        plain: accuracy of the network without SE blocks.
        images: how many test images.
    """
    figure = new_figure(1.2 + 0.5 * len(rows))
    ax = figure.subplots()
    ax.axvline(100 * plain, color=theme.plain, linestyle="--", linewidth=1.5)
    ax.annotate(
        "without SE", (100 * plain, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="center", color=theme.plain,
    )  # fmt: skip
    for y, (before, after) in enumerate(rows.values()):
        ax.plot([100 * before, 100 * after], [y, y], color=theme.line, linewidth=3, zorder=1)
        ax.plot(100 * before, y, "o", markersize=9, markerfacecolor=theme.card, markeredgecolor=theme.ink, zorder=2)
        ax.plot(100 * after, y, "o", markersize=9, color=theme.ink, zorder=3)
    first = next(iter(rows.values()))
    for value, text, offset in zip(first, ("before", "after"), (-1, 1) if first[0] <= first[1] else (1, -1)):
        side = "right" if offset < 0 else "left"
        ax.annotate(text, (100 * value, 0), (9 * offset, 0), textcoords="offset points", ha=side, va="center")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, 105)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"correct answers on {images:,} test images, %")
    names = ", ".join(name.replace("\n", " ") for name in rows)
    return Picture(
        figure,
        "Test accuracy with new SE blocks, an open dot before and a filled dot after a few steps of training, and a "
        f"dashed line for the network without SE. Rows: {names}.",
    )


@picture
def accuracy_by_input(rows: Mapping[str, float], images: int) -> Picture:
    """Accuracy of one network on the same images prepared in several ways.

    Args:
        rows: name of the preparation to the accuracy, from 0 to 1; the right one first.
        images: how many test images.
    """
    figure = new_figure(0.9 + 0.38 * len(rows))
    ax = figure.subplots()
    colors = [theme.ink] + [theme.plain] * (len(rows) - 1)
    ax.barh(range(len(rows)), [100 * value for value in rows.values()], color=colors, height=0.6)
    for y, value in enumerate(rows.values()):
        ax.annotate(f"{100 * value:.0f}", (100 * value, y), (4, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set_xlim(0, 105)
    ax.tick_params(left=False)
    ax.set_xlabel(f"correct answers on {images:,} test images, %")
    names = ", ".join(name.replace("\n", " ") for name in rows)
    return Picture(figure, f"Bars: accuracy of one network on the same images, prepared in several ways: {names}.")
