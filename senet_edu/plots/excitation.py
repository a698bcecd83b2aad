"""Plots of the excitation: its two narrow matrices, its last nonlinearity, and how its gates lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Rectangle
from torch import Tensor

from senet_edu.plots.style import COLUMN, GATES, Picture, half, new_figure, number, picture, theme


@picture
def bottleneck(channels: int, reduction: int) -> Picture:
    """The matrices W1 and W2 to scale, beside the one full matrix that they replace."""
    hidden = max(1, channels // reduction)
    full, narrow = channels**2, 2 * channels * hidden
    figure = new_figure(2.6)
    ax = figure.subplots()
    gap = 0.35 * channels
    boxes = (  # left, width, height, color, label
        (0, channels, channels, theme.plain, f"one full layer\n{channels} × {channels}"),
        (channels + 2 * gap, channels, hidden, theme.excitation, f"$\\mathbf{{W}}_1$\n{hidden} × {channels}"),
        (2 * channels + 3 * gap, hidden, channels, theme.excitation, f"$\\mathbf{{W}}_2$\n{channels} × {hidden}"),
    )
    for left, width, height, color, label in boxes:
        ax.add_patch(Rectangle((left, -height), width, height, color=color, linewidth=0))
        ax.annotate(label, (left + width / 2, 0), (0, 5), textcoords="offset points", ha="center")
    below = {"va": "top", "ha": "center", "textcoords": "offset points", "xytext": (0, -6)}
    ax.annotate(f"{full:,} weights", (channels / 2, -channels), color=theme.plain, **below)
    middle = 1.5 * channels + 2.5 * gap + hidden / 2
    share = f"{narrow:,} weights, {100 * narrow / full:.3g} %"
    ax.annotate(share, (middle, -channels), color=theme.excitation_text, **below)
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
    figure = new_figure(2.8)
    ax = figure.subplots()
    for r, error in errors.items():
        ax.plot(parameters[r] / 1e6, error, "o", color=theme.ink, markersize=9)
        ax.annotate(f"r = {r}", (parameters[r] / 1e6, error), (0, 9), textcoords="offset points", ha="center")
    ax.plot(plain[0] / 1e6, plain[1], "s", color=theme.plain, markersize=9)
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
    figure = new_figure(3.9)
    axes = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for ax, (name, values) in zip(axes, gates.items()):
        color = theme.excitation if name == "sigmoid" else theme.soft
        ax.bar(range(len(logits)), values.tolist(), color=color)
        for c, value in enumerate(values.tolist()):
            below = value < 0
            ax.annotate(
                number(value), (c, value), (0, -3 if below else 3), textcoords="offset points", ha="center",
                va="top" if below else "bottom",
                bbox={"facecolor": theme.card, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        for level in (0, 1):
            ax.axhline(level, color=theme.ink if level == 0 else theme.line, linewidth=1, zorder=0)
        ax.set_title(name)
        ax.set_xticks(range(len(logits)), [f"{v:g}".replace("-", "\N{MINUS SIGN}") for v in logits.tolist()])
        ax.tick_params(bottom=False)
        ax.spines["bottom"].set_visible(False)
    axes[0].set_ylabel("gate")
    axes[2].set_ylabel("gate")
    axes[0].margins(y=0.2)
    figure.supxlabel("logit", fontsize=11)
    listed = ", ".join(f"{v:g}" for v in logits.tolist())
    return Picture(figure, f"Bars: the gates that sigmoid, softmax, tanh and ReLU make of the logits {listed}.")


@picture
def gate_histograms(gates: Mapping[str, Tensor]) -> Picture:
    """Histograms of gates on the scale from 0 to 1, one below the other, with the half marked.

    Args:
        gates: title to gates of any shape.
    """
    figure = new_figure(0.6 + 1.1 * len(gates))
    axes = figure.subplots(len(gates), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(0, 1, 51)
    middles = (edges[1:] + edges[:-1]) / 2
    for ax, (title, values) in zip(axes, gates.items()):
        counts, _ = np.histogram(values.numpy(), edges)
        ax.bar(middles, counts / counts.sum() * 100, width=0.02, color=GATES(middles))
        half(ax, upward=False, zorder=3)
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
    figure = new_figure(4.2, COLUMN * 0.85)
    ax = figure.subplots()
    limit = max(float(ds_dz.abs().max()), 1e-9)
    image = ax.imshow(ds_dz.numpy(), cmap=theme.signed, vmin=-limit, vmax=limit)
    ticks = range(0, C, 1 if C <= 16 else 4)
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.spines[:].set(visible=True, color=theme.line)
    ax.set_xlabel("moving $z_k$, channel k", color=theme.squeeze_text)
    ax.set_ylabel("moves gate $s_c$, channel c", color=theme.excitation_text)
    bar = figure.colorbar(image, ax=ax, label="$\\partial s_c/\\partial z_k$")
    bar.outline.set(edgecolor=theme.line)
    return Picture(figure, f"Heat map of the derivatives of {C} gates by {C} descriptors; purple where a gate shuts.")
