"""The front page's first screen is what the command writes, from the results that are stored now."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import write_front


def test_the_stored_front_is_that_of_the_stored_results() -> None:
    assert write_front.FRONT.read_text(encoding="utf-8") == write_front.front()
    assert write_front.HERO.read_text(encoding="utf-8") == write_front.hero()


def test_its_doors_lead_to_pages(root: Path) -> None:
    text = write_front.front()
    for page in ("ten_minutes.html", "12_in_the_wild.html", "07_does_it_help.html"):
        assert f'href="{page}"' in text
        stem = page.removesuffix(".html")
        assert any((root / "book" / f"{stem}{suffix}").exists() for suffix in (".md", ".ipynb"))


def test_every_chapter_has_a_card_with_a_picture_in_the_order_of_the_contents(root: Path) -> None:
    text = (root / "book" / "index.md").read_text(encoding="utf-8")
    cards = re.findall(
        r'^- <svg aria-hidden="true"><use href="#(thumb-\d+)"/></svg> \[\]\((\w+)\)$', text, re.MULTILINE
    )
    assert [name for _, name in cards] == sorted(path.stem for path in (root / "book").glob("*.ipynb"))
    assert [thumb for thumb, _ in cards] == [f"thumb-{int(name[:2])}" for _, name in cards]
    pictures = (root / "book" / "assets" / "thumbs.html").read_text(encoding="utf-8")
    assert re.findall(r'<symbol id="([\w-]+)"', pictures) == [thumb for thumb, _ in cards]
    sheet = (root / "book" / "assets" / "front.css").read_text(encoding="utf-8")
    for name in set(re.findall(r'class="(t-\w+)"', pictures)):
        assert f".{name}" in sheet, f"{name} has no color"


def test_the_code_of_ten_minutes_runs_and_counts(root: Path, capsys) -> None:
    """One block after another, as a reader would run them; what it prints stands on the page."""
    text = (root / "book" / "ten_minutes.md").read_text(encoding="utf-8")
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, "ten_minutes.md", "exec"), names)
    printed = capsys.readouterr().out.strip().splitlines()
    assert len(printed) >= 4
    for line in printed:
        assert line in text, f"the page does not show {line!r}"
    with torch.no_grad():
        assert names["y"].shape == (1, 1000)
