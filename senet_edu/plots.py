"""The book's figures, in one style.

Every function returns a `Picture`: a drawn figure and its alt text. The colors mean the same everywhere: squeeze is
blue, excitation orange, rescale green, a plain network gray (Okabe and Ito's colors, safe for color-blind readers).
Gates are always drawn on one scale from 0 to 1, with the half marked.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from senet_edu.analysis import Summary
from senet_edu.published import Pair

SQUEEZE, EXCITATION, RESCALE, PLAIN = "#0072B2", "#E69F00", "#009E73", "#767676"
EXCITATION_TEXT = "#8A5A00"
"""Orange dark enough to be read on white."""
INK, FAINT = "#222222", "#D9D9D9"
GATES = "cividis"
"""Color map of gates, always with `vmin=0, vmax=1`."""
WIDTH = 8.0
"""Width of a figure in inches."""

STYLE = {
    "figure.facecolor": "white",
    "figure.dpi": 130,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": FAINT,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


@dataclass(frozen=True)
class Picture:
    """A figure and its alt text; shows itself in a notebook as a PNG."""

    figure: Figure
    alt: str

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def png(self) -> bytes:
        buffer = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "image/png": self.png()}


P = ParamSpec("P")


def picture(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Draw in the book's style, whatever the style of the session."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """A figure of a size in inches that pyplot does not know of, so that nothing is shown twice or kept alive."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


# Chapter 2: squeeze

COLUMN = 6.4
"""Width in inches of a figure as wide as the text; its type stays readable on a phone."""
MAPS = "gray"
"""Color map of feature maps: brighter is larger."""


def _number(value: float) -> str:
    """Two decimals and a true minus sign, but never minus zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


def _bare(ax: Axes) -> None:
    """No ticks and no frame: for images and maps."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


@picture
def seen_pixels(image: Tensor, masks: Mapping[str, Tensor]) -> Picture:
    """An image once for each mask; pixels outside of the mask are dimmed.

    Args:
        image: uint8 `(3, H, W)`.
        masks: title to bool `(H, W)`, the pixels that some value of the network depends on.
    """
    figure = new_figure(2.7, COLUMN)
    axes = figure.subplots(1, len(masks), squeeze=False)[0]
    pixels = image.permute(1, 2, 0).numpy() / 255
    for ax, (title, mask) in zip(axes, masks.items()):
        seen = mask.numpy()
        ax.imshow(np.where(seen[..., None], pixels, 0.82 + 0.12 * pixels))
        rows, columns = np.nonzero(seen)
        box = (columns.min() - 0.5, rows.min() - 0.5), np.ptp(columns) + 1, np.ptp(rows) + 1
        ax.add_patch(Rectangle(*box, fill=False, edgecolor=SQUEEZE, linewidth=2.5, clip_on=False))
        ax.set_title(title)
        ax.set_xlabel(f"{seen.sum():,} of {seen.size:,} pixels")
        _bare(ax)
    titles = "; ".join(title.replace("\n", " ") for title in masks)
    alt = f"The same image {len(masks)} times; bright pixels reach a value of the network, pale ones do not: {titles}."
    return Picture(figure, alt)


