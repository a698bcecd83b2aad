"""Print the built book into one PDF with headless Chromium: bookmarks, page numbers, figures at rest, answers last.

    make book && python scripts/print_book.py          # writes _build/pdf/senet-edu.pdf
    python scripts/print_book.py 02_squeeze            # some pages

Pages print themselves: the style sheet's rules for paper take away controls and navigation and set the light theme.
Answers, which paper cannot unfold, follow behind the last page.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[1]
SITE, OUT = ROOT / "_build" / "html", ROOT / "_build" / "pdf" / "senet-edu.pdf"
PAPER = {"width": 665, "height": 970}  # of A4 within its margins, in the pixels of a style sheet
PATIENCE = 180  # seconds for a page, on a machine that may have much else to do
STYLE = """
@page {{
  margin: 16mm 17mm 18mm;
  @bottom-center {{ content: counter(page); font: 9pt system-ui, sans-serif; color: #565a61; }}
}}
html {{ counter-set: page {before}; }}
details:not([class], [open]) > summary::after {{ content: ": at the end of the book"; font-weight: 400; }}
"""
# Figures begin when they come into view, plots of the other theme never do.
SETTLE = """async () => {
  await document.fonts.ready;
  scrollTo(0, document.body.scrollHeight);
  const shown = [...document.images].filter((image) => image.checkVisibility());
  await Promise.all(shown.map((image) => image.decode().catch(() => {})));
}"""
# What is left of a page: each answer, unfolded, behind the paragraph that asks, and the headings above them.
KEEP_ANSWERS = """() => {
  const article = document.querySelector("main article");
  const title = document.querySelector("h1");
  const folded = [...article.querySelectorAll("details:not([class])")];
  if (!folded.length) return null;
  const bold = (p) => p.firstChild?.localName === "strong"; // **2.** Why …, or **2. A task.** Write …
  const asks = [...article.querySelectorAll("p")].filter((p) => bold(p) && !p.closest("details"));
  const before = (one, other) => one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
  const parts = [title];
  let above;
  for (const answer of folded) {
    const heading = answer.closest("section").querySelector("h2");
    if (heading && heading !== above) parts.push((above = heading));
    const summary = answer.querySelector("summary").innerText.trim();
    const question = asks.findLast((one) => before(one, answer));
    if (!/^(Answer|Solution)$/.test(summary)) {
      const name = document.createElement("p"); // what is folded for its length, and answers nothing
      name.textContent = summary;
      parts.push(name);
    } else if (question && !parts.includes(question)) parts.push(question);
    const text = document.createElement("blockquote");
    text.append(...[...answer.childNodes].filter((node) => node.localName !== "summary"));
    parts.push(text);
  }
  const section = document.createElement("section");
  section.style.zoom = 0.88;
  section.append(...parts);
  article.replaceChildren(section);
  return title.innerText.replace(/#$/, "").trim();
}"""


def contents() -> list[tuple[str, list[str]]]:
    """Parts of the book with the names of their pages, the first page before all."""
    table = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    parts = [(part["caption"], [chapter["file"] for chapter in part["chapters"]]) for part in table["parts"]]
    return [("", [table["root"]]), *parts]


def print_page(page: Page, first: int) -> PdfReader:
    """The open page as PDF whose first sheet has this number."""
    style = page.add_style_tag(content=STYLE.format(before=first - 1))
    pdf = page.pdf(format="A4", prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    style.evaluate("(element) => element.remove()")
    return PdfReader(io.BytesIO(pdf))


def lead_out(writer: PdfWriter, site: Path) -> None:
    """Let links to pages of the book lead to the published ones: a reader of the PDF has no other."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    here, base = f"{site.resolve().as_uri()}/", config["sphinx"]["config"]["html_baseurl"]
    for sheet in writer.pages:
        for note in sheet.get("/Annots", []):
            action = note.get_object().get("/A", {})
            if action.get("/URI", "").startswith(here):
                action[NameObject("/URI")] = TextStringObject(base + action["/URI"].removeprefix(here))


def prepare(page: Page, address: str) -> str:
    """Open a page, laid out as on paper, and let its equations and figures be drawn; returns its title."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate(SETTLE)
    page.wait_for_timeout(400)  # for a figure to draw itself
    return page.evaluate("document.querySelector('h1').innerText.replace(/#$/, '').trim()")


def sheets(
    page: Page, site: Path, names: list[str] | None, numbered: list[int]
) -> Iterator[tuple[str, str, PdfReader]]:
    """Part, title and sheets of one page after another, and behind all of them of their answers.

    Args:
        names: of pages; all of the book's when none are named.
        numbered: how many sheets there are so far, kept by the caller.
    """
    chosen = [(part, name) for part, pages in contents() for name in pages if not names or name in names]
    for part, name in chosen:
        title = prepare(page, (site / f"{name}.html").as_uri())
        yield part, title, print_page(page, numbered[0] + 1)
    for _, name in chosen:
        prepare(page, (site / f"{name}.html").as_uri())
        if title := page.evaluate(KEEP_ANSWERS):
            yield "Answers", title, print_page(page, numbered[0] + 1)


def print_book(names: list[str] | None, out: Path, site: Path = SITE, theme: str = "light") -> int:
    """Print pages, all of the book's when none are named, into one file; returns how many sheets it has.

    Args:
        theme: of the screen that the pages are printed from, light or dark; paper is always light.
    """
    writer, parts = PdfWriter(), {}
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = os.environ.get("CHROMIUM") or (own if Path(own).exists() else shutil.which("chromium"))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=theme, reduced_motion="reduce", viewport=PAPER)
        page.set_default_timeout(1000 * PATIENCE)
        page.emulate_media(media="print")
        numbered = [0]
        for part, title, printed in sheets(page, site, names, numbered):
            first = len(writer.pages)
            for sheet in printed.pages:
                writer.add_page(sheet)
            if part and part not in parts:
                parts[part] = writer.add_outline_item(title=part, page_number=first)
            writer.add_outline_item(title=title, page_number=first, parent=parts.get(part))
            numbered[0] = len(writer.pages)
            print(f"{f'{part}: ' if part else ''}{title}: {len(printed.pages)} sheets from {first + 1}", flush=True)
        browser.close()
    lead_out(writer, site)
    writer.add_metadata({"/Title": "Squeeze-and-Excitation, a notebook book", "/Author": "The senet-edu contributors"})
    writer.compress_identical_objects()
    out.parent.mkdir(parents=True, exist_ok=True)
    writer.write(out)
    return len(writer.pages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="names of pages; all when left out")
    parser.add_argument("--out", type=Path, default=OUT, help="(%(default)s)")
    parser.add_argument("--site", type=Path, default=SITE, help="the built pages (%(default)s)")
    args = parser.parse_args()
    print(f"{print_book(args.pages, args.out, args.site)} sheets in {args.out}")
