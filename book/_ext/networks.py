"""Weights of networks as files beside the page, so that text is not kept waiting by them.

A chapter stores which network a figure runs, and not its 0.75 MB: those are made here from the weights of the package,
once, into a file that the figure loads when it needs it. It is a script, since pages that are read from a disk may load
no other kind. The page's element keeps the name and the address of the file.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FOLDER = "networks"
NETWORK = re.compile(r'<script type="application/json" data-se-network="([\w-]+)"></script>')
FIRST = "se_resnet20"
"""What a figure needs at once; others wait until they are asked for."""


@cache
def exported(name: str) -> str:
    """A shipped network as the text that `net.js` reads."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this checkout's package, wherever it is built from
    from senet_edu.explorables.lib.net import export_browser
    from senet_edu.zoo import load_pretrained

    spec, weights = export_browser(load_pretrained(name))
    return json.dumps({"spec": spec, "weights": b64encode(weights).decode("ascii")}, separators=(",", ":"))


def move_out(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the networks of a page into files, and say in it where they are."""

    def outside(match: re.Match[str]) -> str:
        name = match[1]
        content = exported(name)
        fill = f"document.querySelector('[data-se-network=\"{name}\"]').textContent = {json.dumps(content)};\n"
        path = Path(app.outdir) / "_static" / FOLDER / f"{name}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill, encoding="utf-8", newline="\n")
        version = sha256(fill.encode()).hexdigest()[:8]
        address = f"{context['pathto'](f'_static/{FOLDER}/{name}.js', 1)}?v={version}"
        element = f'<script type="application/json" data-se-network="{name}" data-src="{address}"></script>'
        ahead = f'<link rel="preload" as="script" href="{address}" fetchpriority="low">' if name == FIRST else ""
        return ahead + element

    if "data-se-network" in context.get("body", ""):
        context["body"] = NETWORK.sub(outside, context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", move_out)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
