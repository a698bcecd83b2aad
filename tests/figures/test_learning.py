"""The figure of chapter 6 in a real browser; what it says is compared with the stored recording."""

from __future__ import annotations

import math
from typing import Any

import pytest
from browser import drawn, wait_until_said

from senet_edu import store
from senet_edu.explorables import Learning
from senet_edu.explorables.learning import LABELS

FIGURE = "se-learning"
BARS = "bars => bars.map((bar) => ['x', 'height', 'y'].map((name) => Number(bar.getAttribute(name))))"
PAST = "k => document.querySelector('se-learning').shadowRoot.querySelector('input[type=range]').value > k"
LINES = {"distance": "distance", "spread": "spread", "at_half": "all at ½"}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return store.load("learning")


def shown(key: str, value: float) -> str:
    value = round(1e4 * value) / 1e4  # what is sent to the page
    return f"{100 * value:.1f} %" if key == "at_half" else f"{value:.3f}"


def near(text: str, key: str, value: float) -> bool:
    """Whether a text is the value, whichever way a last digit of 5 was rounded."""
    return text in {shown(key, value + d) for d in (-1e-5, 0, 1e-5)}


def choose(page, label: str) -> None:
    page.get_by_role("radio", name=label, exact=True).check(force=True)


def to_step(page, k: int) -> None:
    page.locator(f"{FIGURE} input[type=range]").fill(str(k))


def number(page, key: str) -> str:
    return page.locator(f"{FIGURE} output [data-number='{key}']").inner_text()


def block(page) -> str:
    return page.locator(f"{FIGURE} tr[aria-current] th").inner_text()


def test_every_number_is_that_of_the_file(figure_page, axe, results):
    page = figure_page(Learning(results).element())
    rows = page.locator(f"{FIGURE} tbody .figure")
    for variant, label in LABELS.items():
        one = results["variants"][variant]
        choose(page, label)
        for k in (0, len(results["steps"]) // 2, len(results["steps"]) - 1):
            to_step(page, k)
            for key, line in LINES.items():
                choose(page, line)
                drawn(page)
                texts = rows.all_inner_texts()
                assert len(texts) == len(results["blocks"])
                assert all(near(text, key, value) for text, value in zip(texts, one[key][0][k])), (variant, k, key)
            last = len(results["blocks"]) - 1
            for key in ("mean", *LINES):
                assert near(number(page, key), key, one[key][0][k][last]), (variant, k, key)
            said = page.locator(f"{FIGURE} output.note").inner_text()
            assert f"layer3.2 after {results['steps'][k]} of {results['steps'][-1]} steps: " in said
            assert page.get_by_text(one["what"], exact=True).is_visible()
    assert axe(page) == []


def test_bars_are_the_counts_of_the_file(figure_page, results):
    page = figure_page(Learning(results).element())
    k = len(results["steps"]) - 3
    for variant in ("standard", "r16"):
        choose(page, LABELS[variant])
        to_step(page, k)
        drawn(page)
        for row, counts in enumerate(results["variants"][variant]["histogram"][k]):
            bars = page.locator(f"{FIGURE} tbody tr").nth(row).locator("rect").evaluate_all(BARS)
            assert [x for x, _, _ in bars] == list(range(results["bins"]))
            expected = [100 * math.sqrt(count / max(counts)) for count in counts]
            assert [height for _, height, _ in bars] == pytest.approx(expected, abs=0.51)
            assert all(height + y == 100 for _, height, y in bars)


def test_the_marker_stands_on_the_line_of_the_chosen_block(figure_page, results):
    page = figure_page(Learning(results).element())
    k = len(results["steps"]) - 5
    to_step(page, k)
    page.locator(f"{FIGURE} tbody tr").nth(3).hover()
    drawn(page)
    assert block(page) == "layer2.0"
    area, dot = (page.locator(f"{FIGURE} {name}").bounding_box() for name in (".area", ".dot"))
    across = (dot["x"] + dot["width"] / 2 - area["x"]) / area["width"]
    assert across == pytest.approx(math.log1p(results["steps"][k]) / math.log1p(results["steps"][-1]), abs=0.01)
    high = float(page.locator(f"{FIGURE} .top").inner_text())
    up = 1 - (dot["y"] + dot["height"] / 2 - area["y"]) / area["height"]
    value = results["variants"]["standard"]["distance"][0][k][3]
    assert up * high == pytest.approx(value, abs=0.02 * high)
    ends = page.locator(f"{FIGURE} .area path[stroke-width='1.2']").get_attribute("d").split("M")[1:]
    assert len(ends) == len(results["variants"]["standard"]["seeds"]) - 1
    for seed, line in enumerate(ends, start=1):
        y = 1 - float(line.split()[-1])
        assert y * high == pytest.approx(results["variants"]["standard"]["distance"][seed][-1][3], abs=1e-3)


def test_pointer_keys_and_link_do_the_same(figure_page, axe, results):
    page = figure_page(Learning(results).element(), dark=True)
    box = page.locator(f"{FIGURE} .area").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 1, box["y"] + 60)  # the last step
    drawn(page)
    time = page.locator(f"{FIGURE} input[type=range]")
    assert int(time.input_value()) == len(results["steps"]) - 1
    time.focus()
    page.keyboard.press("ArrowLeft")
    step = results["steps"][-2]
    page.locator(f"{FIGURE} tbody").focus()
    page.keyboard.press("ArrowUp")
    drawn(page)
    assert block(page) == "layer3.1"
    assert page.evaluate("location.hash") == f"#learning=standard,{step},layer3.1"
    wait_until_said(page, FIGURE, f"layer3.1 after {step} of")
    page.evaluate(f"location.hash = 'learning=zero_init,{results['steps'][4]},layer1.0'")
    drawn(page)
    assert block(page) == "layer1.0" and int(time.input_value()) == 4
    assert near(number(page, "mean"), "mean", results["variants"]["zero_init"]["mean"][0][4][0])
    page.evaluate("location.hash = 'learning=nonsense,1,layer1.0'")
    drawn(page)
    assert int(time.input_value()) == 4
    assert axe(page) == []


