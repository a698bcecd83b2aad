"""The command line: `python -m senet_edu.train --help`."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn

from senet_edu import data as datasets
from senet_edu.commandline import parse_option
from senet_edu.train import distributed
from senet_edu.train.loop import train
from senet_edu.train.profile import profile_steps
from senet_edu.train.recipe import RECIPES, Recipe

GO_ON = "The same command with --resume goes on after the last finished epoch."


def parse_sizes(text: str) -> tuple[tuple[float, int], ...]:
    """`"0:24,0.5:32"` to `((0.0, 24), (0.5, 32))`."""
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return tuple((float(start), int(side)) for start, side in pairs)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not SHARE:SIDE,SHARE:SIDE,…") from None


def not_empty(text: str) -> str:
    """What a shell variable that is not set would leave."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def stop(message: str, code: int = 1) -> NoReturn:
    """End the program with a message, which of several processes only the first prints."""
    if os.environ.get("RANK", "0") == "0":
        print(f"\n{message}", file=sys.stderr, flush=True)
    raise SystemExit(code) from None


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a cluster sends it before it ends a job: stops like Ctrl-C."""


@contextmanager
def signals() -> Iterator[None]:
    """SIGTERM and SIGINT as exceptions, in the main thread, while the context is open."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: Any) -> NoReturn:
        raise Terminated

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m senet_edu.train", description="Train a network of the book.")
    titles = "; ".join(f"{name}: {named.title}" for name, named in RECIPES.items())
    parser.add_argument("--recipe", choices=RECIPES, help=f"start from it, change what else is given. {titles}")
    kinds: dict[str, dict[str, Any]] = {"sizes": {"type": parse_sizes, "metavar": "SHARE:SIDE,…"}}
    for f in fields(Recipe):
        if f.name != "model_options":
            switch = {"action": argparse.BooleanOptionalAction}  # also --no-compile, where a recipe has it
            kind = kinds.get(f.name) or (switch if isinstance(f.default, bool) else {"type": type(f.default)})
            shown = ",".join(f"{start:g}:{side}" for start, side in f.default) if f.name == "sizes" else f.default
            flag, why = "--" + f.name.replace("_", "-"), f.metadata["why"]
            parser.add_argument(flag, default=argparse.SUPPRESS, help=f"{why} ({shown})", **kind)
    parser.add_argument(
        "--model-option", type=parse_option, action="append", default=[], metavar="NAME=VALUE", help="for create_model"
    )
    parser.add_argument("--out", type=not_empty, help="folder for history, checkpoint and weights")
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, if there is one")
    earlier.add_argument("--overwrite", action="store_true", help="replace an earlier run in --out")
    parser.add_argument("--device", type=not_empty, help="cuda, cpu, … (a GPU if there is one)")
    parser.add_argument("--eval-every", type=int, default=1, metavar="EPOCHS", help="between tests (%(default)s)")
    parser.add_argument("--profile", action="store_true", help="print where the time of a step goes, and keep nothing")
    return parser


def run(args: dict[str, Any], argv: list[str]) -> None:
    """Do what the options say.

    Raises:
        FloatingPointError, OSError, ValueError: see `train`.
    """
    rest = {name: args.pop(name) for name in ("out", "resume", "overwrite", "eval_every")}
    show_profile, device = args.pop("profile"), args.pop("device")
    named, options = args.pop("recipe"), dict(args.pop("model_option"))
    several = distributed.asked_for()
    start = ["python"] if several == 1 else ["torchrun", "--nproc-per-node", str(several)]
    command = shlex.join([*start, "-m", "senet_edu.train", *argv])
    recipe = RECIPES[named].recipe if named else Recipe()
    if args.get("model", recipe.model) == recipe.model and "attention" not in options:  # else they are another's
        options = recipe.model_options | options
    recipe = replace(recipe, **args, model_options=options)
    with distributed.process_group(device) as device:
        if show_profile:
            print(profile_steps(recipe, datasets.load(recipe.data), device))
            return
        done = train(recipe, device=device, command=command, **rest)
        if distributed.rank() == 0:
            accuracy = done.history[-1]["test_accuracy"]
            what = f"Accuracy on {recipe.holdout:,} held-out training images" if recipe.holdout else "Test accuracy"
            print(f"{what} {100 * accuracy:.2f} %. Weights: {Path(rest['out']) / 'model.safetensors'}")


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = make_parser()
    args = vars(parser.parse_args(argv))
    if args["out"] is None and not args["profile"]:
        parser.error("the following arguments are required: --out")
    warnings.formatwarning = lambda message, *rest, **more: f"Warning: {message}\n"
    try:
        with signals():
            run(args, argv)
    except Terminated:
        stop(f"Stopped by SIGTERM. {GO_ON}", 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        stop(f"Stopped. {GO_ON}", 128 + signal.SIGINT)
    except (FloatingPointError, OSError, ValueError) as error:
        stop(f"Error: {error}")


if __name__ == "__main__":
    main()
