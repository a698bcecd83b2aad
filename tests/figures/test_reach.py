"""The figure of chapter 10 in a real browser; what it lights is compared with autograd on the blocks themselves."""

from __future__ import annotations

import numpy as np
import pytest
from browser import drawn

from senet_edu.explorables import Reach
from senet_edu.explorables.reach import CHANNELS, RELATIVES, SIDE, build, depends

FIGURE = "se-reach"
ON = "cells => cells.map((cell) => cell.classList.contains('on'))"


@pytest.fixture(scope="module")
def html() -> str:
    return Reach().element()


def point(page, index: int, row: int, column: int, channel: int) -> None:
    page.locator(f"{FIGURE} .options label").nth(index).click()
    box = page.locator(f"{FIGURE} .place").first.bounding_box()
    page.mouse.move(box["x"] + (column + 0.5) / SIDE * box["width"], box["y"] + (row + 0.5) / SIDE * box["height"])
    box = page.locator(f"{FIGURE} .strip").bounding_box()
    page.mouse.move(box["x"] + (channel + 0.5) / CHANNELS * box["width"], box["y"] + 2)
    drawn(page)


def test_what_is_lit_is_where_the_derivative_is_not_zero(html, figure_page, axe):
    page = figure_page(html)
    for k, name in enumerate(RELATIVES):
        block = build(name)
        for channel, row, column in ((10, 5, 9), (0, 15, 2)):
            point(page, k, row, column, channel)
            found = depends(block, channel, row, column)
            lit = page.locator(f"{FIGURE} .picture .place").first.locator(".cell").evaluate_all(ON)
            heard = page.locator(f"{FIGURE} .strip .cell").evaluate_all(ON)
            assert np.array_equal(np.reshape(lit, (SIDE, SIDE)), found.any(0).numpy()), (name, row, column)
            assert np.array_equal(heard, found.any(2).any(1).numpy()), (name, channel)
            assert page.locator(f"{FIGURE} [data-number=pixels]").inner_text() == str(int(found.any(0).sum()))
    assert axe(page) == []


def test_keyboard_and_link(html, figure_page, axe):
    page = figure_page(html, dark=True, width=360)
    page.locator(f"{FIGURE} .place").first.focus()
    drawn(page)
    assert "row 5, column 9" in page.locator(f"{FIGURE} .counts").inner_text()  # focus alone moves nothing
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    drawn(page)
    assert "row 6, column 8" in page.locator(f"{FIGURE} .counts").inner_text()
    assert page.evaluate("decodeURIComponent(location.hash)") == "#reach=coordinate,6,8,10"
    page.evaluate("location.hash = 'reach=ECA,3,4,0'")
    drawn(page)
    assert page.locator(f"{FIGURE} [data-number=channels]").inner_text() == "2"  # at the edge a neighbor is missing
    page.evaluate("location.hash = 'reach=ECA,99,4,0'")
    drawn(page)
    assert "row 3, column 4" in page.locator(f"{FIGURE} .counts").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(FIGURE).bounding_box()["height"] <= 900
    assert axe(page) == []


def test_nothing_jumps(html, figure_page):
    page = figure_page(html)
    heights = set()
    for k in range(len(RELATIVES)):
        point(page, k, 3, 3, 3)
        heights.add(page.locator(FIGURE).bounding_box()["height"])
    assert len(heights) == 1
