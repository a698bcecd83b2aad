"""Plots of runs that should have been the same: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture


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


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
