"""What all plots share: the two themes, the scales of gates and maps, the axes, and the `Picture` that a plot returns.

A plot is drawn twice, for light and for dark pages, from the same data. The light one is what a notebook shows, on a
card of its own, for in Colab, in Jupyter and on GitHub nobody can tell on what ground it will lie. The dark one is kept
beside it, in the output's metadata, and the book's pages show the one that fits.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from senet_edu.plots.description import describe
from senet_edu.tokens import THEMES, TOKENS

COLUMN = 6.4
"""Width in inches of a figure as wide as the text; its type stays readable on a phone."""
DPI, CSS_DPI = 160, 100
"""Pixels an inch, in the file and on a page: there is more in the file for screens with more to show."""
GATES = LinearSegmentedColormap.from_list("ember", TOKENS["gate"])
"""Color map of gates in both themes, always from 0 to 1."""
SIGNED = {theme: LinearSegmentedColormap.from_list(f"signed-{theme}", TOKENS["signed"][theme]) for theme in THEMES}

_drawn: ContextVar[str] = ContextVar("theme of the plot that is being drawn", default="light")


class Theme:
    """The colors of the theme that is being drawn, by the names of the tokens: `theme.ink`, `theme.squeeze_text`."""

    def __getattr__(self, token: str) -> str:
        try:
            return TOKENS[_drawn.get()][token.replace("_", "-")]
        except KeyError:
            raise AttributeError(f"no color token is called {token!r}") from None

    @property
    def signed(self) -> LinearSegmentedColormap:
        """Color map of maps with signs: zero is the card, negative purple, positive as the ink."""
        return SIGNED[_drawn.get()]

    @property
    def amount(self) -> LinearSegmentedColormap:
        """Color map of what has no sign, from nothing, the card, to much, the gray of a plain network."""
        return LinearSegmentedColormap.from_list("amount", [self.card, self.plain])


theme = Theme()


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Draw in a theme, whatever the style of the session."""
    token = _drawn.set(name)
    ink = dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), theme.ink)
    ground = {"figure.facecolor": theme.card, "axes.facecolor": "none", "savefig.facecolor": theme.card}
    try:
        with mpl.rc_context({**STYLE, **ink, **ground}):
            yield
    finally:
        _drawn.reset(token)


STYLE = {
    "figure.dpi": DPI,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "mathtext.fontset": "dejavuserif",  # italic with serifs, as in the text, and as large as the words beside it
}


@dataclass(frozen=True)
class Picture:
    """A figure and its alt text; shows itself in a notebook as a PNG.

    Its text is the alt text, and below it what stands in the figure: that is what `pytest --nbval` compares, for it
    compares no pictures.

    Args:
        figure: for light pages.
        alt: one sentence or a few.
        dark: the same for dark pages, if there is one.
        measured: its whole numbers are measured, too, such as a channel that the data chose; the text leaves them out.
        names: words that come with the data, such as its classes; the text leaves them out.
    """

    figure: Figure
    alt: str
    dark: Figure | None = None
    measured: bool = False
    names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Figure: {self.alt}\n{describe(self.figure, self.measured, self.names)}"

    def png(self, name: str = "light") -> bytes:
        """The figure for pages of a theme.

        Raises:
            ValueError: there is no figure for this theme.
        """
        figure = {"light": self.figure, "dark": self.dark}.get(name)
        if figure is None:
            raise ValueError(f"name must be a theme that the picture was drawn for, got {name!r}")
        buffer = io.BytesIO()
        with drawing(name):
            figure.savefig(buffer, format="png")
        return compressed(buffer)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = (round(CSS_DPI * inches) for inches in self.figure.get_size_inches())
        about: dict[str, Any] = {"image/png": {"width": width, "height": height}}
        if self.dark is not None:
            about["dark"] = base64.b64encode(self.png("dark")).decode()
        return {"text/plain": repr(self), "image/png": self.png()}, about


def compressed(png: io.BytesIO) -> bytes:
    """A PNG with 256 colors of its own, less than half as large, where nobody sees the difference; else as it was.

    That is, where no pixel moves by more than 10 of 255. Photographs keep all their colors.
    """
    with Image.open(png) as image:
        whole = image.convert("RGB")
    few = whole.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    shift = np.abs(np.asarray(few.convert("RGB"), dtype=int) - np.asarray(whole)).max()
    buffer = io.BytesIO()
    (few if shift <= 10 else whole).save(buffer, "png", optimize=True)
    return buffer.getvalue()


P = ParamSpec("P")


def picture(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Draw for both themes, whatever the style of the session."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with drawing("light"):
            light = draw(*args, **kwargs)
        with drawing("dark"):
            return replace(light, dark=draw(*args, **kwargs).figure)

    return styled


def new_figure(height: float, width: float = COLUMN) -> Figure:
    """A figure of a size in inches that pyplot does not know of, so that nothing is shown twice or kept alive."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def number(value: float) -> str:
    """Two decimals and a true minus sign, but never minus zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")


def bare(ax: Axes) -> None:
    """No ticks and no frame: for images and maps."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def framed(ax: Axes) -> None:
    """No ticks and a hairline around: for maps, whose zero is the ground they lie on."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=theme.line, linewidth=0.8)


def row_label(ax: Axes, text: str, color: str | None = None) -> None:
    """The name of a row, to the left of its first panel."""
    ax.set_ylabel(text, rotation=0, ha="right", va="center", color=color or theme.ink, labelpad=8)


def half(ax: Axes, upward: bool = True, zorder: float = 0) -> None:
    """The mark of the half on an axis of gates."""
    (ax.axhline if upward else ax.axvline)(0.5, color=theme.ink, linewidth=1, linestyle="--", zorder=zorder)


def gate_axis(ax: Axes) -> None:
    """Gates upwards, on their one scale, with the half marked."""
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "½", "1"])
    half(ax)


def gate_strip(ax: Axes, gate: float) -> None:
    """One gate as a bar from 0 to 1 with the half marked, and its value."""
    ax.barh(0, 1, color=theme.faint, height=1)
    ax.barh(0, gate, color=GATES(gate), height=1)
    ax.plot([gate, gate], [-0.5, 0.5], color=theme.soft, linewidth=1)  # in the dark, a shut gate is as dark as the page
    ax.plot([0.5, 0.5], [-0.5, 0.9], color=theme.ink, linewidth=1, linestyle="--", clip_on=False)
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    ax.set_xlabel(f"{gate:.2f}", labelpad=1)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=theme.line, linewidth=0.8)


def gate_scale(figure: Figure, image: Any, axes: Any, **place: Any) -> None:
    """The one scale of gates, 0 to 1 with the half marked, beside the axes."""
    bar = figure.colorbar(image, ax=axes, **place)
    bar.set_ticks([0, 0.5, 1], labels=["0 (shut)", "½", "1 (open)"])
    bar.outline.set(edgecolor=theme.line, linewidth=0.8)
    mark = bar.ax.axhline if bar.orientation == "vertical" else bar.ax.axvline
    mark(0.5, color=theme.ink, linewidth=1, linestyle="--")


def channel_axis(ax: Axes, channels: int) -> None:
    """Channels to the right, counted from 0."""
    ax.set(xlim=(-0.5, channels - 0.5), xticks=[0, channels - 1], xticklabels=["0", str(channels - 1)])
