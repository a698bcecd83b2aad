"""What tests of plots share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import torch

from senet_edu.plots import Picture
from senet_edu.tokens import THEMES

IMAGE = torch.arange(3 * 32 * 32, dtype=torch.uint8).view(3, 32, 32)
WIDEST = 7.2  # inches


def texts(picture: Picture) -> list[str]:
    """Everything that is written in a figure."""
    return [text.get_text() for text in picture.figure.findobj(mpl.text.Text) if text.get_text()]


def bar_heights(ax: mpl.axes.Axes) -> np.ndarray:
    return np.array([bar.get_height() for bar in ax.patches])


def assert_sound(first: Mapping[str, Picture], again: Mapping[str, Picture]) -> None:
    """Pictures draw in both themes, are not too wide, and their text does not depend on what was measured."""
    for name, picture in first.items():
        for theme in THEMES:
            (picture.figure if theme == "light" else picture.dark).set_dpi(30)  # faster
            assert picture.png(theme).startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= WIDEST, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert repr(picture) == repr(again[name]), f"{name}: the text depends on what was measured"
        assert repr(picture) == repr(replace(picture, figure=picture.dark)), f"{name}: light and dark differ"
