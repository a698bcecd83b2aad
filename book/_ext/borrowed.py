"""A figure of a chapter on another page, as the chapter stores it: the directive `figure-of`.

    ```{figure-of} 02_squeeze se-block
    ```

So the data of a figure stand in one file, and both pages show the same.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def stored(path: Path, element: str) -> str:
    """The HTML of the first output of a notebook that holds such an element.

    Raises:
        ValueError: there is no such notebook, or no such figure in it.
    """
    if not path.is_file():
        raise ValueError(f"figure-of: there is no chapter {path.stem}")
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/html", ""))
            if re.match(rf"<{re.escape(element)}[ >]", text):
                return text
    raise ValueError(f"figure-of: {path.stem} has no figure {element}")


class FigureOf(SphinxDirective):
    """Chapter and element, in one line."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        chapter, element = self.arguments
        path = Path(self.env.srcdir) / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))  # written anew where the chapter was
        try:
            return [nodes.raw("", stored(path, element), format="html")]
        except ValueError as error:
            raise self.error(str(error)) from None


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("figure-of", FigureOf)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
