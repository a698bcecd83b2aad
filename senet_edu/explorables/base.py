"""The HTML of an explorable."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, ClassVar


@cache
def source(name: str) -> str:
    """A script or style sheet of this folder."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    if "</script" in text.lower():
        raise ValueError(f"{name} would end the script element that it is put into")
    return text


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

    libraries: ClassVar[tuple[str, ...]] = ()
    """Further scripts of this folder that it needs, in order."""

    def __init__(self, data: dict[str, Any], alt: str) -> None:
        self.data = data
        self.alt = alt

    def __repr__(self) -> str:
        return f"Moving figure: {self.alt}"

    def _repr_html_(self) -> str:
        tag = "se-" + self.name.replace("_", "-")
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
        scripts = [source("core.js"), f"SE.css ??= {json.dumps(source('style.css'))};"]
        scripts += [source(name) for name in (*self.libraries, f"{self.name}.js")]
        return (
            f'<{tag} role="group" aria-label="{escape(self.alt)}"><script type="application/json">{data}</script>'
            f"<noscript>{escape(self.alt)} This figure moves where scripts may run.</noscript></{tag}>\n"
            f"<script>{''.join(scripts)}</script>"
        )