@picture
def feature_maps(image: Tensor, maps: Tensor, numbers: Tensor) -> Picture:
    """An image, the maps that a layer makes of it, and below each map one number.

    Args:
        image: uint8 `(3, H, W)`.
        maps: `(C, H, W)`; all are drawn on one scale, in which zero is middle gray.
        numbers: `(C,)`, such as z.
    """
    count, columns = len(maps), 8
    rows = -(-count // columns)
    figure = new_figure(0.83 * rows, COLUMN)
    left, right = figure.add_gridspec(1, 2, width_ratios=[2, columns])
    grid = right.subgridspec(rows, columns)
    ax = figure.add_subplot(left)
    ax.imshow(image.permute(1, 2, 0).numpy())
    _bare(ax)
    limit = float(maps.abs().quantile(0.99))  # a few extreme values would turn all the rest gray
    for c in range(count):
        ax = figure.add_subplot(grid[c // columns, c % columns])
        ax.imshow(maps[c].numpy(), cmap=MAPS, vmin=-limit, vmax=limit)
        ax.set_xlabel(_number(float(numbers[c])), color=SQUEEZE, labelpad=2)
        _bare(ax)
    return Picture(figure, f"An image and the {count} feature maps made from it, each with its mean below it.")


@picture
def squeezed_maps(maps: Mapping[str, np.ndarray | Tensor]) -> Picture:
    """Maps side by side, and below each its mean, its maximum and its standard deviation as bars.

    Args:
        maps: title to `(H, W)`; maps are drawn on one scale, and so are the bars.
    """
    arrays = {title: np.asarray(u, dtype=float) for title, u in maps.items()}
    numbers = {title: {"mean": u.mean(), "max": u.max(), "sd": u.std()} for title, u in arrays.items()}
    figure = new_figure(3.1, COLUMN)
    upper, lower = figure.subplots(2, len(arrays), squeeze=False, height_ratios=[2.1, 1])
    low, high = (f([f(u) for u in arrays.values()]) for f in (np.min, np.max))
    low, high = min(low, 0.0), max(high, low + 1e-9)
    values = [value for of_map in numbers.values() for value in of_map.values()]
    left, right = min(0.0, *values), max(values)
    for column, (title, u) in enumerate(arrays.items()):
        ax, bars = upper[column], lower[column]
        ax.imshow(u, cmap=MAPS, vmin=low, vmax=high)
        ax.set_title(title)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=FAINT)
        for y, (name, value) in enumerate(numbers[title].items()):
            color = SQUEEZE if name == "mean" else PLAIN
            bars.barh(y, value, color=color, height=0.7)
            beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            bars.annotate(_number(value), (max(value, 0), y), color=color, **beside)
        bars.set_xlim(left, left + 1.45 * (right - left + 1e-9))
        bars.set_yticks(range(3), numbers[title] if column == 0 else ["", "", ""])
        bars.tick_params(left=False)
        bars.set_xticks([])
        bars.spines["bottom"].set_visible(False)
        bars.axvline(0, color=INK, linewidth=1)
        bars.invert_yaxis()
    titles = ", ".join(title.replace("\n", " ") for title in arrays)
    return Picture(figure, f"Feature maps ({titles}); below each its mean, maximum and standard deviation as bars.")


@picture
def three_squeezes(maps: Tensor) -> Picture:
    """Mean, maximum and standard deviation of maps `(C, H, W)`, a bar a channel, channels in order of their mean."""
    order = maps.mean((1, 2)).argsort(descending=True)
    maps = maps[order]
    rows = {"mean": maps.mean((1, 2)), "max": maps.amax((1, 2)), "sd": maps.std((1, 2), correction=0)}
    figure = new_figure(3.3, COLUMN)
    axes = figure.subplots(3, 1, sharex=True)
    for ax, (name, values) in zip(axes, rows.items()):
        ax.bar(range(len(maps)), values.tolist(), color=SQUEEZE if name == "mean" else PLAIN)
        ax.axhline(0, color=INK, linewidth=1)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.tick_params(bottom=False)
        ax.spines["bottom"].set_visible(False)
    axes[-1].set_xticks(range(len(maps)), [str(int(c) + 1) for c in order])
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
    figure = new_figure(0.9 + 0.36 * len(rows), COLUMN)
    ax = figure.subplots()
    ax.axvline(plain, color=PLAIN, linestyle="--", linewidth=1.5)
    ax.annotate(
        f"plain ResNet-50 {plain:.2f}", (plain, 1), (0, 4), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="center", color=PLAIN,
    )  # fmt: skip
    for y, error in enumerate(rows.values()):
        ax.plot([plain, error], [y, y], color=FAINT, zorder=1)
        ax.plot(error, y, "o", color=INK, markersize=8)
        ax.annotate(f"{error:.2f}", (error, y), (0, 7), textcoords="offset points", ha="center")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.8)
    ax.margins(x=0.1)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("ImageNet top-1 error, % (the axis does not start at zero)")
    values = ", ".join(f"{name} {error:.2f}" for name, error in rows.items())
    return Picture(figure, f"Dots: top-1 error in percent. {values}; plain ResNet-50 {plain:.2f}.")


# Chapter 3: excitation


@picture
def bottleneck(channels: int, reduction: int) -> Picture:
    """The matrices W1 and W2 to scale, beside the one full matrix that they replace."""
    hidden = max(1, channels // reduction)
    full, narrow = channels**2, 2 * channels * hidden
    figure = new_figure(2.6, COLUMN)
    ax = figure.subplots()
    gap = 0.35 * channels
    boxes = (  # left, width, height, color, label
        (0, channels, channels, PLAIN, f"one full layer\n{channels} × {channels}"),
        (channels + 2 * gap, channels, hidden, EXCITATION, f"$\\mathbf{{W}}_1$\n{hidden} × {channels}"),
        (2 * channels + 3 * gap, hidden, channels, EXCITATION, f"$\\mathbf{{W}}_2$\n{channels} × {hidden}"),
    )
    for left, width, height, color, label in boxes:
        ax.add_patch(Rectangle((left, -height), width, height, color=color))
        ax.annotate(label, (left + width / 2, 0), (0, 5), textcoords="offset points", ha="center")
    below = {"va": "top", "ha": "center", "textcoords": "offset points", "xytext": (0, -6)}
    ax.annotate(f"{full:,} weights", (channels / 2, -channels), color=PLAIN, **below)
    middle = 1.5 * channels + 2.5 * gap + hidden / 2
    share = f"{narrow:,} weights, {100 * narrow / full:.3g} %"
    ax.annotate(share, (middle, -channels), color=EXCITATION_TEXT, **below)
    ax.set(xlim=(-gap, 2 * channels + hidden + 4 * gap), ylim=(-channels, 0), aspect="equal")
    ax.set_axis_off()
    alt = f"To scale: a full matrix of {channels} by {channels}, and the two narrow ones with {hidden} hidden units."
    return Picture(figure, alt)


@picture
def reduction_sweep(errors: Mapping[int, float], parameters: Mapping[int, int], plain: tuple[int, float]) -> Picture:
    """Table 10 of the paper: parameters against top-1 error, a dot for each reduction ratio.

    Args:
        errors: r to the error in percent.
        parameters: r to the number of parameters.
        plain: parameters and error of the network without SE.
    """
    figure = new_figure(2.8, COLUMN)
    ax = figure.subplots()
    for r, error in errors.items():
        ax.plot(parameters[r] / 1e6, error, "o", color=EXCITATION, markersize=9)
        ax.annotate(f"r = {r}", (parameters[r] / 1e6, error), (0, 9), textcoords="offset points", ha="center")
    ax.plot(plain[0] / 1e6, plain[1], "s", color=PLAIN, markersize=9)
    ax.annotate("plain ResNet-50", (plain[0] / 1e6, plain[1]), (10, 0), textcoords="offset points", va="center")
    ax.set_xlabel("parameters, millions")
    ax.set_ylabel("top-1 error, %")
    ax.margins(x=0.08, y=0.2)
    listed = ", ".join(f"r = {r} {error:.2f}" for r, error in errors.items())
    alt = f"Dots: top-1 error in percent against parameters. {listed}; plain ResNet-50 {plain[1]:.2f}."
    return Picture(figure, alt)


@picture
def last_nonlinearities(logits: Tensor) -> Picture:
    """The same logits `(C,)` through sigmoid, softmax, tanh and ReLU."""
    gates = {"sigmoid": logits.sigmoid(), "softmax": logits.softmax(0), "tanh": logits.tanh(), "ReLU": logits.relu()}
    figure = new_figure(2.3, COLUMN)
    axes = figure.subplots(1, len(gates), sharey=True)
    for ax, (name, values) in zip(axes, gates.items()):
        color = EXCITATION if name == "sigmoid" else PLAIN
        ax.bar(range(len(logits)), values.tolist(), color=color)
        for c, value in enumerate(values.tolist()):
            below = value < 0
            ax.annotate(
                _number(value), (c, value), (0, -3 if below else 3), textcoords="offset points", ha="center",
                va="top" if below else "bottom", fontsize=10,
            )  # fmt: skip
        for level in (0, 1):
            ax.axhline(level, color=INK if level == 0 else FAINT, linewidth=1, zorder=0)
        ax.set_title(name)
        ax.set_xticks(range(len(logits)), [f"{v:g}".replace("-", "\N{MINUS SIGN}") for v in logits.tolist()])
        ax.tick_params(bottom=False)
        ax.spines["bottom"].set_visible(False)
    axes[0].set_ylabel("gate")
    axes[0].margins(y=0.15)
    figure.supxlabel("logit", fontsize=11)
    listed = ", ".join(f"{v:g}" for v in logits.tolist())
    return Picture(figure, f"Bars: the gates that sigmoid, softmax, tanh and ReLU make of the logits {listed}.")


@picture
def gate_histograms(gates: Mapping[str, Tensor]) -> Picture:
    """Histograms of gates on the scale from 0 to 1, one below the other, with the half marked.

    Args:
        gates: title to gates of any shape.
    """
    figure = new_figure(0.6 + 1.1 * len(gates), COLUMN)
    axes = figure.subplots(len(gates), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(0, 1, 51)
    middles = (edges[1:] + edges[:-1]) / 2
    for ax, (title, values) in zip(axes, gates.items()):
        counts, _ = np.histogram(values.numpy(), edges)
        ax.bar(middles, counts / counts.sum() * 100, width=0.02, color=mpl.colormaps[GATES](middles))
        ax.axvline(0.5, color=INK, linewidth=1, linestyle="--")
        ax.set_title(title)
        ax.set_ylabel("% of gates")
    axes[-1].set_xlim(0, 1)
    axes[-1].set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 (shut)", "0.25", "½", "0.75", "1 (open)"])
    titles = ", ".join(gates)
    return Picture(figure, f"Histograms of gate values between 0 and 1, the half marked: {titles}.")


@picture
def jacobian(ds_dz: Tensor) -> Picture:
    """Heat map of ds/dz `(C, C)`: row c says how gate c moves when one of the z moves."""
    C = len(ds_dz)
    figure = new_figure(3.9, COLUMN * 0.8)
    ax = figure.subplots()
    limit = max(float(ds_dz.abs().max()), 1e-9)
    image = ax.imshow(ds_dz.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
    ticks = range(0, C, 1 if C <= 16 else 4)
    ax.set_xticks(ticks, [str(c + 1) for c in ticks])
    ax.set_yticks(ticks, [str(c + 1) for c in ticks])
    ax.set_xlabel("moving $z_k$, channel k", color=SQUEEZE)
    ax.set_ylabel("moves gate $s_c$, channel c", color=EXCITATION_TEXT)
    figure.colorbar(image, ax=ax, label="$\\partial s_c/\\partial z_k$")
    return Picture(figure, f"Heat map of the derivatives of {C} gates by {C} descriptors; orange up, purple down.")


# Chapter 4: rescale


def _gate_strip(ax: Axes, gate: float) -> None:
    """One gate as a bar from 0 to 1 with the half marked, and its value."""
    ax.barh(0, 1, color="#EEEEEE", height=1)
    ax.barh(0, gate, color=mpl.colormaps[GATES](gate), height=1)
    ax.plot([0.5, 0.5], [-0.5, 0.5], color=INK, linewidth=1, linestyle="--")
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    ax.set_xlabel(f"{gate:.2f}", labelpad=1)
    _bare(ax)


def _row_label(ax: Axes, text: str, color: str = INK) -> None:
    ax.set_ylabel(text, rotation=0, ha="right", va="center", color=color, labelpad=8)


@picture
def rescaled_numbers(x: Tensor, s: Tensor) -> Picture:
    """Equation 4 with all its numbers: small maps, their gates, and the maps after.

    Args:
        x: `(C, H, W)`, small enough that every number can be printed.
        s: `(C,)`.
    """
    figure = new_figure(4.0, 5.6)
    axes = figure.subplots(3, len(x), squeeze=False, height_ratios=[1, 0.16, 1])
    limit = 1.2 * float(x.abs().max())
    for c, (u, gate) in enumerate(zip(x, s.tolist())):
        for row, values in ((0, u), (2, gate * u)):
            ax = axes[row, c]
            ax.imshow(values.numpy(), cmap=MAPS, vmin=-limit, vmax=limit)
            for (i, j), value in np.ndenumerate(values.numpy()):
                text = f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
                ax.annotate(text, (j, i), ha="center", va="center", color="white" if value < 0.1 * limit else INK)
            _bare(ax)
        axes[0, c].set_title(f"channel {c + 1}")
        _gate_strip(axes[1, c], gate)
    for ax, text, color in zip(
        axes[:, 0], ("$u_c$", "$s_c$", "$\\tilde x_c = s_c\\,u_c$"), (INK, EXCITATION_TEXT, RESCALE)
    ):
        _row_label(ax, text, color)
    numbers = ", ".join(f"{gate:.2f}" for gate in s.tolist())
    alt = f"{len(x)} small maps as numbers, their gates {numbers}, and the maps after: every number times its gate."
    return Picture(figure, alt)


@picture
def before_after(maps: Tensor, gates: Tensor, image: Tensor | None = None) -> Picture:
    """Maps before and after an SE block, each pair with its gate between them, from the widest open gate on.

    Before and after are drawn on one scale, which every channel has for itself: zero is middle gray.

    Args:
        maps: `(C, H, W)`. Of more than 16, 16 are shown, at even distances in the order of their gates.
        gates: `(C,)`.
        image: uint8 `(3, H, W)`, named on the left as the input.
    """
    order = gates.argsort(descending=True)
    if len(order) > 16:
        order = order[torch.linspace(0, len(order) - 1, 16).round().long()]
    columns = 8
    banks = -(-len(order) // columns)
    figure = new_figure(0.2 + 2.05 * banks, WIDTH)
    left, right = figure.subfigures(1, 2, width_ratios=[1, 5])
    if image is not None:
        ax = left.subplots(2, 1, height_ratios=[1, 1])
        ax[0].imshow(image.permute(1, 2, 0).numpy())
        ax[0].set_title("image")
        for each in ax:
            _bare(each)
    grid = right.add_gridspec(4 * banks, columns, height_ratios=[1, 0.2, 1, 0.02] * banks)
    for k, c in enumerate(order.tolist()):
        top, column = 4 * (k // columns), k % columns
        limit = float(maps[c].abs().quantile(0.99)) + 1e-9
        tiles = [right.add_subplot(grid[top + row, column]) for row in range(3)]
        for ax, values in ((tiles[0], maps[c]), (tiles[2], gates[c] * maps[c])):
            ax.imshow(values.numpy(), cmap=MAPS, vmin=-limit, vmax=limit)
            _bare(ax)
        _gate_strip(tiles[1], float(gates[c]))
        tiles[0].set_title(str(c + 1), fontsize=10, loc="center", fontweight="normal", pad=2)
        if column == 0:
            for ax, text, color in zip(tiles, ("before", "gate", "after"), (INK, EXCITATION_TEXT, RESCALE)):
                _row_label(ax, text, color)
    shown = f"{len(order)} of {len(gates)}" if len(order) < len(gates) else f"All {len(gates)}"
    alt = f"{shown} channels of one SE block, sorted by gate: each map before, its gate, and the dimmed map after."
    return Picture(figure, alt)


@picture
def gates_and_norm(gates: Tensor, norm: Tensor, marked: Mapping[str, Tensor]) -> Picture:
    """Two factors on the same channels: gates, which differ between images, above a batch norm's, which do not.

    Args:
        gates: `(N, C)`, gates of N images.
        norm: `(C,)`, the factor of the batch norm in eval mode.
        marked: name to gates `(C,)` of single images, at most two.
    """
    order = gates.mean(0).argsort(descending=True)
    sorted_gates = gates[:, order].numpy()
    x = np.arange(gates.shape[1])
    figure = new_figure(4.3, COLUMN)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    upper.vlines(x, sorted_gates.min(0), sorted_gates.max(0), color=FAINT, linewidth=8)
    for (name, values), marker, shift in zip(marked.items(), "os", (-0.12, 0.12)):
        y = values[order].numpy()
        shown = {"c": y, "cmap": GATES, "vmin": 0, "vmax": 1, "edgecolors": INK, "linewidths": 0.8, "s": 45}
        upper.scatter(x + shift, y, marker=marker, zorder=3, label=name, **shown)
    upper.axhline(0.5, color=INK, linewidth=1, linestyle="--", zorder=0)
    upper.set(ylim=(0, 1.02), yticks=[0, 0.5, 1], yticklabels=["0", "½", "1"])
    upper.tick_params(axis="x", bottom=False)
    upper.set_ylabel("gate $s_c$")
    upper.set_title(f"The gate: bars span {len(gates)} images")
    handles, names = upper.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2)
    lower.bar(x, norm[order].numpy(), color=PLAIN, width=0.6)
    lower.axhline(0, color=INK, linewidth=1)
    lower.set_ylabel("factor")
    lower.set_title("The batch norm's factor: one for all images")
    lower.set_xticks(x, [str(int(c) + 1) for c in order])
    lower.tick_params(bottom=False)
    lower.set_xlabel("channel, from the largest mean gate to the smallest")
    alt = (
        f"Above, gates of {gates.shape[1]} channels: a bar spans {len(gates)} images, two images are marked, and they "
        "differ. Below, the batch norm's factors, one for each channel."
    )
    return Picture(figure, alt)


@picture
def gated_sum(residual: Tensor, shortcut: Tensor, gates: Tensor) -> Picture:
    """What the layer behind an SE-ResNet block sees: relu(shortcut + gate * residual), a column a channel.

    Args:
        residual, shortcut: `(C, H, W)`, a few channels.
        gates: `(C,)`.
    """
    out = (shortcut + gates[:, None, None] * residual).relu()
    figure = new_figure(5.2, COLUMN)
    axes = figure.subplots(4, len(residual), squeeze=False, height_ratios=[1, 0.16, 1, 1])
    for c, gate in enumerate(gates.tolist()):
        whole = (shortcut[c] + residual[c]).relu()
        scale = torch.stack([residual[c].abs(), shortcut[c].abs(), whole])
        limit = float(scale.quantile(0.995)) + 1e-9
        for row, values in ((0, residual[c]), (2, shortcut[c]), (3, out[c])):
            axes[row, c].imshow(values.numpy(), cmap=MAPS, vmin=-limit, vmax=limit)
            _bare(axes[row, c])
        _gate_strip(axes[1, c], gate)
    labels = ("residual\n$u_c$", "gate\n$s_c$", "shortcut\n$x_c$", "ReLU of\n$x_c+s_c\\,u_c$")
    for ax, text, color in zip(axes[:, 0], labels, (INK, EXCITATION_TEXT, INK, RESCALE)):
        _row_label(ax, text, color)
    alt = f"{len(residual)} channels; from top to bottom: residual, gate, shortcut, and the ReLU of their gated sum."
    return Picture(figure, alt)


# Chapter 5: SE inside a ResNet

_SLOTS = {"pre": 1, "conv1": 2, "conv2": 3, "3x3": 4, "conv3": 5, "standard": 6, "sum": 7, "post": 8.5}
"""Heights in a block diagram, counted from the top."""
_SHORTCUT = 1.55


def _box(ax: Axes, x: float, y: float, label: str, *, se: bool = False, width: float = 1.5) -> None:
    """A layer, or an SE block in the colors of its three steps."""
    height = 0.64
    if se:
        for k, color in enumerate((SQUEEZE, EXCITATION, RESCALE)):
            left = x - width / 2 + k * width / 3
            ax.add_patch(Rectangle((left, y - height / 2), width / 3, height, color=color, linewidth=0, zorder=3))
    edge = {"edgecolor": INK if se else PLAIN, "linewidth": 1.2}
    face = {"fill": False} if se else {"facecolor": "#EFEFEF"}
    ax.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, **face, **edge, zorder=3))
    halo = [withStroke(linewidth=2.5, foreground=INK)] if se else []
    ax.annotate(
        label, (x, y), ha="center", va="center", color="white" if se else INK, zorder=4, path_effects=halo,
        fontweight="bold" if se else "normal",
    )  # fmt: skip


def _block_diagram(ax: Axes, placement: str) -> None:
    """A bottleneck from top to bottom with SE in one of its places, see `senet_edu.resnet.ResidualBlock`."""
    arrow = {"arrowstyle": "-|>", "color": PLAIN, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    end = 9.4
    ax.annotate("", (0, end), (0, -0.1), arrowprops=arrow, zorder=1)
    ax.plot([0, _SHORTCUT, _SHORTCUT], [0.35, 0.35, _SLOTS["sum"]], color=PLAIN, linewidth=1.4, zorder=1)
    ax.annotate("", (0.2, _SLOTS["sum"]), (_SHORTCUT, _SLOTS["sum"]), arrowprops=arrow, zorder=1)
    for slot, label in {"conv1": "1×1", "conv2": "3×3", "conv3": "1×1"}.items():
        _box(ax, 0, _SLOTS[slot], label)
    ax.plot(0, _SLOTS["sum"], "o", markersize=15, markerfacecolor="white", markeredgecolor=PLAIN, zorder=3)
    ax.annotate("ReLU", (0.15, _SLOTS["sum"] + 0.75), va="center", color=PLAIN, fontsize=10)
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
    figure = new_figure(4.1 * rows, COLUMN)
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
    figure = new_figure(2.7, COLUMN)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, title, values, color in (
        (axes[0], "parameters added", parameters, EXCITATION),
        (axes[1], "map elements, per image", elements, RESCALE),
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
    figure = new_figure(1.6 * len(rows), COLUMN)
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    largest = max(side for sides in rows.values() for side in sides.values())
    longest = max(map(len, rows.values())) - 1
    for ax, (title, sides) in zip(axes, rows.items()):
        for k, (name, side) in enumerate(sides.items()):
            middle = 1.55 * largest * k
            color = PLAIN if side > 1 else EXCITATION
            ax.add_patch(Rectangle((middle - side / 2, 0), side, side, color=color))
            ax.annotate(f"{side} × {side}", (middle, side), (0, 3), textcoords="offset points", ha="center")
            ax.annotate(name, (middle, 0), (0, -4), textcoords="offset points", ha="center", va="top", color=PLAIN)
        ax.set(xlim=(-0.75 * largest, 1.55 * largest * longest + 0.75 * largest), ylim=(-0.35 * largest, 1.3 * largest))
        ax.set_aspect("equal")
        ax.set_title(title)
        ax.set_axis_off()
    listed = "; ".join(f"{title}: " + ", ".join(f"{n} {s}" for n, s in sides.items()) for title, sides in rows.items())
    return Picture(figure, f"Sides of the feature maps in pixels, as squares to scale. {listed}.")


# Chapter 9: gates across depth

LINES = ("#D55E00", "#56B4E9", "#AA4499", "#332288")
"""Colors of classes; none of them is a step of the block."""


def _short(block: str) -> str:
    return block.removesuffix(".se")


def _gate_axis(ax: Axes) -> None:
    """Gates upwards, on their one scale, with the half marked."""
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "½", "1"])
    ax.axhline(0.5, color=INK, linewidth=1, linestyle="--", zorder=0)


def _channel_axis(ax: Axes, channels: int) -> None:
    ax.set(xlim=(-0.5, channels - 0.5), xticks=[0, channels - 1], xticklabels=["1", str(channels)])


def _profiles(blocks: Sequence[str], means: Mapping[str, Tensor]) -> tuple[Figure, list[tuple[Axes, Tensor, str]]]:
    """A row of panels, gates against channels, and for each block its panel and the order of its channels."""
    figure = new_figure(3.0, COLUMN)
    panels = []
    for ax, block in zip(figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0], blocks):
        _gate_axis(ax)
        _channel_axis(ax, means[block].shape[1])
        ax.set_title(_short(block))
        panels.append((ax, means[block].mean(0).argsort(), block))
    panels[0][0].set_ylabel("gate")
    panels[0][0].set_xlabel("channel, by mean gate")
    return figure, panels


@picture
def gates_within_classes(
    means: Mapping[str, Tensor], spreads: Mapping[str, Tensor], classes: Sequence[str], chosen: Sequence[int]
) -> Picture:
    """The paper's Fig. 7: gates per channel inside a class, the mean and a band of one standard deviation each way.

    Args:
        means, spreads: block to the mean and the standard deviation of its gates in each class `(K, C)`.
        classes: K names.
        chosen: two of the K classes.
    """
    figure, panels = _profiles(list(means), means)
    for ax, order, block in panels:
        for k, color in zip(chosen, LINES):
            mean, spread = means[block][k, order].numpy(), spreads[block][k, order].numpy()
            ax.fill_between(range(len(mean)), mean - spread, mean + spread, color=color, alpha=0.3, linewidth=0)
            ax.plot(mean, color=color, linewidth=1.3, label=classes[k])
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=len(chosen), handlelength=1)
    alt = (
        f"Gates against channels in {len(means)} blocks for {len(chosen)} classes: the mean over the images of a class "
        "in a band of one standard deviation each way."
    )
    return Picture(figure, alt)


@picture
def channels_by_class(gates: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], images: int = 60) -> Picture:
    """The gates of single channels, a dot an image, in a row for each class; a bar marks the class mean.

    Args:
        gates: title to one channel's gates `(N,)`.
        labels: `(N,)`.
        classes: K names.
        images: how many of a class are drawn; the means are over all of them.
    """
    figure = new_figure(3.4, COLUMN)
    axes = figure.subplots(1, len(gates), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (title, s) in zip(axes, gates.items()):
        ax.axvline(s.mean(), color=INK, linewidth=1, linestyle=":", zorder=0)
        for k in range(len(classes)):
            own = s[labels == k].numpy()
            shown = own[:images]
            height = k + np.linspace(-0.3, 0.3, len(shown))
            ax.scatter(shown, height, c=shown, cmap=GATES, vmin=0, vmax=1, s=9, linewidths=0)
            ax.plot([own.mean()] * 2, [k - 0.42, k + 0.42], color=INK, linewidth=2.5)
        ax.set_title(title)
        ax.set(xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "½", "1"], xlabel="gate")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(classes)), classes, fontsize=10)
    axes[0].invert_yaxis()
    return Picture(figure, f"Gates of {len(gates)} channels, a row of dots for each class, class means marked.")


