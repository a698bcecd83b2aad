"""Plots of other networks: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
from pictures import assert_sound, bar_heights, texts

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.tokens import TOKENS


def pictures(accuracy: float = 0.3) -> dict[str, Picture]:
    return {
        "modules": plots.modules_with_se({"Mixed_5b": (256, 35), "Mixed_5c": (288, 35), "Mixed_6a": (768, 17)}),
        "cost": plots.added_cost({"VGG-16": (0.16, 0.0015), "ResNeXt-50": (10.02, 0.06)}),
        "starts": plots.warm_starts({"half": (accuracy, 0.4), "exactly\nopen": (0.9, 0.91)}, 0.9, 200),
        "inputs": plots.accuracy_by_input({"as in training": accuracy, "not\nnormalized": 0.25}, 200),
    }


def test_modules_are_as_high_as_their_channels() -> None:
    picture = pictures()["modules"]
    (ax,) = picture.figure.axes
    assert bar_heights(ax)[::2].tolist() == [256, 288, 768]  # the others are the SE blocks on top
    assert {"256", "288", "768", "5b", "6a", "35 × 35", "17 × 17"} <= set(texts(picture))
    assert "Mixed_6a 768 at 17 by 17" in picture.alt


def test_costs_are_on_one_scale() -> None:
    picture = pictures()["cost"]
    left, right = picture.figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert [bar.get_width() for bar in (*left.patches, *right.patches)] == [0.16, 10.02, 0.0015, 0.06]
    labels = [[text.get_text() for text in ax.texts] for ax in (left, right)]
    assert labels == [["0.2", "10.0"], ["0.00", "0.06"]]  # one number of decimals a panel, that of the alt text
    wide = plots.added_cost({"VGG-16": (10.0, 0.11)}).figure.axes[1]
    assert [text.get_text() for text in wide.texts] == ["0.11"]
    assert {"0.2", "10.0", "0.00", "0.06"} <= set(texts(picture))


def test_starts_go_from_open_dots_to_filled_ones() -> None:
    (ax,) = pictures()["starts"].figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([dot.get_xdata()[0] for dot in dots], [30, 40, 90, 91])
    assert [dot.get_markerfacecolor() == TOKENS["light"]["card"] for dot in dots] == [True, False, True, False]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), 90)  # the network without SE


def test_accuracies_are_percent() -> None:
    picture = pictures()["inputs"]
    assert [bar.get_width() for bar in picture.figure.axes[0].patches] == [30, 25]
    assert {"30", "25"} <= set(texts(picture)) and "not normalized" in picture.alt


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures(0.5))
