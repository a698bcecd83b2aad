"""The block end to end, in a real browser; what it says is compared with PyTorch's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from browser import drawn
from javascript import in_node, script
from torch import Tensor

from senet_edu import load_pretrained, override_gates, store, zoo
from senet_edu.data import CLASSES, normalize
from senet_edu.explorables import Block, load_samples
from senet_edu.explorables.block import OPEN, pictures, shown_block, shown_channel

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NAME = "layer1.1.se"
WAIT = 240_000  # ms: the machine that tests may be busy
CLOSE = {"atol": 2e-3, "rtol": 0}
STATE = """() => {
  const { result } = document.querySelector("se-block");
  if (!result) return null;
  const { base, answer, own, now, channel } = result, name = "layer1.1.se";
  const list = (values) => values && [...values];
  return {
    channel, z: list(base.z[name]), own: list(own.gates), gates: list(now.gates), hidden: list(now.hidden),
    base: list(base.probabilities), answer: list(answer?.probabilities),
  };
}"""
SAID = "document.querySelector('se-block').shadowRoot.querySelector('[aria-live]').textContent"


@pytest.fixture(scope="module")
def html() -> dict[str, str]:
    return {part: Block(part).element() for part in OPEN}


@pytest.fixture
def opened(figure_page: Callable, html: dict[str, str]) -> Callable[..., Page]:
    """Open the figure and wait for its first answer: opened("squeeze", width=1008, …)."""

    def open_it(part: str = "excitation", width: int = 1008, **options: Any) -> Page:
        page = figure_page(html[part], width, **options)
        settled(page)
        return page

    return open_it


def settled(page: Page) -> dict[str, Any]:
    """What the figure holds once the network has answered for what is shown."""
    page.wait_for_function("document.querySelector('se-block').result?.answer")
    return page.evaluate(STATE)


class Truth:
    """The same block in PyTorch, for one picture."""

    def __init__(self, name: str) -> None:
        self.net = load_pretrained("se_resnet20")
        self.x = normalize(load_samples()[name][None])
        self.se = self.net.get_submodule(NAME)
        seen: list[Tensor] = []
        hook = self.se.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.no_grad():
            self.probabilities = self.net(self.x).softmax(1)[0]
            self.z = seen[0].mean((2, 3))[0]
            self.gates = self.excite(self.z)
        hook.remove()

    @torch.no_grad()
    def excite(self, z: Tensor, hidden: dict[int, float] | None = None) -> Tensor:
        units = (self.se.fc1.weight @ z).relu()
        for j, value in (hidden or {}).items():
            units[j] = value
        return (self.se.fc2.weight @ units).sigmoid()

    @torch.no_grad()
    def answer(self, gates: Tensor) -> Tensor:
        with override_gates(self.net, {NAME: lambda s: gates[None]}):
            return self.net(self.x).softmax(1)[0]


def close(actual: list[float], expected: Tensor) -> None:
    np.testing.assert_allclose(actual, expected.numpy(), **CLOSE)


def slider(page: Page, kind: str, index: int) -> Locator:
    return page.locator(f"se-block .pull-{kind}[data-index='{index}']")


def answered(page: Page, act: Callable[[], None]) -> dict[str, Any]:
    """What the figure holds when the network has answered the act."""
    page.evaluate("document.querySelector('se-block').before = document.querySelector('se-block').result.answer")
    act()
    page.wait_for_function(
        "(() => { const f = document.querySelector('se-block'); return f.result.answer !== f.before })()"
    )
    return page.evaluate(STATE)


def voice(page: Page) -> str:
    return page.locator("se-block .voice").inner_text()


# What is shown


def test_the_block_is_the_first_whose_gates_differ_between_photographs() -> None:
    """Computed anew: no block that is asleep can be shown."""
    net = load_pretrained("se_resnet20")
    photographs = torch.stack([load_samples()[name] for name in ("cat", "rocket", "coffee")])
    spreads = {}
    for block in ("layer1.0.se", "layer1.1.se", "layer1.2.se"):
        net.get_submodule(block).register_forward_hook(
            lambda se, inputs, _, block=block: spreads.__setitem__(
                block, se.excite(inputs[0].mean((2, 3))).numpy().std(0, ddof=1).mean()
            )
        )
    with torch.no_grad():
        net(normalize(photographs))
    first = next(block for block, spread in spreads.items() if spread >= 0.1)
    assert shown_block() == first == NAME


def test_the_first_rows_are_chosen_by_their_rules() -> None:
    truths = {name: Truth(name) for name in pictures()}
    gates = torch.stack([truth.gates for truth in truths.values()])
    assert shown_channel("excitation") == np.ptp(gates.numpy(), axis=0).argmax()
    assert shown_channel("rescale") == (truths["cat"].gates - 0.2).abs().argmin()
    maps: list[Tensor] = []
    truth = truths["cat"]
    truth.se.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0][0]))
    with torch.no_grad():
        truth.net(truth.x)
    cells = maps[0].numpy().reshape(16, 4, 8, 4, 8).mean((2, 4)).reshape(16, -1)
    share = cells.var(1) / maps[0].numpy().reshape(16, -1).var(1)
    assert shown_channel("squeeze") == share.argmax()
    assert "deer" not in pictures() and len(pictures()) == 10


def test_stored_limits_are_of_the_shipped_network_and_hold_its_pictures() -> None:
    stored = store.load("squeeze")
    assert stored["sha256"] == zoo.facts("se_resnet20")["sha256"]
    assert stored["about"]["data"]["train"] == 50_000 and stored["about"]["settings"]["percentiles"] == [0.1, 99.9]
    low, high = (np.array(bound) for bound in stored["limits"][NAME])
    z = Truth("horse").z.numpy()
    assert (low < high).all() and (low - 0.5 < z).all() and (z < high + 0.5).all()


@pytest.mark.parametrize("name", ["cat", "truck"])
def test_numbers_equal_pytorch(opened: Callable[..., Page], name: str) -> None:
    page = opened()
    if name != "cat":
        answered(page, lambda: page.locator(f"se-block .thumbs [aria-label='{name}']").click())
    state, truth = page.evaluate(STATE), Truth(name)
    close(state["z"], truth.z)
    close(state["own"], truth.gates)
    close(state["gates"], truth.gates)
    close(state["answer"], truth.probabilities)
    shown = page.locator("se-block .answers tr").all_inner_texts()
    assert [row.split()[0] for row in shown] == list(CLASSES)
    first = truth.probabilities.argmax()
    assert shown[first].split()[1] == f"{100 * truth.probabilities[first]:.0f}"


# Acts


def test_pulling_a_gate_moves_what_is_behind_it(opened: Callable[..., Page]) -> None:
    page, truth = opened("rescale"), Truth("cat")
    gate = slider(page, "gate", 1)
    gate.focus()
    state = answered(page, lambda: [page.keyboard.press("End")])
    expected = truth.gates.clone()
    expected[1] = 1
    close(state["gates"], expected)
    close(state["z"], truth.z)
    close(state["answer"], truth.answer(expected))
    assert gate.get_attribute("aria-valuetext") == "1.00, set by you"
    state = answered(page, lambda: page.keyboard.press("Delete"))
    close(state["answer"], truth.probabilities)
    assert gate.get_attribute("aria-valuetext").endswith(", own")


def test_pulling_z_and_a_hidden_unit_with_the_mouse(opened: Callable[..., Page]) -> None:
    page, truth = opened(), Truth("cat")
    box = slider(page, "z", 2).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2 + 8, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert settled(page)["channel"] == 2
    pulled = page.evaluate("document.querySelector('se-block').result.now.z[2]")
    low, _ = store.load("squeeze")["limits"][NAME]
    assert pulled == pytest.approx(max(0, low[2]), abs=0.06)  # a pixel is 0.05
    z = truth.z.clone()
    z[2] = pulled
    state = page.evaluate(STATE)
    close(state["gates"], truth.excite(z))
    close(state["answer"], truth.answer(truth.excite(z)))
    # a click on a unit that is on turns it off, and another gives it back
    on = int(np.argmax(state["hidden"]))
    state = answered(page, lambda: slider(page, "hidden", on).click())
    assert state["hidden"][on] == 0
    close(state["gates"], truth.excite(z, {on: 0}))
    state = answered(page, lambda: slider(page, "hidden", on).click())
    close(state["gates"], truth.excite(z))


def test_a_click_chooses_and_pulls_nothing(opened: Callable[..., Page]) -> None:
    page = opened()
    for kind, index in (("z", 4), ("gate", 12)):
        slider(page, kind, index).click()
        page.wait_for_function(f"document.querySelector('se-block').result.channel === {index}")
        state = page.evaluate(STATE)
        assert state["gates"] == state["own"]


def test_a_mouse_that_rests_on_a_row_chooses_it_and_one_that_passes_does_not(opened: Callable[..., Page]) -> None:
    page = opened()
    box = page.locator("se-block .maps.u canvas").nth(3).bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.wait_for_function("document.querySelector('se-block').result.channel === 3")
    page.evaluate(
        """([x, y]) => {
          const { shadowRoot } = document.querySelector("se-block");
          for (let to = y; to < y + 700; to += 30) {
            const event = { clientX: x, clientY: to, pointerType: "mouse", bubbles: true, composed: true };
            (shadowRoot.elementFromPoint(x, to) ?? document.body).dispatchEvent(new PointerEvent("pointermove", event));
          }
        }""",
        [box["x"] + 12, box["y"] + 12],
    )
    page.wait_for_timeout(250)
    assert page.evaluate(STATE)["channel"] == 3


def test_z_stops_where_no_picture_goes(opened: Callable[..., Page]) -> None:
    page = opened()
    high = store.load("squeeze")["limits"][NAME][1][9]
    slider(page, "z", 9).focus()
    for _ in range(2):
        page.keyboard.press("End")
        page.keyboard.press("PageUp")
    page.wait_for_function("document.querySelector('se-block').shadowRoot.textContent.includes('no picture goes')")
    assert page.evaluate("document.querySelector('se-block').result.now.z[9]") == pytest.approx(high, abs=1e-4)
    assert voice(page).endswith(f"no picture goes further than {high:.2f}.".replace("-", "−"))


def test_all_units_off_makes_all_gates_one_half(opened: Callable[..., Page]) -> None:
    page = opened()
    state = page.evaluate(STATE)
    for j, value in enumerate(state["hidden"]):
        if value > 0:
            state = answered(page, lambda j=j: slider(page, "hidden", j).click())
    assert set(state["gates"]) == {0.5}
    assert voice(page) == "Every unit is off: all gates are ½."


def test_gates_of_another_picture(opened: Callable[..., Page]) -> None:
    page, cat, truck = opened(), Truth("cat"), Truth("truck")
    state = answered(page, lambda: page.locator("se-block .donors [aria-label='the truck']").click())
    close(state["gates"], truck.gates)
    close(state["answer"], cat.answer(truck.gates))
    assert page.locator("se-block .axis [aria-label^='truck: gate']").get_attribute("class") == "thumb on"
    state = answered(page, lambda: page.get_by_role("button", name="Start again").click())
    close(state["gates"], cat.gates)
    page.locator("se-block .axis [aria-label^='rocket']").focus()
    state = answered(page, lambda: page.keyboard.press("Enter"))
    close(state["gates"], Truth("rocket").gates)


def test_one_choice_in_every_group_by_keyboard(opened: Callable[..., Page]) -> None:
    page = opened()
    maps = page.locator("se-block .maps.u")
    maps.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('se-block').result.channel === 1")
    truth = Truth("cat")
    said = f"Channel 1. Mean {truth.z[1]:.2f}. Gate {truth.gates[1]:.2f}.".replace("-", "−")
    page.wait_for_function(f"{SAID} === {json.dumps(said)}")
    page.keyboard.press("Tab")  # the next tab stop is one slider of the means, that of the chosen channel
    focused = "document.querySelector('se-block').shadowRoot.activeElement"
    stops = []
    for _ in range(8):
        stops.append(page.evaluate(f"{focused}?.getAttribute('aria-label')"))
        page.keyboard.press("Tab")
    assert "z 1" in stops and "gate 1" in stops and "z 0" not in stops
    slider(page, "gate", 1).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('se-block').result.channel === 2")
    assert page.evaluate(f"{focused}.getAttribute('aria-label')") == "gate 2"


def test_what_was_done_is_spoken_with_both_answers(opened: Callable[..., Page]) -> None:
    page, truth = opened(), Truth("cat")
    slider(page, "gate", 5).focus()
    answered(page, lambda: page.keyboard.press("Home"))
    gates = truth.gates.clone()
    gates[5] = 0
    before, after = (100 * p[3].item() for p in (truth.probabilities, truth.answer(gates)))
    page.wait_for_function(f"{SAID}.startsWith('Gate 5 set to 0.00. Cat {before:.0f} to {after:.0f} per cent.')")


def test_shuffling_keeps_mean_and_gate(opened: Callable[..., Page]) -> None:
    page = opened("squeeze")
    before = page.evaluate(STATE)
    canvas = "document.querySelector('se-block').shadowRoot.querySelector('.pane.squeeze .body canvas')"
    picture = page.evaluate(f"{canvas}.toDataURL()")
    page.get_by_role("button", name="Shuffle").click()
    page.wait_for_function(
        "document.querySelector('se-block').shadowRoot.textContent.includes('Same mean, same gate.')"
    )
    assert page.evaluate(f"{canvas}.toDataURL()") != picture
    assert page.evaluate(STATE) == before


def test_panes_open_and_lead_to_their_chapters(opened: Callable[..., Page]) -> None:
    page = opened("squeeze")
    assert page.locator("se-block .pane.open").get_attribute("aria-label") == "Squeeze"
    page.get_by_role("button", name="Rescale").click()
    assert page.locator("se-block .pane.open").get_attribute("aria-label") == "Rescale"
    page.get_by_role("button", name="Squeeze").click()
    slider(page, "gate", 0).focus()
    answered(page, lambda: page.keyboard.press("End"))
    page.wait_for_function(
        "document.querySelector('se-block').shadowRoot.querySelector('.pane.rescale a').href"
        ".endsWith('04_rescale.html#block=cat_c0_g0.100')"
    )
    page.wait_for_function("location.hash == '#block=cat_c0_g0.100'")


def test_state_comes_from_the_link_piece_by_piece(opened: Callable[..., Page]) -> None:
    page, truck = opened(), Truth("truck")
    page.evaluate("location.hash = 'block=truck_c7_g3.25_g99.1_z2.x_hlength.3_dnobody'")
    page.wait_for_function("document.querySelector('se-block').result.channel === 7")
    page.wait_for_timeout(300)
    state = settled(page)
    expected = truck.gates.clone()
    expected[3] = 0.25
    close(state["gates"], expected)
    close(state["answer"], truck.answer(expected))


def test_a_finger_that_scrolls_changes_nothing(opened: Callable[..., Page]) -> None:
    page = opened(width=360, has_touch=True)
    gate = slider(page, "gate", 3)
    box = gate.bounding_box()
    start = {"pointerType": "touch", "pointerId": 7, "bubbles": True, "composed": True}
    y = box["y"] + 10
    for kind, x in (("pointerdown", 10), ("pointermove", 25), ("pointermove", 40)):
        gate.dispatch_event(kind, {**start, "clientX": box["x"] + x, "clientY": y, "buttons": 1})
    page.wait_for_timeout(100)
    assert gate.get_attribute("aria-valuetext").endswith("set by you")
    gate.dispatch_event("pointercancel", start)
    page.wait_for_timeout(100)
    assert gate.get_attribute("aria-valuetext").endswith("own")


# Failures


def test_without_weights_it_says_so_and_can_be_tried_again(figure_page: Callable, html: dict[str, str]) -> None:
    element, _, weights = html["squeeze"].partition("\n")
    broken = weights.replace('"weights":"', '"weights":"AAAA')
    page = figure_page(f"{element}\n{broken}", 1008)
    again = page.get_by_role("button", name="Try again")
    again.wait_for()
    assert "The text does not need it." in voice(page)
    page.evaluate(
        "(text) => { document.querySelector('[data-se-network]').textContent = text }",
        weights.partition(">")[2].rpartition("</script>")[0],
    )
    again.click()
    settled(page)
    assert voice(page) == "Point at a row. Each map becomes one number, its mean."


def test_the_worker_ends_with_the_element(figure_page: Callable, html: dict[str, str]) -> None:
    page = figure_page(html["squeeze"], 1008)
    settled(page)
    page.wait_for_timeout(200)
    assert len(page.workers) == 1
    page.evaluate("document.querySelector('se-block').remove()")
    page.wait_for_timeout(300)
    assert page.workers == []


# Looks


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1008, 720, 360, 320])
def test_accessible_at_every_width_and_theme(
    opened: Callable[..., Page], axe: Callable, width: int, dark: bool
) -> None:
    page = opened("excitation", width, dark=dark)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for pane in ("Rescale", "Squeeze"):
        page.get_by_role("button", name=pane, exact=False).first.click()
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_jumps_and_it_fits_a_screen(opened: Callable[..., Page]) -> None:
    page = opened()
    figure = page.locator("se-block")
    height = figure.bounding_box()["height"]
    assert height <= 745
    answered(page, lambda: page.locator("se-block .donors [aria-label='the truck']").click())
    page.get_by_role("button", name="Rescale").click()
    page.wait_for_timeout(100)
    assert figure.bounding_box()["height"] == height


PULL = """async (c) => {
  const gate = document.querySelector("se-block").shadowRoot.querySelectorAll(".pull-gate")[c];
  const now = () => [gate.getAttribute("aria-valuenow"), gate.querySelector(".bar").getAttribute("width")].join();
  const { left, top, width, height } = gate.getBoundingClientRect();
  const fire = (type, x) => gate.dispatchEvent(new PointerEvent(type, {
    pointerId: 7, pointerType: "touch", bubbles: true, button: type === "pointermove" ? -1 : 0, buttons: 1,
    clientX: left + x * width, clientY: top + height / 2,
  }));
  const frames = [];
  fire("pointerdown", 0.5);
  for (const x of [0.9, 0.1, 0.7, 0.3]) {
    const before = now();
    fire("pointermove", x);
    let count = 0;
    for (; now() === before && count < 20; count++) await new Promise(requestAnimationFrame);
    frames.push(count);
  }
  fire("pointerup", 0.3);
  return frames;
}"""


def test_a_pull_is_drawn_in_the_next_two_frames(opened: Callable[..., Page]) -> None:
    """Counted in frames, so that a busy machine does not matter: nothing waits for the network."""
    page = opened("rescale")
    assert max(page.evaluate(PULL, 3)) <= 2
    assert (
        abs(float(page.get_by_role("slider", name="gate 3", exact=True).get_attribute("aria-valuenow")) - 0.28) < 0.05
    )


LOOK = """() => {
  const root = document.querySelector("se-block").shadowRoot;
  const mean = (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.reduce((sum, v, i) => sum + (i % 4 < 3 ? v : 0), 0) / (0.75 * data.length);
  };
  return {
    maps: [...root.querySelectorAll(".maps.u canvas")].map(mean),
    bars: [...root.querySelectorAll(".pull-gate .bar")].map((bar) => getComputedStyle(bar).fill),
    answers: [...root.querySelectorAll(".answers tr")].filter((row) => row.checkVisibility()).length,
  };
}"""


def test_on_paper_maps_are_light_and_pulls_stay(opened: Callable[..., Page]) -> None:
    page = opened("rescale", dark=True)
    page.get_by_role("slider", name="gate 5", exact=True).press("Home")
    page.wait_for_function("document.querySelector('se-block').result.now.gates[5] === 0")
    drawn(page)
    dark = page.evaluate(LOOK)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    drawn(page)
    light = page.evaluate(LOOK)
    assert max(dark["maps"]) < 128 < min(light["maps"]), "drawn anew for paper"
    assert light["bars"] == dark["bars"] and light["answers"] == 10
    assert page.get_by_role("slider", name="gate 5", exact=True).get_attribute("aria-valuetext") == "0.00, set by you"


def test_in_forced_colors_gates_and_maps_keep_their_scale(opened: Callable[..., Page]) -> None:
    page = opened("rescale")
    plain = page.evaluate(LOOK)
    page.emulate_media(forced_colors="active")
    drawn(page)
    assert page.evaluate(LOOK) == plain
    assert len(set(plain["bars"])) > 8


def test_no_text_is_under_twelve_pixels(opened: Callable[..., Page]) -> None:
    page = opened(width=360)
    small = page.evaluate(
        """[...document.querySelector("se-block").shadowRoot.querySelectorAll("*")].filter((e) =>
          [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length
          && e.tagName !== "STYLE" && parseFloat(getComputedStyle(e).fontSize) < 11.9).map((e) => e.outerHTML)"""
    )
    assert small == []


# Sentences: fixed data in, sentence out


@pytest.fixture(scope="module")
def node() -> Iterator[Callable[[str, Any], Any]]:
    yield in_node(script("lib/block_words.js", "lib/block_math.js"))


def say(node: Callable[[str, Any], Any], **data: Any) -> str:
    case = {
        "part": "excitation",
        "act": {"kind": None},
        "hidden": [1, 0, 2, 0],
        "classes": ["cat", "dog"],
        "before": [0.81, 0.19],
        "after": [0.65, 0.35],
        "blocks": 9,
        "swap": -0.56,
        "unknown": False,
    } | data
    return node('async (data) => SE["lib/block_words.js"].voice(data)', case)


GATE = {"kind": "gate", "index": 9, "value": 0.9}
DONOR = {"kind": "donor", "name": "truck"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Pull a blue dot, an orange unit or a gate. Everything behind it moves."),
        ({"unknown": True}, "It must answer with one of ten. This is none of them."),
        ({"act": GATE}, "Gate 9 at 0.90: cat 81 → 65 %."),
        ({"act": GATE, "after": [0.3, 0.7]}, "Gate 9 at 0.90: cat 81 % → dog 70 %."),
        (
            {"act": GATE, "after": [0.805, 0.195]},
            "Gate 9 at 0.90: the answer stays. This block is one of nine, and one channel of 16.",
        ),
        (
            {"act": DONOR, "after": [0.805, 0.195]},
            "The gates of the truck, in this block: the answer stays. This block is one of nine.",
        ),
        (
            {"act": DONOR, "after": [0.91, 0.09]},
            "Surer than with its own gates. One picture proves nothing: over 10,000 this costs 0.6 points.",
        ),
        (
            {"act": DONOR, "after": [0.91, 0.09], "swap": 0.12},
            "Surer than with its own gates. One picture proves nothing: over 10,000 this gains 0.1 points.",
        ),
        ({"act": DONOR}, "The gates of the truck, in this block: cat 81 → 65 %."),
        ({"act": {"kind": "hidden", "index": 2, "value": 0}}, "Unit 2 off: cat 81 → 65 %."),
        (
            {"act": {"kind": "hidden", "index": 2, "value": 0}, "hidden": [0, 0, 0, 0]},
            "Every unit is off: all gates are ½.",
        ),
        (
            {"act": {"kind": "z", "index": 3, "value": -1.2, "stopped": True}},
            "Gate and answer follow as far as z goes: no picture goes further than −1.20.",
        ),
    ],
)
def test_a_sentence_follows_from_the_numbers(
    node: Callable[[str, Any], Any], data: dict[str, Any], sentence: str
) -> None:
    assert say(node, **data) == sentence


def test_the_cost_of_foreign_gates_is_the_stored_one() -> None:
    stored = store.load("interventions")["interventions"]["other_class"]["places"][NAME]["change"]
    assert Block("squeeze").data["swap"] == round(100 * stored, 2)


def test_the_link_brings_back_what_it_was_given(node: Callable[[str, Any], Any]) -> None:
    found = node(
        """async () => {
          const pins = { z: [NaN, -0.52], hidden: [0, NaN], gate: [NaN, 0.9] };
          const { toLink, fromLink } = SE["lib/block_words.js"];
          return fromLink(toLink({ picture: "cat", channel: 1, pins, donor: "truck" }));
        }""",
        None,
    )
    pulled = [("z", 1, -0.52), ("hidden", 0, 0), ("gate", 1, 0.9)]
    assert found == {
        "picture": "cat",
        "channel": 1,
        "donor": "truck",
        "pulled": [{"kind": kind, "index": index, "value": value} for kind, index, value in pulled],
    }


def test_sums_over_maps_equal_numpy(node: Callable[[str, Any], Any]) -> None:
    u = np.random.default_rng(0).normal(size=(8, 8))
    found = node(
        """async (u) => {
          const m = SE["lib/block_math.js"];
          return [[...m.halved(u, 8)], m.quantile(u, 0.98), m.histogram(u, 1, 4), [...m.shuffled(u, 1)]];
        }""",
        u.flatten().tolist(),
    )
    halves, most, counts, shuffled = found
    np.testing.assert_allclose(halves, u.reshape(4, 2, 4, 2).mean((1, 3)).flatten(), atol=1e-6)
    assert most == pytest.approx(np.quantile(abs(u), 0.98, method="lower"), abs=1e-6)
    assert counts == np.histogram(u.clip(-1, 0.999), bins=4, range=(-1, 1))[0].tolist()
    np.testing.assert_allclose(sorted(shuffled), sorted(u.flatten()), atol=1e-6)
    assert abs(np.array(shuffled) - u.flatten()).max() > 0.1


def test_thumbnails_on_the_axis_never_cover_each_other(node: Callable[[str, Any], Any]) -> None:
    for places in ([5, 6, 7, 200, 201, 299, 300, 300, 300, 300], [0] * 10, [150, 10]):
        found = node('async (p) => SE["lib/block_math.js"].stacked(p, 24, 300)', places)
        for row in (0, 1):
            xs = sorted(one["x"] for one in found if one["row"] == row)
            assert all(b - a >= 26 for a, b in zip(xs, xs[1:])) and xs[0] >= 12 and xs[-1] <= 288


# The HTML


def test_the_html_depends_on_the_data_alone(html: dict[str, str]) -> None:
    assert Block("squeeze").element() == html["squeeze"]


def test_another_part_is_refused() -> None:
    with pytest.raises(ValueError, match="open must be one of squeeze, excitation, rescale; got 'all'"):
        Block("all")


@pytest.mark.parametrize("part", ["squeeze", "excitation", "rescale"])
def test_nothing_is_cut_in_a_pane(figure_page: Callable, part: str) -> None:
    """At rest, and with the gates of another picture, which the open pane and the shut one both name."""
    page = figure_page(Block(part).element(), width=1008)
    page.wait_for_function("document.querySelector('se-block').result?.base", timeout=WAIT)
    page.locator("se-block .donors .thumb").nth(1).click()
    is_said = "document.querySelector('se-block').shadowRoot.querySelector('.is').textContent.includes('’s is')"
    page.wait_for_function(is_said, timeout=WAIT)
    for pane in page.locator("se-block .pane").all():
        assert pane.evaluate("e => [e.scrollHeight - e.clientHeight, e.scrollWidth - e.clientWidth]") == [0, 0]
    said = page.locator("se-block .excitation .is span").first.text_content()
    assert re.search(r"; the \w+’s is [01]\.\d\d$", said), said


def test_the_mean_is_named_within_its_histogram(figure_page: Callable) -> None:
    for width in (1008, 800, 360, 320):
        page = figure_page(Block("squeeze").element(), width=width)
        page.wait_for_function("document.querySelector('se-block').result?.base", timeout=WAIT)
        drawn(page)
        chart, words = (page.locator(f"se-block .histogram{part}").bounding_box() for part in ("", " .mean"))
        assert chart["x"] - 1 <= words["x"]
        assert words["x"] + words["width"] <= chart["x"] + chart["width"] + 1, width
