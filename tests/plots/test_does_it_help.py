"""Plots of published pairs: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.published import PAIRS
from senet_edu.tokens import TOKENS


def pictures() -> dict[str, Picture]:
    return {"published_gains": plots.published_gains(PAIRS)}


def test_published_gains_stand_in_their_rows() -> None:
    picture = plots.published_gains(PAIRS)
    assert picture.alt.endswith(".")
    (ax,) = picture.figure.axes
    sources = list(dict.fromkeys(pair.source for pair in PAIRS))
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{s.title}, {s.data}" for s in sources]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    drawn = sorted((round(float(dot.get_ydata()[0])), float(dot.get_xdata()[0])) for dot in dots)
    np.testing.assert_allclose(drawn, sorted((sources.index(pair.source), pair.plain - pair.se) for pair in PAIRS))
    assert all((dot.get_markerfacecolor() == TOKENS["light"]["card"]) == (dot.get_xdata()[0] <= 0) for dot in dots)
    losers = sum(pair.se >= pair.plain for pair in PAIRS)
    assert f"{len(PAIRS) - losers} gain" in picture.alt and "a3" in texts(picture)


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
