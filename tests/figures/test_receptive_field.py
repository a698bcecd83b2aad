"""The windows of chapter 1 in a real browser, against what autograd finds."""

from __future__ import annotations

import re

import pytest
from browser import drawn
from test_receptive import reached, thin

from senet_edu.explorables import ReceptiveField
from senet_edu.resnet import BasicBlock


@pytest.fixture(scope="module")
def twenty() -> list[dict[tuple[int, int], int]]:
    """For each part of ResNet-20, how many pixels reach the value at some places (row, column), by autograd."""
    model = thin(BasicBlock, (3, 3, 3), stem="cifar")
    found = reached(model, 32, [(0.5, 0.5), (0, 0.99)])  # the middle, (16, 16), (8, 8), (4, 4), and a corner
    return [{place: int(mask.sum()) for place, mask in places} for places in found.values()]


def says(page) -> dict[str, int]:
    """How many pixels the value sees in its window, and by the gates."""
    drawn(page)
    seen = {}
    for name in ("window", "gates"):
        text = page.locator(f"se-receptive-field [data-number={name}]").inner_text()
        seen[name] = 0 if text == "nothing" else int(re.match(r"[\d,]+", text)[0].replace(",", ""))
    return seen


def depth(page):
    return page.get_by_role("slider", name="Behind")


def picture(page):
    return page.get_by_role("application", name="The picture")


def test_going_deeper_with_the_keyboard(figure_page, axe, twenty):
    page = figure_page(ReceptiveField().element())
    depth(page).press("Home")
    for part in twenty:
        ((row, column), pixels) = next(iter(part.items()))
        assert says(page) == {"window": pixels, "gates": 0}
        assert page.get_by_text(f"row {row}, column {column} of").is_visible()
        depth(page).press("ArrowRight")
    assert depth(page).get_attribute("aria-valuetext") == "stage 3, block 2"
    assert axe(page) == []


def test_with_se_a_value_sees_everything_from_the_first_block_on(figure_page):
    page = figure_page(ReceptiveField().element(), dark=True)
    page.get_by_text("with SE", exact=True).click()
    assert says(page) == {"window": 49, "gates": 1024}
    depth(page).press("Home")
    assert says(page) == {"window": 9, "gates": 0}  # the stem has no SE block


def test_the_value_is_moved_by_mouse_and_keyboard(figure_page, twenty):
    page = figure_page(ReceptiveField().element())
    box = picture(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 2)
    for number in range(1, len(twenty)):
        *_, ((_, column), pixels) = twenty[number].items()
        assert says(page)["window"] == pixels
        assert page.get_by_text(f"row 0, column {column} of").is_visible()
        depth(page).press("ArrowRight")
    depth(page).press("Home")
    picture(page).focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowLeft"]:
        page.keyboard.press(key)
    assert says(page)["window"] == 9
    assert page.get_by_text("row 2, column 30 of").is_visible()


def test_the_larger_network(figure_page):
    page = figure_page(ReceptiveField().element(), width=360)
    page.get_by_text("ResNet-50, 224 px").click()
    for size in (11, 19, 27, 35, 43, 59, 75, 91):  # test_receptive.py checks them with autograd
        depth(page).press("Home")
        for _ in range((11, 19, 27, 35, 43, 59, 75, 91).index(size)):
            depth(page).press("ArrowRight")
        assert says(page) == {"window": size**2, "gates": 0}
    page.locator("se-receptive-field svg rect[fill=transparent]").nth(12).click()  # a step of the staircase
    assert depth(page).get_attribute("aria-valuetext") == "stage 3, block 4"
    assert says(page)["window"] == 224**2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_pixels_outside_of_the_window_are_dimmed(figure_page):
    page = figure_page(ReceptiveField().element())

    def color(row: int, column: int) -> list[int]:
        drawn(page)
        return picture(page).evaluate(f"c => [...c.getContext('2d').getImageData({column}, {row}, 1, 1).data]")[:3]

    wall, meadow = [207, 58, 45], [104, 176, 79]
    assert color(13, 13) == color(19, 19) == wall
    assert min(color(14, 12)) > 200 and min(color(29, 3)) > 200  # pale
    page.get_by_text("with SE", exact=True).click()
    assert color(14, 12) == wall and color(29, 3) == meadow


def test_the_html_depends_on_the_data_alone():
    assert ReceptiveField().element() == ReceptiveField().element()
