"""What stands in a figure, in words: titles, labels, scales, legends, named ticks, and how many marks of each kind.

`pytest --nbval` compares this text where it cannot compare pictures. What was measured has no place in it: numbers with
decimals become `#`, on demand whole ones and names, too, and what is only a number is left out. So the text is the same
on every machine and for every data set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import FixedLocator

DECIMAL = re.compile(r"(?<![\w.])[-\N{MINUS SIGN}+]?\d[\d,]*\.\d+")
QUOTED = re.compile('"[^"]*"')
NUMBER = re.compile(DECIMAL.pattern.replace(r"\.\d+", r"(\.\d+)?"))
PLAIN_NUMBER = re.compile(r"[-\N{MINUS SIGN}+]?[\d.,]*")


def describe(figure: Figure, measured: bool = False, names: Sequence[str] = ()) -> str:
    """A line for each axes of a figure, one for those that are alike, and one for what belongs to the whole.

    Args:
        measured: leave out whole numbers, too, but for those of names such as `layer3.2`.
        names: leave these out, too.
    """
    alike: dict[str, list[int]] = {}
    for k, ax in enumerate(figure.axes, 1):
        alike.setdefault(_axes(ax), []).append(k)
    lines = [f"  {_ranges(numbers)}: {text}" for text, numbers in alike.items()]
    whole = [*_whole(figure)]
    text = "\n".join(lines + ([f"  all: {'; '.join(whole)}"] if whole else []))
    patterns = [re.escape(name) for name in sorted(names, key=len, reverse=True)]
    left_out = re.compile("|".join(patterns + [NUMBER.pattern] * measured) or "(?!)")  # or nothing
    return QUOTED.sub(lambda match: left_out.sub("#", match[0]), text)


def _ranges(numbers: list[int]) -> str:
    """Rising numbers with runs joined: `1, 3-5`."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends))


def _quoted(texts: Iterable[str]) -> str:
    """Texts without what was measured, on one line, in quotation marks."""
    return ", ".join('"' + DECIMAL.sub("#", " ".join(text.split())) + '"' for text in texts)


def _whole(figure: Figure) -> Iterator[str]:
    for name, text in (
        ("title", figure.get_suptitle()),
        ("x", figure.get_supxlabel()),
        ("y", figure.get_supylabel()),
    ):
        if text:
            yield f"{name} {_quoted([text])}"
    for legend in figure.legends:
        yield _legend(legend)


def _axes(ax: Axes) -> str:
    titles = [ax.get_title(where) for where in ("left", "center", "right")]
    parts = [f"title {_quoted([title])}" for title in titles if not PLAIN_NUMBER.fullmatch(title)]
    parts += [text for axis in (ax.xaxis, ax.yaxis) if (text := _axis(axis))]
    if (legend := ax.get_legend()) is not None:
        parts.append(_legend(legend))
    if words := [text.get_text() for text in ax.texts if not PLAIN_NUMBER.fullmatch(text.get_text())]:
        parts.append(f"text {_quoted(words)}")
    return "; ".join(parts + [_marks(ax)])


def _axis(axis: Axis) -> str:
    """Label, scale and named ticks of an axis; nothing for one that has none of them."""
    label = axis.get_label_text()
    parts = [] if PLAIN_NUMBER.fullmatch(label) else [_quoted([label])]
    if axis.get_scale() != "linear":
        parts.append(axis.get_scale())
    if isinstance(axis.get_major_locator(), FixedLocator):
        labels = axis.get_major_formatter().format_ticks(axis.get_majorticklocs())
        if words := [text for text in labels if not PLAIN_NUMBER.fullmatch(text)]:
            parts.append(f"ticks {_quoted(words)}")
    return f"{axis.axis_name} {', '.join(parts)}" if parts else ""


def _legend(legend: Legend) -> str:
    return f"legend {_quoted(text.get_text() for text in legend.get_texts())}"


def _marks(ax: Axes) -> str:
    """How many marks of each kind; an image with its height and width."""
    bars = [bar for container in ax.containers if isinstance(container, BarContainer) for bar in container]
    lines = [line for line in ax.lines if line.get_linestyle() != "None"]
    dots = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
    scattered = [c for c in ax.collections if isinstance(c, PathCollection)]
    strokes = [c for c in ax.collections if isinstance(c, LineCollection)]
    bands = [c for c in ax.collections if isinstance(c, Collection) and c not in scattered and c not in strokes]
    boxes = [patch for patch in ax.patches if patch not in bars and not isinstance(patch, FancyArrowPatch)]
    counts = {
        "line": len(lines),
        "point": sum(len(d.get_xdata()) for d in dots) + sum(len(c.get_offsets()) for c in scattered),
        "stroke": sum(len(c.get_segments()) for c in strokes),
        "band": len(bands),
        "bar": len(bars),
        "box": len(boxes),
    }
    marks = [f"{n} {name if n == 1 else {'box': 'boxes'}.get(name, name + 's')}" for name, n in counts.items() if n]
    marks += [f"image {' × '.join(map(str, image.get_array().shape[:2]))}" for image in ax.images]
    return ", ".join(marks) or "empty"