@picture
def gates_by_depth(
    trained: Mapping[str, Summary], untrained: Mapping[str, Summary], shuffled: Mapping[str, float]
) -> Picture:
    """Four panels of numbers by depth: a trained network and an untrained one.

    Args:
        trained, untrained: block to the summary of its gates.
        shuffled: block to the class share of the trained network's gates under shuffled labels.
    """
    figure = new_figure(5.0, COLUMN)
    axes = figure.subplots(2, 2, sharex=True)
    blocks = list(trained)
    x = np.arange(len(blocks))
    stages = [block.partition(".")[0] for block in blocks]
    bounds = [k for k, stage in enumerate(stages) if k == 0 or stage != stages[k - 1]] + [len(blocks)]

    def line(ax: Axes, values: Sequence[float], color: str, **style: Any) -> None:
        ax.plot(x, values, color=color, marker="o", markersize=5, linewidth=1.8, clip_on=False, **style)

    dashed = {"linestyle": "--", "markerfacecolor": "white"}
    for ax, title, fields in (
        (axes[0, 0], "Between classes (η²)", {"class_share": {}}),
        (axes[0, 1], "Spread over images (sd)", {"spread": {}}),
        (axes[1, 0], "Gates near the ends", {"above": {}, "below": dashed}),
        (axes[1, 1], "Mean gate", {"mean": {}}),
    ):
        for field, style in fields.items():
            line(ax, [getattr(untrained[block], field) for block in blocks], PLAIN, **style)
            line(ax, [getattr(trained[block], field) for block in blocks], EXCITATION, **style)
        ax.set_title(title)
        ax.set_xlim(-0.5, len(blocks) - 0.5)
        for k in range(1, len(bounds) - 1, 2):  # every second stage is shaded
            ax.axvspan(bounds[k] - 0.5, bounds[k + 1] - 0.5, color="#F2F2F2", zorder=0, linewidth=0)
    axes[0, 0].plot(x, [shuffled[block] for block in blocks], color=INK, linestyle=":")
    for ax in axes.flat[:3]:
        ax.set_ylim(0, max(1.12 * ax.get_ylim()[1], 0.05))
    _gate_axis(axes[1, 1])
    for ax in axes[1]:
        ax.set_xticks(x, [_short(block).removeprefix("layer") for block in blocks], fontsize=10)
        ax.set_xlabel("block: stage and place")

    def key(color: str, **style: Any) -> Line2D:
        return Line2D([], [], color=color, markersize=5, **style)

    ends = [key(INK, marker="o"), key(INK, marker="o", **dashed)]
    axes[1, 0].legend(ends, ["above 0.95", "below 0.05"], loc="upper left", handlelength=2.6)
    lines = [key(EXCITATION, marker="o"), key(PLAIN, marker="o"), key(INK, linestyle=":")]
    figure.legend(lines, ["trained", "untrained", "labels shuffled"], loc="outside upper left", ncols=3)
    alt = (
        f"Four panels over {len(blocks)} blocks in order of depth, a trained and an untrained network: share of "
        "variance between classes, spread over images, share of gates near 0 and near 1, and mean gate."
    )
    return Picture(figure, alt)



