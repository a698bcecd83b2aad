"""The figure of chapter 9 in a real browser; what it says is compared with the stored measurement."""

from __future__ import annotations

from typing import Any

import pytest
from browser import wait_until_said

from senet_edu import store
from senet_edu.explorables import Interventions
from senet_edu.explorables.interventions import LABELS

KINDS, BLOCKS, CLASSES = (f"se-interventions .by-{rows}" for rows in ("kind", "block", "class"))


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return store.load("interventions")


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def column(page, table: str, name: str) -> list[float]:
    """Of `-0.45 ± 0.26` the first."""
    return [number(text.split()[0]) for text in page.locator(f"{table} [data-number='{name}']").all_inner_texts()]


def written(effect: dict[str, Any], decimals: int) -> str:
    """As Python rounds it: a reader must not meet two roundings of one number."""
    change = f"{100 * effect['change']:+.{decimals}f}"
    change = change if float(change) else change[1:]  # zero has no sign
    return f"{change} ± {100 * effect['margin']:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


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
    everywhere = [effects(results, kind)[-1] for kind in LABELS]
    assert page.locator(f"{KINDS} [data-number='change']").all_inner_texts() == [written(e, 1) for e in everywhere]
    assert column(page, KINDS, "right") == pytest.approx([100 * e["accuracy"] for e in everywhere], abs=0.051)
    for kind, label in LABELS.items():
        choose(page, label)
        single = effects(results, kind)[:-1]
        assert column(page, BLOCKS, "right") == percents(e["accuracy"] for e in single), kind
        assert page.locator(f"{BLOCKS} [data-number='change']").all_inner_texts() == [written(e, 2) for e in single]
        said = page.locator("se-interventions output").inner_text()
        assert results["interventions"][kind]["what"].partition(": ")[2][1:] in said
        assert f"All blocks, {label}: {100 * results['accuracy']:.1f} → " in said
    assert axe(page) == []


def test_the_figure_has_all_that_was_measured(results):
    assert set(LABELS) == set(results["interventions"])


def test_the_mouse_chooses_a_block_and_its_classes_follow(figure_page, axe, results):
    page = figure_page(Interventions(results).element())
    page.locator(f"{KINDS} tbody tr", has_text="swapped, other class").locator(".plot").click()
    everywhere = effects(results, "other_class")
    for row in (2, len(results["blocks"])):
        e = everywhere[row]
        if row == 2:
            page.locator(f"{BLOCKS} tbody tr").nth(row).hover()
            assert page.locator(f"{BLOCKS} tbody tr").nth(row).get_attribute("aria-current") == "true"
        else:  # the chosen row once more: back to all blocks
            page.locator(f"{KINDS} tbody tr", has_text="swapped, other class").locator(".plot").click()
        said = page.locator("se-interventions output").inner_text()
        for key in ("changed", "toward_donor", "toward_donor_by_chance"):
            assert f"{100 * e[key]:.1f} %" in said, key
        for value in (min(e["by_seed"]), max(e["by_seed"])):
            assert f"{100 * value:.1f} %" in said, value
        choose(page, "classes")
        changes = page.locator(f"{CLASSES} [data-number='change']").all_inner_texts()
        assert changes == [written(one, 1) for one in e["classes"]]
        assert axe(page) == []
        choose(page, "blocks")


def test_the_arrow_keys_do_the_same(figure_page, axe, results):
    page = figure_page(Interventions(results).element(), dark=True)
    body = page.locator(f"{BLOCKS} tbody")
    body.focus()
    page.keyboard.press("ArrowUp")  # from the last block to the one before
    row = len(results["blocks"]) - 2
    assert page.locator(f"{BLOCKS} [aria-current=true] th").inner_text() == results["blocks"][row].removesuffix(".se")
    choose(page, "classes")
    changes = [100 * one["change"] for one in effects(results, "mean")[row]["classes"]]
    assert column(page, CLASSES, "change") == pytest.approx(changes, abs=0.051)
    choose(page, "blocks")
    page.get_by_role("radio", name="frozen", exact=True).focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(f"{KINDS} [aria-current=true] th").inner_text() == "swapped, same answer"
    assert column(page, BLOCKS, "right") == percents(e["accuracy"] for e in effects(results, "same_prediction")[:-1])
    wait_until_said(page, "se-interventions", "All blocks, swapped, same answer")
    assert axe(page) == []


