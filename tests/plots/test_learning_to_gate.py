"""Plots of where gates begin: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.tokens import TOKENS


def pictures() -> dict[str, Picture]:
    return {"sigmoid_starts": plots.sigmoid_starts([-2.0, 0.0, 2.0])}


def test_sigmoid_starts_shows_gates_and_slopes() -> None:
    picture = plots.sigmoid_starts([-2.0, 0.0, 2.0])
    assert len(picture.alt) > 40 and picture.alt.endswith(".") and "-2, 0, 2" in picture.alt
    z = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    torch.sigmoid(z).sum().backward()
    labels = [text for text in texts(picture) if "slope" in text]
    assert labels == [
        f"$b_2$ = {name}\ngate {gate:.2f}\nslope {slope:.2f}"
        for name, gate, slope in zip(("−2", "0", "2"), torch.sigmoid(z).tolist(), z.grad.tolist())
    ]
    tangents = [
        line.get_xydata() for line in picture.figure.axes[0].lines if line.get_color() == TOKENS["light"]["excitation"]
    ]
    rises = np.array([np.diff(points, axis=0)[0] for points in tangents])  # (3, 2): to the right, up
    assert rises[:, 1] / rises[:, 0] == pytest.approx(z.grad.numpy())


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
