"""What the commands of the package share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P, T = ParamSpec("P"), TypeVar("T")


def parse_option(text: str) -> tuple[str, Any]:
    """`"reduction=4"` to `("reduction", 4)`; what is not JSON stays a string.

    Raises:
        argparse.ArgumentTypeError: there is no name or no equals sign.
    """
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value, parse_constant=str)  # NaN and Infinity are no JSON
    except json.JSONDecodeError:
        return name, value


def positive(text: str) -> int:
    """A whole number from 1 on.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1, got {text!r}")
    return int(text)


def guarded(stopped: str = "Stopped.") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a command end with a line, and no traceback, where data or an argument is wrong, or by Ctrl-C.

    Args:
        stopped: what is said after Ctrl-C.
    """

    def guard(main: Callable[P, T]) -> Callable[P, T]:
        @wraps(main)
        def run(*args: P.args, **options: P.kwargs) -> T:
            try:
                return main(*args, **options)
            except (OSError, ValueError) as error:
                raise SystemExit(f"Error: {error}") from None
            except KeyboardInterrupt:
                raise SystemExit(f"\n{stopped}") from None

        return run

    return guard
