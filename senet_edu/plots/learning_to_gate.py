"""Plots of where gates begin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from senet_edu.plots.style import GATES, Picture, gate_axis, new_figure, picture, theme


@picture
def sigmoid_starts(biases: Sequence[float]) -> Picture:
    """The sigmoid, with the gate and the slope at which a block starts for each bias of its second layer."""
    figure = new_figure(3.3)
    ax = figure.subplots()
    x = np.linspace(-6, 6, 241)
    ax.plot(x, 1 / (1 + np.exp(-x)), color=theme.plain, linewidth=1.5, zorder=1)
    gate_axis(ax)
    for b in biases:
        gate = 1 / (1 + np.exp(-b))
        slope = gate * (1 - gate)
        reach = 0.9 / np.sqrt(1 + (7 * slope) ** 2)  # so that all tangents look equally long
        ax.plot(
            [b - reach, b + reach], [gate - reach * slope, gate + reach * slope], color=theme.excitation, linewidth=3
        )
        ax.plot(b, gate, "o", markersize=9, color=GATES(gate), markeredgecolor=theme.ink, zorder=3)
        name = f"{b:g}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(f"$b_2$ = {name}\ngate {gate:.2f}\nslope {slope:.2f}", (b, gate), (10, -14),
                    textcoords="offset points", va="top")  # fmt: skip
    ax.set(xlim=(-4.5, 7), ylim=(-0.05, 1.06), xlabel="logit at the start", ylabel="gate")
    ax.set_yticks([0, 0.5, 1], ["0 (shut)", "½", "1 (open)"])
    listed = ", ".join(f"{b:g}" for b in biases)
    return Picture(figure, f"The sigmoid with tangents at the biases {listed}; steepest at zero, where the gate is ½.")
