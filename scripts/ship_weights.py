"""Ship trained networks with the package: half-precision weights, history, SHA-256 and measured accuracy.

    python scripts/ship_weights.py runs/resnet20 runs/se_resnet20
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from senet_edu import load_cifar10, load_pretrained, zoo
from senet_edu.train import evaluate


def ship(run: Path) -> None:
    about = json.loads((run / "history.jsonl").read_text().splitlines()[0])
    name = about["recipe"]["model"]
    # Matrices in half precision; the few vectors (batch norm) stay in float32, where a small variance would underflow.
    weights = {key: t.half() if t.ndim > 1 else t for key, t in load_file(run / "model.safetensors").items()}
    path = zoo.WEIGHTS / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(weights, path)
    shutil.copyfile(run / "history.jsonl", zoo.WEIGHTS / f"{name}.history.jsonl")

    index = zoo.WEIGHTS / "manifest.json"
    entries = json.loads(index.read_text()) if index.exists() else {}
    entries[name] = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "model_options": about["recipe"]["model_options"],
        "about": about,
    }
    write(index, entries)
    zoo.manifest.cache_clear()
    data = load_cifar10(download=False)
    loss, accuracy = evaluate(load_pretrained(name), data.test_images, data.test_labels)
    entries[name] |= {"test_loss": round(loss, 4), "test_accuracy": round(accuracy, 4)}
    write(index, entries)
    print(f"{name}: {accuracy:.2%} of the 10,000 test images, {path.stat().st_size / 1e6:.2f} MB")


def write(path: Path, entries: dict) -> None:
    path.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders that senet_edu.train has written")
    for run in parser.parse_args().runs:
        ship(run)
