"""Lines of text: how long they are, and where they break."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

PROSE = ["index", "ten_minutes", "00_one_minute", "01_why_channels", "05_inside_resnet", "07_does_it_help", "questions"]

# Prose whose lines have more than 80 characters on average. A formula has its own characters, and is left out.
LINES = """() => {
  const long = [];
  for (const block of document.querySelectorAll("main :is(p, li)")) {
    if (!block.checkVisibility() || block.closest("pre, table") || block.querySelector("p, svg, .math")) continue;
    const lines = Math.max(1, Math.round(block.offsetHeight / parseFloat(getComputedStyle(block).lineHeight)));
    if (block.innerText.length / lines > 80) long.push(block.innerText.slice(0, 80));
  }
  return long;
}"""


@pytest.fixture
def opened(site: Path, page_factory: Callable[..., Page]) -> Callable[..., Page]:
    def open_page(name: str, width: int = 1440) -> Page:
        page = page_factory(width, 900)
        page.goto((site / f"{name}.html").as_uri())
        return page

    return open_page


@pytest.mark.parametrize("name", PROSE)
def test_no_line_of_prose_is_longer_than_80_characters(opened: Callable[..., Page], name: str) -> None:
    page = opened(name)
    assert page.evaluate(LINES) == []


def test_what_a_cell_concludes_is_as_wide_as_the_text(opened: Callable[..., Page]) -> None:
    page = opened("02_squeeze")
    widths = page.locator(".cell_output > p").evaluate_all("all => all.map((one) => one.offsetWidth)")
    assert widths and max(widths) <= 640


def test_code_is_cut_only_where_it_is_wider_than_the_column(opened: Callable[..., Page]) -> None:
    page = opened("07_does_it_help")
    sizes = "all => all.map((pre) => [pre.scrollWidth - pre.clientWidth, pre.parentElement.offsetWidth])"
    for cut, width in page.locator(".cell pre").evaluate_all(sizes):
        assert cut <= 1 or width >= 970, (cut, width)


@pytest.mark.parametrize("name", ["00_one_minute", "02_squeeze", "05_inside_resnet"])
def test_a_measure_stays_in_one_line(site: Path, name: str) -> None:
    body = (site / f"{name}.html").read_text(encoding="utf-8").partition("<main")[2]
    prose = re.sub(r"<(pre|script|code|details)\b.*?</\1>", "", body, flags=re.DOTALL)
    prose = re.sub(r"<se-.*?</se-[a-z-]+>", "", prose, flags=re.DOTALL)
    assert re.findall(r"\d\N{NO-BREAK SPACE}[%×]", prose)
    assert re.findall(r">[^<]*\d [%×][^<]*<", prose) == []


@pytest.mark.parametrize("width", [360, 820, 1440])
def test_code_and_its_comma_stay_in_one_line(opened: Callable[..., Page], width: int) -> None:
    page = opened("03_excitation", width)
    kept = page.locator("main .kept")
    assert kept.count() > 10
    parted = """all => all.filter((one) => {
      const box = one.querySelector("code, .math").getBoundingClientRect(), last = one.lastChild;
      if (last.nodeType !== Node.TEXT_NODE) return false;
      const range = document.createRange();
      range.selectNode(last);
      return range.getBoundingClientRect().top > box.bottom;
    }).map((one) => one.textContent)"""
    assert kept.evaluate_all(parted) == []


def test_names_in_a_table_are_not_broken(opened: Callable[..., Page]) -> None:
    page = opened("10_relatives", 360)
    heights = page.locator("td code").evaluate_all("all => all.map((one) => one.getClientRects().length)")
    assert heights and max(heights) <= 2
    single = "all => all.filter((one) => !/[ .]/.test(one.textContent)).map((one) => one.offsetHeight)"
    assert max(page.locator("td code").evaluate_all(single)) < 32
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [360, 820])
def test_a_short_cell_and_a_formula_in_a_table_stay_in_one_line(opened: Callable[..., Page], width: int) -> None:
    page = opened("07_does_it_help", width)
    lines = "(all) => all.map((one) => one.getBoundingClientRect().height)"
    interval = page.locator("td").filter(has_text=re.compile(r"^−0.053 ± 0.002$"))
    assert interval.evaluate_all("(all) => all.map((one) => getComputedStyle(one).whiteSpace)") == ["nowrap"]
    page = opened("10_relatives", width)
    page.locator("td .katex-html").first.wait_for(state="attached")
    heights = page.locator("td .katex-html").filter(has_text=re.compile(r"^C×H×W$")).evaluate_all(lines)
    assert heights and max(heights) < 30


def test_on_a_phone_the_number_of_an_equation_stands_below_it(opened: Callable[..., Page]) -> None:
    page = opened("02_squeeze", 360)
    number = page.locator(".katex-tag").first
    number.wait_for()
    # KaTeX lays it over the right end of its line, and so over a formula as wide as the page
    assert number.evaluate("(e) => [getComputedStyle(e).position, getComputedStyle(e).display]") == ["static", "block"]


def test_no_row_of_the_front_page_holds_a_single_card(opened: Callable[..., Page]) -> None:
    page = opened("index", 820)
    tops = "(list) => [...list.children].map((one) => Math.round(one.getBoundingClientRect().top))"
    groups = page.locator(".se-doors, .se-chapters > ul")
    for group in groups.all()[:1] + groups.all()[2:]:  # the first group of chapters is one chapter
        found = group.evaluate(tops)
        assert min(map(found.count, found)) > 1


@pytest.mark.parametrize("name", ["02_squeeze", "03_excitation", "04_rescale"])
def test_a_chapter_s_figure_begins_high(site: Path, page_factory: Callable[..., Page], name: str) -> None:
    page = page_factory(1280, 800)
    page.goto((site / f"{name}.html").as_uri())
    assert page.locator("se-block").first.bounding_box()["y"] <= 200
