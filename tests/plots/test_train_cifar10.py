"""Plots of training: they show the numbers they were given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import torch
from pictures import IMAGE, assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.tokens import TOKENS

LIGHT = TOKENS["light"]
SIZES = ((0.0, 16), (0.5, 24), (0.75, 32))


def history(seed: int = 0) -> list[dict[str, float]]:
    """Four epochs, tested after every second."""
    values = np.random.default_rng(seed).random((4, 4))
    rows = [{"epoch": k + 1, "train_loss": a, "train_accuracy": b} for k, (a, b, _, _) in enumerate(values)]
    for k in (1, 3):
        rows[k] |= {"test_loss": values[k, 2], "test_accuracy": values[k, 3]}
    return rows


def points(ax: mpl.axes.Axes) -> list[np.ndarray]:
    """The points (x, y) of each line."""
    return [np.column_stack(line.get_data()) for line in ax.lines]


def pictures(seed: int = 0) -> dict[str, Picture]:
    histories = {"ResNet-20": history(seed), "SE-ResNet-20": history(seed + 1)}
    return {
        "augmented": plots.augmented(IMAGE[None], IMAGE.expand(1, 8, 3, 32, 32)),
        "learning_rate": plots.learning_rate([0.1, 0.2, 0.1], SIZES, 3),
        "nothing yet": plots.training_progress([], SIZES, 4),
        "training_progress": plots.training_progress(history(seed), SIZES, 4),
        "training_curves": plots.training_curves(histories, SIZES, 4),
        "with seeds": plots.training_curves(histories, SIZES, 4, {name: [history(), history(5)] for name in histories}),
    }


def test_augmented_shows_every_version() -> None:
    crops = torch.randint(256, (2, 3, 3, 32, 32)).byte()
    axes = plots.augmented(torch.stack([IMAGE, IMAGE]), crops).figure.axes
    drawn = [np.asarray(ax.images[0].get_array()) for ax in axes]
    for row, versions in ((drawn[:4], crops[0]), (drawn[4:], crops[1])):
        np.testing.assert_array_equal(row[0], IMAGE.permute(1, 2, 0))
        np.testing.assert_array_equal(row[1:], versions.permute(0, 2, 3, 1))


def test_learning_rate_over_epochs_with_sizes() -> None:
    rates = [0.1, 0.4, 0.3, 0.2, 0.1, 0.0]
    picture = plots.learning_rate(rates, SIZES, 3)
    (ax,) = picture.figure.axes
    np.testing.assert_allclose(points(ax)[0], np.column_stack([np.arange(6) / 2, rates]))
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert {"16 px": 0.75, "24 px": 1.875, "32 px": 2.625}.items() <= places.items()  # middles of the bands
    assert "peak 0.4" in places


def test_progress_shows_what_was_measured() -> None:
    rows = history()
    loss, accuracy = plots.training_progress(rows, SIZES, 4).figure.axes
    for ax, name, factor in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        training, test = points(ax)[:2]
        np.testing.assert_allclose(training, [(row["epoch"], factor * row[f"train_{name}"]) for row in rows])
        tested = [(row["epoch"], factor * row[f"test_{name}"]) for row in (rows[1], rows[3])]
        np.testing.assert_allclose(test, tested)
    assert accuracy.get_ylim() == (0, 100) and accuracy.get_xlim() == (0, 4)


def test_curves_part_training_and_test_and_keep_colors() -> None:
    histories = {"ResNet-20": history(0), "SE-ResNet-20": history(1)}
    picture = plots.training_curves(histories, SIZES, 4)
    for ax, part, epochs in zip(picture.figure.axes, ("train", "test"), ((1, 2, 3, 4), (2, 4))):
        for line, rows, color in zip(ax.lines, histories.values(), (LIGHT["plain"], LIGHT["ink"])):
            wanted = [100 * rows[epoch - 1][f"{part}_accuracy"] for epoch in epochs]
            assert list(line.get_xdata()) == list(epochs) and list(line.get_ydata()) == pytest.approx(wanted)
            assert line.get_color() == color
    assert set(histories) <= set(texts(picture))


def test_bands_go_from_the_lowest_to_the_highest_seed() -> None:
    histories = {"ResNet-20": history(0), "SE-ResNet-20": history(1)}
    runs = [history(2), history(3), history(4)[:3]]  # the last was stopped
    seeds = {name: runs for name in histories}
    for ax, part in zip(plots.training_curves(histories, SIZES, 4, seeds).figure.axes, ("train", "test")):
        (edge,) = ax.collections[0].get_paths()
        for epoch in {row["epoch"] for run in runs for row in run if f"{part}_accuracy" in row}:
            values = [100 * run[epoch - 1][f"{part}_accuracy"] for run in runs if len(run) >= epoch]
            heights = edge.vertices[np.isclose(edge.vertices[:, 0], epoch), 1]
            assert (heights.min(), heights.max()) == pytest.approx((min(values), max(values)))
        assert len(ax.collections) == 2


def test_the_axis_of_the_curves_says_where_it_begins_and_hides_no_test() -> None:
    rows = [{"epoch": 1, "train_accuracy": 0.3}, {"epoch": 2, "train_accuracy": 0.8, "test_accuracy": 0.71}]
    histories = {"ResNet-20": rows, "SE-ResNet-20": rows}
    picture = plots.training_curves(histories, SIZES, 2, bottom=70)
    ax = picture.figure.axes[0]
    assert ax.get_ylim() == (70, 100) and ax.get_ylabel() == "accuracy (%), from 70 %"
    assert "The axis begins at 70 %." in picture.alt
    assert all(line.get_clip_on() for ax in picture.figure.axes for line in ax.lines)  # what comes from below is cut
    lower = [{"epoch": 2, "test_accuracy": 0.649}]
    with pytest.raises(ValueError, match=r"bottom must be at most the lowest test accuracy, 64\.9 %; got 70"):
        plots.training_curves(histories, SIZES, 2, {name: [rows, lower] for name in histories}, bottom=70)


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures(2))