def center(locator) -> float:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize("zoomed", [False, True])
def test_dots_and_line_stand_where_the_axis_says(figure_page, results, zoomed):
    page = figure_page(Interventions(results).element())
    if zoomed:
        page.get_by_role("button", name="Zoom in").click()
    choose(page, "one half")
    tables = {KINDS: [effects(results, kind)[-1] for kind in LABELS], BLOCKS: effects(results, "half")[:-1]}
    for table, shown in tables.items():
        ticks = page.locator(f"{table} .axis-marks span").all()
        (a, first), (b, last) = ((number(tick.inner_text()), center(tick)) for tick in (ticks[0], ticks[-1]))
        pixel = (b - a) / (last - first)
        rows = page.locator(f"{table} tbody tr")
        assert rows.count() == len(shown)
        for k, e in enumerate(shown):
            dot, line = rows.nth(k).locator(".dot"), rows.nth(k).locator(".line")
            assert a + pixel * (center(dot) - first) == pytest.approx(100 * e["accuracy"], abs=2 * pixel)
            assert a + pixel * (center(line) - first) == pytest.approx(100 * results["accuracy"], abs=2 * pixel)
            assert ("open" in dot.get_attribute("class")) == (abs(e["change"]) <= e["margin"])


def test_it_fits_a_phone_and_a_screen(figure_page, results):
    """A phone shows all blocks at once or one by one; each needs less than 900 px, and nothing changes its height."""
    page = figure_page(Interventions(results).element(), width=360, has_touch=True)
    figure = page.locator("se-interventions")
    for side, table in (("all 9 at once", KINDS), ("one by one", BLOCKS)):
        choose(page, side)
        plots = page.locator(f"{table} td.plot")
        assert min(cell.bounding_box()["width"] for cell in plots.all()) > 90
        assert page.locator(f"{KINDS}, {BLOCKS}").filter(visible=True).count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert figure.bounding_box()["height"] < 900
    assert page.get_by_role("heading", name="One by one: frozen").is_visible()
    page.set_viewport_size({"width": 1008, "height": 800})
    assert figure.bounding_box()["height"] < 600
    assert page.locator(f"{KINDS}, {BLOCKS}").filter(visible=True).count() == 2


def test_its_words_have_their_place_on_a_phone(figure_page, results):
    page = figure_page(Interventions(results).element(), width=360, has_touch=True)
    for label in LABELS.values():
        choose(page, "all 9 at once")
        choose(page, label)
        heights = {page.locator("se-interventions").bounding_box()["height"]}
        choose(page, "one by one")
        for row in page.locator(f"{BLOCKS} tbody tr").all()[::4]:
            row.hover()
            heights.add(page.locator("se-interventions").bounding_box()["height"])
        assert max(heights) < 900, label


@pytest.mark.parametrize("width", [360, 1008])
def test_nothing_jumps_from_one_intervention_to_the_next(figure_page, results, width):
    page = figure_page(Interventions(results).element(), width=width)
    tops = set()
    for label in LABELS.values():
        choose(page, label)
        tops.add(page.locator(KINDS).bounding_box()["y"] - page.locator("se-interventions").bounding_box()["y"])
    assert len(tops) == 1


def test_a_trial_says_so(figure_page, results):
    trial = {**results, "images": 250, "whole_test_set": False}
    page = figure_page(Interventions(trial).element())
    assert page.get_by_text("A trial on 250 test images, not the measurement.").count() == 1


def test_html_is_the_same_each_time(results):
    assert Interventions(results).element() == Interventions(results).element()
