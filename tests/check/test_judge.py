"""What all judges share: the verdict, the reading of answers, and the package as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from solutions import CHAPTERS, slug_of

from senet_edu import check
from senet_edu.check.judge import (
    CROSS,
    OPEN,
    TICK,
    Open,
    Raised,
    Wrong,
    as_names,
    as_number,
    as_numbers,
    as_tensor,
    ask,
    call,
    close,
    diagnose,
    judge,
    judge_claims,
    near,
    shown,
)


def test_a_verdict_is_a_tick_a_cross_or_an_invitation(verdict: Callable[..., str]) -> None:
    def odd(number: int) -> str | None:
        return None if number % 2 else f"{number} is even."

    assert verdict(judge, 3, odd, "Odd.") == f"{TICK} Odd."
    assert verdict(judge, 4, odd, "Odd.") == f"{CROSS} 4 is even."
    assert verdict(judge, ..., odd, "Odd.").startswith(f"{OPEN} Not answered yet")


@pytest.mark.parametrize("answer", [..., (1, ...), [..., 2], {"a": 1, "b": ...}])
def test_any_ellipsis_in_an_answer_leaves_it_open(verdict: Callable[..., str], answer: Any) -> None:
    assert verdict(judge, answer, lambda answer: "wrong", "Right.").startswith(OPEN)


@pytest.mark.parametrize("result", [..., (1, ...), [..., 2], {"a": ...}])
def test_a_function_that_returns_an_ellipsis_is_open(verdict: Callable[..., str], result: Any) -> None:
    assert verdict(judge, lambda: result, lambda function: ask(function) and None, "Right.").startswith(OPEN)


def test_arrays_are_not_taken_for_open() -> None:
    """`... in answers` would compare each of them with `...`, element by element."""
    values = [np.arange(3), torch.arange(3)]
    assert call(lambda: values) is values


def test_a_readers_error_is_reported_in_one_line(verdict: Callable[..., str]) -> None:
    def answer() -> None:
        raise ValueError("two\n   lines")

    line = verdict(judge, answer, lambda function: ask(function), "Right.")
    assert line == f"{CROSS} your answer raised ValueError: two lines"
    assert verdict(judge, 1, lambda _: "two\n   lines" + 1000 * "!", "Right.").startswith(f"{CROSS} two lines!!!")
    assert len(verdict(judge, 1, lambda _: "two\n   lines" + 1000 * "!", "Right.")) < 600


def test_an_error_of_the_judge_is_not_called_the_readers(verdict: Callable[..., str]) -> None:
    line = verdict(judge, "seven", lambda answer: str(int(answer)), "Right.")
    assert line.startswith(f"{CROSS} the judge cannot read this answer (ValueError") and "raised" not in line


def test_call_and_ask() -> None:
    assert call(lambda: None) is None and ask(lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(Wrong, match="is the `return` missing"):
        ask(lambda: None)
    with pytest.raises(Wrong, match="your function, not 7"):
        call(7)
    with pytest.raises(Open):
        call(lambda: ...)
    with pytest.raises(Raised, match="ZeroDivisionError: division by zero") as caught:
        call(lambda: 1 / 0)
    assert isinstance(caught.value.error, ZeroDivisionError)
    assert caught.value.mentions("by zero") and not caught.value.mentions("by one", "by two")


def test_keyboard_interrupt_stops_the_judge() -> None:
    def answer() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(answer, ask, "Right.")


NUMBERS = (7, 7.0, True + 6, Fraction(14, 2), Decimal(7), np.int64(7), np.float32(7), np.array(7), np.array([[7]]))


@pytest.mark.parametrize("number", [*NUMBERS, torch.tensor(7), torch.tensor([7.0], requires_grad=True), [7]])
def test_as_number_takes_every_kind_of_number(number: Any) -> None:
    got = as_number(number, "a number")
    assert got == 7 and type(got) is float


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "not None"),
        ("7", "not '7'"),
        (1j, "not complex numbers"),
        (math.nan, "not NaN"),
        ([1, 2], "not a list of 2"),
        ([], "not an empty list"),
        (torch.ones(2, 3), r"not a tensor of shape \(2, 3\)"),
        (np.ones(2), r"not an array of shape \(2,\)"),
        ({"a": 7}, "not a dict of 1"),
        (int, "not the class int"),
        (object(), "not an object"),
    ],
)
def test_as_number_says_what_it_got(value: Any, why: str) -> None:
    with pytest.raises(Wrong, match=f"^give a number, {why}"):
        as_number(value, "give a number")


def test_as_numbers() -> None:
    for pair in ((1, 2), [1, 2.0], np.array([1, 2]), torch.tensor([1, 2]), (torch.tensor(1), np.float32(2))):
        assert as_numbers(pair, 2, "a pair") == [1, 2]
    for wrong in (None, 1, "12", {1: 2, 3: 4}, {1, 2}, (1, 2, 3), torch.tensor(1), (1, "2")):
        with pytest.raises(Wrong, match="^a pair[,;]"):
            as_numbers(wrong, 2, "a pair")


def test_as_tensor() -> None:
    wanted = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    rows = [wanted[0], [torch.tensor(3.0), 4]]
    backwards = wanted.flip(1).numpy()[:, ::-1]  # negative strides, which PyTorch does not take
    for value in (wanted, wanted.double(), wanted.numpy(), wanted.tolist(), rows, backwards, wanted.requires_grad_()):
        got = as_tensor(value, "a tensor")
        assert close(got, wanted) and not got.requires_grad
    for wrong in (None, "12", [[1], [1, 2]], {"a": 1}, np.array([None]), object(), torch.ones(2) * 1j, ["a"]):
        with pytest.raises(Wrong, match="^a tensor, not "):
            as_tensor(wrong, "a tensor")


def test_as_tensor_copies_what_may_not_be_written(recwarn: pytest.WarningsRecorder) -> None:
    frozen = np.ones(3)
    frozen.setflags(write=False)
    assert close(as_tensor(frozen, "a tensor"), torch.ones(3)) and not recwarn.list


def test_as_names() -> None:
    for names in (["a", "b"], {"a", "b"}, ("a", "b"), {"a": 1, "b": 2}, (name for name in "ab"), np.array(["a", "b"])):
        assert as_names(names, "names") == {"a", "b"}
    for wrong in (None, "ab", 7, torch.ones(2)):
        with pytest.raises(Wrong, match="^names, not "):
            as_names(wrong, "names")
    with pytest.raises(Raised, match="ZeroDivisionError"):  # in a generator of the reader's
        as_names((1 / n for n in (1, 0)), "names")


def test_diagnose_gives_the_first_mistake_that_fits() -> None:
    mistakes = {"one": torch.ones(2), "ones": torch.ones(3), "also ones": torch.ones(3)}
    assert diagnose(torch.ones(3).double(), mistakes) == "ones"
    assert diagnose(torch.zeros(3), mistakes) is None
    assert diagnose(1.0005, {"one": 1.0}, near(1e-3)) == "one" and diagnose(1.0005, {"one": 1.0}, near(1e-4)) is None


def test_claims(verdict: Callable[..., str]) -> None:
    claims = {"a": (True, "because a."), "b": (False, "because not b.")}
    for answers in ({"a": True, "b": False}, {"b": 0, "a": 1}, {"a": np.bool_(True), "b": torch.tensor(False)}):
        assert verdict(judge_claims, answers, claims, "Both.") == f"{TICK} Both."
    assert verdict(judge_claims, ..., claims, "Both.").startswith(OPEN)
    assert verdict(judge_claims, {"a": True, "b": ...}, claims, "Both.").startswith(OPEN)
    assert verdict(judge_claims, {"a": True, "b": True}, claims, "Both.") == f"{CROSS} b? because not b."
    assert verdict(judge_claims, {"a": True}, claims, "Both.") == f"{CROSS} there is no answer for 'b'."
    for wrong in ("yes", 2, None, [True], torch.ones(2), np.ones(2)):
        assert "answer True or False, not" in verdict(judge_claims, {"a": wrong, "b": False}, claims, "Both.")
    for wrong in (None, [True, False], "a"):
        assert "give a dictionary" in verdict(judge_claims, wrong, claims, "Both.")


def test_shown_is_short() -> None:
    assert shown("x" * 100) == "'" + "x" * 56 + "..." and shown(np.float32(0.5)) == "0.5"


# The package


def test_every_chapter_has_its_judges_and_their_tests(root: Path) -> None:
    slugs = sorted(slug_of(path) for path in CHAPTERS)
    shared = {"__init__", "judge"}
    assert sorted(path.stem for path in (root / "senet_edu/check").glob("*.py") if path.stem not in shared) == slugs
    tests = {path.stem.removeprefix("test_") for path in (root / "tests/check").glob("test_*.py")}
    assert sorted(tests - {"judge", "solutions"}) == slugs


def test_every_public_name_is_exported() -> None:
    assert sorted(set(check.__all__)) == sorted(check.__all__)
    for name in check.__all__:
        where = getattr(getattr(check, name), "__module__", "senet_edu.check.judge")
        assert where.startswith("senet_edu.check.")


def test_modules_fit_in_the_head(root: Path) -> None:
    for path in (root / "senet_edu/check").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 300, path.name
