"""Checks of arguments: each returns the value, or raises a ValueError that names the argument and what came.

    self.channels = whole("channels", channels, least=1)
    self.lr = number("lr", lr, above=0)

Python would find out later, deep in a library, and speak of something else.
"""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class _Short(reprlib.Repr):
    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, nn.Module):
            return type(x).__name__
        try:
            if shape := tuple(x.shape):
                return f"{x.dtype if isinstance(x, Tensor) else f'{type(x).__name__} of {x.dtype}'} {shape}"
        except Exception:  # most things have no shape, and an error message must not fail
            pass
        try:
            return super().repr1(x, level)
        except ValueError:  # a whole number of thousands of digits
            return f"a very long {type(x).__name__}"


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 200
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdict = 8


def shown(value: object) -> str:
    """A value for an error message, in a few words however large it is.

    Data type and shape of a tensor or an array, the class of a module, also of those in a list or a dictionary; of
    anything else its `repr`, cut.
    """
    return _SHORT.repr(value)


def whole(name: str, value: object, least: int | None = None, most: int | None = None) -> int:
    """A whole number, of Python or NumPy, as an `int`: no text, no fraction, no True.

    Args:
        name: of the argument, for the error.
        value: what came.
        least, most: the limits, both allowed.

    Raises:
        ValueError: another kind of value, or one beyond a limit.
    """
    limits = _limits(least, most)
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number{limits and ','}{limits}, got {shown(value)}")
    if least is not None and value < least or most is not None and value > most:
        raise ValueError(f"{name} must be{limits}, got {shown(value)}")
    return int(value)


def number(
    name: str,
    value: object,
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """A finite number, of Python or NumPy, as a `float`.

    Args:
        name: of the argument, for the error.
        value: what came.
        least, most: the limits, both allowed.
        above, below: the limits, neither allowed.

    Raises:
        ValueError: another kind of value, one that is not finite, or one beyond a limit.
    """
    limits = _limits(least, most, above, below)
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number{limits and ','}{limits}, got {shown(value)}")
    low = (least is not None and value < least) or (above is not None and value <= above)
    high = (most is not None and value > most) or (below is not None and value >= below)
    if low or high:
        raise ValueError(f"{name} must be{limits}, got {shown(value)}")
    return float(value)


def flag(name: str, value: object) -> bool:
    """True or False, and nothing that Python would take for one of them.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return value


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """One of the known names.

    Raises:
        ValueError: anything else; the error names all that are known, the nearest first.
    """
    known = list(known)
    if isinstance(value, str) and value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(known)}; got {shown(value)}{hint}")


def path(name: str, value: object) -> Path:
    """The path of a file or a folder: a `Path`, or text that is not empty.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"{name} must be a path, got {shown(value)}")
    return Path(value)


def module(name: str, value: object) -> nn.Module:
    """A network or a part of one.

    Raises:
        ValueError: anything else, such as the name of a network or its weights.
    """
    if not isinstance(value, nn.Module):
        raise ValueError(f"{name} must be a module, got {shown(value)}")
    return value


def inputs(name: str, value: object) -> Any:
    """What a network is called with: a tensor, a tuple of arguments, a dictionary of keyword arguments, or the like.

    Raises:
        ValueError: nothing at all, or what no network takes: None, a number, text.
    """
    empty = isinstance(value, (Sequence, Mapping)) and not value
    if value is None or empty or isinstance(value, (Real, str, bytes)):
        raise ValueError(f"{name} must be a tensor, or a tuple or dictionary of arguments, got {shown(value)}")
    return value


def tensor(name: str, value: object, shape: Sequence[int | None], dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of a shape, in which None stands for any size.

    Raises:
        ValueError: anything else.
    """
    fits = isinstance(value, Tensor) and value.ndim == len(shape) and dtype in (None, value.dtype)
    if not fits or any(size not in (None, have) for size, have in zip(shape, value.shape)):  # type: ignore[attr-defined]
        sizes = ", ".join("…" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{name} must be {str(dtype or 'a tensor').removeprefix('torch.')} ({sizes}), got {shown(value)}"
        )
    return value  # type: ignore[return-value]


def images(name: str, value: object, least: int = 1) -> Tensor:
    """Images as they are stored: uint8 `(N, 3, H, W)` with N at least `least`.

    Looks at the type and the shape only, so a GPU need not wait.

    Raises:
        ValueError: anything else.
    """
    if (
        not isinstance(value, Tensor)
        or value.dtype != torch.uint8
        or value.ndim != 4
        or value.shape[1] != 3
        or len(value) < least
    ):
        raise ValueError(f"{name} must be uint8 (N, 3, H, W){f' with N >= {least}' * (least > 0)}, got {shown(value)}")
    return value


def labels(name: str, value: object, count: int, classes: int | None = None) -> Tensor:
    """Labels of images: int64 `(count,)`, each from 0 to `classes` - 1 (from 0 on where `classes` is left out).

    Raises:
        ValueError: anything else.
    """
    if not isinstance(value, Tensor) or value.dtype != torch.int64 or value.shape != (count,):
        raise ValueError(f"{name} must be int64 ({count},), got {shown(value)}")
    if count and (value.min() < 0 or classes is not None and value.max() >= classes):
        last = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"{name} must be from 0{last or ' on'}, got {int(value.min())} to {int(value.max())}")
    return value


def _limits(least: float | None, most: float | None, above: float | None = None, below: float | None = None) -> str:
    """The limits in words: ` at least 1 and less than 4`."""
    words = {"at least": least, "more than": above, "at most": most, "less than": below}
    said = [f"{text} {limit}" for text, limit in words.items() if limit is not None]
    return " " + " and ".join(said) if said else ""
