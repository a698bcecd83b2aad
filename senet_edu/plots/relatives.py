"""Plots of relatives of SE: their gates beside each other, what these see, and how long they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.colors import ListedColormap
from torch import Tensor

from senet_edu.plots.style import GATES, Picture, bare, framed, gate_scale, new_figure, picture, row_label, theme


@picture
def gates_side_by_side(maps: Tensor, gates: Mapping[str, Tensor], *, after: bool = False, columns: int = 7) -> Picture:
    """Some channels of one stack of maps, and below them what each relative of SE multiplies them by.

    A row is one gate, stretched to the shape of the maps as the multiplication does: a channel gate fills each tile
    with one color, a spatial gate repeats one tile in all channels.

    Args:
        maps: `(C, H, W)`; each is drawn on a signed scale of its own.
        gates: name to gates of the same image, `(C,)` or what broadcasts to `(C, H, W)`; from 0 to 1.
        after: add a last row, the maps times all the gates, on the scales of the first row.
        columns: how many channels, at even distances.
    """
    channels = torch.linspace(0, len(maps) - 1, columns).round().long()
    whole = {name: (s[:, None, None] if s.ndim == 1 else s).expand_as(maps) for name, s in gates.items()}
    rows = {"maps": maps} | whole
    if after:
        rows["after"] = maps * torch.stack(list(whole.values())).prod(0)
    figure = new_figure(0.5 + 0.66 * len(rows))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (name, tensor) in zip(axes, rows.items()):
        for ax, c in zip(row, channels.tolist()):
            if name in whole:
                image = ax.imshow(tensor[c].numpy(), cmap=GATES, vmin=0, vmax=1)
            else:
                limit = float(maps[c].abs().quantile(0.99)) + 1e-9
                ax.imshow(tensor[c].numpy(), cmap=theme.signed, vmin=-limit, vmax=limit)
            framed(ax)
        color = theme.excitation_text if name in whole else theme.rescale_text if name == "after" else theme.ink
        row_label(row[0], name, color)
    for ax, c in zip(axes[-1], channels.tolist()):
        ax.set_xlabel(str(c))
    below = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "va": "top"}
    axes[-1, columns // 2].annotate("channel", (0.5, 0), (0, -20), **below)
    gate_scale(figure, image, axes[1 : 1 + len(whole)], location="right", shrink=0.8, aspect=18)
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
    figure = new_figure(2.35 * rows)
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[1, 0.13] * rows)
    colors = ListedColormap([theme.line, theme.squeeze])
    for ax in axes.flat:
        bare(ax)
    for k, (name, (pixels, channels)) in enumerate(seen.items()):
        upper, lower = axes[2 * (k // columns), k % columns], axes[2 * (k // columns) + 1, k % columns]
        upper.imshow(pixels.numpy(), cmap=colors, vmin=0, vmax=1, aspect="auto")
        upper.plot(place[1], place[0], "o", color=theme.excitation, markersize=5, markeredgecolor=theme.card)
        upper.set_title(("\n" if k >= columns else "") + name)  # a free line between two rows of panels
        lower.imshow(channels[None].numpy(), cmap=colors, vmin=0, vmax=1, aspect="auto")
        lower.plot(channel, 0, "o", color=theme.excitation, markersize=5, markeredgecolor=theme.card, clip_on=False)
        lower.set_xlabel(f"{int(pixels.sum())} px, {int(channels.sum())} ch.")
    listed = "; ".join(f"{name} {int(p.sum())} pixels, {int(c.sum())} channels" for name, (p, c) in seen.items())
    return Picture(figure, f"Blue: the pixels, and in the strip the channels, that one gate depends on. {listed}.")


@picture
def gate_latency(milliseconds: Mapping[str, float], shape: Sequence[int]) -> Picture:
    """Measured time of one forward pass of each relative; the first is the floor that all of them pay.

    Args:
        milliseconds: name to the median time; the first entry is a plain multiplication of two tensors.
        shape: of the input.
    """
    figure = new_figure(0.8 + 0.34 * len(milliseconds))
    ax = figure.subplots()
    floor = next(iter(milliseconds.values()))
    ax.axvline(floor, color=theme.plain, linestyle="--", linewidth=1.5)
    for y, value in enumerate(milliseconds.values()):
        color = theme.plain if y == 0 else theme.ink
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
