"""Plots of the squeeze: what its mean sees, and what other squeezes would keep."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from torch import Tensor

from senet_edu.plots.style import Picture, bare, framed, new_figure, number, picture, theme


@picture
def seen_pixels(image: Tensor, masks: Mapping[str, Tensor]) -> Picture:
    """An image once for each mask; pixels outside of the mask are dimmed.

    Args:
        image: uint8 `(3, H, W)`.
        masks: title to bool `(H, W)`, the pixels that some value of the network depends on.
    """
    figure = new_figure(2.7)
    axes = figure.subplots(1, len(masks), squeeze=False)[0]
    pixels = image.permute(1, 2, 0).numpy() / 255
    for ax, (title, mask) in zip(axes, masks.items()):
        seen = mask.numpy()
        ground = np.array(to_rgb(theme.card))
        ax.imshow(np.where(seen[..., None], pixels, 0.85 * ground + 0.15 * pixels))
        rows, columns = np.nonzero(seen)
        box = (columns.min() - 0.5, rows.min() - 0.5), np.ptp(columns) + 1, np.ptp(rows) + 1
        ax.add_patch(Rectangle(*box, fill=False, edgecolor=theme.squeeze, linewidth=2.5, clip_on=False))
        ax.set_title(title)
        ax.set_xlabel(f"{seen.sum():,} of {seen.size:,} pixels")
        bare(ax)
    titles = "; ".join(title.replace("\n", " ") for title in masks)
    alt = f"The same image {len(masks)} times; faded pixels do not reach a value of the network: {titles}."
    return Picture(figure, alt)


@picture
def squeezed_maps(maps: Mapping[str, np.ndarray | Tensor]) -> Picture:
    """Maps side by side, and below each its mean, its maximum and its standard deviation as bars.

    Args:
        maps: title to `(H, W)`; maps are drawn on one signed scale, and so are the bars.
    """
    arrays = {title: np.asarray(u, dtype=float) for title, u in maps.items()}
    numbers = {title: {"mean": u.mean(), "max": u.max(), "sd": u.std()} for title, u in arrays.items()}
    figure = new_figure(3.1)
    upper, lower = figure.subplots(2, len(arrays), squeeze=False, height_ratios=[2.1, 1])
    limit = max(float(np.abs(u).max()) for u in arrays.values()) + 1e-9
    values = [value for of_map in numbers.values() for value in of_map.values()]
    left, right = min(0.0, *values), max(values)
    for column, (title, u) in enumerate(arrays.items()):
        ax, bars = upper[column], lower[column]
        ax.imshow(u, cmap=theme.signed, vmin=-limit, vmax=limit)
        ax.set_title(title)
        framed(ax)
        for y, (name, value) in enumerate(numbers[title].items()):
            color, ink = (theme.squeeze, theme.squeeze_text) if name == "mean" else (theme.soft, theme.soft)
            bars.barh(y, value, color=color, height=0.7)
            beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            bars.annotate(number(value), (max(value, 0), y), color=ink, **beside)
        bars.set_xlim(left, left + 1.45 * (right - left + 1e-9))
        bars.set_yticks(range(3), numbers[title] if column == 0 else ["", "", ""])
        bars.tick_params(left=False)
        bars.set_xticks([])
        bars.spines["bottom"].set_visible(False)
        bars.axvline(0, color=theme.ink, linewidth=1)
        bars.invert_yaxis()
    titles = ", ".join(title.replace("\n", " ") for title in arrays)
    return Picture(figure, f"Feature maps ({titles}); below each its mean, maximum and standard deviation as bars.")


@picture
def three_squeezes(maps: Tensor) -> Picture:
    """Mean, maximum and standard deviation of maps `(C, H, W)`, a bar a channel, channels in order of their mean."""
    order = maps.mean((1, 2)).argsort(descending=True)
    maps = maps[order]
    rows = {"mean": maps.mean((1, 2)), "max": maps.amax((1, 2)), "sd": maps.std((1, 2), correction=0)}
    figure = new_figure(3.3)
    axes = figure.subplots(3, 1, sharex=True)
    for ax, (name, values) in zip(axes, rows.items()):
        ax.bar(range(len(maps)), values.tolist(), color=theme.squeeze if name == "mean" else theme.soft)
        ax.axhline(0, color=theme.ink, linewidth=1)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=10)
        ax.tick_params(bottom=False)
        ax.spines["bottom"].set_visible(False)
    axes[-1].set_xticks(range(len(maps)), [str(int(c)) for c in order])
    axes[-1].set_xlabel("channel, from the largest mean to the smallest")
    figure.align_ylabels(axes)
    return Picture(figure, f"Bars: mean, maximum and standard deviation of {len(maps)} maps, sorted by the mean.")


@picture
def paper_errors(rows: Mapping[str, float], plain: float) -> Picture:
    """Top-1 errors of an ablation in the paper as dots, against the network without SE.

    Args:
        rows: name of a variant to its error in percent.
        plain: error of the plain network in percent.
    """
    figure = new_figure(0.9 + 0.36 * len(rows))
    ax = figure.subplots()
    ax.axvline(plain, color=theme.plain, linestyle="--", linewidth=1.5)
    ax.annotate(
        f"plain ResNet-50 {plain:.2f}", (plain, 1), (0, 4), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="center", color=theme.plain,
    )  # fmt: skip
    for y, error in enumerate(rows.values()):
        ax.plot([plain, error], [y, y], color=theme.line, zorder=1)
        ax.plot(error, y, "o", color=theme.ink, markersize=8)
        ax.annotate(f"{error:.2f}", (error, y), (0, 7), textcoords="offset points", ha="center")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.8)
    ax.margins(x=0.1)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("ImageNet top-1 error, % (the axis does not start at zero)")
    values = ", ".join(f"{name} {error:.2f}" for name, error in rows.items())
    return Picture(figure, f"Dots: top-1 error in percent. {values}; plain ResNet-50 {plain:.2f}.")
