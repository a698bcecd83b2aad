"""A figure alone, for a projector: it can be read from the last row, and pointers find what they point at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from browser import drawn
from stored import FIGURES, shown

from senet_edu.explorables import Lamp

if TYPE_CHECKING:
    from playwright.sync_api import Page

WAIT = 240_000  # ms: the machine that tests may be busy
PROJECTOR = {"width": 1920, "height": 1080}


def alone(figure_page: Callable, name: str, html: str = "", **size: int) -> Page:
    page = figure_page(html or shown(name), link=f"only={name}", **{**PROJECTOR, **size})
    page.wait_for_function(f"document.querySelector('se-{name}').hasAttribute('only')")
    drawn(page)
    return page


def middle(box: dict[str, float]) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


# The least size of type on the screen, in its pixels, and how far the figure goes beyond the window's side and its end.
SEEN = """(tag) => {
  const host = document.querySelector(tag);
  const scale = host.getBoundingClientRect().width / host.offsetWidth;
  const walker = document.createTreeWalker(host.shadowRoot, NodeFilter.SHOW_TEXT);
  let least = Infinity;
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent?.checkVisibility() || parent.closest("style, script, sup, sub, .hidden")) continue;
    const matrix = parent.getScreenCTM?.(); // of a text in a drawing that has a size of its own
    least = Math.min(least, parseFloat(getComputedStyle(parent).fontSize) * (matrix ? matrix.d : scale));
  }
  const { left, top, right, bottom } = host.getBoundingClientRect();
  const box = [left, top, right, bottom].map(Math.round);
  const [beyond, below] = [host.scrollWidth - host.clientWidth, host.scrollHeight - host.clientHeight];
  return { least, box, beyond, below };
}"""


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_large_in_a_large_window(figure_page: Callable, name: str) -> None:
    page = alone(figure_page, name)
    seen = page.evaluate(SEEN, f"se-{name}")
    assert seen["least"] >= 17.5
    assert seen["box"] == [0, 0, 1920, 1080] and seen["beyond"] == 0
    if name != "provenance":  # which shows the source of tests, as long as they are
        page.wait_for_function(f"(({SEEN})('se-{name}')).below === 0")
    assert page.locator(f"se-{name}").evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"
    page.keyboard.press("Escape")
    page.locator(f"se-{name} .alone").press("Escape")
    drawn(page)
    assert page.locator(f"se-{name}").evaluate("e => getComputedStyle(e).transform") == "none"


def test_the_lamp_follows_the_pointer(figure_page: Callable) -> None:
    page = alone(figure_page, "lamp", Lamp("trained").element())
    page.wait_for_function("document.querySelector('se-lamp').shadowRoot.querySelector('.verdict').textContent")
    pad, handle = page.locator("se-lamp .pad"), page.locator("se-lamp .pad > i")
    page.mouse.move(*middle(handle.bounding_box()))
    page.mouse.down()
    box = pad.bounding_box()
    for share in (0.4, 0.8):
        to = box["x"] + share * box["width"], box["y"] + 0.5 * box["height"]
        page.mouse.move(*to, steps=4)
        drawn(page)
        assert middle(handle.bounding_box()) == pytest.approx(to, abs=3)
    page.mouse.up()
    bar = page.locator("se-lamp .gates rect[fill='var(--faint)']").nth(16 + 5)  # of channel 5, in the second block
    page.mouse.click(*middle(bar.bounding_box()))
    drawn(page)
    ring = page.locator("se-lamp .gates rect[fill=none]").bounding_box()
    assert middle(ring)[0] == pytest.approx(middle(bar.bounding_box())[0], abs=3)


def test_a_gate_of_the_block_follows_the_pointer(figure_page: Callable) -> None:
    page = alone(figure_page, "block")
    page.wait_for_function("document.querySelector('se-block').result?.base", timeout=WAIT)
    page.mouse.move(*middle(page.locator("se-block .maps.u canvas").nth(12).bounding_box()))
    page.wait_for_function("document.querySelector('se-block').result.channel === 12")
    gate = "document.querySelector('se-block').result.now.gates[5]"
    bar = page.locator("se-block .pull-gate[data-index='5'] .bar").last
    before, own = bar.bounding_box(), page.evaluate(gate)
    whole = before["width"] / own
    x, y = before["x"] + 0.5 * whole, middle(before)[1]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(before["x"] + 0.9 * whole, y, steps=6)
    drawn(page)
    page.mouse.up()
    page.wait_for_function(f"Math.abs({gate} - 0.9) < 0.03")
    assert bar.bounding_box()["width"] == pytest.approx(0.9 * whole, abs=4)


def test_a_bar_of_the_excitation_follows_the_pointer(figure_page: Callable) -> None:
    page = alone(figure_page, "excitation")
    slider = page.locator("se-excitation [role=slider]").nth(2)
    track = slider.locator("rect").nth(1).bounding_box()
    y = middle(track)[1]
    page.mouse.move(track["x"] + track["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.875 * track["width"], y, steps=5)
    page.mouse.up()
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(0.75 * 4, abs=0.05)


def test_a_weight_of_the_convolution_follows_the_pointer(figure_page: Callable) -> None:
    page = alone(figure_page, "convolution")
    page.get_by_role("radio", name="copy of red").check(force=True)
    cell = page.get_by_role("spinbutton", name="weight of blue, row 1, column 1")
    cell.scroll_into_view_if_needed()
    x, y = middle(cell.bounding_box())
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 45, y, steps=5)  # 50 of its own pixels are 1, each one and a half on the screen
    page.mouse.up()
    assert cell.inner_text() == "−0.6"
    canvas = page.get_by_role("application", name="The output map")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 10.5 / 32 * box["width"], box["y"] + 20.5 / 32 * box["height"])
    drawn(page)
    assert page.get_by_text("u(20, 10) =").is_visible()
