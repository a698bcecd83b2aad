"""The figures of chapter 7 in a real browser, on runs that nobody measured; what they say is compared with NumPy."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from browser import drawn, wait_until_said

from senet_edu.explorables import Ablations, Prediction
from senet_edu.explorables.ablations import GROUPS, described, measured
from senet_edu.measure.ablations import REDUCED, ROWS, STANDARD
from senet_edu.measure.intervals import compare
from senet_edu.published import PAPER_ABLATIONS, PAPER_PLAIN

TABLE = "se-ablations tbody"
T4 = 2.776445  # Student's t at 97.5 %, 4 degrees of freedom


@pytest.fixture(scope="module")
def runs() -> list[dict[str, Any]]:
    """Invented for this test: a softmax gate far below the others, a seed that is good for all rows."""
    random = np.random.default_rng(8)
    luck = random.normal(0, 0.01, 5)
    made = []
    for k, name in enumerate(ROWS):
        for seed in range(5):
            accuracy = 0.55 + luck[seed] + random.normal(0.01 * (k % 3), 0.004) - 0.2 * (name == "softmax")
            made.append(
                {
                    "row": name,
                    "seed": seed,
                    "test_accuracy": round(accuracy, 4),
                    "parameters": 78_000 + 40 * k,
                    "multiply_adds": 3_300_000 + 500 * k * k,
                    "about": {"recipe": asdict(REDUCED.recipe(name, seed)), "data": {"train": 12_800}},
                }
            )
    return made


def column(runs: list[dict[str, Any]], row: str) -> np.ndarray:
    return np.array([100 * run["test_accuracy"] for run in runs if run["row"] == row])


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-").replace("+", ""))


def figures(page) -> dict[str, str]:
    return {
        line.get_attribute("data-row"): line.locator(".figure").inner_text()
        for line in page.locator(f"{TABLE} tr[data-row]").all()
    }


def choose(page, label: str, name: str) -> None:
    page.get_by_role("group", name=label, exact=True).get_by_role("radio", name=name, exact=True).check(force=True)


@pytest.mark.parametrize(("label", "base"), [("no SE", "plain"), ("standard SE", STANDARD)])
def test_differences_and_margins_are_those_of_student(figure_page, axe, runs, label, base):
    page = figure_page(Ablations(runs).element())
    choose(page, "Compared with", label)
    shown = figures(page)
    assert list(shown) == list(ROWS) and shown.pop(base) == "base"
    for row, text in shown.items():
        d = column(runs, row) - column(runs, base)
        assert text == compare(runs, row, base).points  # one rounding in figures, tables and text
        mean, margin = map(number, text.split("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"))
        assert mean == pytest.approx(d.mean(), abs=0.051), row
        assert margin == pytest.approx(T4 * d.std(ddof=1) / np.sqrt(5), abs=0.051), row
        if row != "softmax":
            hollow = "open" in page.locator(f"{TABLE} [data-row={row}] .dot").get_attribute("class")
            assert hollow == (abs(d.mean()) <= T4 * d.std(ddof=1) / np.sqrt(5)), row
    assert page.locator(f"{TABLE} [data-row=softmax] .off").inner_text() == "\N{BLACK LEFT-POINTING TRIANGLE}"
    assert axe(page) == []


def center(locator) -> float:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2


def test_dots_stand_where_the_axis_says(figure_page, runs):
    page = figure_page(Ablations(runs).element())
    ticks = page.locator("se-ablations .axis-marks span:visible").all()
    (a, first), (b, last) = ((number(tick.inner_text()), center(tick)) for tick in (ticks[0], ticks[-1]))
    near = 2 * (b - a) / (last - first)  # two pixels
    for row in ("se_r8", "wide"):
        d = column(runs, row) - column(runs, "plain")
        line = page.locator(f"{TABLE} [data-row={row}]")

        def value(locator) -> float:
            return a + (b - a) * (center(locator) - first) / (last - first)

        assert value(line.locator(".dot")) == pytest.approx(d.mean(), abs=near)
        assert value(line.locator(".line")) == pytest.approx(0, abs=near)
        assert [value(seed) for seed in line.locator(".seed").all()] == pytest.approx(list(d), abs=near)


def test_a_row_by_mouse_and_by_keyboard_is_the_same_everywhere(figure_page, axe, runs):
    page = figure_page(Ablations(runs).element(), dark=True)
    current = page.locator(f"{TABLE} [aria-current=true]")
    assert current.get_attribute("data-row") == STANDARD
    page.locator(f"{TABLE} [data-row=eca]").hover()
    drawn(page)
    said = page.locator("se-ablations output").inner_text()
    d = column(runs, "eca") - column(runs, "plain")
    assert f"{d.mean():+.2f} points" in said and said.startswith(f"{GROUPS['relatives']}, ECA")
    pairs = page.locator("se-ablations svg.pairs").get_attribute("aria-label").split(", ")
    wanted = zip(column(runs, "plain"), column(runs, "eca"))
    assert pairs == [f"seed {seed}: {a:.2f} to {b:.2f} %" for seed, (a, b) in enumerate(wanted)]
    assert page.locator("se-ablations .cloud .mark.chosen").get_attribute("data-row") == "eca"

    page.locator(TABLE).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    wait_until_said(page, "se-ablations", "r = 2")
    assert current.get_attribute("data-row") == list(ROWS)[1]
    choose(page, "Size and mean accuracy, %", "multiply-adds")
    page.locator("se-ablations .cloud [data-row=wide]").hover()
    drawn(page)
    assert current.get_attribute("data-row") == "wide"
    assert axe(page) == []


def test_a_seed_is_marked_in_every_row(figure_page, runs):
    page = figure_page(Ablations(runs).element())
    choose(page, "Mark a seed", "3")
    drawn(page)
    marked = page.locator(f"{TABLE} .seed.focus")
    assert {dot.get_attribute("data-seed") for dot in marked.all()} == {"3"}
    assert marked.count() >= len(ROWS) - 4  # all but the base and those that are off the scale
    assert page.locator("se-ablations .pair.focus").get_attribute("data-seed") == "3"
    d = column(runs, STANDARD)[3] - column(runs, "plain")[3]
    text = page.locator("se-ablations output").inner_text().replace("\N{MINUS SIGN}", "-")
    assert f"Seed 3: {d:+.2f}." in text


def test_the_papers_rows_have_no_interval_and_say_so(figure_page, axe, runs):
    page = figure_page(Ablations(runs).element())
    choose(page, "Runs", "the paper's")
    drawn(page)
    shown = [text for text in figures(page).values() if text != "base"]
    gains = [PAPER_PLAIN.error - row.error for row in PAPER_ABLATIONS if row is not PAPER_PLAIN]
    assert [number(text) for text in shown] == pytest.approx(gains, abs=0.0051)
    assert page.locator(f"{TABLE} .interval, {TABLE} .seed").count() == 0
    assert "One number a row and no spread" in page.locator("se-ablations p.note").inner_text()
    assert "no interval can be given" in page.locator("se-ablations output").inner_text()
    assert page.get_by_role("group", name="Mark a seed").get_by_role("radio").first.is_disabled()
    assert axe(page) == []
    choose(page, "Runs", "ours, reduced")
    assert "reduced version" in page.locator("se-ablations p.note").inner_text()


def test_text_in_drawings_has_the_size_of_the_text_beside_them(figure_page, runs):
    page = figure_page(Ablations(runs).element(), width=1008)
    for width in (1008, 700, 360):
        page.set_viewport_size({"width": width, "height": 900})
        drawn(page)
        for chart in ("pairs", "cloud"):
            drawing = page.locator(f"se-ablations svg.{chart}")
            scale = drawing.bounding_box()["width"] / float(drawing.get_attribute("viewBox").split()[2])
            assert 12 <= 13 * scale <= 15, (chart, width)


def test_a_short_table_fits_a_screen(figure_page, runs):
    some = [run for run in runs if run["row"] in ("plain", STANDARD, "frozen", "eca", "wide")]
    page = figure_page(Ablations(some).element(), width=1008)
    assert page.locator("se-ablations").bounding_box()["height"] < 800


def test_both_fit_a_phone(figure_page, runs):
    html = Prediction(runs).element() + Ablations(runs).element()
    page = figure_page(html, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert min(cell.bounding_box()["width"] for cell in page.locator("se-ablations td.plot").all()) > 85


MARKS, GUESSED = "se-prediction input[type=range]", "se-prediction .mine"


def test_a_guess_is_answered_on_its_own_axis_after_it_was_made(figure_page, axe, runs):
    """At rest the figure has its rows, its axis and a mark in each; nothing that was measured."""
    some = [run for run in runs if run["row"] in ("plain", STANDARD, "frozen", "eca", "wide")]
    page = figure_page(Prediction(some).element())
    rows = ["SE, r = 4", "the same SE, gates frozen after training", "ECA, a relative of SE"]
    rows.append("no SE, but wider: as many weights")
    assert page.locator("se-prediction tbody th").all_inner_texts() == rows
    assert page.locator("se-prediction .guess").count() == 4
    assert page.locator("se-prediction .dot, se-prediction .interval").count() == 0
    assert page.locator("se-prediction .found").all_inner_texts() == ["?"] * 4
    assert axe(page) == []
    se = page.get_by_role("slider", name=rows[0], exact=True)
    se.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert se.get_attribute("aria-valuetext") == "+0.2 points"
    plot = page.locator("se-prediction td.plot").nth(2).bounding_box()
    x, y = plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + plot["width"] / 4, y, steps=4)  # to half of what the axis reaches
    page.mouse.up()
    reach = Prediction(some).data["reach"]
    guesses = [number(text) for text in page.locator(GUESSED).all_inner_texts()]
    assert guesses[:2] == [0.2, 0] and guesses[2] == pytest.approx(reach / 2, abs=0.11) and guesses[3] == 0

    page.get_by_role("button", name="Commit and reveal").click()
    found = {row: compare(some, row) for row in (STANDARD, "frozen", "eca", "wide")}
    assert page.locator("se-prediction .found").all_inner_texts() == [d.points for d in found.values()]
    off = [abs(guess - 100 * d.mean) for guess, d in zip(guesses, found.values())]
    hit = sum(o <= 100 * d.margin for o, d in zip(off, found.values()))
    said = page.locator("se-prediction .said").inner_text()
    assert said.startswith(f"{hit} of your 4 guesses ")
    near, far = off.index(min(off)), off.index(max(off))
    assert f"Closest: {rows[near]} (you " in said and f"Furthest off: {rows[far]} (you " in said
    assert page.locator(MARKS).first.is_disabled()
    for k, d in enumerate(found.values()):  # the mark of the guess and the dot share an axis
        line = page.locator("se-prediction tbody tr").nth(k)
        pixel = plot["width"] / (2 * reach)
        apart = center(line.locator(".dot")) - center(line.locator(".guess"))
        assert apart == pytest.approx(pixel * (100 * d.mean - guesses[k]), abs=2)
    assert axe(page) == []
    page.get_by_role("button", name="Start over").click()
    assert page.locator(GUESSED).all_inner_texts() == ["0.0"] * 4
    assert page.locator("se-prediction .dot").count() == 0 and page.locator("se-prediction .said").inner_text() == ""


def test_nothing_of_the_prediction_moves_when_it_is_answered(figure_page, runs):
    some = [run for run in runs if run["row"] in ("plain", STANDARD, "frozen", "eca", "wide")]
    for width in (360, 1008):
        page = figure_page(Prediction(some).element(), width=width)
        height = page.locator("se-prediction").bounding_box()["height"]
        assert height < 741
        page.get_by_role("button", name="Commit and reveal").click()
        assert page.locator("se-prediction").bounding_box()["height"] == pytest.approx(height, abs=1)


def test_rows_without_two_seeds_are_left_out(runs):
    some = [run for run in runs if run["row"] != "wide" and not (run["row"] == "eca" and run["seed"] > 0)]
    assert [name for name in ROWS if name not in measured(some)] == ["eca", "wide"]
    assert len(Ablations(some).data["ours"]["rows"]) == len(ROWS) - 2
    assert len(Prediction(some).data["rows"]) == len(ROWS) - 3
    holes = [run for run in runs if not (run["row"] == "eca" and run["seed"] == 1)]
    (eca,) = [row for row in Ablations(holes).data["ours"]["rows"] if row["key"] == "eca"]
    assert eca["accuracy"][1] is None and None not in eca["accuracy"][2:]


def test_it_is_said_what_was_trained(runs):
    assert described(runs) == f"ResNet-8, 12,800 images of CIFAR-10 at 16×16 pixels, {REDUCED.base.epochs} epochs"
    assert described(runs) in Ablations(runs).element().encode().decode("unicode_escape")
    assert set(GROUPS) == {row.group for row in ROWS.values()}


@pytest.mark.parametrize("figure", [Ablations, Prediction])
def test_html_is_the_same_each_time(runs, figure):
    assert figure(runs).element() == figure(runs).element()


NAMES = """() => {
  const root = document.querySelector("se-ablations").shadowRoot;
  const box = (e) => (({ left, top, right, bottom }) => [left, top, right, bottom])(e.getBoundingClientRect());
  const names = [...root.querySelectorAll(".cloud .name")];
  const { left, right } = root.querySelector(".cloud").getBoundingClientRect();
  const meets = ([a, b, c, d], [e, f, g, h]) => a < g - 1 && e < c - 1 && b < h - 1 && f < d - 1;
  return {
    names: names.map((name) => name.textContent),
    chosen: names.filter((name) => name.matches(".chosen")).map((name) => name.textContent),
    meet: names.flatMap((one, i) => names.slice(i + 1)
      .filter((other) => meets(box(one), box(other))).map((other) => `${one.textContent}, ${other.textContent}`)),
    out: names.filter((name) => box(name)[0] < left - 1 || box(name)[2] > right + 1).map((name) => name.textContent),
  };
}"""


@pytest.mark.parametrize("width", [1008, 360])
def test_dots_of_size_and_accuracy_have_names_that_do_not_meet(figure_page, runs, width):
    page = figure_page(Ablations(runs).element(), width=width)
    drawn(page)
    found = page.evaluate(NAMES)
    assert {"no SE", "r = 4"} <= set(found["names"]) and len(found["names"]) >= 5
    assert found["chosen"] == ["r = 4"] and found["meet"] == found["out"] == []
    page.locator(f"{TABLE} [data-row=frozen]").click()
    found = page.evaluate(NAMES)
    assert found["chosen"] == ["frozen"] and "no SE" in found["names"] and found["meet"] == found["out"] == []
    choose(page, "Runs", "the paper's")
    found = page.evaluate(NAMES)
    assert {"no SE", "ReLU"} <= set(found["names"]) and found["meet"] == found["out"] == []
