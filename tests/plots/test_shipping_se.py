"""Plots of `shipping_se`: what is drawn, and what is said of it."""

from __future__ import annotations

import pytest
import torch

from senet_edu import plots


def test_changes_are_dots_with_their_margins() -> None:
    rows = {"8 bits": (0.2, 0.4), "folded": (-6.4, 2.7)}
    picture = plots.accuracy_changes(rows, 500)
    (ax,) = picture.figure.axes
    bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2][1:]
    assert [list(bar) for bar in bars] == [pytest.approx([-0.2, 0.6]), pytest.approx([-9.1, -3.7])]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    fills = [dot.get_markerfacecolor() for dot in dots]
    assert fills[0] != fills[1] == dots[1].get_color()  # open where the interval holds zero
    assert "folded −6.40 ± 2.70" in picture.alt and "500 test images" in picture.alt


def test_gates_in_tiles_say_how_far_they_move() -> None:
    alone = torch.tensor([[0.12, 0.92], [0.52, 0.52]])
    picture = plots.gates_in_tiles(alone, alone + torch.tensor([[0.0, -0.3], [0.0, 0.1]]), "layer3.2.se")
    (ax,) = picture.figure.axes
    (mesh,) = ax.collections
    counts = mesh.get_array().reshape(20, 20)  # rows upwards
    assert counts.sum() == 4 and counts[2, 2] == counts[12, 18] == counts[10, 10] == 1
    assert ax.get_xlim() == ax.get_ylim() == (0, 1)
    assert "change is 0.30" in picture.alt and "layer3.2.se" in picture.alt
