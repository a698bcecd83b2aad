"""Ship trained networks with the package: half-precision weights, history, SHA-256 and measured accuracy.

    python scripts/ship_weights.py runs/resnet20 runs/se_resnet20

What the package has is replaced only after the new file was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from safetensors.torch import load, load_file, save

from senet_edu import load_cifar10, zoo
from senet_edu.resnet import create_model
from senet_edu.train import evaluate, replace_file


def ship(run: Path) -> None:
    """Put the network of a finished run into the package.

    Raises:
        ValueError: the run is not finished, or it was not on CIFAR-10.
    """
    if not (run / "model.safetensors").exists():
        raise ValueError(f"{run} holds no finished run: model.safetensors is missing")
    history = (run / "history.jsonl").read_bytes()
    about = json.loads(history.splitlines()[0])
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
    entries = json.loads(index.read_text()) if index.exists() else {}
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
    print(f"{name}: {accuracy:.2%} of the 10,000 test images, {len(weights) / 1e6:.2f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that senet_edu.train has written")
    for run in parser.parse_args().runs:
        try:
            ship(run)
        except (OSError, ValueError) as error:
            raise SystemExit(f"Error: {error}") from None
