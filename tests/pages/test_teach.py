"""The page for teachers: its links open a figure alone, and what it says of exercises and chapters is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from senet_edu import check

if TYPE_CHECKING:
    from playwright.sync_api import Page

BOOK = Path(__file__).resolve().parents[2] / "book"
TEXT = (BOOK / "teach.md").read_text(encoding="utf-8")
FIGURES = re.findall(r"senet-edu/(\w+)\.html#only=([\w-]+)\)", TEXT)


def test_every_figure_that_fills_a_lesson_is_there() -> None:
    assert len(FIGURES) == len(set(FIGURES)) > 10


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_a_link_leads_to_a_page_with_that_figure(site: Path, page: str, name: str) -> None:
    assert f"<se-{name} " in (site / f"{page}.html").read_text(encoding="utf-8")
    assert f'href="{page}.html#only={name}"' in (site / "teach.html").read_text(encoding="utf-8")


def test_a_link_opens_a_figure_from_deep_in_a_page(
    site: Path, page_factory: Callable[..., Page], serve: Callable[[Path], AbstractContextManager[str]]
) -> None:
    """The receptive field is the third figure of its chapter, far below the first screen."""
    page = page_factory()
    with serve(site) as address:
        page.goto(f"{address}teach.html")
        page.get_by_role("link", name="The window").click()
        page.wait_for_function("document.querySelector('se-receptive-field')?.matches('[only]:popover-open')")
        box, size = page.locator("se-receptive-field").bounding_box(), page.viewport_size
        assert box == {"x": 0, "y": 0, "width": size["width"], "height": size["height"]}
        assert page.locator("[only]").count() == 1


def test_exercises_that_are_named_have_judges() -> None:
    names = re.findall(r"chapter \d+, `(\w+)`", TEXT)
    assert names and set(names) <= set(check.__all__)
