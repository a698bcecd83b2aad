"""The figure of chapter 14 in a real browser; what it shows is compared with the sources and the records."""

from __future__ import annotations

from dataclasses import replace

import pytest
from browser import wait_until_said

from senet_edu import provenance
from senet_edu.explorables import Provenance
from senet_edu.provenance import MAP, marked, records, source_of_code, source_of_test

ROOT = "se-provenance"


@pytest.fixture(scope="module")
def html() -> str:
    return Provenance().element()


def lines(page, label: str) -> list[str]:
    return page.locator(f"{ROOT} pre[aria-label^='{label}'] .line").evaluate_all("all => all.map((e) => e.textContent)")


def marks(page, label: str) -> list[int]:
    every = page.locator(f"{ROOT} pre[aria-label^='{label}'] .line").evaluate_all("all => all.map((e) => e.localName)")
    return [i for i, tag in enumerate(every) if tag == "mark"]


def words(page) -> str:
    return "\n".join(page.locator(f"{ROOT} :is(.label, .step, .held)").all_inner_texts())


def assert_shows(page, link) -> None:
    code, test = source_of_code(link), source_of_test(link)
    assert lines(page, "Code of") == [line or " " for line in code.splitlines()]
    assert lines(page, "Test") == [line or " " for line in test.splitlines()]
    assert marks(page, "Code of") == marked(code, link.lines)
    assert marks(page, "Test") == marked(test, link.truth)
    text = words(page)
    for expected in (link.code, link.test, link.title, link.held_to):
        assert expected in text


def pick(page, link) -> None:
    page.get_by_role("radio", name=f"{link.label}: {link.title}", exact=True).check(force=True)


def test_every_entry_shows_its_code_and_its_test(figure_page, axe, html):
    page = figure_page(html)
    assert_shows(page, MAP[0])  # where it starts
    for link in MAP:
        pick(page, link)
        assert_shows(page, link)
        assert page.locator(f"{ROOT} .pickers :checked").count() == 1
    assert axe(page) == []


def test_the_code_takes_the_room_that_it_needs_and_nothing_moves(figure_page, html):
    page = figure_page(html, width=1008)
    code, test = (page.locator(f"{ROOT} pre[aria-label^='{label}']") for label in ("Code of", "Test"))
    ends = set()
    for link in MAP[::4]:
        pick(page, link)
        height = code.locator(".line").evaluate_all("all => all.reduce((sum, e) => sum + e.offsetHeight, 0)")
        assert code.bounding_box()["height"] <= height + 16, link.key
        box = test.bounding_box()
        assert box["height"] > 120
        ends.add(round(box["y"] + box["height"]))
    assert len(ends) == 1


def test_the_marked_line_is_in_sight(figure_page, html):
    page = figure_page(html, width=360)
    for key in ("table-2", "table-13", "figure-5", "eq-5"):
        pick(page, next(link for link in MAP if link.key == key))
        for label in ("Code of", "Test"):
            box = page.locator(f"{ROOT} pre[aria-label^='{label}']")
            assert box.evaluate(
                "e => { const m = e.querySelector('mark'); const top = m.offsetTop - e.scrollTop;"
                " return top >= 0 && top < e.clientHeight - 10; }"
            ), (key, label)


def test_the_keyboard_and_what_is_said(figure_page, axe, html):
    page = figure_page(html, dark=True)
    page.get_by_role("radio", name=f"{MAP[0].label}: {MAP[0].title}", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert_shows(page, MAP[1])
    wait_until_said(page, ROOT, MAP[1].code, MAP[1].test, "z sub c")
    page.get_by_role("radio", name="equations, tables, figures").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(f"{ROOT} pre").first.is_hidden()
    body = page.locator(f"{ROOT} tbody")
    body.focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    assert shown(page) == expected(records()[2])
    assert axe(page) == []


def shown(page) -> dict[str, str]:
    names = page.locator(f"{ROOT} dt").all_inner_texts()
    return dict(zip(names, page.locator(f"{ROOT} dd").all_inner_texts(), strict=True))


def expected(record: provenance.Record) -> dict[str, str]:
    fields = {
        "File": f"senet_edu/{record.path}",
        "Holds": record.holds,
        "Shown in": f"chapter{'s' * (len(record.chapters) > 1)} " + ", ".join(str(int(c[:2])) for c in record.chapters),
        "Command": "\n".join(record.commands),
        "Seeds": ", ".join(map(str, record.seeds)),
        "Hardware": record.hardware,
        "Precision": record.precision,
        "Versions": record.versions,
        "Time": provenance.duration(record.seconds),
        "Size": f"{record.size:,} bytes",
        "SHA-256": record.sha256,
    }
    return {name: value or "not recorded" for name, value in fields.items()}


def test_every_file_shows_its_record(figure_page, axe, html):
    page = figure_page(html)
    page.get_by_role("radio", name="stored files").check(force=True)
    board = records()
    rows = page.locator(f"{ROOT} tbody tr")
    assert rows.count() == len(board)
    longest = max(record.seconds or 0 for record in board)
    full = None
    for i, record in enumerate(board):
        rows.nth(i).hover()
        assert shown(page) == expected(record)
        assert rows.nth(i).get_attribute("aria-current") == "true"
        bar = rows.nth(i).locator("i")
        assert bar.count() == (record.seconds is not None)
        if record.seconds is not None:
            full = full or rows.nth(i).locator("td.bar").bounding_box()["width"]
            assert bar.bounding_box()["width"] == pytest.approx(full * record.seconds / longest, abs=3)
    assert axe(page) == []


def test_a_link_opens_an_entry(figure_page, html):
    page = figure_page(html)
    link = next(link for link in MAP if link.key == "figure-5")
    pick(page, link)
    assert page.evaluate("location.hash") == "#made=figure-5"
    page.reload()
    assert_shows(page, link)
    pick(page, MAP[0])
    assert page.evaluate("location.hash") == ""


def test_it_fits_a_phone_and_nothing_jumps(figure_page, html):
    page = figure_page(html, width=360)
    tops = set()
    for link in MAP[:6]:
        pick(page, link)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        tops.add(round(page.locator(f"{ROOT} .formula").bounding_box()["y"]))
    assert len(tops) == 1
    page.get_by_role("radio", name="stored files").check(force=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_the_repository_it_says_where_tests_are(figure_page, monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "TESTS", tmp_path)
    page = figure_page(Provenance().element())
    assert lines(page, "Test") == ["The tests are in the repository. They do not come with the installed package."]
    assert MAP[0].test in words(page)


def test_html_is_the_same_each_time(html):
    assert Provenance().element() == html
    other = Provenance([replace(records()[0], seconds=None)], MAP[:2])
    assert len(other.data["links"]) == 2 and other.data["files"][0]["fields"]["Time"] == "not recorded"
