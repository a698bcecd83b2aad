"""What all figures share, `lib/core.js`, in a browser: colors, packed numbers, link, theme, errors, projector."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import TOKENS, drawn, signed_colors

from senet_edu.explorables import Placement, Squeeze
from senet_edu.explorables.lib import scripts
from senet_edu.explorables.lib.base import pack
from senet_edu.explorables.lib.scripts import in_a_page, needed

CORE = "".join(map(in_a_page, needed("lib/core.js")))
FIGURE = """<se-test role="group" aria-label="A figure"><script type="application/json">{data}</script>
<p>What the figure shows.</p></se-test><script>SE["lib/core.js"].figure("se-test", {setup});</script>"""


@pytest.fixture
def core_page(figure_page: Callable, tmp_path: Path) -> Callable[..., Any]:
    """A page with a figure that is made for the test: core_page(setup, data, **options of figure_page)."""

    def open_page(setup: str = "() => {}", data: Any = None, **options: Any) -> Any:
        html = FIGURE.format(data=json.dumps(data), setup=f"(root, data, self) => ({setup})(root, data, self)")
        return figure_page(f"<script>{CORE}</script>{html}", **options)

    return open_page


# Colors


def rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colors_are_those_of_the_tokens(core_page: Callable, theme: str) -> None:
    page = core_page(dark=theme == "dark")
    names = [f"--{name}" for name in TOKENS[theme]]
    found = page.evaluate("names => names.map((name) => document.querySelector('se-test').color(name))", names)
    assert found == list(TOKENS[theme].values())
    t = np.linspace(0, 1, 41)
    gates = page.evaluate("t => t.map(SE['lib/core.js'].colors.gate)", t.tolist())
    stops = np.array([rgb(color) for color in TOKENS["gate"]])
    wanted = [np.interp(t, np.linspace(0, 1, len(stops)), stops[:, k]) for k in range(3)]
    np.testing.assert_allclose(gates, np.stack(wanted, axis=1), atol=0.5)
    u = np.linspace(-1.2, 1.2, 49)
    signed = page.evaluate("u => u.map(SE['lib/core.js'].colors.signed)", u.tolist())
    np.testing.assert_allclose(signed, signed_colors(u, theme), atol=0.5)
    assert signed[24] == rgb(TOKENS[theme]["card"]), "zero is the card"


def test_no_figure_has_colors_of_its_own() -> None:
    """But for the paints of the drawing pad, the colors of the lamp, and black and white on pictures."""
    literal = re.compile(r"#(?!(?:000|fff)[0-9a-f]?\b)[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl)a?\(\d")
    paths = [*scripts.FIGURES.rglob("*.js"), *scripts.FIGURES.rglob("*.css")]
    found = {path.name: literal.findall(path.read_text(encoding="utf-8")) for path in paths}
    assert len(found.pop("picture.js")) == 10
    assert {name for name, colors in found.items() if colors and not name.startswith("lamp")} == set()


def test_every_property_that_a_style_uses_is_there() -> None:
    texts = [path.read_text(encoding="utf-8") for kind in ("*.js", "*.css") for path in scripts.FIGURES.rglob(kind)]
    used = {name for text in texts for name in re.findall(r"var\(--([\w-]+)", text)}
    set_here = {name for text in texts for name in re.findall(r"--([\w-]+)[\"']?[:,]", text)}
    assert used - set_here - set(TOKENS["light"]) == set()
    assert set(TOKENS["light"]) == set(TOKENS["dark"])


def test_the_favicon_has_the_colors_of_the_tokens(root: Path) -> None:
    icon = (root / "book" / "assets" / "favicon.svg").read_text(encoding="utf-8")
    known = {*TOKENS["light"].values(), *TOKENS["dark"].values(), *TOKENS["gate"]}
    assert set(re.findall(r"#\w+", icon)) <= known


def test_no_line_is_longer_than_120_characters(root: Path) -> None:
    book = root / "book" / "assets"
    paths = [*scripts.FIGURES.rglob("*.js"), *scripts.FIGURES.rglob("*.css"), *book.glob("*.js"), *book.glob("*.css")]
    assert len(paths) > 30
    long = [p.name for p in paths for line in p.read_text(encoding="utf-8").splitlines() if len(line) > 120]
    assert long == []


# Numbers


@pytest.mark.parametrize(
    ("values", "per", "kind"),
    [
        (np.arange(24).reshape(2, 3, 4), 1, "uint8"),
        (np.linspace(-1, 1, 7), 100, "int8"),
        (np.random.default_rng(0).normal(size=(3, 5)), 1000, "int16"),
        ([0.5, 1], 10_000, "int16"),
    ],
)
def test_numbers_come_out_as_they_were_packed(core_page: Callable, values: Any, per: int, kind: str) -> None:
    packed = pack(values, per)
    assert packed["type"] == kind
    out = core_page().evaluate("packed => SE['lib/core.js'].unpack(packed)", json.loads(json.dumps(packed)))
    np.testing.assert_array_equal(out, np.rint(np.asarray(values) * per) / per)


@pytest.mark.parametrize(
    ("values", "per", "message"),
    [
        ([], 1, "at least one"),
        ([1, np.nan], 1, "finite"),
        ([np.inf], 1, "finite"),
        ([40], 1000, r"values times 1000 must lie in -32768 to 32767, got up to 40000"),
        ([1], 0, "per must be a positive integer, got 0"),
        ([1], 1.5, "per must be a positive integer, got 1.5"),
    ],
)
def test_what_cannot_be_packed_is_refused(values: list, per: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(values, per)


def test_numbers_are_written_with_a_true_minus(core_page: Callable) -> None:
    page = core_page()
    both = "([v, d]) => [SE['lib/core.js'].number(v, d), SE['lib/core.js'].signed(v, d)]"
    minus = "\N{MINUS SIGN}"
    assert page.evaluate(both, [-1.25, 1]) == [f"{minus}1.3"] * 2
    assert page.evaluate(both, [-0.004, 2]) == ["0.00"] * 2
    assert page.evaluate(both, [0.5, 1]) == ["0.5", "+0.5"]


# The link

LINK = """(root, data, self) => {
  const { link } = SE["lib/core.js"];
  self.seen = [];
  link.follow("test", (value) => {
    if (value === "broken") throw new Error("not to be read");
    self.seen.push(value);
  });
}"""
SEEN = "document.querySelector('se-test').seen"


def go(page: Any, hash: str) -> list[str]:
    """What the figure was told, after the address has got another hash."""
    page.evaluate(
        "hash => new Promise((done) => { addEventListener('hashchange', () => setTimeout(done), { once: true }); "
        "location.hash = hash; })",
        hash,
    )
    return page.evaluate(SEEN)


def test_an_anchor_stays_and_takes_nothing_away(core_page: Callable) -> None:
    page = core_page(LINK)
    write = "([name, value]) => { SE['lib/core.js'].link.set(name, value); return location.hash; }"
    assert go(page, "recap") == []
    assert page.evaluate("location.hash") == "#recap", "nothing is written before something was done"
    assert page.evaluate(write, ["test", "a,b c"]) == "#recap&test=a,b%20c"
    assert page.evaluate(write, ["other", "1"]) == "#recap&test=a,b%20c&other=1"
    assert go(page, "quiz") == [], "a link to a heading changes no figure"
    assert page.evaluate(write, ["test", "two"]) == "#quiz&test=two"
    assert page.evaluate(write, ["test", None]) == "#quiz"


def test_a_state_is_told_once_and_a_broken_one_is_ignored(core_page: Callable) -> None:
    page = core_page(LINK)
    assert go(page, "test=one") == ["one"]
    assert go(page, "recap&test=one&x=1") == ["one"], "the same again"
    assert go(page, "test=broken") == ["one"]
    assert go(page, "test=%E0%A4%A") == ["one"], "no text at all"
    assert go(page, "test=two%2C%203") == ["one", "two, 3"]


def test_what_a_figure_has_written_is_not_told_to_it(core_page: Callable) -> None:
    page = core_page(LINK)
    page.evaluate("SE['lib/core.js'].link.set('test', 'mine')")
    assert go(page, "recap&test=mine") == []
    assert go(page, "test=yours") == ["yours"]


# Theme, paper, errors, projector


PAPER = """(root, data, self) => {
  self.drawn = [];
  self.ontheme = SE["lib/core.js"].frame(() => self.drawn.push(self.color("--card")));
}"""


def test_a_figure_on_paper_is_light_and_drawn_at_once(core_page: Callable) -> None:
    page = core_page(PAPER, dark=True)
    told = """(event) => {
      dispatchEvent(new Event(event));
      const self = document.querySelector("se-test");
      return [self.getAttribute("theme"), self.drawn.at(-1)];
    }"""
    assert page.evaluate(told, "beforeprint") == ["light", TOKENS["light"]["card"]]
    assert page.evaluate(told, "afterprint")[0] == "dark"
    drawn(page)
    assert page.evaluate("document.querySelector('se-test').drawn.at(-1)") == TOKENS["dark"]["card"]


def test_a_figure_that_stops_says_so_and_can_be_tried_again(core_page: Callable, axe: Callable) -> None:
    page = core_page(
        "(root) => { globalThis.tries = (globalThis.tries ?? 0) + 1; if (globalThis.tries < 2) throw new Error("
        "'no numbers'); root.append(SE['lib/core.js'].h('p', {}, 'It runs.')); }"
    )
    host = page.locator("se-test")
    assert host.get_by_role("alert").inner_text() == "This figure stopped: no numbers. The text does not need it."
    assert page.get_by_text("What the figure shows.").is_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Try again").click()
    assert page.get_by_text("It runs.").is_visible()
    assert host.get_by_role("alert").count() == 0


def test_a_figure_stands_alone_for_a_projector(figure_page: Callable, axe: Callable) -> None:
    page = figure_page(f"<p>text</p>{Squeeze().element()}", width=1000)
    host, button = page.locator("se-squeeze"), page.get_by_role("button", name="This figure alone")
    before = host.bounding_box()
    button.click()
    assert host.bounding_box() == {"x": 0, "y": 0, "width": 1000, "height": 900}
    assert page.evaluate("location.hash") == "#only=squeeze"
    assert axe(page) == []
    page.keyboard.press("Escape")
    assert host.bounding_box() == before
    assert page.evaluate("location.hash") == ""
    page.evaluate("location.hash = 'only=squeeze'")
    page.wait_for_function("document.querySelector('se-squeeze').matches(':popover-open')")
    page.evaluate("location.hash = 'only=other'")
    page.wait_for_function("!document.querySelector('se-squeeze').matches('[only]')")


def test_a_link_names_one_of_the_pages_figures(figure_page: Callable) -> None:
    """Not only the first that the page comes to; and from one to another nothing is left over."""
    page = figure_page(f"<p>text</p>{Squeeze().element()}{Placement().element()}", width=1000)
    alone = "name => [...document.querySelectorAll('[only]')].map((e) => e.localName).join() === name"
    for name in ("placement", "squeeze", "placement", ""):
        page.evaluate("name => { location.hash = name && `only=${name}` }", name)
        page.wait_for_function(alone, arg=name and f"se-{name}")
        assert page.evaluate("location.hash") == (name and f"#only={name}")
        assert page.locator("[only]:popover-open").count() == bool(name)


def test_what_goes_on_ends_with_the_element(core_page: Callable) -> None:
    page = core_page("(root, data, self) => { self.ends = 0; self.onend = () => self.ends++; }")
    act = "async () => { const one = document.querySelector('se-test'); one.{}; await null; return one.ends; }"
    assert page.evaluate(act.replace("one.{}", "document.body.append(one)")) == 0, "it was only moved"
    assert page.evaluate(act.replace("{}", "remove()")) == 1
