"""Chapters outside of the book: as the parser of VS Code shows them, and nbconvert, which is JupyterLab's export."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

BOOK = Path(__file__).resolve().parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
RAW = re.compile(r"^\s*(:::|```|<details>|<summary>)|\{[\w:]+\}`|\*\*\w", re.MULTILINE)
"""What no viewer leaves of Markdown that it knows."""


class Folded(HTMLParser):
    """The folded parts of a page: what each shows when shut, its text, and whether it lies open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[dict[str, object]] = []
        self._depth = 0
        self._summary = self._code = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "details":
            self._depth += 1
            self.parts.append({"summary": "", "text": "", "code": "", "open": "open" in dict(attributes)})
        self._summary = self._summary or tag == "summary"
        self._code = self._code or tag in ("pre", "code")

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "details"
        self._summary = self._summary and tag != "summary"
        self._code = self._code and tag not in ("pre", "code")

    def handle_data(self, data: str) -> None:
        if self._depth:
            where = "summary" if self._summary else "code" if self._code else "text"
            self.parts[-1][where] += data


def cells(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def wrong(page: str, expected: int) -> list[str]:
    """What is wrong with the answers of a page, of which it has so many."""
    parts = Folded(page).parts
    found = [] if len(parts) == expected else [f"{len(parts)} are folded of {expected}"]
    for part in parts:
        if part["open"] or part["summary"] not in ("Answer", "Solution"):
            found.append(f"{part['summary']!r} lies open, or is no answer")
        if not (part["text"] + part["code"]).strip() or RAW.search(html.unescape(part["text"])):
            found.append(f"{part['summary']} has nothing in it, or raw Markdown: {part['text'][:200]!r}")
    return found


def answers(path: Path) -> int:
    return sum(cell.count("<details>") for cell in cells(path))


def test_all_answers_fold_where_markdown_is_plain() -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    assert sum(map(answers, CHAPTERS)) > 70
    found = {path.stem: wrong("\n".join(map(parser.render, cells(path))), answers(path)) for path in CHAPTERS}
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize("name", ["02_squeeze", "07_does_it_help", "12_in_the_wild"])
def test_answers_fold_as_jupyterlab_exports_them(name: str) -> None:
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert is not installed")
    page, _ = nbconvert.HTMLExporter(embed_images=False).from_filename(str(BOOK / f"{name}.ipynb"))
    # of cells alone: the page around them has styles and scripts; of outputs, those of the book may fold something too
    main = re.sub(
        r'<div class="jp-Cell-outputWrapper">.*?(?=<div class="jp-Cell )',
        "",
        page.partition("<main>")[2],
        flags=re.DOTALL,
    )
    assert wrong(main, answers(BOOK / f"{name}.ipynb")) == []


@pytest.mark.parametrize(
    "source",
    [
        ":::{dropdown} Solution\nx\n:::",
        "<details>\n<summary>Solution</summary>\n**x**\n</details>",
        "<details open>\n<summary>Solution</summary>\n\nx\n\n</details>",
        "<details>\n<summary>Solution</summary>\n\n\n</details>",
    ],
)
def test_what_does_not_fold_is_noticed(source: str) -> None:
    assert wrong(MarkdownIt("commonmark", {"html": True}).render(source), 1) != []
