"""Print the built book into one PDF with headless Chromium: bookmarks, page numbers, figures at rest.

    make book && python scripts/print_book.py          # writes _build/pdf/senet-edu.pdf
    python scripts/print_book.py 02_squeeze            # some pages

Pages print themselves: the style sheet's rules for paper take away controls and navigation and set the light theme.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path

import yaml
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parents[1]
SITE, OUT = ROOT / "_build" / "html", ROOT / "_build" / "pdf" / "senet-edu.pdf"
FOOTER = """
@page {{
  margin: 16mm 17mm 18mm;
  @bottom-center {{ content: counter(page); font: 9pt system-ui, sans-serif; color: #565a61; }}
}}
html {{ counter-set: page {first}; }}
"""


def contents() -> list[tuple[str, list[str]]]:
    """Parts of the book with the names of their pages, the first page before all."""
    table = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in table["parts"]]
    return [("", [table["root"]]), *parts]


def print_page(page: Page, first: int) -> PdfReader:
    """The open page as PDF whose first sheet has this number."""
    style = page.add_style_tag(content=FOOTER.format(first=first - 1))
    pdf = page.pdf(format="A4", prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    style.evaluate("(element) => element.remove()")
    return PdfReader(io.BytesIO(pdf))


def prepare(page: Page, name: str) -> str:
    """Open a page, let its equations and figures be drawn, open what is folded; returns its title."""
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    page.evaluate("document.querySelectorAll('.tex').length && document.fonts.ready")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(400)  # figures begin when they come into view
    return page.evaluate("document.querySelector('h1').innerText.replace(/#$/, '').trim()")


def print_book(names: list[str] | None, out: Path) -> int:
    """Print pages, all of the book's when none are named, into one file; returns how many sheets it has."""
    writer = PdfWriter()
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = os.environ.get("CHROMIUM") or (own if Path(own).exists() else shutil.which("chromium"))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light", reduced_motion="reduce", viewport={"width": 900, "height": 1200})
        for caption, pages in contents():
            part = None
            for name in pages:
                if names and name not in names:
                    continue
                title = prepare(page, name)
                first = len(writer.pages) + 1
                sheets = print_page(page, first)
                if caption and part is None:
                    part = writer.add_outline_item(title=caption, page_number=first - 1) if sheets.pages else None
                start = len(writer.pages)
                for sheet in sheets.pages:
                    writer.add_page(sheet)
                writer.add_outline_item(title=title, page_number=start, parent=part)
                print(f"{name}: {len(sheets.pages)} sheets from {first}", flush=True)
        browser.close()
    writer.add_metadata({"/Title": "Squeeze-and-Excitation, a notebook book", "/Author": "The senet-edu contributors"})
    writer.compress_identical_objects()
    out.parent.mkdir(parents=True, exist_ok=True)
    writer.write(out)
    return len(writer.pages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="names of pages; all when left out")
    parser.add_argument("--out", type=Path, default=OUT, help="(%(default)s)")
    args = parser.parse_args()
    print(f"{print_book(args.pages, args.out)} sheets in {args.out}")
