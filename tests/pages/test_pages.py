"""The built book in a browser: every page carries all that it needs, on any screen, for everybody.

Each page is opened once; each test asks for one property of it. `SENET_EDU_PAGES=_build/html` in the environment takes
pages that are built already, otherwise they are built anew.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml
from browser import violations, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Serve = Callable[[Path], AbstractContextManager[str]]
ROOT = Path(__file__).resolve().parents[2]
TEXT = (".html", ".css", ".js", ".svg", ".json")
SCREEN = {"width": 1280, "height": 900}
LIMIT = 600_000  # bytes of a page with all that it loads, text compressed
RUNS_A_NETWORK = ("ten_minutes", "00_one_minute", "02_squeeze", "03_excitation", "04_rescale")  # its file, 0.56 MB
LIMITS = {"index": 200_000, **dict.fromkeys(RUNS_A_NETWORK, 1_000_000)}


def contents() -> list[str]:
    table = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    return [table["root"], *(chapter["file"] for part in table["parts"] for chapter in part["chapters"])]


PAGES = [*contents(), "search"]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=SCREEN, reduced_motion="reduce") as context:
        yield context


# One look at a page


@dataclass
class Visit:
    """What was seen of one page."""

    problems: list[str]  # from the server: what watch() notices
    as_file: list[str]  # opened as a file: the same, and equations that are not set
    files: set[str]  # what was loaded, as paths
    references: list[str]  # values of href and src
    ids: set[str]
    facts: dict[str, Any]
    too_wide: dict[int, list[str]]  # by width of the screen
    violations: dict[str, list[str]]  # of accessibility


FACTS = r"""() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const start = (element) => element.outerHTML.slice(0, 160);
  const figures = all("[role=group]").filter((e) => e.localName.startsWith("se-"));
  const prose = document.querySelector("main")?.cloneNode(true) ?? document.createElement("p");
  for (const element of prose.querySelectorAll("pre, code, script, style, .katex")) element.remove();
  return {
    lang: document.documentElement.lang,
    h1: all("h1").filter((h1) => h1.checkVisibility()).map((h1) => h1.innerText),
    images: all("img").filter((i) => i.checkVisibility() && (!i.complete || !i.naturalWidth)).map(start),
    alt: all("img").filter((i) => i.alt.trim().length < 3 || /\.(png|svg|jpg)$/.test(i.alt)).map(start),
    equations: all("span.math, div.math").length,
    unset: all("span.math, div.math").filter((e) =>
      !e.querySelector("annotation") || !e.querySelector(".katex-html") || e.querySelector(".katex-error")).map(start),
    raw: prose.textContent.match(/\\[()[\]]|\$\$|\\[a-z]+[{_^]/g) ?? [],
    figures: figures.length,
    still: figures.filter((e) => !e.shadowRoot || e.shadowRoot.querySelector("[role=alert]")).map(start),
    references: all("[href], [src]").map((e) => e.getAttribute("href") ?? e.getAttribute("src")),
    ids: all("[id]").map((e) => e.id),
  };
}"""
TOO_WIDE = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const all = [...document.querySelectorAll("body *")];
  const wide = all.filter((e) => e.getBoundingClientRect().right > clientWidth + 1);
  return [`the page is ${scrollWidth} px wide`, ...wide.slice(-5).map((e) => e.outerHTML.slice(0, 160))];
}"""
UNFOLD = """async () => {
  await document.fonts.ready;
  for (const details of document.querySelectorAll("details")) details.open = true;
  const shown = [...document.images].filter((image) => image.checkVisibility());
  for (const image of shown) image.loading = "eager"; // as if the reader had scrolled to it
  await Promise.all(shown.map((image) => image.decode().catch(() => {})));
  await new Promise((done) => setTimeout(done, 100));
}"""
# Most of what axe would look at are equal pieces of code, and glyphs that only show what the MathML beside them says:
# one of each kind is enough, in a quarter of the time.
THIN_OUT = """() => {
  const seen = new Set();
  for (const piece of document.querySelectorAll("pre span[class]"))
    if (seen.has(piece.className)) piece.replaceWith(...piece.childNodes);
    else seen.add(piece.className);
  for (const glyphs of document.querySelectorAll(".katex-html")) glyphs.textContent = "x";
  document.normalize();
}"""


