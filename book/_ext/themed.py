"""The two themes of a page: colors from the book's tokens, and the plots that were drawn for each.

A plot's output holds the picture for light pages, as every notebook viewer shows it, and in its metadata the one for
dark pages. A page holds both, and the theme's own rules show one of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import runpy
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PACKAGE = Path(__file__).resolve().parents[2] / "senet_edu"
# An image named by its bytes, and the link to itself that Sphinx puts around an image with a size.
IMAGE = re.compile(
    r'(?:<a [^>]*image-reference[^>]*>)?(?P<image><img [^>]*?(?P<name>[0-9a-f]{64})\.png"[^>]*>)(?:</a>)?'
)


def write_colors(app: Sphinx) -> None:
    """`tokens.css`: the tokens as custom properties of light pages, of dark ones, and of every printed one."""
    css = runpy.run_path(str(PACKAGE / "tokens.py"))["css"]  # not by import: the package needs PyTorch, pages do not
    light, dark = css("light", "se-"), css("dark", "se-")
    rules = f':root {{\n{light}\n}}\nhtml[data-theme="dark"] {{\n{dark}\n}}\n'
    rules += f'@media print {{\nhtml[data-theme="dark"] {{\n{light}\n}}\n}}\n'
    folder = Path(app.outdir, "_static")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.css").write_text(rules, encoding="utf-8", newline="\n")
    app.add_css_file("tokens.css", priority=400)  # before the sheets that use it


def plots_of(notebook: Path) -> dict[str, dict[str, Any]]:
    """The metadata of a notebook's plots, by the SHA-256 of the PNG."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    plots = {}
    for output in outputs:
        if "dark" in output.get("metadata", {}):
            png = base64.b64decode("".join(output["data"]["image/png"]))
            plots[hashlib.sha256(png).hexdigest()] = output["metadata"]
    return plots


def show_both(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Each plot of a page twice, with the size that it was drawn for; the pictures for dark pages are written here."""
    source = Path(app.env.doc2path(pagename))
    if doctree is None or source.suffix != ".ipynb":
        return
    plots = plots_of(source)

    def both(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in plots:
            return match[0]
        width, height = (plots[name]["image/png"][side] for side in ("width", "height"))
        size = f'width="{width}" height="{height}" style="--width: {width}px"'
        light = re.sub(r' (class|style|width|height)="[^"]*"', "", match["image"]).replace("<img", f"<img {size}")
        dark = light.replace(f"{name}.png", f"{name}-dark.png")
        folder = Path(app.outdir, "_images")
        folder.mkdir(exist_ok=True)
        (folder / f"{name}-dark.png").write_bytes(base64.b64decode(plots[name]["dark"]))
        # The theme lets the keyboard scroll what is called an output and is too wide.
        return f'<div class="output se-card">{marked(light, "only-light")}{marked(dark, "only-dark", lazy=True)}</div>'

    context["body"] = IMAGE.sub(both, context["body"])


def marked(image: str, theme: str, lazy: bool = False) -> str:
    """An image that is shown in a theme. A lazy one is fetched where it is shown; print wants the light one always."""
    return image.replace("<img", f'<img class="{theme}"' + ' loading="lazy"' * lazy)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_colors)
    app.connect("html-page-context", show_both)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