# Chapter 7: training


@picture
def augmented(images: Tensor, crops: Tensor) -> Picture:
    """Images, each beside random versions of it.

    Args:
        images: uint8 `(N, 3, H, W)`.
        crops: uint8 `(N, K, 3, H, W)`, K versions of each.
    """
    rows, columns = crops.shape[:2]
    figure = new_figure(0.3 + 0.72 * rows, COLUMN)
    axes = figure.subplots(rows, columns + 1, squeeze=False)
    for row, image, versions in zip(axes, images, crops):
        for ax, pixels in zip(row, [image, *versions]):
            ax.imshow(pixels.permute(1, 2, 0).cpu().numpy())
            _bare(ax)
    for ax, title in ((axes[0, 0], "image"), (axes[0, 1], f"as the network sees it in {columns} epochs")):
        style = {"xycoords": "axes fraction", "textcoords": "offset points", "weight": "bold"}
        ax.annotate(title, (0, 1), (0, 5), **style).set_in_layout(False)  # wider than its picture
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.25 / figure.get_figheight()), wspace=0.02)
    return Picture(figure, f"{rows} images, each beside {columns} versions: shifted by a few pixels, some mirrored.")


def _epoch_axes(axes: Sequence[Axes], sizes: Sequence[tuple[float, int]], epochs: int) -> None:
    """An axis of epochs, with bands for the side of the training images, which changes at shares of the epochs."""
    starts = [start * epochs for start, _ in sizes]
    for ax in axes:
        ax.set(xlim=(0, epochs), xlabel="epoch")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        for k, (start, end) in enumerate(zip(starts, [*starts[1:], epochs])):
            if k % 2:  # every second band is shaded
                ax.axvspan(start, end, color="#F2F2F2", zorder=0, linewidth=0)
            place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom", "fontsize": 10}
            ax.text((start + end) / 2, 1.01, f"{sizes[k][1]} px", **place)


