"""Keys come faster than frames: a burst of them does what the same keys do one after the other, in every figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from browser import drawn
from stored import FIGURES, shown

from senet_edu.explorables import Lamp

if TYPE_CHECKING:
    from playwright.sync_api import Page

WAIT = 240_000  # ms: the machine that tests may be busy
BURSTS = [["ArrowRight"] * 5, ["ArrowLeft"] * 5, ["ArrowDown"] * 5, ["Delete"] + ["ArrowUp"] * 4]
NATIVE = {"guess", "interventions-guess", "prediction", "verdict"}  # radio buttons, which the browser moves itself

# What tabs stop at besides the controls that a browser has itself.
STOPS = """const root = document.querySelector(tag).shadowRoot;
  const stops = [...root.querySelectorAll("[tabindex='0']")]
    .filter((one) => !one.matches("input, select, textarea, a, pre") && one.checkVisibility());"""
COUNT = f"(tag) => {{ {STOPS} return stops.length; }}"
# With `each`, two frames pass after every key; without, all keys come in one task.
PRESS = f"""async ([tag, stop, keys, each]) => {{ {STOPS}
  const frames = async () => {{ for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame); }};
  stops[stop].focus();
  await frames();
  for (const key of keys) {{
    const event = new KeyboardEvent("keydown", {{ key, bubbles: true, composed: true, cancelable: true }});
    (root.activeElement ?? stops[stop]).dispatchEvent(event);
    if (each) await frames();
  }}
  await frames();
}}"""
# All that a screen reader is told: of each element that has it, and where the focus is.
STATE = """(tag) => {
  const host = document.querySelector(tag), root = host.shadowRoot;
  const names = ["valuenow", "valuetext", "activedescendant", "selected", "pressed", "current", "expanded"];
  const all = [...root.querySelectorAll("*")];
  const told = all.flatMap((one, i) => names.filter((name) => one.hasAttribute(`aria-${name}`))
    .map((name) => `${i} ${one.getAttribute("aria-label") ?? ""} ${name}: ${one.getAttribute(`aria-${name}`)}`));
  const said = root.querySelector("[aria-live]").textContent;
  return { told, said, focus: all.indexOf(root.activeElement), busy: Boolean(host.asking) };
}"""


def compare(slow: Page, fast: Page, tag: str) -> None:
    """Press the same keys in both pages, one after the other and at once, and compare what both say in the end."""

    def states() -> list[dict[str, Any]]:
        return [page.evaluate(STATE, tag) for page in (slow, fast)]

    for stop in range(slow.evaluate(COUNT, tag)):
        for keys in BURSTS:
            slow.evaluate(PRESS, [tag, stop, keys, True])
            fast.evaluate(PRESS, [tag, stop, keys, False])
            agreed, end = 0, time.monotonic() + 20
            while agreed < (2 if keys is BURSTS[-1] else 1) and time.monotonic() < end:
                slow.wait_for_timeout(150)  # they speak a moment later, and a network needs its time
                one, other = states()
                agreed = agreed + 1 if one == other and not one["busy"] else 0
            assert one == other, (stop, keys)


# What a figure has when its networks have answered.
ANSWERED = {
    "live": "(host) => host.result?.base",
    "block": "(host) => host.result?.base",
    "lamp": "(host) => /0\\.\\d/.test(host.shadowRoot.querySelector('.off.se .big').textContent)",
}


def opened(figure_page: Callable, name: str, html: str, state: str = "") -> Page:
    page = figure_page(html, link=state)
    if name in ANSWERED:
        page.wait_for_function(f"({ANSWERED[name]})(document.querySelector('se-{name}'))", timeout=WAIT)
    drawn(page)
    return page


@pytest.mark.parametrize("name", FIGURES)
def test_a_burst_of_keys(figure_page: Callable, name: str) -> None:
    pages = [opened(figure_page, name, shown(name)) for _ in range(2)]
    if name == "provenance":
        for page in pages:
            page.get_by_role("radio", name="stored files").check(force=True)
    assert (pages[0].evaluate(COUNT, f"se-{name}") == 0) == (name in NATIVE)
    compare(*pages, f"se-{name}")


@pytest.mark.parametrize("act", ["go back to a step", "set by hand"])
def test_a_burst_of_keys_in_the_trained_lamp(figure_page: Callable, act: str) -> None:
    pages = []
    for _ in range(2):
        page = opened(figure_page, "lamp", Lamp().element(), "lamp=1.60.2.both.27-88")
        page.locator(".primary", has_text="Train").click()
        page.locator(".verdict", has_text="0.").wait_for(timeout=WAIT)  # measured, and its gates are known
        if act == "set by hand":
            page.get_by_role("radio", name=act).check(force=True)
            page.locator(".fader").first.wait_for(timeout=WAIT)
        pages.append(page)
    compare(*pages, "se-lamp")