def look(context: BrowserContext, address: str, folder: Path, name: str) -> Visit:
    """Open a page, with everything on it unfolded: from a server, light and wide; as a file, dark and on a phone."""
    page = context.new_page()
    watch(page)
    files: set[str] = set()
    page.on("request", lambda request: files.add(unquote(urlsplit(request.url).path).lstrip("/")))
    found, too_wide = {}, {}
    page.goto(f"{address}{name}.html", wait_until="load")
    page.evaluate(UNFOLD)
    facts = page.evaluate(FACTS)
    page.evaluate(THIN_OUT)
    found["light"] = violations(page)
    page.set_viewport_size({"width": 768, "height": 800})
    too_wide[768] = page.evaluate(TOO_WIDE)
    problems, files = page.problems.copy(), files.copy()
    page.problems.clear()
    page.set_viewport_size({"width": 320, "height": 800})
    page.emulate_media(color_scheme="dark")
    page.goto((folder / f"{name}.html").as_uri(), wait_until="load")
    page.evaluate(UNFOLD)
    too_wide[320] = page.evaluate(TOO_WIDE)
    as_file = page.problems + page.evaluate(FACTS)["unset"]
    page.evaluate(THIN_OUT)
    found["dark"] = violations(page)
    page.close()
    references, ids = facts.pop("references"), set(facts.pop("ids"))
    return Visit(problems, as_file, files, references, ids, facts, too_wide, found)


@pytest.fixture(scope="module")
def address(site: Path, serve: Serve) -> Iterator[str]:
    """Where the book is served."""
    with serve(site) as address:
        yield address


@pytest.fixture(scope="module")
def visit(browser: Browser, site: Path, address: str) -> Callable[[str], Visit]:
    """A look at each page, once."""
    visits: dict[str, Visit] = {}

    def cached(name: str) -> Visit:
        if name not in visits:
            with browser.new_context(viewport=SCREEN, reduced_motion="reduce") as context:
                visits[name] = look(context, address, site, name)
        return visits[name]

    return cached


# What is asked of a page: what was seen of it and the folder in, what is wrong with it out


def compressed(path: Path) -> int:
    data = path.read_bytes()
    return len(gzip.compress(data)) if path.suffix in TEXT else len(data)


def weight(seen: Visit, folder: Path) -> int:
    """Bytes of a page with all that it loads, text compressed."""
    return sum(compressed(folder / file) for file in seen.files if (folder / file).is_file())


def dead(seen: Visit, folder: Path) -> list[str]:
    """Links within the book that lead nowhere."""
    lost = []
    for reference in seen.references:
        if urlsplit(reference).scheme or reference.startswith("//"):
            continue
        path, fragment = urldefrag(reference)
        target = folder / unquote(urlsplit(path).path)
        if not path:
            ids = seen.ids | {"", "top"}
        elif target.suffix == ".html" and target.exists():
            text = target.read_text(encoding="utf-8")
            ids = {
                "",
                *re.findall(r'\bid="([^"]+)"', text),
                *(f"only={name}" for name in re.findall(r"<se-([\w-]+)", text)),
            }
        else:
            ids = {""} if target.exists() else set()
        if unquote(fragment) not in ids:
            lost.append(reference)
    return lost


every_page = pytest.mark.parametrize("name", PAGES)


@every_page
def test_page_loads_and_asks_no_other_host(visit: Callable[[str], Visit], name: str) -> None:
    assert visit(name).problems == []


@every_page
def test_page_works_as_a_file(visit: Callable[[str], Visit], name: str) -> None:
    assert visit(name).as_file == []


@every_page
def test_links_within_the_book_lead_somewhere(visit: Callable[[str], Visit], site: Path, name: str) -> None:
    assert len(visit(name).references) > 20
    assert dead(visit(name), site) == []


@every_page
def test_images_are_shown_and_described(visit: Callable[[str], Visit], name: str) -> None:
    facts = visit(name).facts
    assert facts["images"] + facts["alt"] == []


@every_page
def test_page_has_a_language_and_one_title(visit: Callable[[str], Visit], name: str) -> None:
    assert visit(name).facts["lang"] == "en"
    assert len(visit(name).facts["h1"]) == 1


@every_page
def test_every_equation_is_set(visit: Callable[[str], Visit], name: str) -> None:
    facts = visit(name).facts
    assert facts["unset"] + facts["raw"] == []


@every_page
def test_page_loads_the_typesetter_only_for_equations(visit: Callable[[str], Visit], name: str) -> None:
    assert ("_static/katex/katex.min.js" in visit(name).files) == (visit(name).facts["equations"] > 0)


