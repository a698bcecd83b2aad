"""The RGB convolution of chapter 1 in a real browser; its numbers are compared with PyTorch's."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from browser import drawn, signed_colors
from torch import Tensor
from torch.nn import functional as F

from senet_edu.explorables import Convolution
from senet_edu.explorables.convolution import KERNELS, SIDE
from senet_edu.explorables.lib.scene import draw

CHANNELS = ("red", "green", "blue")


def kernel(name: str) -> Tensor:
    return torch.tensor(KERNELS[name], dtype=torch.float64).view(1, 3, 3, 3)


def image() -> Tensor:
    return torch.from_numpy(draw(SIDE)).permute(2, 0, 1).double() / 255


def maps(v: Tensor, bias: float = 0.0) -> dict[str, Tensor]:
    """By PyTorch: the map of each channel alone, and `u` of all of them."""
    result = {name: F.conv2d(image()[None, s : s + 1], v[:, s : s + 1], padding=1) for s, name in enumerate(CHANNELS)}
    result["u"] = F.conv2d(image()[None], v, torch.tensor([bias], dtype=torch.float64), padding=1)
    return {name: u[0, 0] for name, u in result.items()}


def says(page) -> dict[str, float]:
    """The numbers of the place that is looked at."""
    drawn(page)
    numbers = {}
    for name in (*CHANNELS, "u"):
        numbers[name] = float(page.locator(f"se-convolution [data-number={name}]").inner_text().replace("−", "-"))
    return numbers


def products(page) -> np.ndarray:
    shown = page.locator("se-convolution [data-number=product]").all_inner_texts()
    return np.array([float(text.replace("−", "-")) for text in shown])


def assert_right(page, v: Tensor, row: int, column: int, bias: float = 0.0) -> None:
    for name, number in says(page).items():
        assert number == pytest.approx(maps(v, bias)[name][row, column].item(), abs=0.00501), (name, row, column)
    assert page.get_by_text(f"u({row}, {column}) =").is_visible()
    window = F.pad(image(), (1, 1, 1, 1))[:, row : row + 3, column : column + 3]
    np.testing.assert_allclose(products(page), (window * v[0]).flatten(), atol=0.00501)


def output(page):
    return page.get_by_role("application", name="The output map u")


def point(page, canvas, row: int, column: int) -> None:
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + (column + 0.5) * box["width"] / SIDE, box["y"] + (row + 0.5) * box["height"] / SIDE)


def test_pointing_at_a_place_shows_its_27_products(figure_page, axe):
    page = figure_page(Convolution().element())
    assert_right(page, kernel("edge"), 12, 7)  # where it starts
    for place in ((14, 16), (0, 0), (31, 20)):  # in the wall, in a corner, at the edge
        point(page, output(page), *place)
        assert_right(page, kernel("edge"), *place)
    point(page, page.locator("se-convolution canvas").first, 20, 23)  # the input points as well
    assert_right(page, kernel("edge"), 20, 23)
    assert axe(page) == []


def test_the_maps_are_drawn_at_every_pixel(figure_page):
    page = figure_page(Convolution().element(), dark=True)
    for name in KERNELS:
        page.get_by_role("radio", name=name, exact=True).check(force=True)
        drawn(page)
        pixels = output(page).evaluate("c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
        u = maps(kernel(name))["u"].clamp(-1, 1)
        got = np.array(pixels).reshape(SIDE, SIDE, 4)[..., :3]
        np.testing.assert_allclose(got, signed_colors(u.numpy(), "dark"), atol=1)


def test_a_weight_is_dragged(figure_page):
    page = figure_page(Convolution().element())
    page.get_by_role("radio", name="copy of red").check(force=True)
    cell = page.get_by_role("spinbutton", name="weight of blue, row 1, column 1")
    cell.hover()
    page.mouse.down()
    box = cell.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 - 30, box["y"] + box["height"] / 2, steps=5)  # 50 pixels are 1
    page.mouse.up()
    v = kernel("copy of red")
    v[0, 2, 1, 1] = -0.6
    point(page, output(page), 15, 15)
    assert_right(page, v, 15, 15)
    assert cell.inner_text() == "−0.6"
    assert page.locator("se-convolution input[type=radio]:checked").count() == 0  # it is no longer the copy of red


def test_everything_works_by_keyboard(figure_page):
    page = figure_page(Convolution().element())
    page.get_by_role("radio", name="edge").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    v = kernel("red − green")
    assert_right(page, v, 12, 7)
    page.get_by_role("spinbutton", name="weight of red, row 0, column 0").focus()
    for key in ["ArrowUp", "ArrowUp", "ArrowLeft", "PageDown", "ArrowDown"]:  # left of the first is the last
        page.keyboard.press(key)
    v[0, 0, 0, 0], v[0, 2, 2, 2] = 0.2, -0.6
    assert_right(page, v, 12, 7)
    page.keyboard.press("Home")
    v[0, 2, 2, 2] = -1
    assert_right(page, v, 12, 7)
    page.keyboard.press("Delete")
    v[0, 2, 2, 2] = 0
    page.get_by_role("slider", name="bias").press("ArrowRight")
    assert_right(page, v, 12, 7, bias=0.1)
    output(page).focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowRight"]:
        page.keyboard.press(key)
    assert_right(page, v, 14, 8, bias=0.1)
    page.keyboard.press("Home")
    assert_right(page, v, 14, 0, bias=0.1)


def test_one_weight_at_a_time_can_be_reached_with_tab(figure_page):
    page = figure_page(Convolution().element(), width=360)
    cells = page.get_by_role("spinbutton")
    assert cells.count() == 27
    assert page.locator("[role=spinbutton][tabindex='0']").count() == 1
    cells.nth(13).click()
    assert cells.nth(13).get_attribute("tabindex") == "0"
    assert page.locator("[role=spinbutton][tabindex='0']").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_picture_is_the_projects_own():
    pixels = np.frombuffer(base64.b64decode(Convolution().data["image"]["base64"]), dtype=np.uint8).reshape(
        SIDE, SIDE, 3
    )
    np.testing.assert_array_equal(pixels, draw(SIDE))
    assert (pixels[13:20, 13:20] == pixels[16, 16]).all()  # all red: too little to see that it is a house
    assert abs(draw(64, fine=4).reshape(32, 2, 32, 2, 3).mean((1, 3)) - pixels).max() <= 1  # but for rounding


def test_the_html_depends_on_the_data_alone():
    assert Convolution().element() == Convolution().element()
