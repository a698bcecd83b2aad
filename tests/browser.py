"""A headless Chromium for tests of pages and figures. conftest.py gives its fixtures to every test.

Nothing outside of this machine is reachable from it, and a page that asks, throws or logs an error fails its test.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from senet_edu.explorables.lib.scripts import in_a_page, with_scripts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[1]
AXE = Path(__file__).with_name("axe") / "axe.min.js"
LOCAL_HOSTS = ("localhost", "127.0.0.1")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, " + ", ".join(f"EXCLUDE {host}" for host in LOCAL_HOSTS),
]


ACTIONS = {
    "Locator": ("check", "click", "hover", "press", "select_option", "tap", "uncheck"),
    "Page": ("goto", "reload", "set_viewport_size"),
}


def chromium(own: str) -> str | None:
    """Path of a Chromium: $CHROMIUM, else the one that playwright installed (`own`), else one on the path."""
    installed = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome")]
    candidates = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else [own, *installed]
    return next((path for path in candidates if path and Path(path).exists()), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file, because playwright's event loop must not outlive them."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        path = chromium(playwright.chromium.executable_path)
        if path is None:
            pytest.skip("no Chromium: install one, set CHROMIUM=path, or run `playwright install chromium`")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with pytest.MonkeyPatch.context() as patch:
            for kind, names in ACTIONS.items():
                for name in names:
                    actor = getattr(sync_api, kind)
                    patch.setattr(actor, name, then_drawn(getattr(actor, name), sync_api.Error))
            patch.setattr(sync_api.Locator, "bounding_box", patiently(sync_api.Locator.bounding_box))
            yield browser
        browser.close()


def then_drawn(action: Callable[..., Any], elsewhere: type[Exception]) -> Callable[..., Any]:
    """An action, and the frames in which a figure draws what it did, so that no test reads too early."""

    @wraps(action)
    def act(actor: Locator | Page, *arguments: Any, **options: Any) -> Any:
        result = action(actor, *arguments, **options)
        with suppress(elsewhere):  # the action led to another page
            drawn(getattr(actor, "page", actor))
        return result

    return act


def patiently(measure: Callable[..., Any]) -> Callable[..., Any]:
    """A box of an element that a figure may just be drawing anew: what is gone for a frame is looked for again."""

    @wraps(measure)
    def act(locator: Locator, **options: Any) -> Any:
        box = measure(locator, **options)
        for _ in range(3):
            if box is None:
                drawn(locator.page)
                box = measure(locator, **options)
        return box

    return act


def watch(page: Page) -> None:
    """Keep in `page.problems` what the page does wrong: asks another host, throws, logs an error."""
    page.problems = []

    def asked(request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOCAL_HOSTS:
            page.problems.append(f"asks another host: {request.url}")

    def logged(message: Any) -> None:
        if message.type == "error":
            page.problems.append(f"logs an error: {message.text} ({message.location.get('url')})")

    page.context.on("request", asked)
    page.on("console", logged)
    page.on("pageerror", lambda error: page.problems.append(f"throws: {error}"))


@pytest.fixture
def page_factory(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own: page_factory(width=1280, height=900, dark=False, reduced_motion=True).

    More keyword arguments go to playwright's new_context. At the end of the test no page may have `problems`; a test
    that provokes one on purpose clears the list.
    """
    contexts, pages = [], []

    def new_page(
        width: int = 1280, height: int = 900, *, dark: bool = False, reduced_motion: bool = True, **options: Any
    ) -> Page:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            **options,
        )
        contexts.append(context)
        context.add_init_script(f"try {{ localStorage.mode = localStorage.theme = '{scheme}' }} catch {{}}")
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch(page)
        pages.append(page)
        return page

    yield new_page
    problems = [problem for page in pages for problem in page.problems]
    for context in contexts:
        context.close()
    assert problems == [], problems


TOKENS = json.loads((ROOT / "senet_edu" / "tokens.json").read_text(encoding="utf-8"))


def signed_colors(values: np.ndarray, theme: str = "light") -> np.ndarray:
    """Red, green and blue, 0 to 255 and not rounded, of signed numbers: the shape of `values`, then 3."""
    stops = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in TOKENS["signed"][theme]])
    places = np.linspace(-1, 1, len(stops))
    return np.stack([np.interp(values, places, stops[:, channel]) for channel in range(3)], axis=-1)


