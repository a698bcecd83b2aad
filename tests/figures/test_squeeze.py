"""The figure of chapter 2 in a real browser; its numbers are compared with PyTorch's."""

import torch
from browser import drawn

from senet_edu.explorables import Squeeze
from senet_edu.explorables.squeeze import SIDE


def numbers(page) -> list[dict[str, float]]:
    """What the tables under the two maps say."""
    tables = page.locator("se-squeeze table")
    return [
        {cell.get_attribute("data-number"): float(cell.inner_text()) for cell in table.locator("[data-number]").all()}
        for table in tables.all()
    ]


def expected(u: torch.Tensor) -> dict[str, float]:
    values = {"mean": u.mean(), "maximum": u.max(), "std. dev.": u.std(correction=0)}
    return {name: round(value.item(), 2) for name, value in values.items()}


def start() -> torch.Tensor:
    return torch.tensor(Squeeze().data["map"], dtype=torch.float64).view(SIDE, SIDE)


def cell(page, row: int, column: int) -> tuple[float, float]:
    """Where on the page a cell of the first map lies."""
    box = page.locator("se-squeeze canvas").first.bounding_box()
    return box["x"] + (column + 0.5) * box["width"] / SIDE, box["y"] + (row + 0.5) * box["height"] / SIDE


def test_painting_with_the_mouse(figure_page, axe):
    page = figure_page(Squeeze().element())
    assert numbers(page)[0] == expected(start())
    page.get_by_text("½", exact=True).click()
    page.mouse.move(*cell(page, 9, 1))
    page.mouse.down()
    page.mouse.move(*cell(page, 9, 10), steps=40)
    page.mouse.up()
    drawn(page)
    u = start()
    u[9, 1:11] = 0.5
    yours, other = numbers(page)
    assert yours == expected(u)
    assert other["mean"] == yours["mean"]
    assert axe(page) == []


def test_painting_with_the_keyboard(figure_page):
    page = figure_page(Squeeze().element())
    page.locator("se-squeeze canvas").first.focus()
    for key in ["ArrowDown", "ArrowRight", "ArrowRight", " ", "End", "Enter", "ArrowDown", " "]:
        page.keyboard.press(key)
    drawn(page)
    u = start()
    u[1, 2] = u[1, SIDE - 1] = u[2, SIDE - 1] = 1
    assert numbers(page)[0] == expected(u)


def test_the_other_map_has_the_same_mean_in_every_arrangement(figure_page):
    page = figure_page(Squeeze().element(), dark=True)
    u = start()
    flat = torch.full_like(u, u.mean().item())
    for arrangement, same in {"spread": flat, "gathered": u, "mirrored": u.flip(1), "scattered": u}.items():
        page.get_by_role("radio", name=arrangement).check(force=True)
        drawn(page)
        assert numbers(page)[1] == expected(same), arrangement


def test_the_html_depends_on_the_data_alone():
    assert Squeeze().element() == Squeeze().element()
