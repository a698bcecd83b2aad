"""The trained networks that come with the package.

Each has three facts in `weights/manifest.json`: the recipe and command that made it, the SHA-256 of its file, and the
accuracy that the shipped file scores on the 10,000 test images. Weights are stored in half precision and used in
float32. `python -m senet_edu.measure.weights` puts them there from a training run.
"""

from __future__ import annotations

import difflib
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from senet_edu import checks, store
from senet_edu.resnet import ResNet, create_model

WEIGHTS = Path(__file__).parent / "weights"
REMEDY = "Install senet_edu again"


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """What is shipped: name to its facts (`sha256`, `model_options`, `test_accuracy`, `about`).

    Raises:
        FileNotFoundError, ValueError: the file is missing or damaged, as for `store.read_json`.
    """
    return store.read_json(WEIGHTS / "manifest.json", REMEDY)


def facts(name: str) -> dict[str, Any]:
    """The facts of one shipped network.

    Raises:
        ValueError: no such network is shipped.
    """
    known = manifest()
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.9)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"name {checks.shown(name)} has no shipped weights; there are {', '.join(known)}{hint}")
    return known[name]


def load_pretrained(name: str) -> ResNet:
    """A network with its shipped CIFAR-10 weights, in float32 and eval mode.

    `"resnet20"`, and `"se_resnet20"` with r = 4. Inputs are images that went through `senet_edu.data.normalize`.

    Raises:
        ValueError: no such network is shipped, or its file is damaged (its SHA-256 is not the recorded one).
    """
    about = facts(name)
    path = WEIGHTS / f"{name}.safetensors"
    if hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"]:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the recorded one. {REMEDY}.")
    model = create_model(name, **about["model_options"])
    model.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in load_file(path).items()})
    return model.eval()


def load_history(name: str) -> list[dict[str, Any]]:
    """The training history of a shipped network, a dictionary an epoch (see `senet_edu.train`).

    Raises:
        ValueError: no such network is shipped, or the file is damaged.
    """
    epochs = facts(name)["about"]["recipe"]["epochs"]
    path = WEIGHTS / f"{name}.history.jsonl"
    _, *history = store.read_lines(path, REMEDY)
    if [row.get("epoch") for row in history] != list(range(1, epochs + 1)):
        raise ValueError(f"{path} is damaged: it has {len(history)} epochs, and the run had {epochs}. {REMEDY}.")
    return history
