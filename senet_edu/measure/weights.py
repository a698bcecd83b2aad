"""Ship trained networks with the package: half-precision weights, history, SHA-256 and measured accuracy.

    python -m senet_edu.measure.weights runs/resnet20 runs/se_resnet20

What the package has is replaced only after the new file was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load, load_file, save

from senet_edu import zoo
from senet_edu.commandline import guarded
from senet_edu.data import load_cifar10
from senet_edu.resnet import create_model
from senet_edu.store import Holding, read_json, read_lines, replace_file
from senet_edu.train import evaluate

HOLDS = {
    "weights/manifest.json": Holding(
        "hash, recipe and test accuracy of each network", ("08_gates_across_depth", "11_train_cifar10")
    ),
    "weights/resnet20.history.jsonl": Holding("loss and accuracy by epoch, ResNet-20", ("11_train_cifar10",)),
    "weights/resnet20.safetensors": Holding(
        "the trained ResNet-20",
        ("00_one_minute", "01_why_channels", "02_squeeze", "11_train_cifar10", "12_in_the_wild", "13_shipping_se"),
    ),
    "weights/se_resnet20.history.jsonl": Holding("loss and accuracy by epoch, SE-ResNet-20", ("11_train_cifar10",)),
    "weights/se_resnet20.safetensors": Holding(
        "the trained SE-ResNet-20",
        (
            "00_one_minute",
            "02_squeeze",
            "03_excitation",
            "04_rescale",
            "08_gates_across_depth",
            "09_are_gates_explanations",
            "11_train_cifar10",
            "12_in_the_wild",
            "13_shipping_se",
        ),
    ),
}


def measure(run: Path) -> dict[str, Any]:
    """Put the network of a finished run into the package; returns its entry in the manifest.

    Raises:
        ValueError: the run is not finished or damaged, or it was not on CIFAR-10.
    """
    if not (run / "model.safetensors").exists():
        raise ValueError(f"{run} holds no finished run: model.safetensors is missing")
    history = (run / "history.jsonl").read_bytes()
    about, *_ = read_lines(run / "history.jsonl", remedy="Train it anew")
    recipe = about["recipe"]
    name = recipe["model"]
    if recipe["data"] != "cifar10":
        raise ValueError(f"{run} was trained on {recipe['data']}; what is shipped is trained on cifar10")
    # Matrices in half precision; the few vectors (batch norm) stay in float32, where a small variance would underflow.
    weights = save({key: t.half() if t.ndim > 1 else t for key, t in load_file(run / "model.safetensors").items()})

    model = create_model(name, **recipe["model_options"])
    model.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in load(weights).items()})
    data = load_cifar10(download=False)
    loss, accuracy = evaluate(model, data.test_images, data.test_labels)

    zoo.WEIGHTS.mkdir(exist_ok=True)
    index = zoo.WEIGHTS / "manifest.json"
    entries = read_json(index) if index.exists() else {}
    entries[name] = {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "model_options": recipe["model_options"],
        "about": about,
        "test_loss": round(loss, 4),
        "test_accuracy": round(accuracy, 4),
    }
    replace_file(zoo.WEIGHTS / f"{name}.safetensors", weights)
    replace_file(zoo.WEIGHTS / f"{name}.history.jsonl", history)
    replace_file(index, (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode())
    zoo.manifest.cache_clear()
    return entries[name]


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.weights", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders that senet_edu.train has written")
    for run in parser.parse_args(argv).runs:
        entry = measure(run)
        name = entry["about"]["recipe"]["model"]
        size = (zoo.WEIGHTS / f"{name}.safetensors").stat().st_size
        print(f"{name}: {100 * entry['test_accuracy']:.2f} % of the 10,000 test images, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
