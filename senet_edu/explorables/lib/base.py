"""The HTML of an explorable."""

from __future__ import annotations

import json
from html import escape
from typing import Any, ClassVar

from senet_edu.explorables.lib.scripts import in_a_cell, version

STILL = "It moves where its script runs: in the book, and here when this cell is run."
"""What a figure says of itself in a notebook that was opened and not run, and where no scripts run."""


class Explorable:
    """A figure that moves; shows itself in a notebook as HTML.

    A subclass names its script and passes its data on: `super().__init__(data, alt)`.

    Args:
        data: what the script gets, anything that JSON can hold. Round numbers to the digits that are needed.
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
            f"<p>{escape(self.alt)} <em>{STILL}</em></p></{tag}>"
        )

    def _repr_html_(self) -> str:
        script = f"{self.name}.js"
        return f"{self.element(f'-{version(script)}')}\n{in_a_cell(script)}"
