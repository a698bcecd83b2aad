"""Pages printed from a dark screen into one PDF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import print_book
import pytest
from browser import chromium
from pypdf import PdfReader

PRINTED = ["02_squeeze", "references"]


@pytest.fixture(scope="module")
def pdf(site: Path, tmp_path_factory: pytest.TempPathFactory) -> PdfReader:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        if chromium(playwright.chromium.executable_path) is None:
            pytest.skip("no Chromium")
    out = tmp_path_factory.mktemp("pdf") / "some.pdf"
    sheets = print_book.print_book(PRINTED, out, site, theme="dark")
    reader = PdfReader(out)
    assert len(reader.pages) == sheets > 8
    return reader


def bookmarks(reader: PdfReader, items: list | None = None, depth: int = 0) -> Iterator[tuple[int, str, int | None]]:
    """Depth, title and index of the page of each bookmark."""
    for item in reader.outline if items is None else items:
        if isinstance(item, list):
            yield from bookmarks(reader, item, depth + 1)
        else:
            yield depth, item.title, reader.get_destination_page_number(item)


def test_every_bookmark_leads_to_its_title(pdf: PdfReader) -> None:
    found = list(bookmarks(pdf))
    chapter = "2 How does a map become a number?"
    parts = [(depth, title) for depth, title, _ in found]
    assert parts == [(0, "The block"), (1, chapter), (0, "Reference"), (1, "References"), (0, "Answers"), (1, chapter)]
    for depth, title, index in found:
        assert index is not None, title
        text = " ".join(pdf.pages[index].extract_text().split())
        assert depth == 0 or title in text[: len(title) + 4], text[:80]  # behind the sheet's number


def test_every_sheet_is_a4_and_has_its_number(pdf: PdfReader) -> None:
    for number, sheet in enumerate(pdf.pages, 1):
        assert (sheet.mediabox.width, sheet.mediabox.height) == pytest.approx((595.3, 841.9), abs=1)  # points
        words = sheet.extract_text().split()
        assert str(number) in (words[0], words[-1])


def test_answers_are_at_the_end_and_not_before(pdf: PdfReader) -> None:
    first = next(index for depth, title, index in bookmarks(pdf) if title == "Answers")
    text, answers = (
        " ".join(" ".join(sheet.extract_text() for sheet in sheets).split())
        for sheets in (pdf.pages[:first], pdf.pages[first:])
    )
    assert "Answer: at the end of the book" in text and "Solution: at the end of the book" in text
    for question in ("You mirror a feature map left to right.", "1. Twins."):
        assert question in text and question in answers
    solution = "flat = torch.full((8, 8), 0.1)"
    assert solution in answers and solution not in text


def test_no_link_leads_to_the_disk_of_who_printed_it(pdf: PdfReader) -> None:
    links = [
        note.get_object().get("/A", {}).get("/URI", "") for sheet in pdf.pages for note in sheet.get("/Annots", [])
    ]
    assert any(link.startswith("https://senet-edu.github.io/senet-edu/03_excitation.html") for link in links)
    assert [link for link in links if link.startswith("file:")] == []


def test_no_reference_is_torn_from_its_label(pdf: PdfReader) -> None:
    first = next(index for _, title, index in bookmarks(pdf) if title == "References")
    last = next(index for _, title, index in bookmarks(pdf) if title == "Answers")
    sheets = [" ".join(sheet.extract_text().split()) for sheet in pdf.pages[first:last]]
    assert len(sheets) > 2
    assert [text[-40:] for text in sheets if re.search(r"\[\w+\+?\d+\]( ?\([\d, ]+\))?( \d+)?$", text)] == []
