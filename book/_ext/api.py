"""The reference of functions: docstrings of the package, which are plain text with `code`, as Sphinx wants them."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

SHOWN = ("resnet50", "se_resnet50")
"""The builders that stand for all: they differ in depth and width alone."""


def as_markup(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Keep code as code, and take no other sign for markup: a docstring has none."""
    found: list[str] = []
    said, code = "", False
    for line in lines:
        if line and not line.startswith("    "):
            code = False
        elif line and not code and not said.startswith(" ") and found and not found[-1]:
            code = True  # what is set off from a paragraph is code or a formula
            found += ["::", ""]
        said = line or said  # the last line with text
        found.append(line if code else escaped(line))
    if lines and lines[0].startswith("Alias for field number"):
        found.clear()  # Python's own words for a named tuple's field
    elif what == "attribute":  # napoleon takes what stands before a colon in its first line for a type
        found[:0] = ["..", ""]
    lines[:] = found


def escaped(line: str) -> str:
    parts = re.split(r"(`+[^`]+`+|(?<![\w*])\*\w[^*`]*\*(?![\w*]))", line)  # code, and words that are *stressed*
    parts[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"``{part.strip('`')}``" if part[0] == "`" else part for part in parts[1::2]]
    return re.sub(r"(^|: )(\s*[A-Za-z])\.(?=\s|$)", r"\1\2\\.", "".join(parts))  # no list begins with "C."


def skip(app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: Any) -> bool | None:
    """Leave out the other builders."""
    from senet_edu import resnet

    return True if name in resnet._BUILDERS and name not in SHOWN else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", as_markup, priority=400)  # before napoleon reads the sections
    app.connect("autodoc-skip-member", skip)
    app.setup_extension("sphinx.ext.napoleon")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