@every_page
def test_every_figure_moves_and_its_scripts_come_once(visit: Callable[[str], Visit], site: Path, name: str) -> None:
    """In few files: what all figures share, and one for what each figure needs beyond that."""
    assert visit(name).facts["still"] == []
    files = [site / file for file in visit(name).references if file.startswith("_static/explorables/")]
    defined = [
        found for file in files for found in re.findall(r"^SE\[(.+?)\] = ", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(set(defined)) == len(defined) and ('"lib/core.js"' in defined) == (visit(name).facts["figures"] > 0)
    assert len(files) <= 1 + visit(name).facts["figures"]


STOPS = "document.querySelectorAll(':is(span.math, .tex)[tabindex]').length"


def test_only_an_equation_that_scrolls_is_a_stop_of_the_keyboard(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    for name in ("notation", "06_learning_to_gate"):
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate(UNFOLD)
        assert page.evaluate(STOPS) == 0, name
    page.set_viewport_size({"width": 320, "height": 800})
    page.wait_for_function(f"{STOPS} > 0")


def test_the_notation_has_equations(visit: Callable[[str], Visit]) -> None:
    assert visit("notation").facts["equations"] > 30


@every_page
def test_page_never_scrolls_sideways(visit: Callable[[str], Visit], name: str) -> None:
    assert visit(name).too_wide == {320: [], 768: []}


@every_page
def test_page_is_light(visit: Callable[[str], Visit], site: Path, name: str) -> None:
    assert 20_000 < weight(visit(name), site) < LIMITS.get(name, LIMIT)


@pytest.mark.parametrize("theme", ["light", "dark"])
@every_page
def test_page_is_accessible(visit: Callable[[str], Visit], name: str, theme: str) -> None:
    assert visit(name).violations[theme] == []


def test_paper_is_light(context: BrowserContext, site: Path) -> None:
    page = context.new_page()
    page.add_init_script("localStorage.mode = localStorage.theme = 'dark'")
    page.goto((site / "02_squeeze.html").as_uri())
    theme = """async () => {
      await null; // the figure hears of it
      return [document.documentElement.dataset.theme, document.querySelector("se-squeeze").getAttribute("theme")];
    }"""
    assert page.evaluate(theme) == ["dark", "dark"]
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == ["light", "light"]
    assert not page.locator("header.bar").is_visible() and not page.locator("#contents").is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == ["dark", "dark"]


def test_the_search_finds_pages(context: BrowserContext, address: str) -> None:
    page = context.new_page()
    watch(page)
    page.goto(f"{address}search.html?q=bottleneck")
    page.locator("ul.search li a[href^='03_excitation.html']").first.wait_for()
    assert page.problems == []


@every_page
def test_the_index_is_loaded_only_to_be_searched(visit: Callable[[str], Visit], name: str) -> None:
    assert ("searchindex.js" in visit(name).files) == (name == "search")


# A page on which everything is wrong

BAD_PAGE = """<!doctype html>
<html><head><title>Bad</title><script src="https://example.org/script.js"></script></head>
<body><main>
<h1>One</h1><h1>Two</h1>
<img src="https://example.org/picture.png" alt="A picture from elsewhere"><img src="lost.png" alt="lost.png">
<img src="dot.svg">
<a href="nowhere.html">nowhere</a> <a href="#nothing">nothing</a> <a href="other.html#nothing">nothing</a>
<a href="other.html#here">here</a> <a href="https://example.org">elsewhere</a>
<span class="math">x^2</span> and \\(x\\) and \\tilde{x}
<p style="color: #aaa; background: #fff">Hard to read</p>
<se-nothing role="group" aria-label="A figure without its script"></se-nothing>
<div style="width: 900px">Wide</div>
<script>console.error("an error"); throw new Error("thrown");</script>
</main></body></html>"""


@pytest.fixture
def bad_site(tmp_path: Path) -> Path:
    (tmp_path / "bad.html").write_text(BAD_PAGE, encoding="utf-8")
    (tmp_path / "other.html").write_text('<p id="here">Here</p>', encoding="utf-8")
    dot = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    (tmp_path / "dot.svg").write_text(dot, encoding="utf-8")
    return tmp_path


def test_everything_wrong_is_noticed(context: BrowserContext, bad_site: Path, serve: Serve) -> None:
    with serve(bad_site) as address:
        seen = look(context, address, bad_site, "bad")
    for expected in ("script.js", "picture.png", "an error", "thrown", "lost.png"):
        assert any(expected in problem for problem in seen.problems), expected
        assert any(expected in problem for problem in seen.as_file), expected
    assert dead(seen, bad_site) == ["lost.png", "nowhere.html", "#nothing", "other.html#nothing"]
    assert seen.facts["lang"] == "" and len(seen.facts["h1"]) == 2
    assert len(seen.facts["images"]) == 2 and len(seen.facts["alt"]) == 2
    assert seen.facts["figures"] == 1 and "se-nothing" in seen.facts["still"][0]
    assert len(seen.facts["unset"]) == 1 and set(seen.facts["raw"]) == {"\\(", "\\)", "\\tilde{"}
    assert seen.too_wide[320] and seen.too_wide[768]
    for theme in ("light", "dark"):
        found = {violation.partition(":")[0] for violation in seen.violations[theme]}
        assert {"html-has-lang", "image-alt", "color-contrast"} <= found
    sizes = {name: compressed(bad_site / name) for name in ("bad.html", "dot.svg")}
    assert weight(seen, bad_site) == sum(sizes.values()) and sizes["bad.html"] < len(BAD_PAGE)


def test_a_good_page_has_no_violation(figure_page: Callable[..., Page], axe: Callable[..., list[str]]) -> None:
    """In the frame in which figures are tested, only the figure can be at fault."""
    for dark in (False, True):
        page = figure_page("<p>A figure</p>", dark=dark)
        assert axe(page) == []
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