@picture
def learning_rate(rates: Sequence[float], sizes: Sequence[tuple[float, int]], epochs: int) -> Picture:
    """The learning rate of every step of a run, and the side of the training images.

    Args:
        rates: one for each step.
        sizes: (share of the epochs done, side of the training images from then on).
        epochs: how many epochs the steps make up.
    """
    figure = new_figure(2.7, COLUMN)
    figure.get_layout_engine().set(h_pad=0.1)
    ax = figure.subplots()
    x = np.linspace(0, epochs, len(rates), endpoint=False)
    ax.plot(x, rates, color=INK)
    peak = int(np.argmax(rates))
    ax.annotate(f"peak {rates[peak]:.2g}", (x[peak], rates[peak]), (8, 4), textcoords="offset points")
    ax.set(ylim=(0, 1.15 * max(rates)), ylabel="learning rate")
    _epoch_axes([ax], sizes, epochs)
    alt = "The learning rate rises on a straight line to its peak and falls on another to zero. Training images have "
    return Picture(figure, alt + f"first {sizes[0][1]} and in the end {sizes[-1][1]} pixels a side.")


TRAIN_LINE = {"linestyle": "--", "linewidth": 1.6}
TEST_LINE = {"marker": "o", "markersize": 5}


def _curve(ax: Axes, history: Sequence[Mapping[str, Any]], key: str, **style: Any) -> None:
    """A quantity by epoch, an accuracy in percent; epochs in which it was not measured are skipped."""
    rows = [row for row in history if key in row]
    factor = 100 if key.endswith("accuracy") else 1
    if rows:  # an unclipped line without points has no place, and would spoil the layout
        ax.plot([row["epoch"] for row in rows], [factor * row[key] for row in rows], clip_on=False, **style)


