"""Plots of runs that should have been the same: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.provenance import Record


def pictures() -> dict[str, Picture]:
    return {"apart": plots.apart([0, 1, 200], {"nudged": [0.0, 0.1, 1.0], "another seed": torch.rand(3).tolist()})}


def test_apart_draws_the_distances() -> None:
    distances = {"nudged": [0.0, 0.1, 1.0], "another seed": [30.0, 31.0, 32.0]}
    picture = plots.apart([0, 1, 200], distances)
    assert picture.alt.endswith("nudged and another seed.")
    (ax,) = picture.figure.axes
    for line, values in zip(ax.lines, distances.values()):
        drawn = np.nan_to_num(line.get_ydata())  # a zero has no place on a logarithmic axis
        np.testing.assert_allclose(drawn, values)
    assert {"nudged", "another seed", "0", "1", "200"} <= set(texts(picture))
    assert len({line.get_color() for line in ax.lines}) == 2


def test_boards_say_how_files_were_made() -> None:
    made = {"holds": "", "chapters": (), "commands": (), "versions": "torch 2", "size": 1, "sha256": "ab" * 32}
    first = Record(path="weights/a", seeds=(0, 1, 2), hardware="CPU", precision="float32", seconds=7200.0, **made)
    second = Record(path="results/b", seeds=(), hardware=None, precision="float32", seconds=None, **made)
    board = plots.status_board([first, second])
    assert board.rows == (
        ("weights/a", "2.0 hours", "0 to 2", "abababababab…"),
        ("results/b", "not recorded", "none", "abababababab…"),
    )
    assert plots.made_on([first, second]).rows == (
        ("hardware", "CPU", "1"),
        ("hardware", "not recorded", "1"),
        ("versions", "torch 2", "2"),
        ("precision", "float32", "2"),
    )


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
