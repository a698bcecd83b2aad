"""The HTML of an explorable."""

from __future__ import annotations

import json
from base64 import b64encode
from html import escape
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from senet_edu import checks
from senet_edu.explorables.lib.scripts import in_a_cell, version

STILL = "It moves where its script runs: in the book, and here when this cell is run, or the notebook is trusted."
"""What a figure says of itself in a notebook that was opened and not run, and where no scripts run."""

TYPES = (np.uint8, np.int8, np.int16)
"""Of packed numbers; the first that holds all of them is taken."""


def pack(values: ArrayLike, per: int = 1) -> dict[str, Any]:
    """Numbers of any shape in a form that is short to write; `unpack` in core.js is its other end.

    Args:
        values: not empty; a tensor on the CPU will do.
        per: parts of one to which they are rounded: with 1000, to three decimals.

    Raises:
        ValueError: a value is not finite, or too large for 16 bits; there are none, or `per` is not a positive integer.
    """
    if not isinstance(per, int) or per < 1:
        raise ValueError(f"per must be a positive integer, got {checks.shown(per)}")
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"values must be finite numbers, at least one; got {checks.shown(values)}")
    whole = np.rint(numbers * per)
    for kind in TYPES:
        limits = np.iinfo(kind)
        if limits.min <= whole.min() and whole.max() <= limits.max:
            data = whole.astype(np.dtype(kind).newbyteorder("<")).tobytes()
            return {
                "shape": list(numbers.shape) or [1],
                "per": per,
                "type": kind.__name__,
                "base64": b64encode(data).decode("ascii"),
            }
    raise ValueError(f"values times {per} must lie in -32768 to 32767, got up to {abs(whole).max():.0f}")


class Explorable:
    """A figure that moves; shows itself in a notebook as HTML.

    A subclass names its script and passes its data on: `super().__init__(data, alt)`.

    Args:
        data: what the script gets, anything that JSON can hold. Round numbers to the digits that are needed;
            `pack` does so with many.
        alt: what the figure shows and what can be done with it, in a sentence or two; also what is seen where no
            scripts run.
    """

    name: ClassVar[str]
    """The script is `<name>.js`, the element `<se-name>`."""

    def __init__(self, data: dict[str, Any], alt: str) -> None:
        self.data = data
        self.alt = alt

    def __repr__(self) -> str:
        return f"Moving figure: {self.alt}"

    def element(self, suffix: str = "") -> str:
        """The element with its data and without its script: what a chapter stores and a page of the book shows.

        Args:
            suffix: what the element's name ends in.
        """
        tag = f"se-{self.name.replace('_', '-')}{suffix}"
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
        return (
            f'<{tag} role="group" aria-label="{escape(self.alt)}"><script type="application/json">{data}</script>'
            f"{self.without_script()}</{tag}>"
        )

    def without_script(self) -> str:
        """What is seen where no scripts run, as HTML."""
        return f"<p>{escape(self.alt)} <em>{STILL}</em></p>"

    def _repr_html_(self) -> str:
        script = f"{self.name}.js"
        return f"{self.element(f'-{version(script)}')}\n{in_a_cell(script)}"
