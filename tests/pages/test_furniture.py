"""The furniture of a page, operated: contents, sections, theme, folded answers, code to copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHAPTER = "02_squeeze.html"


@pytest.fixture
def chapter(site: Path, page_factory: Callable[..., Page]) -> Callable[..., Page]:
    def open_chapter(width: int = 1280, **options: bool) -> Page:
        page = page_factory(width, 800, **options)
        page.goto((site / CHAPTER).as_uri())
        return page

    return open_chapter


def test_contents_stand_beside_the_text_where_there_is_room(chapter: Callable[..., Page]) -> None:
    page = chapter()
    current = page.locator("#contents [aria-current=page]")
    assert current.is_visible() and current.inner_text().startswith("2")
    assert page.locator("main p").first.bounding_box()["width"] <= 640
    assert not page.locator(".menu").is_visible()


def test_contents_show_the_page_one_is_on(page_factory: Callable[..., Page], site: Path) -> None:
    page = page_factory(1280, 400)
    page.goto((site / "14_reproduce.html").as_uri())
    box = page.locator("#contents [aria-current=page]").bounding_box()
    assert 0 < box["y"] < 400 - box["height"]
    page = page_factory(1280, 860)  # where it is in view at rest, name and search stay at the top
    page.goto((site / "07_does_it_help.html").as_uri())
    assert page.evaluate("document.querySelector('#contents').scrollTop") == 0


@pytest.mark.parametrize("width", [360, 820])
def test_contents_slide_in_elsewhere(chapter: Callable[..., Page], width: int) -> None:
    page = chapter(width)
    assert not page.locator("#contents").is_visible()
    page.get_by_role("button", name="Contents").click()
    assert page.locator("#contents").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#contents").is_visible()


def test_the_menu_of_sections_leads_there_and_closes(chapter: Callable[..., Page]) -> None:
    page = chapter()
    page.get_by_role("button", name="On this page").press("Enter")
    menu = page.get_by_role("navigation", name="On this page")
    menu.get_by_role("link", name="Recap").click()
    assert page.url.endswith("#recap") and not menu.is_visible()


def test_the_theme_is_kept(chapter: Callable[..., Page]) -> None:
    page = chapter(dark=True)
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(f"[{theme}, localStorage.theme]") == ["light", "light"]


def test_answers_are_folded_and_the_keyboard_opens_them(chapter: Callable[..., Page]) -> None:
    page = chapter()
    answers = page.locator("main details:not([class])")
    assert answers.count() > 3 and page.locator("main details[open]:not([class])").count() == 0
    answers.first.locator("summary").press("Enter")
    assert answers.first.evaluate("(element) => element.open")


def test_the_bar_has_the_badge(chapter: Callable[..., Page]) -> None:
    page = chapter()
    assert page.locator("main img[src*=badge]").count() == 0
    assert page.get_by_role("link", name="Colab").get_attribute("href").endswith("/main/book/02_squeeze.ipynb")


def test_forced_colors_show_where_one_is(chapter: Callable[..., Page]) -> None:
    page = chapter()
    page.emulate_media(forced_colors="active")
    border = page.locator("#contents [aria-current=page]").evaluate("(e) => getComputedStyle(e).borderLeftWidth")
    assert border == "3px"


def test_forced_colors_have_the_theme_of_the_system_and_hide_no_letter(chapter: Callable[..., Page]) -> None:
    page = chapter()  # the reader chose light
    theme = "document.documentElement.dataset.theme"
    page.emulate_media(forced_colors="active", color_scheme="dark")
    page.wait_for_function(f"{theme} === 'dark'")
    page.reload()
    assert page.evaluate(theme) == "dark" and not page.get_by_role("button", name="Light or dark").is_visible()
    page.locator(".katex").first.wait_for()
    # else a ground is put behind each piece of text, and that of an accent covers the letter below
    assert page.locator(".katex").first.evaluate("(e) => getComputedStyle(e).forcedColorAdjust") == "none"
    page.emulate_media(forced_colors="none", color_scheme="dark")
    page.wait_for_function(f"{theme} === 'light'")


def test_no_line_of_prose_from_a_cell_is_wider_than_the_text(site: Path, page_factory: Callable[..., Page]) -> None:
    page = page_factory(1440, 800)
    page.goto((site / "01_why_channels.html").as_uri())
    widths = "(all) => all.map((one) => one.getBoundingClientRect().width)"
    assert max(page.locator(".cell_output > :is(p, ul, ol)").evaluate_all(widths)) <= 640
