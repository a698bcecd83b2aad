"""The trained networks that come with the package.

Each has three facts in `weights/manifest.json`: the recipe and command that made it, the SHA-256 of its file, and the
accuracy that the shipped file scores on the 10,000 test images. Weights are stored in half precision and used in
float32. `scripts/ship_weights.py` writes them from a training run.

What takes too long to measure in a chapter is measured once, by `scripts/measure_NAME.py`, and lies in
`results/NAME.json` with everything that it takes to measure it again.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from senet_edu.resnet import ResNet, create_model

WEIGHTS = Path(__file__).parent / "weights"
RESULTS = Path(__file__).parent / "results"


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """What is shipped: name to its facts (`sha256`, `model_options`, `test_accuracy`, `about`)."""
    return json.loads((WEIGHTS / "manifest.json").read_text())


def facts(name: str) -> dict[str, Any]:
    """The facts of one shipped network.

    Raises:
        ValueError: no such network is shipped.
    """
    if name not in manifest():
        raise ValueError(f"name {name!r} has no shipped weights; there are {', '.join(manifest())}")
    return manifest()[name]


def load_pretrained(name: str) -> ResNet:
    """A network with its shipped CIFAR-10 weights, in float32 and eval mode.

    `"resnet20"`, and `"se_resnet20"` with r = 4. Inputs are images that went through `senet_edu.data.normalize`.

    Raises:
        ValueError: no such network is shipped.
        RuntimeError: the weights file is damaged (its SHA-256 is not the recorded one).
    """
    about = facts(name)
    path = WEIGHTS / f"{name}.safetensors"
    if hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"]:
        raise RuntimeError(f"{path} is damaged: its SHA-256 is not the recorded one. Install senet_edu again.")
    model = create_model(name, **about["model_options"])
    model.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in load_file(path).items()})
    return model.eval()


def load_history(name: str) -> list[dict[str, Any]]:
    """The training history of a shipped network, a dictionary an epoch (see `senet_edu.train`).

    Raises:
        ValueError: no such network is shipped.
    """
    facts(name)
    _, *epochs = map(json.loads, (WEIGHTS / f"{name}.history.jsonl").read_text().splitlines())
    return epochs


def load_results(name: str) -> dict[str, Any]:
    """A stored measurement: its numbers, and under `about` the command, seeds, versions and hardware.

    Raises:
        ValueError: there is no such measurement.
    """
    known = sorted(path.stem for path in RESULTS.glob("*.json"))
    if name not in known:
        raise ValueError(f"name {name!r} is not a stored measurement; there are {', '.join(known)}")
    return json.loads((RESULTS / f"{name}.json").read_text())
