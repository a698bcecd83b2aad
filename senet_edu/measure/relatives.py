"""Train one network with each relative of SE on the lamp, and keep its weights (chapter 10).

    python -m senet_edu.measure.relatives                    # two minutes of one idle core

Twenty seeds of each are measured by `senet_edu.measure.lamp`; this keeps the weights of the first, in half precision,
so that a chapter can look at trained gates. Writes `weights/relatives.safetensors`; its metadata say how it was made.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from senet_edu import lamp, store, zoo
from senet_edu.commandline import guarded
from senet_edu.measure.lamp import ROWS

HOLDS = {
    "weights/relatives.safetensors": store.Holding(
        "a small network with each relative of SE, trained on the lamp", ("10_relatives",)
    ),
}
NAMES = ("se_r2", "no_squeeze", *(name for name, row in ROWS.items() if row.group == "relatives"))
"""Rows of `senet_edu.measure.lamp` whose weights are kept."""
SEED = 0
FILE = "relatives.safetensors"


def load(folder: Path | None = None) -> dict[str, nn.Sequential]:
    """The trained networks, see `senet_edu.lamp.network`, in eval mode; by the names of `ATTENTION`."""
    nets = {}
    with safe_open((folder or zoo.WEIGHTS) / FILE, framework="pt") as file:
        for name in NAMES:
            net = lamp.network(**ROWS[name].network).eval()
            state = {key: file.get_tensor(f"{name}.{key}") for key in net.state_dict()}
            net.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in state.items()})
            nets["se" if name == "se_r2" else name] = net
    return nets


def measure(names: Sequence[str] = NAMES) -> dict[str, nn.Sequential]:
    """Train the networks of these rows with seed 0.

    Raises:
        ValueError: there is no such row.
    """
    if unknown := sorted(set(names) - set(ROWS)):
        raise ValueError(f"names must be of {', '.join(ROWS)}; got {', '.join(unknown)}")
    nets = {}
    for name in names:
        nets[name] = lamp.network(**ROWS[name].network, seed=SEED)
        lamp.train(nets[name], seed=SEED)
        print(f"{name}: off by {lamp.error(nets[name]):.4f}", flush=True)
    return nets


def keep(nets: dict[str, nn.Sequential], about: dict, folder: Path) -> Path:
    """Store weights in half precision; whole numbers, which batch norms count in, stay as they are."""
    tensors = {
        f"{name}.{key}": (t.half() if t.is_floating_point() else t).contiguous()
        for name, net in nets.items()
        for key, t in net.state_dict().items()
    }
    store.complete(about)
    store.replace_file(folder / FILE, save(tensors, {"about": json.dumps(about)}))
    return folder / FILE


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.relatives",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=zoo.WEIGHTS, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    started = time.perf_counter()
    nets = measure()
    about = store.about(
        torch.device("cpu"),
        command=store.typed(parser.prog, argv),
        seeds=[SEED],
        settings={"steps": lamp.STEPS, "batch": lamp.BATCH, "rate": lamp.RATE, "optimizer": "Adam, one cycle"},
        data={"name": "tiles under a lamp", "train": lamp.STEPS * lamp.BATCH, "test": lamp.TEST},
        seconds=time.perf_counter() - started,
    )
    path = keep(nets, about, args.out)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {about['seconds']:.0f} s")


if __name__ == "__main__":
    main()