FIGURE_PAGE = """\
<!doctype html>
<html lang="en" data-theme="{theme}" data-mode="{theme}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A figure</title><link rel="icon" href="data:,"><link rel="stylesheet" href="{css}">
<style>
  body {{ font-family: sans-serif; margin: 0; padding: 16px }}
  html[data-theme="light"] {{ background: #fff; color: #222832; color-scheme: light }}
  html[data-theme="dark"] {{ background: #14181e; color: #ced6dd; color-scheme: dark }}
</style>
<main class="bd-content"><h1>A page</h1><h2>A section</h2>
<div class="cell_output"><div class="output text_html">{html}</div></div></main>
</html>
"""


@pytest.fixture
def figure_page(page_factory: Callable[..., Page], tmp_path: Path) -> Callable[..., Page]:
    """Open a figure's element as a page of the book does, from a file: figure_page(html, link="lamp=1", …)."""

    def open_figure(
        html: str, width: int = 800, height: int = 900, *, dark: bool = False, link: str = "", **options: Any
    ) -> Page:
        path = tmp_path / f"figure{len(list(tmp_path.glob('figure*.html')))}.html"
        css = (ROOT / "book" / "assets" / "custom.css").as_uri()
        body = with_scripts(html, lambda name: f"<script>{in_a_page(name)}</script>")
        path.write_text(FIGURE_PAGE.format(theme="dark" if dark else "light", css=css, html=body), encoding="utf-8")
        page = page_factory(width, height, dark=dark, **options)
        page.goto(path.as_uri() + (link and f"#{link}"))
        return page

    return open_figure


DRAWN = """async () => {
  await new Promise((done) => setTimeout(done)); // what an event has asked for
  for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame);
}"""


def drawn(page: Page) -> None:
    """Wait until a figure has drawn what was done to it: it draws in the next frame."""
    page.evaluate(DRAWN)


def wait_until_said(page: Page, tag: str, *parts: str) -> str:
    """Wait until a figure has said all of the parts to screen readers, a moment after the last change; what it said."""
    said = "([tag, parts]) => { const text = document.querySelector(tag).shadowRoot.querySelector('[aria-live]')"
    said += ".textContent; return parts.every((part) => text.includes(part)) && text; }"
    return page.wait_for_function(said, arg=[tag, list(parts)]).json_value()


CUT = """(tag) => {
  const host = document.querySelector(tag), root = host.shadowRoot;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const cut = [];
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent?.checkVisibility({ visibilityProperty: true })) continue;
    if (parent.closest("style, script, .hidden, legend, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, width } = range.getBoundingClientRect();
    if (width <= 1) continue;
    const box = host.getBoundingClientRect();
    let [from, to] = [box.left, box.right];
    for (let one = parent; one && one !== root; one = one.parentNode) {
      const { overflowX, display } = getComputedStyle(one);
      if (/auto|scroll/.test(overflowX)) break;
      if (!/hidden|clip/.test(overflowX) || display === "contents") continue;
      const edge = one.getBoundingClientRect();
      [from, to] = [Math.max(from, edge.left), Math.min(to, edge.right)];
    }
    if (left < from - 1 || right > to + 1)
      cut.push(`${node.data.trim().slice(0, 60)}: ${left} to ${right} in ${from} to ${to}`);
  }
  return cut;
}"""


def cut(page: Page, tag: str) -> list[str]:
    """Texts of a figure that what they stand in cuts off, or that run over its edge. What scrolls cuts nothing."""
    return page.evaluate(CUT, tag)


RUN_AXE = """async (include) => {
  const { violations } = await axe.run(include ?? document, { resultTypes: ["violations"], preload: false });
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) =>
    `${id}: ${help}: ${node.target.join(" ")} ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`));
}"""


def violations(page: Page, include: str | None = None) -> list[str]:
    """What axe-core finds wrong with a page, or with what a CSS selector includes."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(RUN_AXE, include)


@pytest.fixture
def axe() -> Callable[..., list[str]]:
    return violations
