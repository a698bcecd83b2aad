"""Every folded solution of every chapter before its judge: as it stands, in other number types, and spoiled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import torch
from solutions import CHAPTERS, Solution, folded_code, slug_of, solutions
from torch import Tensor

from senet_edu import check
from senet_edu.data import procedural
from senet_edu.train import Recipe, Run
from senet_edu.train.loop import hold_out

SOLUTIONS = {str(solution): solution for solution in solutions()}


def trained(recipe: Recipe, data: Any, **options: Any) -> Run:
    """In place of `train`, which would take minutes: a run that gets better by 3 % an epoch."""
    data = hold_out(data, recipe.holdout)
    about = {"data": {"train": len(data.train_images), "test": len(data.test_images)}, "recipe": vars(recipe)}
    rows = [{"size": recipe.size_at(epoch), "train_accuracy": 0.03 * epoch} for epoch in range(recipe.epochs)]
    return Run(torch.nn.Identity(), about, [row | {"test_accuracy": row["train_accuracy"]} for row in rows])


@cache
def stand_ins(slug: str) -> dict[str, Any]:
    """Names of a chapter whose values would take long: 10,000 images, a training."""
    if slug == "gates_across_depth":
        return {"data": procedural().subset(test=100)}
    if slug == "train_cifar10":
        return {"data": procedural(), "train": trained}
    return {}


class Recorder:
    """In place of `check`: keeps what a judge is asked, and says nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **named: self.asked.append((name, args, named))


@cache
def asked(solution: Solution) -> tuple[Callable[..., None], tuple, dict[str, Any]]:
    """The judge of a solution, and the arguments that it is given."""
    recorder = Recorder()
    solution.run(stand_ins(solution.slug) | {"check": recorder})
    ((name, args, named),) = recorder.asked
    return getattr(check, name), args, named


WITH_FUNCTION = {name: one for name, one in SOLUTIONS.items() if re.search(r"^def ", one.code, re.MULTILINE)}
every_solution = pytest.mark.parametrize("solution", SOLUTIONS.values(), ids=SOLUTIONS)


@every_solution
def test_folded_solutions_are_right(solution: Solution, capsys: pytest.CaptureFixture[str]) -> None:
    solution.run(stand_ins(solution.slug))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0].startswith(check.TICK)


def test_every_judge_has_a_solution_and_every_chapter_an_exercise() -> None:
    judges = {name for name in check.__all__ if callable(getattr(check, name))}
    assert {solution.judge for solution in SOLUTIONS.values()} == judges
    assert {solution.slug for solution in SOLUTIONS.values()} == {slug_of(path) for path in CHAPTERS}


def test_both_ways_to_fold_are_read() -> None:
    code = "a\n\n```python\nx = 1\n```\nwords\n"
    directive = f":::{{dropdown}} Solution\n{code}:::\n\n:::{{dropdown}} Answer\n```python\nno\n```\n:::\n"
    html = f"<details>\n<summary>Solution</summary>\n\n{code}\n</details>\n"
    dressed = f'<details class="solution">\n<summary><b>Solution</b></summary>\n\n{code}\n</details>\n'
    answer = "<details>\n<summary>Answer</summary>\n\n```python\nno\n```\n\n</details>\n"
    assert folded_code(f"{directive}\n{answer}\n{html}\n{dressed}") == ["x = 1\n"] * 3


# The same numbers in other types

DIALECTS: dict[str, Callable[[Tensor], Any]] = {
    "torch": lambda tensor: tensor,
    "numpy": lambda tensor: tensor.numpy(),
    "list": lambda tensor: tensor.tolist(),
    "float32": lambda tensor: tensor.float() if tensor.is_floating_point() else tensor,
    "float64": lambda tensor: tensor.double() if tensor.is_floating_point() else tensor,
    "numpy float32": lambda tensor: np.float32(tensor.numpy()) if tensor.is_floating_point() else tensor.numpy(),
}
ARRAYS = ("numpy", "list", "numpy float32")
# Results that go on to functions that do not take every type; then the hint says so.
REFUSED = {
    **{("key_map", dialect): "takes nothing but tensors" for dialect in ARRAYS},
    **{("frozen_gates", dialect): "takes a number, a tensor or a function" for dialect in ARRAYS},
    ("same_mean", "list"): "'list' object has no attribute 'max'",  # the solution's tell is for arrays and tensors
}


def readers(solution: Solution) -> int:
    """How many of the judge's arguments are the reader's; what follows is the chapter's."""
    return 2 if solution.judge == "same_mean" else 1


def translated(value: Any, dialect: Callable[[Tensor], Any]) -> Any:
    """A value with the numbers and tensors in it translated."""
    if isinstance(value, Mapping):
        return {key: translated(item, dialect) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(translated(item, dialect) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float | Tensor):
        return value
    return dialect(torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None))


