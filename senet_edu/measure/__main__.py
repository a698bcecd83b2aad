"""`python -m senet_edu.measure`: what can be measured, and how."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from senet_edu.measure import NAMES


def listing() -> str:
    """Each measurement with the first sentence about it and the files that it writes."""
    lines = []
    for name in NAMES:
        module = import_module(f"senet_edu.measure.{name}")
        lines += [f"python -m senet_edu.measure.{name}", f"    {(module.__doc__ or '').partition(chr(10))[0]}"]
        lines += [f"    {path}: {holding.what}" for path, holding in module.HOLDS.items()]
    return "\n".join([*lines, "", "Each has a --help of its own."])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure",
        description=f"Measure the book's stored numbers anew, one module each:\n\n{listing()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(argv)
    print(listing())


if __name__ == "__main__":
    main()
