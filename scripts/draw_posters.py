"""Draw the still pictures that stand in for moving figures where no scripts run: book/assets/posters/NAME.webp.

    python scripts/draw_posters.py           # every figure of the chapters, and the front page's
    python scripts/draw_posters.py live      # some

What is drawn is the figure as the chapters store it, at rest, in the light, on its own card; so it reads in the dark,
too. Draw anew when a figure looks different: nothing else asks for it.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import runpy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import execute_notebooks
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from senet_edu.explorables.lib.scripts import in_a_page, with_scripts

ROOT = Path(__file__).resolve().parents[1]
BOOK, POSTERS = ROOT / "book", ROOT / "book" / "assets" / "posters"
FORMS = {"guess", "prediction", "verdict"}
"""Figures that only ask and answer: their words say it all."""
LARGEST, SIZES = 12_000, ((680, 60), (680, 40), (680, 25), (560, 30), (480, 30), (400, 30))  # bytes; width, quality
BUSY = 4000  # milliseconds that a figure has to come to rest: networks answer, photographs are drawn
PAGE = """<!doctype html><html data-theme="light" data-mode="light"><meta charset="utf-8">
<link rel="stylesheet" href="{css}"><style>body {{ font-family: sans-serif; margin: 0; padding: 8px }}</style>
<main class="bd-content"><h1>A page</h1><h2>A section</h2>{html}</main>"""


def figures() -> Iterator[tuple[str, str]]:
    """Name and HTML of each moving figure that the book shows."""
    networks = runpy.run_path(str(BOOK / "_ext" / "networks.py"))

    def filled(element: re.Match[str]) -> str:
        return element[0].replace("></", f">{networks['exported'](element[1])}</")

    pages = [(ROOT / "book" / "assets" / "lamp_hero.html").read_text(encoding="utf-8")]
    for path in sorted(BOOK.glob("*.ipynb")):
        outputs = [output for cell in execute_notebooks.read(path).cells for output in cell.get("outputs", [])]
        pages += [output.get("data", {}).get("text/html", "") for output in outputs]
    for html in pages:
        if (match := re.match(r"\s*<se-([a-z-]+)", html)) and match[1] not in FORMS:
            yield match[1], networks["NETWORK"].sub(filled, html)


def compress(png: bytes) -> bytes:
    """A picture as WebP, the best that fits into the size that is allowed.

    Raises:
        ValueError: none does.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for width, quality in SIZES:
        out = io.BytesIO()
        small = image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
        small.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= LARGEST:
            return out.getvalue()
    raise ValueError(f"the poster takes {out.tell():,} bytes, {LARGEST:,} are allowed")


def draw(browser: Browser, name: str, html: str, folder: Path) -> bytes:
    body = with_scripts(html, lambda script: f"<script>{in_a_page(script)}</script>")
    path = folder / f"{name}.html"
    css = (BOOK / "assets" / "custom.css").as_uri()
    path.write_text(PAGE.format(css=css, html=body), encoding="utf-8", newline="\n")
    page = browser.new_page(viewport={"width": 960, "height": 900}, reduced_motion="reduce")
    page.goto(path.as_uri())
    page.wait_for_timeout(BUSY)
    picture = page.locator(f"se-{name}").screenshot(animations="disabled", timeout=120_000)
    page.close()
    return compress(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="figures; all by default")
    found = dict(figures())
    names = parser.parse_args().names or list(found)
    if unknown := set(names) - set(found):
        sys.exit(f"names must be of {', '.join(found)}; got {', '.join(sorted(unknown))}")
    POSTERS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        own = os.environ.get("CHROMIUM")
        browser = playwright.chromium.launch(executable_path=own, args=["--no-sandbox", "--disable-gpu"])
        for name in names:
            content = draw(browser, name, found[name], Path(folder))
            (POSTERS / f"{name}.webp").write_bytes(content)
            print(f"{name}: {len(content):,} bytes", flush=True)


if __name__ == "__main__":
    main()
