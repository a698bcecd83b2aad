"""Guesses and their answers in a real browser, with and without a place to keep them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from senet_edu.explorables import Guess, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPTIONS = ["it rises", "it falls", "it stays at <½>"]
FOUND = "The gate falls by 0.26 & opens no other."


@pytest.fixture
def guess() -> Guess:
    return Guess("gate-1", "Channel 5 becomes larger. What does gate 1 do?", OPTIONS)


@pytest.fixture
def both(guess: Guess) -> str:
    """A question and, further down, its answer, as in a chapter."""
    verdict = Verdict(guess, "it falls", FOUND)
    return f"{guess.element()}\n<p>Some text.</p>\n{verdict.element()}"


def said(page: Page) -> str:
    return page.locator("se-verdict .found").inner_text()


def test_a_guess_is_kept_and_stands_beside_the_answer(figure_page: Callable, both: str) -> None:
    page = figure_page(both)
    assert page.locator("se-verdict .found").is_hidden()
    page.locator("se-guess").get_by_role("radio", name="it rises").check(force=True)
    assert "falls by 0.26" not in page.inner_text("body")
    page.locator("se-guess").get_by_text("Kept. The answer stands further down.").wait_for()
    for _ in range(2):  # at once, and when the page is opened again
        assert said(page).split("\n\n") == [FOUND, "You guessed it rises. The answer: it falls."]
        assert page.locator("se-verdict").get_by_role("radio").count() == 0
        page.reload()
        assert page.locator("se-guess").get_by_role("radio", name="it rises").is_checked()


def test_without_a_guess_the_question_is_asked_again(figure_page: Callable, both: str) -> None:
    """By keyboard: arrows choose and show nothing, the button shows."""
    page = figure_page(both)
    verdict = page.locator("se-verdict")
    height = verdict.bounding_box()["height"]
    assert "You have not guessed yet. Channel 5 becomes larger." in verdict.locator(".asked").inner_text()
    verdict.get_by_role("radio", name="it rises").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    assert verdict.get_by_role("radio", name="it falls").is_checked()
    assert verdict.locator(".found").is_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert said(page).split("\n\n") == [FOUND, "You guessed it falls. The answer: it falls."]
    assert verdict.locator(".asked").is_hidden()
    assert verdict.bounding_box()["height"] == height
    page.wait_for_function(
        "document.querySelector('se-verdict').shadowRoot.querySelector('[aria-live]').textContent.includes('0.26')"
    )
    assert page.locator("se-guess").get_by_role("radio", name="it falls").is_checked()


def test_the_answer_can_be_shown_without_a_guess(figure_page: Callable, both: str) -> None:
    page = figure_page(both)
    page.get_by_role("button", name="Show the answer").click()
    assert said(page).split("\n\n") == [FOUND, "You did not guess. The answer: it falls."]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1000, 360])
def test_every_state_is_accessible_and_fits(
    figure_page: Callable, axe: Callable, both: str, width: int, dark: bool
) -> None:
    page = figure_page(both, width, dark=dark)
    assert axe(page) == []
    page.locator("se-verdict").get_by_role("radio", name="it rises").check(force=True)
    page.get_by_role("button", name="Show the answer").click()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_option_that_is_gone_counts_as_no_guess(figure_page: Callable, both: str, guess: Guess) -> None:
    page = figure_page(both)
    page.evaluate("sessionStorage.setItem('se-guess:gate-1', 'it explodes')")
    page.reload()
    assert page.locator("se-guess :checked").count() == 0
    page.get_by_role("button", name="Show the answer").click()
    assert "You did not guess." in said(page)


def test_a_frame_without_storage_is_served(page_factory: Callable, guess: Guess) -> None:
    """As in Colab, where each output lies in an opaque frame; reading sessionStorage throws there."""
    cell = (guess._repr_html_() + Verdict(guess, "it falls", FOUND)._repr_html_()).replace('"', "&quot;")
    page = page_factory()
    page.set_content(f'<iframe sandbox="allow-scripts" srcdoc="{cell}" title="cell" width="800" height="600"></iframe>')
    frame = page.frame_locator("iframe")
    frame.get_by_role("radio", name="it rises").first.check(force=True)
    frame.get_by_text("You guessed it rises. The answer: it falls.").wait_for()


def test_two_cells_of_a_notebook_hear_each_other(page_factory: Callable, guess: Guess) -> None:
    """Each cell has scripts of its own, and a page without an address keeps nothing."""
    page = page_factory()
    page.set_content(guess._repr_html_() + Verdict(guess, "it falls", FOUND)._repr_html_())
    page.get_by_role("radio", name="it rises").first.check(force=True)
    page.get_by_text("You guessed it rises.").wait_for()


def test_without_scripts_question_and_answer_stand_as_text(page_factory: Callable, both: str) -> None:
    page = page_factory(java_script_enabled=False)
    page.set_content(both)
    assert page.locator("se-guess").inner_text() == (
        "Guess first. Channel 5 becomes larger. What does gate 1 do? it rises · it falls · it stays at <½>"
    )
    assert FOUND in page.locator("se-verdict").inner_text()


def test_on_paper_the_answer_is_shown(figure_page: Callable, both: str) -> None:
    page = figure_page(both)
    page.emulate_media(media="print")
    assert page.locator("se-verdict .found").is_visible()
    assert page.locator("se-guess legend").is_visible()
    assert page.locator("se-verdict .asked").is_hidden()


def test_what_a_screen_reader_hears_first_is_not_the_answer(guess: Guess) -> None:
    label = re.search('aria-label="([^"]*)"', Verdict(guess, "it falls", FOUND).element())
    assert label and label[1] == "The answer to: Channel 5 becomes larger. What does gate 1 do?"


def test_the_html_depends_on_the_data_alone(guess: Guess) -> None:
    again = Guess("gate-1", guess.data["question"], tuple(OPTIONS))
    assert guess.element() == again.element()
    assert Verdict(guess, "it falls", FOUND).element() == Verdict(again, "it falls", FOUND).element()


def test_wrong_arguments_are_refused(guess: Guess) -> None:
    with pytest.raises(ValueError, match="key must be lower-case letters, digits and hyphens, got 'Gate 1'"):
        Guess("Gate 1", "What?", OPTIONS)
    with pytest.raises(ValueError, match="question must be text that is not empty, got ' '"):
        Guess("a", " ", OPTIONS)
    for options in (["one"], ["one", "one"], "one two"):
        with pytest.raises(ValueError, match="options must be two or more different answers, got"):
            Guess("a", "What?", options)
    with pytest.raises(ValueError, match="each of the options must be text that is not empty, got ''"):
        Guess("a", "What?", ["", "b"])
    with pytest.raises(ValueError, match="guess must be a Guess, the question that is answered; got 'gate-1'"):
        Verdict("gate-1", "it falls", FOUND)
    with pytest.raises(ValueError, match="answer must be one of it rises, it falls, it stays at <½>; got 'it sings'"):
        Verdict(guess, "it sings", FOUND)
    with pytest.raises(ValueError, match="sentence must be text that is not empty, got ''"):
        Verdict(guess, "it falls", "")
