"""What every chapter says and how: a question that is committed to and answered, and a last sentence with a number."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import execute_notebooks
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

BOOK = Path(__file__).resolve().parents[1] / "book"
CHAPTERS = {path.stem: path for path in sorted(BOOK.glob("*.ipynb"))}
BOUND = [name for name in CHAPTERS if 1 <= int(name[:2]) <= 9 or name == "13_shipping_se"]
"""Chapters whose last sentence a cell computes."""


def figures(notebook: NotebookNode, name: str) -> Iterator[dict]:
    """The data of each stored figure of that name."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        text = output.get("data", {}).get("text/html", "")
        for data in re.findall(rf'<se-{name}\b[^>]*><script type="application/json">(.*?)</script>', text, re.DOTALL):
            yield json.loads(html.unescape(data))


def sentences(notebook: NotebookNode) -> Iterator[str]:
    """What cells print or say: streams, computed Markdown, and the words of verdicts."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        yield output.get("text", "")
        yield output.get("data", {}).get("text/markdown", "")
    for verdict in figures(notebook, "verdict"):
        yield verdict["sentence"]


def last_sentence(notebook: NotebookNode) -> str:
    """What stands in the last cell before the recap that says anything, as it is read."""
    said = ""
    for cell in notebook.cells:
        text = cell.source if cell.cell_type == "markdown" else ""
        said = text.partition("## Recap")[0].strip() or said
        if re.search(r"^## Recap", text, re.MULTILINE):
            return said
        for output in cell.get("outputs", []):
            said = output.get("data", {}).get("text/markdown", said)
    return ""


def wrong(notebook: NotebookNode, bound: bool = True) -> list[str]:
    found = []
    guesses = [guess["key"] for guess in figures(notebook, "guess")]
    verdicts = [verdict["key"] for verdict in figures(notebook, "verdict")]
    if not guesses or sorted(guesses) != sorted(verdicts):
        found.append(f"guesses {guesses}, verdicts {verdicts}")
    end = last_sentence(notebook)
    bold = re.findall(r"\*\*(.+?)\*\*", end, re.DOTALL)
    if not bold or not re.search(r"\d", bold[-1]):
        found.append(f"no bold sentence with a number before the recap: {end[-80:]!r}")
    computed = [
        output.get("data", {}).get("text/markdown") for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    if bound and end not in computed:
        found.append("the last sentence is not computed by a cell")
    if not re.search(r"^\*\*(Next:|This is the last chapter\.)\*\* ", notebook.cells[-1].source, re.MULTILINE):
        found.append("no **Next:** in the last cell")
    if bound:
        found += [
            f"{text.strip()[:60]!r}: no space before %" for text in sentences(notebook) if re.search(r"\d%", text)
        ]
    return found


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_asks_answers_and_concludes(name: str) -> None:
    assert wrong(execute_notebooks.read(CHAPTERS[name]), name in BOUND) == []


def shown(tag: str, data: dict) -> dict[str, str]:
    return {"text/html": f'<se-{tag}><script type="application/json">{json.dumps(data)}</script></se-{tag}>'}


def chapter() -> NotebookNode:
    asked, answered = shown("guess", {"key": "a"}), shown("verdict", {"key": "a", "sentence": "It is 5 %."})
    said = {"text/markdown": "**It is 5 %.**"}
    cells = [new_code_cell("x", outputs=[new_output("execute_result", data)]) for data in (asked, answered, said)]
    return new_notebook(cells=[*cells, new_markdown_cell("## Recap\n\n- x"), new_markdown_cell("**Next:** more.")])


def test_a_chapter_that_ends_in_nothing_is_noticed() -> None:
    assert wrong(chapter()) == []
    for index, source in ((3, "So it is.\n\n## Recap"), (4, "The end.")):
        spoiled = chapter()
        spoiled.cells[index].source = source
        assert wrong(spoiled)
    for index in (0, 1, 2):
        spoiled = chapter()
        spoiled.cells[index].outputs = []
        assert wrong(spoiled), index
    spoiled = chapter()
    spoiled.cells[2].outputs[0].data["text/markdown"] = "**It is 5%.**"
    assert len(wrong(spoiled)) == 1
