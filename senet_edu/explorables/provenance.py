"""Chapter 14: what computes an equation and which test holds it, and how each stored file was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from senet_edu.explorables.lib.base import Explorable
from senet_edu.provenance import MAP, Link, Record, duration, marked, records, source_of_code, source_of_test

NOT_RECORDED = "not recorded"
TONES = {"eq-2": "squeeze", "table-11": "squeeze", "eq-3": "excitation", "table-12": "excitation", "eq-4": "rescale"}
RAISED = re.compile(r"([_^])(?:\{([^{}]*)\}|(.))")


def formula_html(text: str) -> str:
    """A formula of `provenance.Link` as HTML: single letters in italics, `_` lowered, `^` raised."""

    def letters(part: str) -> str:
        return re.sub(r"(?<![^\W\d_])([^\W\d_][\u0300-\u036f]?)(?![^\W\d_])", r"<i>\1</i>", escape(part, quote=False))

    parts, end = [], 0
    for match in RAISED.finditer(text):
        tag = "sub" if match[1] == "_" else "sup"
        parts += [letters(text[end : match.start()]), f"<{tag}>{letters(match[2] or match[3])}</{tag}>"]
        end = match.end()
    return "".join([*parts, letters(text[end:])])


def formula_spoken(text: str) -> str:
    """A formula of `provenance.Link` for a screen reader."""
    said = RAISED.sub(lambda m: f" {'sub' if m[1] == '_' else 'to the'} {m[2] or m[3]} ", text)
    return " ".join(said.split())


def chapter_title(*names: str) -> str:
    """`"11_train_cifar10", "07_does_it_help"` to `"chapters 7, 11"`, and one to `"chapter 7"`."""
    numbers = ", ".join(map(str, sorted(int(name.partition("_")[0]) for name in names)))
    return f"chapter{'s' * (len(names) > 1)} {numbers}" if names else "no chapter"


class Provenance(Explorable):
    """Pick an equation, table or figure of the paper and see code and test; or a stored file, and see how it was made.

    Args:
        files: the records to show; those of the package when left out.
        links: the entries of the map to show; all when left out.
    """

    name = "provenance"

    def __init__(self, files: Sequence[Record] | None = None, links: Sequence[Link] = MAP) -> None:
        files = records() if files is None else files

        def shown(source: str | None, pieces: Sequence[str]) -> dict[str, Any]:
            return {"source": source, "marks": [] if source is None else marked(source, pieces)}

        def link(one: Link) -> dict[str, Any]:
            return {
                "key": one.key,
                "group": one.group,
                "label": one.label,
                "title": one.title,
                "formula": formula_html(one.formula),
                "spoken": formula_spoken(one.formula),
                "tone": TONES.get(one.key, "plain"),
                "chapter": chapter_title(one.chapter),
                "heldTo": one.held_to,
                "code": {"name": one.code, **shown(source_of_code(one), one.lines)},
                "test": {"name": one.test, **shown(source_of_test(one), one.truth)},
            }

        def file(one: Record) -> dict[str, Any]:
            fields = {
                "Holds": one.holds,
                "Shown in": chapter_title(*one.chapters),
                "Command": "\n".join(one.commands),
                "Seeds": ", ".join(map(str, one.seeds)),
                "Hardware": one.hardware,
                "Precision": one.precision,
                "Versions": one.versions,
                "Time": duration(one.seconds),
                "Size": f"{one.size:,} bytes",
                "SHA-256": one.sha256,
            }
            fields = {name: value or NOT_RECORDED for name, value in fields.items()}
            return {"path": one.path, "seconds": one.seconds, "fields": fields}

        super().__init__(
            {"links": [link(one) for one in links], "files": [file(one) for one in files]},
            "For each equation, table and figure of the paper that this book recomputes: the formula, the line of code "
            "that computes it, and the test that holds the code to another computation. And for each stored file: the "
            "command, seeds, hardware, versions, time and hash. Choose an equation, or a file.",
        )
