"""Plots of what depends on gates: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from pictures import assert_sound

from senet_edu import plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    return {"needed_channels": plots.needed_channels(torch.rand(16), torch.rand(16), "the last block")}


def test_needed_channels() -> None:
    gate, needed = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.0, 0.25, 0.02])
    picture = plots.needed_channels(gate, needed, "the last block")
    (ax,) = picture.figure.axes
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[0.1, 0], [0.5, 25], [0.9, 2]], rtol=1e-6)
    assert ax.get_xlim() == (0, 1) and ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 25
    assert ax.get_title(loc="left") == "the last block"
    assert picture.alt == plots.needed_channels(gate, 0 * needed).alt
    assert "3 channels" in picture.alt


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
