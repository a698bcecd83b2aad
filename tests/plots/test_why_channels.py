"""Plots of what a value sees: they show the numbers they were given."""

from __future__ import annotations

import torch
from matplotlib.patches import Rectangle
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture


def pictures(level: float = 0.3) -> dict[str, Picture]:
    heat = torch.zeros(32, 32)
    heat[16, 16], heat[15, 15], heat[10, 16] = level, 0.3, 0.2
    rows = torch.full((2, 3, 8, 8), level)
    return {
        "influence": plots.influence({"stem": heat, "after\nblock 1": heat}, [15, 37]),
        "restored": plots.restored({"true": rows, "seen": rows - 1}, {"seen": level}),
    }


def test_influence_finds_the_square_with_half_of_it() -> None:
    near, far = pictures()["influence"], pictures(0.9)["influence"]
    assert "window 15 × 15\nhalf in 3 × 3" in texts(near)  # 0.3 + 0.3 of 0.8
    assert "window 37 × 37\nhalf in 1 × 1" in texts(far)  # 0.9 of 1.4
    dashed, solid = (patch for patch in near.figure.axes[0].patches if isinstance(patch, Rectangle))
    assert (dashed.get_width(), dashed.get_x()) == (15, 8.5)  # pixels 9 to 23
    assert (solid.get_width(), solid.get_x()) == (3, 14.5)


def test_pictures_are_clipped_and_errors_stand_below() -> None:
    picture = pictures()["restored"]
    shown = [ax.images[0].get_array() for ax in picture.figure.axes]
    assert len(shown) == 4 and min(image.min() for image in shown) == 0
    assert picture.figure.axes[3].get_xlabel() == "off by 0.300" and picture.figure.axes[2].get_xlabel() == ""


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures(0.9))