@picture
def training_progress(history: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[float, int]], epochs: int) -> Picture:
    """Loss and accuracy of a run so far, on training and test images; the axis has room for the epochs to come.

    Args:
        history: a dictionary an epoch, as `senet_edu.train` gives them.
        sizes: (share of the epochs done, side of the training images from then on).
        epochs: how many there will be.
    """
    figure = new_figure(2.9, COLUMN)
    axes = figure.subplots(1, 2)
    for ax, quantity, label in zip(axes, ("loss", "accuracy"), ("loss", "accuracy (%)")):
        _curve(ax, history, f"train_{quantity}", color=EXCITATION, **TRAIN_LINE)
        _curve(ax, history, f"test_{quantity}", color=EXCITATION, **TEST_LINE)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0, top=100 if quantity == "accuracy" else max(2.5, ax.get_ylim()[1]))
    _epoch_axes(axes, sizes, epochs)
    keys = [Line2D([], [], color=EXCITATION, **style) for style in (TRAIN_LINE, TEST_LINE)]
    figure.legend(keys, ["training images", "test images"], loc="outside upper left", ncols=2, handlelength=2.4)
    alt = "Loss and accuracy by epoch, on training images as a dashed line, on test images as dots joined by a line."
    return Picture(figure, alt)


@picture
def training_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], sizes: Sequence[tuple[float, int]], epochs: int
) -> Picture:
    """Accuracy by epoch of a plain network and one with SE: left on training images, right on test images.

    Args:
        histories: the name of the plain network, then of the other, each with its dictionaries an epoch.
        sizes, epochs: as in `training_progress`.
    """
    figure = new_figure(3.4, COLUMN)
    axes = figure.subplots(1, 2, sharey=True)
    for history, color in zip(histories.values(), (PLAIN, EXCITATION)):
        _curve(axes[0], history, "train_accuracy", color=color, **TRAIN_LINE)
        _curve(axes[1], history, "test_accuracy", color=color, **TEST_LINE)
    axes[0].set(ylim=(0, 100), ylabel="accuracy (%)")
    _epoch_axes(axes, sizes, epochs)
    for ax, title in zip(axes, ("training images", "test images")):
        ax.set_title(title, pad=20)
    keys = [Line2D([], [], color=color, linewidth=4) for color in (PLAIN, EXCITATION)]
    figure.legend(keys, list(histories), loc="outside upper left", ncols=2, handlelength=1.2)
    names = " and ".join(histories)
    return Picture(figure, f"Accuracy of {names} by epoch, left on training images and right on test images.")


# Chapter 12: in the wild


