"""Where a line may not break: inside a measure such as 50 % or 3 × 3, and between code or a formula and its comma."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

MEASURE = re.compile(r"(?<=\d) (?=[%×±])|(?<=[×±]) (?=\d)")
CLOSING = re.compile(r"[.,;:!?)\]’”]+")
OPENING = re.compile(r"[(\[‘“]+$")
LONG = 24  # code that may itself need more than a line of a phone


def text_of(node: nodes.Node | None) -> str:
    return node.astext() if isinstance(node, nodes.Text) else ""


def sibling(node: nodes.Node, step: int) -> nodes.Node | None:
    place = node.parent.index(node) + step
    return node.parent[place] if 0 <= place < len(node.parent) else None


def keep_measures(doctree: nodes.document) -> None:
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.raw | nodes.math | nodes.math_block):
            continue
        if (kept := MEASURE.sub("\N{NO-BREAK SPACE}", text)) != text:
            text.parent.replace(text, nodes.Text(kept))


def keep_punctuation(doctree: nodes.document) -> None:
    """Code and formulas are boxes of their own, and a browser breaks a line beside a box, be it before a comma."""
    for box in [*doctree.findall(nodes.literal), *doctree.findall(nodes.math)]:
        if isinstance(box, nodes.literal) and len(box.astext()) > LONG:
            box["classes"].append("long")
            continue
        before, after = sibling(box, -1), sibling(box, 1)
        opening, closing = OPENING.search(text_of(before)), CLOSING.match(text_of(after))
        if not opening and not closing:
            continue
        parent, kept = box.parent, nodes.inline("", "", classes=["kept"])
        parent.replace(box, kept)
        if opening:
            kept += nodes.Text(opening[0])
            parent.replace(before, nodes.Text(text_of(before)[: opening.start()]))
        kept += box
        if closing:
            kept += nodes.Text(closing[0])
            parent.replace(after, nodes.Text(text_of(after)[closing.end() :]))


def typeset(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format == "html":
        keep_measures(doctree)
        keep_punctuation(doctree)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", typeset)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
