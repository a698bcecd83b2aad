"""Draw the pictures that stand for a page where its address is passed on: 1200 x 630, its title above its first figure.

    make book && python scripts/draw_cards.py       # all pages that have a figure, and the icon for phones
    python scripts/draw_cards.py 02_squeeze         # some

What is drawn is what the built page shows, so draw anew when figures have changed, and build again: the book takes the
cards from book/assets/social. A page without a figure has the first page's card.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import shutil
from html import escape
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from print_book import contents

ROOT = Path(__file__).resolve().parents[1]
SITE, ASSETS = ROOT / "_build" / "html", ROOT / "book" / "assets"
WIDTH, HEIGHT, LARGEST = 1200, 630, 60_000
FIRST = """() => [...document.querySelectorAll("main *")].find((element) =>
  (element.localName.startsWith("se-") && element.shadowRoot && !element.matches("se-prediction, se-guess, se-verdict"))
  || element.matches(".se-card, .cell_output img, svg.se-block"))"""
BARS = """<svg viewBox="0 0 26 26"><rect fill="#a46900" x="1" y="9" width="6" height="16" rx="1.5"/><rect fill="#e09f00"
x="10" y="1" width="6" height="24" rx="1.5"/><rect fill="#623d14" x="19" y="16" width="6" height="9" rx="1.5"/></svg>"""
STYLE = """
@font-face { font-family: Display; font-weight: 500 800; src: url(data:font/woff2;base64,%s) }
* { box-sizing: border-box; margin: 0 }
body { background: #fbfaf7; color: #1c1f24; font-family: Display; overflow: hidden; padding: 44px 60px 0 }
p { align-items: center; display: flex; font-size: 25px; font-weight: 700; gap: 12px }
p svg { width: 30px }
h1 { font-size: 62px; letter-spacing: -.02em; line-height: 1.05; margin: 18px 0 26px; text-wrap: balance }
h1 span { color: #565a61; margin-right: .2em }
img { border-radius: 14px; display: block; width: 1080px }
"""


def compress(png: bytes) -> bytes:
    """A PNG with as many colors, 256 at most, as fit into the size that is allowed.

    Raises:
        ValueError: even 16 colors do not.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colors in (256, 128, 64, 32, 16):
        out = io.BytesIO()
        image.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            out, "PNG", optimize=True
        )
        if out.tell() <= LARGEST:
            return out.getvalue()
    raise ValueError(f"the card takes {out.tell():,} bytes with 16 colors, {LARGEST:,} are allowed")


def first_figure(page: Page, name: str) -> bytes | None:
    """A picture of the first figure of a built page, in the light; None where there is none."""
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    page.add_style_tag(content=".bar { display: none !important }")  # it would lie over the figure
    figure = page.evaluate_handle(FIRST).as_element()
    if figure is None:
        return None
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(2500)  # figures begin when they come into view
    return figure.screenshot(animations="disabled")


def title_of(page: Page) -> tuple[str, str]:
    """The number of the open page's chapter, if it is one, and its title."""
    number = page.locator("h1 .number")
    which = number.inner_text() if number.count() else ""
    return which, page.evaluate("document.querySelector('h1').innerText.replace(/#$/, '').trim()").removeprefix(which)


def card(browser: Browser, number: str, title: str, figure: bytes) -> bytes:
    """A card as PNG: wordmark, title, and the figure, which runs out of the picture where it is too high."""
    font = base64.b64encode((ASSETS / "display.woff2").read_bytes()).decode()
    source = f"data:image/png;base64,{base64.b64encode(figure).decode()}"
    head = f"<p>{BARS}Squeeze &amp; Excitation</p><h1><span>{number}</span>{escape(title.strip())}</h1>"
    html = f'{head}<img src="{source}">'
    return drawn(browser, f"<style>{STYLE % font}</style>{html}", WIDTH, HEIGHT)


def drawn(browser: Browser, html: str, width: int, height: int) -> bytes:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_content(f"<!doctype html>{html}")
    page.evaluate("document.fonts.ready")
    png = page.screenshot()
    page.close()
    return compress(png)


def draw_cards(names: list[str] | None) -> int:
    """Write the cards of pages, all of the book's when none are named, and the icon; returns their bytes."""
    folder = ASSETS / "social"
    folder.mkdir(exist_ok=True)
    total = 0
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = os.environ.get("CHROMIUM") or (own if Path(own).exists() else shutil.which("chromium"))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light", reduced_motion="reduce", viewport={"width": 1280, "height": 900})
        for name in [name for _, pages in contents() for name in pages]:
            if names and name not in names:
                continue
            figure, path = first_figure(page, name), folder / f"{name}.png"
            if figure is None:
                path.unlink(missing_ok=True)
                continue
            path.write_bytes(card(browser, *title_of(page), figure))
            total += path.stat().st_size
            print(f"{path.stat().st_size / 1e3:5.1f} KB  {path.relative_to(ROOT)}", flush=True)
        style = (
            "<style>body { background: #fbfaf7; margin: 0; padding: 34px } svg { display: block; width: 112px }</style>"
        )
        (ASSETS / "touch-icon.png").write_bytes(drawn(browser, style + BARS, 180, 180))
        browser.close()
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="names of pages; all when left out")
    print(f"{draw_cards(parser.parse_args().pages) / 1e3:.0f} KB")
