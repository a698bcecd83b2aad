"""What the commands of the package share."""

from __future__ import annotations

import argparse
import json
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