@picture
def modules_with_se(modules: Mapping[str, tuple[int, int]]) -> Picture:
    """A chain of modules, each with its SE block: channels as bars, sides of the maps below.

    Args:
        modules: name to (channels, side of the map), in order.
    """
    figure = new_figure(2.9, COLUMN)
    ax = figure.subplots()
    widest = max(channels for channels, _ in modules.values())
    for i, (channels, _) in enumerate(modules.values()):
        ax.bar(i, channels, width=0.62, color=PLAIN)
        ax.bar(i, 0.07 * widest, bottom=channels, width=0.62, color=EXCITATION)
        ax.annotate(f"{channels}", (i, channels + 0.07 * widest), (0, 3), textcoords="offset points", ha="center")
    ax.annotate("SE", (-0.36, next(iter(modules.values()))[0]), (-4, -1), textcoords="offset points",
                ha="right", color=EXCITATION_TEXT, weight="bold")  # fmt: skip
    below = ax.get_xaxis_transform()
    for side in dict.fromkeys(side for _, side in modules.values()):
        inside = [i for i, (_, s) in enumerate(modules.values()) if s == side]
        ends = [inside[0] - 0.4, inside[-1] + 0.4]
        ax.plot(ends, [-0.19, -0.19], transform=below, color=INK, linewidth=1, clip_on=False)
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
    figure = new_figure(0.9 + 0.42 * len(rows), COLUMN)
    axes = figure.subplots(1, 2, sharey=True)
    longest = max(max(row) for row in rows.values())
    for ax, column, title, color in (
        (axes[0], 0, "parameters added, %", EXCITATION),
        (axes[1], 1, "multiply-adds added, %", SQUEEZE),
    ):
        values = [row[column] for row in rows.values()]
        ax.barh(range(len(rows)), values, color=color, height=0.6)
        for y, value in enumerate(values):
            text = f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"
            ax.annotate(text, (value, y), (4, 0), textcoords="offset points", va="center")
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
    figure = new_figure(1.2 + 0.5 * len(rows), COLUMN)
    ax = figure.subplots()
    ax.axvline(100 * plain, color=PLAIN, linestyle="--", linewidth=1.5)
    ax.annotate(
        "without SE", (100 * plain, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="center", color=PLAIN,
    )  # fmt: skip
    for y, (before, after) in enumerate(rows.values()):
        ax.plot([100 * before, 100 * after], [y, y], color=FAINT, linewidth=3, zorder=1)
        ax.plot(100 * before, y, "o", markersize=9, markerfacecolor="white", markeredgecolor=EXCITATION_TEXT, zorder=2)
        ax.plot(100 * after, y, "o", markersize=9, color=EXCITATION, zorder=3)
    first = next(iter(rows.values()))
    for value, text, offset in zip(first, ("before", "after"), (-1, 1) if first[0] <= first[1] else (1, -1)):
        side = "right" if offset < 0 else "left"
        ax.annotate(text, (100 * value, 0), (9 * offset, 0), textcoords="offset points", ha=side, va="center",
                    color=EXCITATION_TEXT)  # fmt: skip
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
    figure = new_figure(0.9 + 0.38 * len(rows), COLUMN)
    ax = figure.subplots()
    colors = [RESCALE] + [PLAIN] * (len(rows) - 1)
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


# Chapter 11: relatives


def _gate_scale(figure: Figure, image: Any, axes: Any) -> None:
    """The one scale of gates, 0 to 1 with the half marked, above the axes."""
    bar = figure.colorbar(image, ax=axes, location="top", shrink=0.4, aspect=30, anchor=(1, 0))
    bar.set_ticks([0, 0.5, 1], labels=["gate 0", "½", "1"])
    bar.ax.axvline(0.5, color="white", linewidth=1)


@picture
def gates_side_by_side(maps: Tensor, gates: Mapping[str, Tensor], *, after: bool = False, columns: int = 7) -> Picture:
    """Some channels of one stack of maps, and below them what each relative of SE multiplies them by.

    A row is one gate, stretched to the shape of the maps as the multiplication does: a channel gate fills each tile
    with one color, a spatial gate repeats one tile in all channels.

    Args:
        maps: `(C, H, W)`; each is drawn on a gray scale of its own, with zero in the middle.
        gates: name to gates of the same image, `(C,)` or what broadcasts to `(C, H, W)`; from 0 to 1.
        after: add a last row, the maps times all the gates, on the scales of the first row.
        columns: how many channels, at even distances.
    """
    channels = torch.linspace(0, len(maps) - 1, columns).round().long()
    whole = {name: (s[:, None, None] if s.ndim == 1 else s).expand_as(maps) for name, s in gates.items()}
    rows = {"maps": maps} | whole
    if after:
        rows["after"] = maps * torch.stack(list(whole.values())).prod(0)
    figure = new_figure(0.75 + 0.69 * len(rows), COLUMN)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (name, tensor) in zip(axes, rows.items()):
        for ax, c in zip(row, channels.tolist()):
            if name in whole:
                image = ax.imshow(tensor[c].numpy(), cmap=GATES, vmin=0, vmax=1)
            else:
                limit = float(maps[c].abs().quantile(0.99)) + 1e-9
                ax.imshow(tensor[c].numpy(), cmap=MAPS, vmin=-limit, vmax=limit)
            _bare(ax)
        color = EXCITATION_TEXT if name in whole else RESCALE if name == "after" else INK
        _row_label(row[0], name, color)
    for ax, c in zip(axes[-1], channels.tolist()):
        ax.set_xlabel(str(c + 1))
    axes[-1, columns // 2].set_xlabel(f"{int(channels[columns // 2]) + 1}\nchannel")
    _gate_scale(figure, image, axes)
    names = ", ".join(name.replace("\n", " ") for name in gates)
    last = " The last row has the maps after the gates." if after else ""
    alt = f"First row: {columns} feature maps of one image. Below, on one scale, the gates that multiply them: {names}."
    return Picture(figure, alt + last)


@picture
def what_gates_see(seen: Mapping[str, tuple[Tensor, Tensor]], place: tuple[int, int], channel: int) -> Picture:
    """For each relative a map of the pixels and a strip of the channels that one gate depends on.

    Args:
        seen: name to bool `(H, W)` and bool `(C,)`: the pixels and the channels that reach the gate.
        place: row and column of the pixel that the gate belongs to.
        channel: the channel that it belongs to, counted from 0.
    """
    columns = 4
    rows = -(-len(seen) // columns)
    figure = new_figure(2.35 * rows, COLUMN)
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1, 0.13] * rows)
    colors = mpl.colors.ListedColormap([FAINT, SQUEEZE])
    for ax in axes.flat:
        _bare(ax)
    for k, (name, (pixels, channels)) in enumerate(seen.items()):
        upper, lower = axes[2 * (k // columns), k % columns], axes[2 * (k // columns) + 1, k % columns]
        upper.imshow(pixels.numpy(), cmap=colors, vmin=0, vmax=1, aspect="auto")
        upper.plot(place[1], place[0], "o", color=EXCITATION, markersize=5, markeredgecolor="white")
        upper.set_title(("\n" if k >= columns else "") + name)  # a free line between two rows of panels
        lower.imshow(channels[None].numpy(), cmap=colors, vmin=0, vmax=1, aspect="auto")
        lower.plot(channel, 0, "o", color=EXCITATION, markersize=5, markeredgecolor="white", clip_on=False)
        lower.set_xlabel(f"{int(pixels.sum())} px, {int(channels.sum())} ch.", fontsize=10)
    listed = "; ".join(f"{name} {int(p.sum())} pixels, {int(c.sum())} channels" for name, (p, c) in seen.items())
    return Picture(figure, f"Blue: the pixels, and in the strip the channels, that one gate depends on. {listed}.")


@picture
def gate_latency(milliseconds: Mapping[str, float], shape: Sequence[int]) -> Picture:
    """Measured time of one forward pass of each relative; the first is the floor that all of them pay.

    Args:
        milliseconds: name to the median time; the first entry is a plain multiplication of two tensors.
        shape: of the input.
    """
    figure = new_figure(0.8 + 0.34 * len(milliseconds), COLUMN)
    ax = figure.subplots()
    floor = next(iter(milliseconds.values()))
    ax.axvline(floor, color=PLAIN, linestyle="--", linewidth=1.5)
    for y, value in enumerate(milliseconds.values()):
        color = PLAIN if y == 0 else EXCITATION
        ax.plot([floor, value], [y, y], color=color, linewidth=4)
        ax.plot(value, y, "o", color=color, markersize=9)
        label = f"{value:.2g}" if value < 10 else f"{value:.0f}"
        ax.annotate(label, (max(floor, value), y), (9, 0), textcoords="offset points", va="center")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda value, place: "")
    ax.set_yticks(range(len(milliseconds)), milliseconds)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.tick_params(left=False)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"milliseconds for {' × '.join(map(str, shape))}, on this CPU", x=0.4)
    return Picture(figure, f"Dots: measured time of one forward pass of each block: {', '.join(milliseconds)}.")


# Chapter 10: are gates explanations?


@picture
def needed_channels(gate: Tensor, needed: Tensor, title: str = "") -> Picture:
    """Each channel of a block as a dot: how open its gate is on average, and how many answers change without it.

    Args:
        gate: mean gates `(C,)`.
        needed: share of answers that change `(C,)`.
        title: above the plot.
    """
    figure = new_figure(3.4, COLUMN)
    ax = figure.subplots()
    ax.axvline(0.5, color=FAINT, linewidth=1.5, zorder=0)
    ax.scatter(gate, 100 * needed, s=46, color=EXCITATION, alpha=0.75, edgecolor=EXCITATION_TEXT, clip_on=False)
    ax.set(xlim=(0, 1), xlabel="mean gate", ylabel="answers that change, %", title=title)
    ax.set_ylim(0, max(1.08 * 100 * float(needed.max()), 1))
    alt = (
        f"A dot for each of {len(gate)} channels: mean gate across, and upward the share of answers that change when "
        "the channel is muted."
    )
    return Picture(figure, alt)


# Chapter 1: why channels


@picture
def influence(heats: Mapping[str, Tensor], windows: Sequence[int]) -> Picture:
    """How strongly each pixel moves one value in the middle, with the window in which it can.

    Below each panel stands the side of the smallest square around the middle that holds half of all influence.

    Args:
        heats: title to `(H, W)`, sizes of gradients; the middle is at `(H // 2, W // 2)`.
        windows: side of the theoretical window of each, in pixels; odd.
    """
    figure = new_figure(2.75, COLUMN)
    axes = figure.subplots(1, len(heats), squeeze=False)[0]
    for ax, (title, heat), window in zip(axes, heats.items(), windows):
        middle = heat.shape[0] // 2
        around = [heat[_around(middle, reach)].sum() / heat.sum() for reach in range(len(heat))]
        half = next(2 * reach + 1 for reach, share in enumerate(around) if share >= 0.5)
        ax.imshow((heat / heat.max()).sqrt().numpy(), cmap="Blues", vmin=0, vmax=1)  # the root shows what is weak
        for side, style in ((window, "--"), (half, "-")):
            corner = middle - side / 2
            box = Rectangle((corner, corner), side, side, fill=False, edgecolor=INK, linestyle=style, linewidth=1.5)
            ax.add_patch(box)
        ax.set_title(title)
        ax.set_xlabel(f"window {window} × {window}\nhalf in {half} × {half}")
        ax.set(xlim=(-0.5, heat.shape[1] - 0.5), ylim=(heat.shape[0] - 0.5, -0.5), xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=FAINT)
    titles = "; ".join(title.replace("\n", " ") for title in heats)
    alt = (
        f"Heat maps of how strongly each pixel moves one value in the middle: {titles}. Dashed: the window it can see. "
        "Solid: the square with half of the influence."
    )
    return Picture(figure, alt)


def _around(middle: int, reach: int) -> tuple[slice, slice]:
    side = slice(max(0, middle - reach), middle + reach + 1)
    return side, side


@picture
def restored(columns: Mapping[str, Tensor], errors: Mapping[str, float]) -> Picture:
    """Pictures in rows, and in columns what became of them.

    Args:
        columns: title to pictures `(N, 3, H, W)`, values 0..1 (others are clipped).
        errors: title to the mean absolute error that stands below its column; a column may have none.
    """
    count = len(next(iter(columns.values())))
    figure = new_figure(1.32 * count + 0.6, COLUMN)
    axes = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, pictures) in enumerate(columns.items()):
        for row, pixels in enumerate(pictures.clamp(0, 1)):
            axes[row, column].imshow(pixels.permute(1, 2, 0).numpy())
            _bare(axes[row, column])
        axes[0, column].set_title(title)
        if title in errors:
            axes[-1, column].set_xlabel(f"off by {errors[title]:.3f}")
    titles = ", ".join(title.replace("\n", " ") for title in columns)
    return Picture(figure, f"{count} pictures of colored rectangles, a row each; in columns: {titles}.")


