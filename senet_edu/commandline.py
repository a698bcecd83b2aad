"""What the commands of the package share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any


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


def guarded(main: Callable[[], object]) -> None:
    """Run a command that ends with a line, and no traceback, where data or an argument is wrong, or by Ctrl-C."""
    try:
        main()
    except (OSError, ValueError) as error:
        raise SystemExit(f"Error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("\nStopped.") from None
