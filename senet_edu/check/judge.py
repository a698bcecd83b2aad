"""What all judges share: a reader's answer in, a tick or a hint out.

A judge is one line, `judge(answer, test, praise)`, and a test that returns None for a right answer, else a hint. A test
calls a reader's function by `ask`, reads what comes back by `as_tensor`, `as_number` or `as_numbers`, and looks for a
known mistake by `diagnose`. It asks what an answer *does*, and takes arrays, lists and one-element tensors where they
hold the right numbers. Whatever a reader gives, a judge prints one line, returns nothing and raises nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

TICK, CROSS, OPEN = "✓", "✗", "○"


class Open(Exception):
    """Nobody has answered yet: there still is a `...`."""


class Wrong(Exception):
    """The answer is wrong; the message is the hint."""


class Raised(Wrong):
    """The reader's code raised `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"your answer raised {type(error).__name__}: {error}")
        self.error = error

    def mentions(self, *parts: str) -> bool:
        """Whether the message of the error has one of these parts."""
        return any(part in str(self.error) for part in parts)


def judge(answer: Any, test: Callable[[Any], str | None], praise: str) -> None:
    """Print the verdict on an answer, in one line.

    Args:
        answer: the reader's. A `...`, in it or from a function that the test asks, means not answered yet, and gets an
            invitation, so that a fresh notebook runs from top to bottom.
        test: returns None where the answer is right, else a hint; it may also raise `Wrong`.
        praise: one sentence for a right answer: what it shows.
    """
    try:
        if _is_open(answer):
            raise Open
        hint = test(answer)
    except Open:
        print(f"{OPEN} Not answered yet: replace the ... and run the cell again.")
        return
    except Wrong as wrong:
        hint = str(wrong)
    except Exception as error:  # nothing that a reader gives may end in a traceback of ours
        hint = f"the judge cannot read this answer ({type(error).__name__}: {error})."
    print(f"{TICK} {praise}" if hint is None else f"{CROSS} {_one_line(hint)}")


def judge_claims(answers: Any, claims: Mapping[str, tuple[bool, str]], praise: str) -> None:
    """Judge sentences that are True or False; `claims` has the right answer to each, and why."""

    def test(answers: Any) -> str | None:
        if not isinstance(answers, Mapping):
            return f"give a dictionary, each sentence to True or False, not {shown(answers)}."
        for claim, (holds, why) in claims.items():
            if claim not in answers:
                return f"there is no answer for {claim!r}."
            given = answers[claim]
            flag = isinstance(given, Real | np.bool_) or isinstance(given, Tensor) and given.numel() == 1
            if not flag or given not in (True, False):
                return f"{claim}: answer True or False, not {shown(given)}."
            if given != holds:
                return f"{claim}? {why}"
        return None

    judge(answers, test, praise)


def call(function: Any, *inputs: Any) -> Any:
    """What a reader's function returns, be it None.

    Raises:
        Open: it returns `...`.
        Raised: it raises an exception.
        Wrong: it is no function.
    """
    if not callable(function):
        raise Wrong(f"give the judge your function, not {shown(function)}.")
    try:
        result = function(*inputs)
    except Exception as error:  # a reader's code may fail in any way
        raise Raised(error) from error
    if _is_open(result):
        raise Open
    return result


def ask(function: Any, *inputs: Any) -> Any:
    """As `call`, of a function that has to return something.

    Raises:
        Wrong: also where it returns None.
    """
    result = call(function, *inputs)
    if result is None:
        raise Wrong("your function returns None: is the `return` missing?")
    return result


def as_tensor(value: Any, wanted: str) -> Tensor:
    """A reader's array as a detached tensor on the CPU: from a tensor, an array, a number, or a nested list of them.

    Args:
        wanted: the hint where it is none of these: what it must be, to be followed by "not ...".

    Raises:
        Wrong: it holds no numbers, or the rows of a list differ in length.
    """
    try:
        tensor = _to_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise Wrong(f"{wanted}, not {shown(value)}.") from None
    if tensor.is_complex():
        raise Wrong(f"{wanted}, not complex numbers.")
    return tensor


