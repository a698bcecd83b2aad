"""A figure of a chapter stands on another page as the chapter stores it."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[2] / "book"
stored = runpy.run_path(str(BOOK / "_ext" / "borrowed.py"))["stored"]
BORROWED = [
    (page.stem, chapter, element)
    for page in sorted(BOOK.glob("*.md"))
    for chapter, element in re.findall(
        r"^```\{figure-of\} (\S+) (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
]


def test_the_page_of_ten_minutes_shows_the_block() -> None:
    assert ("ten_minutes", "02_squeeze", "se-block") in BORROWED


@pytest.mark.parametrize(("page", "chapter", "element"), BORROWED)
def test_a_page_shows_the_chapters_figure(site: Path, page: str, chapter: str, element: str) -> None:
    shown, own = ((site / f"{name}.html").read_text(encoding="utf-8") for name in (page, chapter))
    data = stored(BOOK / f"{chapter}.ipynb", element).partition('<script type="application/json">')[2]
    data = data.partition("</script>")[0]
    assert json.loads(data)
    assert data in shown and data in own


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no chapter 99_nothing"):
        stored(tmp_path / "99_nothing.ipynb", "se-block")
    with pytest.raises(ValueError, match="02_squeeze has no figure se-lamp"):
        stored(BOOK / "02_squeeze.ipynb", "se-lamp")
