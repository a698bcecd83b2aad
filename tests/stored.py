"""Every figure of the chapters as it is stored."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import execute_notebooks

BOOK = Path(__file__).resolve().parents[1] / "book"
NETWORKS = runpy.run_path(str(BOOK / "_ext" / "networks.py"))


def figures() -> Iterator[tuple[str, str]]:
    """Name and HTML of each figure that a chapter shows."""
    for path in sorted(BOOK.glob("*.ipynb")):
        for cell in execute_notebooks.read(path).cells:
            for output in cell.get("outputs", []):
                html = output.get("data", {}).get("text/html", "")
                if match := re.match(r"<se-([a-z-]+)", html):
                    yield match[1], html


FIGURES = dict(figures())


def shown(name: str) -> str:
    """The HTML of a figure with the weights that it runs, which a chapter does not store."""

    def filled(match: re.Match[str]) -> str:
        return match[0].replace("></", f">{NETWORKS['exported'](match[1])}</")

    return NETWORKS["NETWORK"].sub(filled, FIGURES[name])