def as_number(value: Any, wanted: str) -> float:
    """A reader's number as a float, from any kind of number, or a tensor or array of one element.

    Raises:
        Wrong: it is not one number, or it is NaN; the message starts with `wanted`.
    """
    if isinstance(value, Real | Decimal):
        number = float(value)
    else:
        tensor = as_tensor(value, wanted)
        if tensor.numel() != 1:
            raise Wrong(f"{wanted}, not {shown(value)}.")
        number = float(tensor)
    if math.isnan(number):
        raise Wrong(f"{wanted}, not NaN.")
    return number


def as_numbers(value: Any, count: int, wanted: str) -> list[float]:
    """So many numbers in a row, from a tuple, a list, an array or a tensor.

    Raises:
        Wrong: they are not so many numbers; the message starts with `wanted`.
    """
    if not hasattr(value, "__len__") or isinstance(value, str | bytes | Mapping | AbstractSet):
        raise Wrong(f"{wanted}, not {shown(value)}.")
    if getattr(value, "ndim", 1) == 0 or len(value) != count:
        raise Wrong(f"{wanted}; yours is {shown(value)}.")
    return [as_number(item, wanted) for item in value]


def as_names(value: Any, wanted: str) -> set[str]:
    """Names from a list, a set or anything else that yields them.

    Raises:
        Wrong: it is no collection; the message starts with `wanted`.
    """
    if isinstance(value, str | bytes | Tensor) or not isinstance(value, Iterable):
        raise Wrong(f"{wanted}, not {shown(value)}.")
    return {str(name) for name in call(list, value)}  # a generator of the reader's runs only now


def close(got: Any, wanted: Any) -> bool:
    """Whether two tensors, or numbers, have one shape and nearly equal values, whatever their types."""
    got, wanted = torch.as_tensor(got).double(), torch.as_tensor(wanted).double()
    return got.shape == wanted.shape and bool(torch.allclose(got, wanted, atol=1e-5))


def near(tolerance: float) -> Callable[[float, float], bool]:
    """Compares two numbers by their relative difference; beside zero, by a difference of 1e-7."""
    return lambda got, wanted: math.isclose(got, wanted, rel_tol=tolerance, abs_tol=1e-7)


def diagnose(got: Any, mistakes: Mapping[str, Any], same: Callable[[Any, Any], bool] = close) -> str | None:
    """The hint of the first known mistake that gives this very result, or None.

    Args:
        got: what the reader's answer gave.
        mistakes: hint to what one gets by that mistake.
        same: whether two results are the same.
    """
    return next((hint for hint, wrong in mistakes.items() if same(got, wrong)), None)


def shown(value: Any) -> str:
    """A value in a hint: itself if it is short, else what kind of thing it is."""
    if isinstance(value, Tensor | np.ndarray) and value.ndim:
        return f"{'a tensor' if isinstance(value, Tensor) else 'an array'} of shape {tuple(value.shape)}"
    if value is None or isinstance(value, Real | str | np.generic | Tensor | np.ndarray):
        text = repr(value.item() if hasattr(value, "item") else value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    if isinstance(value, tuple | list | Mapping | AbstractSet):
        return f"a {name} of {len(value)}" if value else f"an empty {name}"
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 500 else f"{line[:497]}..."


def _is_open(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(item is ... for item in value.values())
    return value is ... or isinstance(value, tuple | list) and any(item is ... for item in value)


def _to_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, tuple | list) and any(isinstance(item, Tensor | tuple | list) for item in value):
        return torch.stack([_to_tensor(item) for item in value])
    array = np.array(value)  # a copy: also of what is read-only or runs backwards in memory
    if array.dtype.kind not in "biufc":
        raise TypeError
    return torch.from_numpy(array)
