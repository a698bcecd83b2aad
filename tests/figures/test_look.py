"""Every figure of the chapters as it is stored, on a phone, on paper, and in high contrast."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser import cut, drawn
from stored import FIGURES, shown

every_figure = pytest.mark.parametrize("name", FIGURES)


# What can be pressed, pulled or chosen, and is smaller than a finger needs. A mark of a denser group is no target by
# itself: the group takes the nearest. A radio or a box counts with its label.
SMALL = """(tag) => {
  const root = document.querySelector(tag).shadowRoot;
  const small = [];
  for (const one of root.querySelectorAll("button, select, summary, a, input, [role=button], [role=spinbutton]")) {
    const target = /radio|checkbox/.test(one.type) ? one.closest("label, tr") ?? one : one;
    const { width, height } = target.getBoundingClientRect();
    if (target.checkVisibility() && width > 1 && (width < 23.9 || height < 23.9))
      small.push(`${Math.round(width)} x ${Math.round(height)}: ${target.outerHTML.slice(0, 140)}`);
  }
  return small;
}"""
TINY = """(tag) => {
  const root = document.querySelector(tag).shadowRoot;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const tiny = [];
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent || /style|script|sup|sub/i.test(parent.localName)) continue;
    const range = document.createRange();
    range.selectNode(node);
    const { width } = range.getBoundingClientRect();
    const size = parseFloat(getComputedStyle(parent).fontSize);
    if (width > 1 && size < 12) tiny.push(`${size} px: ${node.data.trim().slice(0, 40)}`);
  }
  return tiny;
}"""


@every_figure
def test_on_a_phone_it_fits_and_a_finger_finds_everything(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), width=360, has_touch=True)
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(SMALL, f"se-{name}") == []
    assert page.evaluate(TINY, f"se-{name}") == []
    page.set_viewport_size({"width": 320, "height": 700})
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


CHOSEN = """(tag) => {
  const root = document.querySelector(tag).shadowRoot;
  const chosen = [...root.querySelectorAll(".options label:has(:checked), button[aria-pressed=true]")];
  const shown = chosen.filter((one) => one.checkVisibility());
  return shown.map((one) => [getComputedStyle(one).outlineStyle, parseFloat(getComputedStyle(one).outlineWidth)]);
}"""


@every_figure
def test_in_forced_colors_what_is_chosen_can_be_seen(figure_page: Callable, axe: Callable, name: str) -> None:
    page = figure_page(shown(name), forced_colors="active")
    drawn(page)
    for style, width in page.evaluate(CHOSEN, f"se-{name}"):
        assert style == "solid" and width >= 2
    kept = "[...document.querySelector(tag).shadowRoot.querySelectorAll('canvas')].filter((c) => c.checkVisibility())"
    kept = f"tag => {kept}.map((c) => getComputedStyle(c).forcedColorAdjust)"
    assert set(page.evaluate(kept, f"se-{name}")) <= {"none"}


# What is chosen and looks the same when the keyboard is at it: neither it, nor its label or row, has another outline.
UNSEEN = """(tag) => {
  const root = document.querySelector(tag).shadowRoot;
  const outline = (one) => ((s) => `${s.outlineStyle} ${s.outlineWidth} ${s.outlineColor}`)(getComputedStyle(one));
  const chosen = [...root.querySelectorAll("input:checked, button[aria-pressed=true]")];
  root.activeElement?.blur();
  return chosen.filter((one) => one.checkVisibility() && !one.matches(":disabled")).flatMap((one) => {
    const places = [one, one.closest("label"), one.closest("tr")].filter(Boolean);
    const before = places.map(outline).join();
    one.focus();
    const same = places.map(outline).join() === before;
    one.blur();
    return same ? [one.outerHTML.slice(0, 140)] : [];
  });
}"""


@every_figure
def test_in_forced_colors_the_keyboard_is_seen_at_what_is_chosen(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), forced_colors="active")
    drawn(page)
    page.keyboard.press("Tab")  # from now on a focus is one of the keyboard
    assert page.evaluate(UNSEEN, f"se-{name}") == []


# Marks without text, by their number: those with a ground of their own, and those that have nothing but that ground.
MARKS = """(tag) => {
  const host = document.querySelector(tag);
  const ground = getComputedStyle(host).backgroundColor;
  const seen = ({ backgroundColor: color }) => ![ground, "rgba(0, 0, 0, 0)"].includes(color);
  const marks = [...host.shadowRoot.querySelectorAll("i, .bar, .track, .way")];
  return marks.map((one) => {
    const style = getComputedStyle(one);
    return one.checkVisibility() && !one.textContent && (seen(style) || parseFloat(style.borderTopWidth) > 0 ||
      parseFloat(style.borderLeftWidth) > 0 || style.backgroundImage !== "none") ? one.outerHTML.slice(0, 140) : null;
  });
}"""


@every_figure
def test_in_forced_colors_no_mark_is_lost_whatever_the_theme(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name))
    if name == "block":  # its network has marks of its own to draw
        page.wait_for_function("document.querySelector('se-block').result?.answer")
    drawn(page)
    before = page.evaluate(MARKS, f"se-{name}")
    for scheme in ("light", "dark"):  # the system's; the page's theme stays light
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        drawn(page)
        after = page.evaluate(MARKS, f"se-{name}")
        assert [mark for mark, still in zip(before, after, strict=True) if mark and not still] == []
        tokens = "e => ['--ink', '--card'].map((token) => getComputedStyle(e).getPropertyValue(token))"
        assert page.locator(f"se-{name}").first.evaluate(tokens) == ["CanvasText", "Canvas"]


CONTROLS = """(tag) => {
  const choices = /guess|verdict/.test(tag) ? "" : ", .options"; // of a question they are its answers
  const root = document.querySelector(tag).shadowRoot;
  return [...root.querySelectorAll(`button:not(:has(canvas)), select, input[type=range]${choices}`)]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).borderTopColor !== "rgba(0, 0, 0, 0)")
    .map((one) => one.outerHTML.slice(0, 140));
}"""


@every_figure
def test_on_paper_there_is_nothing_to_press(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), dark=True)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    drawn(page)
    host = page.locator(f"se-{name}").first
    assert host.get_attribute("theme") == "light"
    assert page.evaluate(CONTROLS, f"se-{name}") == []
    adjust = "e => [getComputedStyle(e).breakInside, getComputedStyle(e).printColorAdjust]"
    assert host.evaluate(adjust) == ["avoid", "exact"]


# What lies under the button that shows the figure alone: controls, and pieces of text.
COVERED = """(tag) => {
  const root = document.querySelector(tag).shadowRoot;
  const alone = root.querySelector(".alone");
  if (!alone.checkVisibility()) return [];
  const button = alone.getBoundingClientRect();
  const meets = (box) => box.width > 1 && box.left < button.right && box.right > button.left
    && box.top < button.bottom && box.bottom > button.top;
  const covered = [...root.querySelectorAll("button, select, summary, a, input, label, [tabindex]")]
    .filter((one) => one !== alone && !one.closest(".hidden") && one.checkVisibility());
  const found = covered.filter((one) => meets(one.getBoundingClientRect())).map((one) => one.outerHTML.slice(0, 140));
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.data.trim() || !parent?.checkVisibility() || parent.closest("style, .alone, .hidden")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if ([...range.getClientRects()].some(meets)) found.push(node.data.trim().slice(0, 60));
  }
  return found;
}"""


@every_figure
def test_the_button_of_a_projector_covers_nothing(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), width=1008)
    for width in (1008, 760, 680, 620, 400):
        page.set_viewport_size({"width": width, "height": 900})
        drawn(page)
        assert page.evaluate(COVERED, f"se-{name}") == [], width


@every_figure
def test_the_button_covers_nothing_where_the_figure_is_alone(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), width=1280, height=720)
    page.evaluate("name => (location.hash = `only=${name}`)", name)
    page.wait_for_function(f"document.querySelector('se-{name}').hasAttribute('only')")
    for width, height in ((1280, 720), (1920, 1080), (2560, 1440)):
        page.set_viewport_size({"width": width, "height": height})
        drawn(page)
        assert page.evaluate(COVERED, f"se-{name}") == [], width
        assert cut(page, f"se-{name}") == [], width


@every_figure
def test_no_text_is_cut(figure_page: Callable, name: str) -> None:
    page = figure_page(shown(name), width=1280)
    for width in (1280, 912, 800, 680, 620, 360, 320):
        page.set_viewport_size({"width": width, "height": 900})
        drawn(page)
        assert cut(page, f"se-{name}") == [], width
