"""Plots of training: what augmentation does, the rate of every step, and the curves of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from senet_edu.plots.style import Picture, bare, new_figure, picture, theme


@picture
def augmented(images: Tensor, crops: Tensor) -> Picture:
    """Images, each beside random versions of it.

    Args:
        images: uint8 `(N, 3, H, W)`.
        crops: uint8 `(N, K, 3, H, W)`, K versions of each.
    """
    rows, columns = crops.shape[:2]
    figure = new_figure(0.3 + 0.72 * rows)
    axes = figure.subplots(rows, columns + 1, squeeze=False)
    for row, image, versions in zip(axes, images, crops):
        for ax, pixels in zip(row, [image, *versions]):
            ax.imshow(pixels.permute(1, 2, 0).cpu().numpy())
            bare(ax)
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
                ax.axvspan(start, end, color=theme.faint, zorder=0, linewidth=0)
            place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom", "color": theme.soft}
            ax.text((start + end) / 2, 1.01, f"{sizes[k][1]} px", **place)


@picture
def learning_rate(rates: Sequence[float], sizes: Sequence[tuple[float, int]], epochs: int) -> Picture:
    """The learning rate of every step of a run, and the side of the training images.

    Args:
        rates: one for each step.
        sizes: (share of the epochs done, side of the training images from then on).
        epochs: how many epochs the steps make up.
    """
    figure = new_figure(2.7)
    figure.get_layout_engine().set(h_pad=0.1)
    ax = figure.subplots()
    x = np.linspace(0, epochs, len(rates), endpoint=False)
    ax.plot(x, rates, color=theme.ink)
    peak = int(np.argmax(rates))
    ax.annotate(f"peak {rates[peak]:.2g}", (x[peak], rates[peak]), (8, 4), textcoords="offset points")
    ax.set(ylim=(0, 1.15 * max(rates)), ylabel="learning rate")
    _epoch_axes([ax], sizes, epochs)
    alt = "The learning rate rises on a straight line to its peak and falls on another to zero. Training images have "
    sides = f"first {sizes[0][1]} and in the end {sizes[-1][1]}" if len(sizes) > 1 else sizes[0][1]
    return Picture(figure, f"{alt}{sides} pixels a side.")


TRAIN_LINE = {"linestyle": "--", "linewidth": 1.6}


TEST_LINE = {"marker": "o", "markersize": 5}


def _curve(ax: Axes, history: Sequence[Mapping[str, Any]], key: str, **style: Any) -> None:
    """A quantity by epoch, an accuracy in percent; epochs in which it was not measured are skipped."""
    rows = [row for row in history if key in row]
    factor = 100 if key.endswith("accuracy") else 1
    if rows:  # an unclipped line without points has no place, and would spoil the layout
        points = [row["epoch"] for row in rows], [factor * row[key] for row in rows]
        ax.plot(*points, **{"clip_on": False} | style)


@picture
def training_progress(history: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[float, int]], epochs: int) -> Picture:
    """Loss and accuracy of a run so far, on training and test images; the axis has room for the epochs to come.

    Args:
        history: a dictionary an epoch, as `senet_edu.train` gives them.
        sizes: (share of the epochs done, side of the training images from then on).
        epochs: how many there will be.
    """
    figure = new_figure(2.9)
    axes = figure.subplots(1, 2)
    for ax, quantity, label in zip(axes, ("loss", "accuracy"), ("loss", "accuracy (%)")):
        _curve(ax, history, f"train_{quantity}", color=theme.ink, **TRAIN_LINE)
        _curve(ax, history, f"test_{quantity}", color=theme.ink, **TEST_LINE)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0, top=100 if quantity == "accuracy" else max(2.5, ax.get_ylim()[1]))
    _epoch_axes(axes, sizes, epochs)
    keys = [Line2D([], [], color=theme.ink, **style) for style in (TRAIN_LINE, TEST_LINE)]
    figure.legend(keys, ["training images", "test images"], loc="outside upper left", ncols=2, handlelength=2.4)
    alt = "Loss and accuracy by epoch, on training images as a dashed line, on test images as dots joined by a line."
    return Picture(figure, alt)


def _band(ax: Axes, histories: Sequence[Sequence[Mapping[str, Any]]], key: str, color: str) -> None:
    """From the lowest to the highest accuracy of several runs, in the epochs in which two or more were measured."""
    found: dict[int, list[float]] = {}
    for row in (row for history in histories for row in history if key in row):
        found.setdefault(row["epoch"], []).append(100 * row[key])
    epochs = sorted(epoch for epoch, values in found.items() if len(values) > 1)
    low, high = ([of(found[epoch]) for epoch in epochs] for of in (min, max))
    ax.fill_between(epochs, low, high, color=color, alpha=0.25, linewidth=0)


@picture
def training_curves(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    sizes: Sequence[tuple[float, int]],
    epochs: int,
    seeds: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]] | None = None,
    bottom: int = 0,
) -> Picture:
    """Accuracy by epoch of a plain network and one with SE: left on training images, right on test images.

    Args:
        histories: the name of the plain network, then of the other, each with its dictionaries an epoch.
        sizes, epochs: as in `training_progress`.
        seeds: by the same names, histories of several seeds, drawn as a band from the lowest to the highest.
        bottom: where the axis begins, in percent. The figure says so; a training curve may come from below.

    Raises:
        ValueError: a test accuracy lies below `bottom`.
    """
    runs = [*histories.values(), *(run for several in (seeds or {}).values() for run in several)]
    lowest = 100 * min((row["test_accuracy"] for run in runs for row in run if "test_accuracy" in row), default=1)
    if lowest < bottom:
        raise ValueError(f"bottom must be at most the lowest test accuracy, {lowest:.1f} %; got {bottom}")
    figure = new_figure(3.4)
    axes = figure.subplots(1, 2, sharey=True)
    for (name, history), color in zip(histories.items(), (theme.plain, theme.ink)):
        for ax, part, style in zip(axes, ("train_accuracy", "test_accuracy"), (TRAIN_LINE, TEST_LINE)):
            if seeds:
                _band(ax, seeds[name], part, color)
            _curve(ax, history, part, color=color, clip_on=True, **style)
    axes[0].set(ylim=(bottom, 100), ylabel=f"accuracy (%), from {bottom} %" if bottom else "accuracy (%)")
    _epoch_axes(axes, sizes, epochs)
    for ax, title in zip(axes, ("training images", "test images")):
        ax.set_title(title, pad=20)
    keys = [Line2D([], [], color=color, linewidth=4) for color in (theme.plain, theme.ink)]
    figure.legend(keys, list(histories), loc="outside upper left", ncols=2, handlelength=1.2)
    names = " and ".join(histories)
    band = " Bands go from the lowest to the highest of several seeds." if seeds else ""
    axis = f" The axis begins at {bottom} %." if bottom else ""
    alt = f"Accuracy of {names} by epoch, left on training images and right on test images."
    return Picture(figure, f"{alt}{axis}{band}")
