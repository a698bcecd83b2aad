"""Plots of the gates of all blocks: inside a class, by class, and by depth; and what the paper saw in its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from torch import Tensor

from senet_edu import analysis
from senet_edu.analysis import Summary
from senet_edu.plots.style import (
    GATES,
    Picture,
    channel_axis,
    gate_axis,
    half,
    new_figure,
    picture,
    theme,
)
from senet_edu.plots.table import Strip, Table, Verdict, of_verdicts


def _short(block: str) -> str:
    return block.removesuffix(".se")


@picture
def gates_within_classes(
    means: Mapping[str, Tensor], spreads: Mapping[str, Tensor], classes: Sequence[str], chosen: Sequence[int]
) -> Picture:
    """The paper's Fig. 7: gates per channel inside two classes, means with one standard deviation each way.

    One class is a line in a band, the other dots with bars, and the channels are in order of the first one's means: two
    lines would hide each other where the classes differ.

    Args:
        means, spreads: block to the mean and the standard deviation of its gates in each class `(K, C)`.
        classes: K names.
        chosen: two of the K classes.
    """
    one, other = chosen
    figure = new_figure(3.2)
    for ax, block in zip(figure.subplots(1, len(means), sharey=True, squeeze=False)[0], means):
        gate_axis(ax)
        channel_axis(ax, means[block].shape[1])
        ax.set_title(_short(block))
        order = means[block][one].argsort()
        mean, spread = means[block][one, order].numpy(), spreads[block][one, order].numpy()
        x = np.arange(len(order))
        ax.fill_between(x, mean - spread, mean + spread, color=theme.excitation, alpha=0.3, linewidth=0)
        line = ax.plot(x, mean, color=theme.excitation_text)
        mean, spread = means[block][other, order].numpy(), spreads[block][other, order].numpy()
        ax.vlines(x, mean - spread, mean + spread, color=theme.soft, linewidth=1)
        dots = ax.plot(x, mean, "o", color=theme.ink, markersize=3)
    first = figure.axes[0]
    first.set(ylabel="gate", xlabel=f"channel, in order of {classes[one]}")
    figure.legend(line + dots, [classes[one], classes[other]], loc="outside upper left", ncols=2)
    alt = (
        f"Gates against channels in {len(means)} blocks for two classes, means with one standard deviation each way: "
        "one class as a line in a band, the other as dots with bars."
    )
    return Picture(figure, alt, names=(classes[one], classes[other]))


@picture
def channels_by_class(gates: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], images: int = 60) -> Picture:
    """The gates of single channels, a dot an image, in a row for each class; a bar marks the class mean.

    Args:
        gates: title to one channel's gates `(N,)`.
        labels: `(N,)`.
        classes: K names.
        images: how many of a class are drawn; the means are over all of them.
    """
    figure = new_figure(3.4)
    axes = figure.subplots(1, len(gates), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (title, s) in zip(axes, gates.items()):
        ax.axvline(s.mean(), color=theme.ink, linewidth=1, linestyle=":", zorder=0)
        half(ax, upward=False)
        for k in range(len(classes)):
            own = s[labels == k].numpy()
            shown = own[:images]
            height = k + np.linspace(-0.3, 0.3, len(shown))
            ax.scatter(shown, height, c=shown, cmap=GATES, vmin=0, vmax=1, s=10, linewidths=0.3, edgecolors=theme.soft)
            ax.plot([own.mean()] * 2, [k - 0.42, k + 0.42], color=theme.ink, linewidth=2.5)
        ax.set_title(title)
        ax.set(xlim=(-0.02, 1.02), xticks=[0, 0.5, 1], xticklabels=["0", "½", "1"], xlabel="gate")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(classes)), classes)
    axes[0].invert_yaxis()
    alt = f"Gates of {len(gates)} channels, a row of dots for each class, the class means and the half marked."
    return Picture(figure, alt, measured=True, names=tuple(classes))


def gate_openers(
    images: Tensor, gates: Mapping[str, Tensor], channels: Mapping[str, int], names: Sequence[str], k: int = 4
) -> Table:
    """For one gate of each block the images that open it most, and those that shut it most, with their mean gate.

    Args:
        images: uint8 `(N, 3, H, W)`.
        gates: block to its gates `(N, C)` for these images.
        channels: block to the channel that is asked about.
        names: what each image shows, N words, for those who do not see it.
        k: how many images on each side.

    Raises:
        ValueError: a k that is not from 1 to N, or gates that are not finite and `(N, C)`.
    """
    asked = {block: gates[block][:, c : c + 1] for block, c in channels.items()}
    found = analysis.openers(asked, k)
    rows = []
    for block, s in asked.items():
        ends = (getattr(found[block], end)[0] for end in ("most", "least"))
        strips = [Strip(f"{s[i].mean():.2f}", images[i].numpy(), ", ".join(names[j] for j in i)) for i in ends]
        rows.append((f"{_short(block).removeprefix('layer')}, {channels[block]}", *strips))
    return Table(("block, gate", f"the {k} that open it most", f"the {k} that shut it most"), tuple(rows))


@picture
def gates_by_depth(
    trained: Mapping[str, Summary], untrained: Mapping[str, Summary], shuffled: Mapping[str, float]
) -> Picture:
    """Four panels of numbers by depth: a trained network and an untrained one.

    Args:
        trained, untrained: block to the summary of its gates.
        shuffled: block to the class share of the trained network's gates under shuffled labels.
    """
    figure = new_figure(5.0)
    axes = figure.subplots(2, 2, sharex=True)
    blocks = list(trained)
    x = np.arange(len(blocks))
    stages = [block.partition(".")[0] for block in blocks]
    bounds = [k for k, stage in enumerate(stages) if k == 0 or stage != stages[k - 1]] + [len(blocks)]

    def line(ax: Axes, values: Sequence[float], color: str, **style: Any) -> None:
        ax.plot(x, values, color=color, marker="o", markersize=5, linewidth=1.8, clip_on=False, **style)

    dashed = {"linestyle": "--", "markerfacecolor": theme.card}
    for ax, title, fields in (
        (axes[0, 0], "Between classes (η²)", {"class_share": {}}),
        (axes[0, 1], "Spread over images (sd)", {"spread": {}}),
        (axes[1, 0], "Gates near the ends", {"above": {}, "below": dashed}),
        (axes[1, 1], "Mean gate", {"mean": {}}),
    ):
        for field, style in fields.items():
            line(ax, [getattr(untrained[block], field) for block in blocks], theme.soft, **style)
            line(ax, [getattr(trained[block], field) for block in blocks], theme.excitation, **style)
        ax.set_title(title)
        ax.set_xlim(-0.5, len(blocks) - 0.5)
        for k in range(1, len(bounds) - 1, 2):  # every second stage is shaded
            ax.axvspan(bounds[k] - 0.5, bounds[k + 1] - 0.5, color=theme.faint, zorder=0, linewidth=0)
    axes[0, 0].plot(x, [shuffled[block] for block in blocks], color=theme.ink, linestyle=":")
    for ax in axes.flat[:3]:
        ax.set_ylim(0, max(1.12 * ax.get_ylim()[1], 0.05))
    gate_axis(axes[1, 1])
    for ax in axes[1]:
        ax.set_xticks(x, [_short(block).removeprefix("layer") for block in blocks])
        ax.set_xlabel("block: stage and place")

    def key(color: str, **style: Any) -> Line2D:
        return Line2D([], [], color=color, markersize=5, **style)

    ends = [key(theme.ink, marker="o"), key(theme.ink, marker="o", **dashed)]
    axes[1, 0].legend(ends, ["above 0.95", "below 0.05"], loc="upper left", handlelength=2.6)
    lines = [key(theme.excitation, marker="o"), key(theme.soft, marker="o"), key(theme.ink, linestyle=":")]
    figure.legend(lines, ["trained", "untrained", "labels shuffled"], loc="outside upper left", ncols=3)
    alt = (
        f"Four panels over {len(blocks)} blocks in order of depth, a trained and an untrained network: share of "
        "variance between classes, spread over images, share of gates near 0 and near 1, and mean gate."
    )
    return Picture(figure, alt)


def observations(
    networks: Mapping[str, tuple[Mapping[str, Tensor], Tensor]], limits: Sequence[float] | None = None
) -> Table:
    """What the paper saw in its gates, held against the gates of other networks; the verdict is about the first.

    Args:
        networks: name to (block to gates `(N, C)`, labels `(N,)`), as for `senet_edu.analysis.observations`.
        limits: one for each observation; without them, their own.

    Raises:
        ValueError: `limits` are not one for each observation; as for `senet_edu.analysis.observations`.
    """
    of_networks = list(zip(*(analysis.observations(*network) for network in networks.values())))
    limits = [first.limit for first, *_ in of_networks] if limits is None else list(limits)
    if len(limits) != len(of_networks):
        raise ValueError(f"limits must be {len(of_networks)} numbers, got {len(limits)}")
    verdicts = []
    for (first, *others), limit in zip(of_networks, limits):
        cells = (f"{first.sign} {limit:g}", *(f"{one.value:.3f}" for one in (first, *others)))
        verdicts.append(Verdict(first.seen, first.measured, cells, replace(first, limit=limit).holds))
    return of_verdicts(verdicts, ("The paper saw", "We measure", "Limit", *networks, "Holds?"))