def test_play_runs_to_the_end_and_pauses(figure_page, results):
    page = figure_page(Learning(results).element(), reduced_motion=False)
    page.get_by_role("button", name="Pause").click()  # it began to play when it came into view
    time = page.locator(f"{FIGURE} input[type=range]")
    width = page.locator(f"{FIGURE} .play").bounding_box()["width"]
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(PAST, arg=2)
    page.get_by_role("button", name="Pause").click()
    assert page.locator(f"{FIGURE} .play").bounding_box()["width"] == width
    at = int(time.input_value())
    page.wait_for_timeout(700)  # long enough for two steps more
    assert 2 < int(time.input_value()) == at
    to_step(page, len(results["steps"]) - 2)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()  # again, as it has come to the end
    drawn(page)
    assert int(time.input_value()) == len(results["steps"]) - 1
    page.get_by_role("button", name="Play").click()  # from the beginning
    drawn(page)
    assert int(time.input_value()) < 3


def test_it_rests_at_the_end_and_plays_once_when_it_comes_into_view(figure_page, results):
    last = str(len(results["steps"]) - 1)
    still = figure_page(Learning(results).element(), reduced_motion=True)
    drawn(still)
    assert still.locator(f"{FIGURE} input[type=range]").input_value() == last
    page = figure_page(Learning(results).element(), reduced_motion=False)
    time = page.locator(f"{FIGURE} input[type=range]")
    page.wait_for_function(PAST.replace("> k", "< k"), arg=len(results["steps"]) - 5)
    page.get_by_role("button", name="Play").wait_for()
    assert time.input_value() == last
    assert page.evaluate("location.hash") == ""  # nobody chose anything
    page.wait_for_timeout(400)
    assert time.input_value() == last


def test_less_motion_is_slower(figure_page, results):
    page = figure_page(Learning(results).element(), reduced_motion=True)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(800)  # it waits a second
    assert page.locator(f"{FIGURE} input[type=range]").input_value() == "0"


def test_it_fits_a_phone_and_nothing_jumps(figure_page, results):
    page = figure_page(Learning(results).element(), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    sizes = set()
    for label in LABELS.values():
        choose(page, label)
        for line in LINES.values():
            choose(page, line)
            for k in (0, 7, len(results["steps"]) - 1):
                to_step(page, k)
                drawn(page)
                height = page.locator(FIGURE).bounding_box()["height"]
                sizes.add((height, page.locator(f"{FIGURE} td.plot").first.bounding_box()["width"]))
    assert len(sizes) == 1, sizes
    ((height, width),) = sizes
    assert height <= 900 and width > 140


def test_a_trial_says_so(figure_page, results):
    page = figure_page(Learning({**results, "whole_training_set": False}).element())
    assert page.get_by_text("A trial on a part of the training images").count() == 1
    assert figure_page(Learning(results).element()).get_by_text("A trial").count() == 0


def test_html_is_the_same_each_time(results):
    assert Learning(results).element() == Learning(results).element()
    assert len(Learning(results).element()) < 150_000
