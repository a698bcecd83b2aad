"""A still picture of each moving figure, for readers without scripts: `<noscript>` before the figure's words.

The pictures are files of the book, assets/posters/NAME.webp, which scripts/draw_posters.py draws from the figures. With
scripts a page does not load them; on paper a figure stands as it was left.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from sphinx.application import Sphinx

POSTERS = Path(__file__).resolve().parents[1] / "assets" / "posters"
FIGURE = re.compile(r'<se-(?P<name>[a-z]+(?:-[a-z]+)*) role="group" .*?</script>', re.DOTALL)
STYLE = "display: block; height: auto; max-width: 100%"


@cache
def size(name: str) -> tuple[int, int] | None:
    """Width and height of a figure's poster; None where it has none, because it only asks."""
    path = POSTERS / f"{name}.webp"
    if not path.exists():
        return None
    with Image.open(path) as image:
        return image.size


def with_posters(body: str, folder: str) -> str:
    """The HTML of a page, its figures with a poster each; `folder` is the address of the posters."""

    def beside(match: re.Match[str]) -> str:
        if (measures := size(match["name"])) is None:
            return match[0]
        width, height = measures
        address = f'src="{folder}/{match["name"]}.webp" width="{width}" height="{height}"'
        return f'{match[0]}<noscript><img {address} style="{STYLE}" alt=""></noscript>'  # the words stand below

    return FIGURE.sub(beside, body)


def put_in(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if "<se-" in context.get("body", ""):
        context["body"] = with_posters(context["body"], context["pathto"]("_static/posters", 1))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", put_in)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
