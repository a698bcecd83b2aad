"""What the package has: `python -m senet_edu`; and the card of a trained network: `python -m senet_edu NAME`."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import senet_edu
from senet_edu import zoo
from senet_edu.relatives import ATTENTION

COMMANDS = {
    "python -m senet_edu NAME": "the card of a trained network",
    "python -m senet_edu.audit timm:seresnet50": "do the SE blocks of a network work?",
    "python -m senet_edu.train --help": "train a network (extra: train)",
    "python -m senet_edu.measure --help": "remake a number of the book (extra: train)",
}


def overview() -> str:
    """Networks, attention blocks, trained weights, functions and commands."""
    models = senet_edu.list_models()
    functions = [name for name in senet_edu.__all__ if name not in models]
    trained = [f"  {name:14} {_percent(facts)} on CIFAR-10" for name, facts in zoo.manifest().items()]
    lines = [
        f"senet_edu {senet_edu.__version__}: Squeeze-and-Excitation networks, to learn from and to use",
        "",
        "Networks, create_model(name):",
        *_wrapped(models),
        "",
        "Blocks, create_model('se_…', attention=name):",
        *_wrapped(list(ATTENTION)),
        "",
        "Trained, load_pretrained(name):",
        *trained,
        "",
        "Functions and classes:",
        *_wrapped(functions),
        "",
        "Commands:",
        *(f"  {command:44} {what}" for command, what in COMMANDS.items()),
    ]
    return "\n".join(lines)


def card(name: str) -> str:
    """The model card of a trained network, in Markdown: what it is, how it was made, what it scores.

    Raises:
        ValueError: no such network is shipped.
    """
    facts = zoo.facts(name)
    about = facts["about"]
    recipe = ", ".join(f"{key} {value}" for key, value in about["recipe"].items())
    versions = ", ".join(f"{key} {value}" for key, value in about["versions"].items())
    return "\n".join(
        [
            f"# {name}",
            "",
            f"- Use: `senet_edu.load_pretrained({name!r})`, images of 32 x 32 pixels, ten classes of CIFAR-10.",
            f"- Test accuracy: {_percent(facts)} of 10,000 images (loss {facts['test_loss']:.4f}), one run.",
            f"- Trained with: `{about['command']}`",
            f"- Recipe: {recipe}",
            f"- On: {about['hardware']}, {about['precision']}; {versions}",
            f"- SHA-256 of the file: `{facts['sha256']}`",
            "- Not measured: other data than CIFAR-10's test images, and any use of the network but to learn from it.",
        ]
    )


def _percent(facts: Mapping[str, Any]) -> str:
    return f"{100 * facts['test_accuracy']:.2f} %"


def _wrapped(names: Sequence[str]) -> list[str]:
    return textwrap.wrap(", ".join(names), 100, initial_indent="  ", subsequent_indent="  ")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m senet_edu", description="What the package has.")
    parser.add_argument("name", nargs="?", help="a trained network, for its card")
    options = parser.parse_args(argv)
    try:
        print(card(options.name) if options.name else overview())
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