# Chapter 6: learning to gate


@picture
def sigmoid_starts(biases: Sequence[float]) -> Picture:
    """The sigmoid, with the gate and the slope at which a block starts for each bias of its second layer."""
    figure = new_figure(3.3, COLUMN)
    ax = figure.subplots()
    x = np.linspace(-6, 6, 241)
    ax.plot(x, 1 / (1 + np.exp(-x)), color=PLAIN, linewidth=1.5, zorder=1)
    ax.axhline(0.5, color=INK, linewidth=1, linestyle="--", zorder=0)
    for b in biases:
        gate = 1 / (1 + np.exp(-b))
        slope = gate * (1 - gate)
        reach = 0.9 / np.sqrt(1 + (7 * slope) ** 2)  # so that all tangents look equally long
        ax.plot([b - reach, b + reach], [gate - reach * slope, gate + reach * slope], color=EXCITATION, linewidth=3)
        ax.plot(b, gate, "o", markersize=9, color=mpl.colormaps[GATES](gate), markeredgecolor=INK, zorder=3)
        name = f"{b:g}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(f"$b_2$ = {name}\ngate {gate:.2f}\nslope {slope:.2f}", (b, gate), (10, -14),
                    textcoords="offset points", va="top")  # fmt: skip
    ax.set(xlim=(-4.5, 7), ylim=(-0.05, 1.06), xlabel="logit at the start", ylabel="gate")
    ax.set_yticks([0, 0.5, 1], ["0 (shut)", "½", "1 (open)"])
    listed = ", ".join(f"{b:g}" for b in biases)
    return Picture(figure, f"The sigmoid with tangents at the biases {listed}; steepest at zero, where the gate is ½.")


# Chapter 8: does it help?


@picture
def published_gains(pairs: Sequence[Pair]) -> Picture:
    """Points of accuracy that SE brings in published pairs of networks, a row for each source, a dot for each pair.

    Args:
        pairs: from `senet_edu.published`.
    """
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    figure = new_figure(1.0 + 0.42 * len(sources), COLUMN)
    ax = figure.subplots()
    ax.axvline(0, color=PLAIN, linewidth=1.5)
    for y, source in enumerate(sources):
        rows = sorted((pair for pair in pairs if pair.source == source), key=lambda pair: pair.gain)
        for k, pair in enumerate(rows):  # neighbors go up and down, so that near dots can be told apart
            fill = EXCITATION if pair.gain > 0 else "white"
            shift = 0 if len(rows) == 1 else 0.14 * (-1) ** k
            ax.plot(pair.gain, y + shift, "o", color=fill, markeredgecolor=EXCITATION_TEXT, markersize=7, zorder=2)
        if rows[0].gain < 0:
            name, shift = rows[0].network.removeprefix("ResNet-50, "), 0 if len(rows) == 1 else 0.14
            ax.annotate(name, (rows[0].gain, y + shift), (-7, 0), textcoords="offset points", ha="right", va="center",
                        fontsize=10, color=EXCITATION_TEXT)  # fmt: skip
        gains = sum(pair.gain > 0 for pair in rows)
        ax.annotate(f"{gains} of {len(rows)}", (1, y), (6, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=10)  # fmt: skip
    ax.annotate("gain", (1, -0.75), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", fontsize=10, color=PLAIN)  # fmt: skip
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
        f"accuracy with SE less accuracy without. {gains} gain, open dots do not. From {_number(lowest.gain)} points "
        f"({lowest.source.label}, {lowest.network}) to {_number(highest.gain)} "
        f"({highest.source.label}, {highest.network}).",
    )


# Chapter 13: reproduce


@picture
def apart(steps: Sequence[int], distances: Mapping[str, Sequence[float]]) -> Picture:
    """How far the weights of training runs are from those of another run, step by step, both axes logarithmic.

    Args:
        steps: steps done; the first is 0.
        distances: name of a run to its distances after those steps. Zeros are not drawn.
    """
    figure = new_figure(3.2, COLUMN)
    ax = figure.subplots()
    x = np.asarray(steps) + 0.5  # so that step 0 has a place
    for k, (name, values) in enumerate(distances.items()):
        y = np.where(np.asarray(values) > 0, values, np.nan)
        ax.plot(x, y, color=INK if k == 0 else PLAIN, marker="o", markersize=4)
        if np.isfinite(y).any():
            last = int(np.flatnonzero(np.isfinite(y))[-1])
            ax.annotate(name, (x[last], y[last]), (8, 0), textcoords="offset points", va="center",
                        color=INK if k == 0 else PLAIN)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="steps done", ylabel="distance between the weights")
    shown = [step for step in steps if step in (0, 1, 2, 4, 8, 16, 32, 64) or step == steps[-1]]
    ax.set_xticks([step + 0.5 for step in shown], [str(step) for step in shown])
    ax.minorticks_off()
    listed = " and ".join(distances)
    return Picture(figure, f"How far the weights are from those of the first run, by step, for two runs: {listed}.")