def in_dialect(answer: Any, dialect: Callable[[Tensor], Any]) -> Any:
    """An answer whose results, or itself, are translated."""
    if not isinstance(answer, FunctionType):
        return translated(answer, dialect)
    return lambda *inputs: translated(answer(*inputs), dialect)


@every_solution
@pytest.mark.parametrize("dialect", DIALECTS)
def test_right_answers_are_right_in_every_dialect(
    verdict: Callable[..., str], solution: Solution, dialect: str
) -> None:
    judge, args, named = asked(solution)
    mine, others = args[: readers(solution)], args[readers(solution) :]
    mine = [in_dialect(answer, DIALECTS[dialect]) for answer in mine]
    line = verdict(judge, *mine, *others, **translated(named, DIALECTS[dialect]))
    if hint := REFUSED.get((solution.judge, dialect)):
        assert line.startswith(check.CROSS) and hint in line
    else:
        assert line.startswith(check.TICK)


# Wrong in many ways


def no_return(*inputs: Any) -> None:
    pass


def fails(*inputs: Any) -> None:
    raise ZeroDivisionError("two\nlines")


class Thing:
    def __eq__(self, other: object) -> bool:
        raise TypeError("a thing cannot be compared")

    __hash__ = None


WRONG_VALUES: dict[str, Any] = {
    "None": None,
    "string": "seven",
    "empty list": [],
    "list": [1.0, 2.0],
    "ragged list": [[1.0], [1.0, 2.0]],
    "dictionary": {"a": 1},
    "NaN": float("nan"),
    "wrong shape": torch.full((2, 3, 4, 5, 6), 0.123),
    "array of objects": np.array([None, "x"], dtype=object),
    "complex": torch.ones(3, dtype=torch.complex64),
    "object": Thing(),
    "class": Thing,
    "set": {1.5, 2.5},
}


def spoiled(answer: Any) -> Iterator[Any]:
    """Wrong answers in place of a right one."""
    if isinstance(answer, FunctionType):
        yield from (no_return, fails, lambda: 1)
        yield from (lambda *inputs, value=value: value for value in WRONG_VALUES.values())
        yield lambda *inputs: list(answer(*inputs))[:1]  # a part of what is wanted
    elif isinstance(answer, Mapping):
        for key in answer:
            yield from (dict(answer) | {key: value} for value in WRONG_VALUES.values())
            yield {other: value for other, value in answer.items() if other != key}
    elif isinstance(answer, list):
        for place in range(len(answer)):
            yield from ([*answer[:place], value, *answer[place + 1 :]] for value in WRONG_VALUES.values())
    yield from (*WRONG_VALUES.values(), lambda *inputs: 7.7)


def asked_wrongly(solution: Solution) -> Iterator[tuple[Callable[..., None], tuple, dict[str, Any]]]:
    """The judge's arguments with one of the reader's answers spoiled."""
    judge, args, named = asked(solution)
    for place in range(min(readers(solution), len(args))):
        for wrong in spoiled(args[place]):
            yield judge, (*args[:place], wrong, *args[place + 1 :]), named
    for name, answer in named.items():
        for wrong in spoiled(answer):
            yield judge, args, named | {name: wrong}


@every_solution
def test_wrong_answers_get_a_hint_and_no_traceback(verdict: Callable[..., str], solution: Solution) -> None:
    for judge, args, named in asked_wrongly(solution):
        line = verdict(judge, *args, **named)
        assert line.startswith(f"{check.CROSS} ") and len(line) > 20, (args, named)
        assert "the judge cannot read" not in line, (line, args, named)


@every_solution
def test_what_is_not_answered_gets_an_invitation(verdict: Callable[..., str], solution: Solution) -> None:
    judge, args, named = asked(solution)
    if args:
        assert verdict(judge, ..., *args[1:], **named).startswith(check.OPEN)
    if args and isinstance(args[0], FunctionType):
        assert verdict(judge, lambda *inputs: ..., *args[1:], **named).startswith(check.OPEN)
    for name in named:
        assert verdict(judge, *args, **named | {name: ...}).startswith(check.OPEN)
    if args and isinstance(args[0], Mapping):
        for key in args[0]:
            assert verdict(judge, dict(args[0]) | {key: ...}, *args[1:]).startswith(check.OPEN)


@pytest.mark.parametrize("solution", WITH_FUNCTION.values(), ids=WITH_FUNCTION)
def test_a_readers_function_runs_only_for_the_test(verdict: Callable[..., str], solution: Solution) -> None:
    """Not once more with other inputs: what it prints would come twice, and a `...` would be found by luck."""
    judge, args, named = asked(solution)
    assert isinstance(args[0], FunctionType)
    calls = []

    def open_yet(*inputs: Any) -> Any:
        calls.append(inputs)
        return ...

    assert verdict(judge, open_yet, *args[1:], **named).startswith(check.OPEN)
    assert len(calls) == 1
