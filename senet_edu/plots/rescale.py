"""Plots of the rescaling: maps times their gates, and gates beside a batch norm's factors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from senet_edu.plots.style import (
    GATES,
    Picture,
    framed,
    gate_axis,
    gate_strip,
    new_figure,
    picture,
    row_label,
    theme,
)


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
            ax.imshow(values.numpy(), cmap=theme.signed, vmin=-limit, vmax=limit)
            for (i, j), value in np.ndenumerate(values.numpy()):
                text = f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
                ax.annotate(
                    text, (j, i), ha="center", va="center", color=theme.card if abs(value) > 0.45 * limit else theme.ink
                )
            framed(ax)
        axes[0, c].set_title(f"channel {c}")
        gate_strip(axes[1, c], gate)
    for ax, text, color in zip(
        axes[:, 0],
        ("$u_c$", "$s_c$", "$\\tilde x_c = s_c\\,u_c$"),
        (theme.ink, theme.excitation_text, theme.rescale_text),
    ):
        row_label(ax, text, color)
    numbers = ", ".join(f"{gate:.2f}" for gate in s.tolist())
    alt = f"{len(x)} small maps as numbers, their gates {numbers}, and the maps after: every number times its gate."
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
    figure = new_figure(4.3)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    upper.vlines(x, sorted_gates.min(0), sorted_gates.max(0), color=theme.line, linewidth=8)
    for (name, values), marker, shift in zip(marked.items(), "os", (-0.12, 0.12)):
        y = values[order].numpy()
        shown = {"c": y, "cmap": GATES, "vmin": 0, "vmax": 1, "edgecolors": theme.ink, "linewidths": 0.8, "s": 45}
        upper.scatter(x + shift, y, marker=marker, zorder=3, label=name, **shown)
    gate_axis(upper)
    upper.set_ylim(0, 1.02)
    upper.tick_params(axis="x", bottom=False)
    upper.set_ylabel("gate $s_c$")
    upper.set_title(f"The gate: bars span {len(gates)} images")
    handles, names = upper.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2)
    lower.bar(x, norm[order].numpy(), color=theme.soft, width=0.6)
    lower.axhline(0, color=theme.ink, linewidth=1)
    lower.set_ylabel("factor")
    lower.set_title("The batch norm's factor: one for all images")
    lower.set_xticks(x, [str(int(c)) for c in order])
    lower.tick_params(bottom=False)
    lower.set_xlabel("channel, from the largest mean gate to the smallest")
    alt = (
        f"Above, gates of {gates.shape[1]} channels: a bar spans {len(gates)} images, two images are marked, and they "
        "differ. Below, the batch norm's factors, one for each channel."
    )
    return Picture(figure, alt)
