"""The figure of chapter 9 in a real browser; what it says is compared with the stored measurement."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from browser import wait_until_said

from senet_edu import store
from senet_edu.explorables import Interventions
from senet_edu.explorables.interventions import LABELS

BLOCKS, CLASSES = "se-interventions table.by-block", "se-interventions table:not(.by-block)"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return store.load("interventions")


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def column(page, table: str, name: str) -> list[float]:
    return [number(text) for text in page.locator(f"{table} [data-number='{name}']").all_inner_texts()]


def effects(results: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    places = results["interventions"][kind]["places"]
    assert list(places) == [*results["blocks"], "all"]
    return list(places.values())


def choose(page, label: str) -> None:
    page.get_by_role("radio", name=label, exact=True).check(force=True)


def percents(values) -> Any:
    return pytest.approx([100 * value for value in values], abs=0.0051)  # two decimals on the screen


def test_every_number_is_that_of_the_file(figure_page, axe, results):
    page = figure_page(Interventions(results).element())
    for kind, label in LABELS.items():
        choose(page, label)
        assert column(page, BLOCKS, "right") == percents(e["accuracy"] for e in effects(results, kind)), kind
        assert column(page, BLOCKS, "change") == percents(e["change"] for e in effects(results, kind)), kind
        assert results["interventions"][kind]["what"][1:] in page.locator("se-interventions .what").inner_text()
    assert axe(page) == []


def test_the_mouse_chooses_a_block_and_its_classes_follow(figure_page, results):
    page = figure_page(Interventions(results).element())
    choose(page, "swapped, other class")
    for row in (2, len(results["blocks"])):
        page.locator(f"{BLOCKS} tbody tr").nth(row).hover()
        e = effects(results, "other_class")[row]
        changes = [100 * one["change"] for one in e["classes"]]
        assert column(page, CLASSES, "change") == pytest.approx(changes, abs=0.051)
        assert page.locator(f"{BLOCKS} tbody tr").nth(row).get_attribute("aria-current") == "true"
        said = page.locator("se-interventions output").inner_text()
        numbers = [100 * e[key] for key in ("accuracy", "change", "changed")]
        for value in [*numbers, 100 * min(e["by_seed"]), 100 * max(e["by_seed"])]:
            assert any(f"{abs(value) + d:.2f}" in said for d in (-0.001, 0, 0.001)), (value, said)
        assert any(f"{100 * e['toward_donor'] + d:.1f} % name the class" in said for d in (-0.01, 0, 0.01))


def test_the_arrow_keys_do_the_same(figure_page, axe, results):
    page = figure_page(Interventions(results).element(), dark=True)
    body = page.locator(f"{BLOCKS} tbody")
    body.focus()
    page.keyboard.press("ArrowUp")  # from the last block to the one before
    row = len(results["blocks"]) - 2
    assert page.locator("[aria-current=true] th").inner_text() == results["blocks"][row].removesuffix(".se")
    changes = [100 * one["change"] for one in effects(results, "mean")[row]["classes"]]
    assert column(page, CLASSES, "change") == pytest.approx(changes, abs=0.051)
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    assert page.locator("[aria-current=true] th").inner_text() == "all blocks"
    page.get_by_role("radio", name="frozen", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert column(page, BLOCKS, "right") == percents(e["accuracy"] for e in effects(results, "same_class"))
    wait_until_said(page, "se-interventions", "all blocks, swapped, same class")
    assert axe(page) == []


def center(locator) -> float:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize("scale", ["the same for all", "zoomed in"])
def test_dots_and_line_stand_where_the_axis_says(figure_page, results, scale):
    results = copy.deepcopy(results)
    results["interventions"]["one"]["places"]["all"]["accuracy"] = 0.1
    page = figure_page(Interventions(results).element())
    choose(page, scale)
    choose(page, "one")
    ticks = page.locator(f"{BLOCKS} .axis-marks span").all()
    (a, first), (b, last) = ((number(tick.inner_text()), center(tick)) for tick in (ticks[0], ticks[-1]))

    def value(locator) -> float:
        return a + (b - a) * (center(locator) - first) / (last - first)

    near = 2 * (b - a) / (last - first)  # two pixels
    rows = page.locator(f"{BLOCKS} tbody tr")
    for k, e in enumerate(effects(results, "one")[:-1]):
        dot = rows.nth(k).locator(".dot")
        assert value(dot) == pytest.approx(100 * e["accuracy"], abs=near)
        assert value(rows.nth(k).locator(".line")) == pytest.approx(100 * results["accuracy"], abs=near)
        hollow = abs(e["change"]) <= e["margin"]
        assert ("open" in dot.get_attribute("class")) == hollow
    assert rows.last.locator(".dot").count() == 0
    assert rows.last.locator(".off").inner_text() == "\N{BLACK LEFT-POINTING TRIANGLE}"


def test_it_fits_a_phone(figure_page, results):
    page = figure_page(Interventions(results).element(), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    plots = [cell.bounding_box()["width"] for cell in page.locator("se-interventions td.plot").all()]
    assert min(plots) > 100


def test_a_trial_says_so(figure_page, results):
    trial = {**results, "images": 250, "whole_test_set": False}
    page = figure_page(Interventions(trial).element())
    assert page.get_by_text("A trial on 250 test images, not the measurement.").count() == 1


def test_html_is_the_same_each_time(results):
    assert Interventions(results).element() == Interventions(results).element()
