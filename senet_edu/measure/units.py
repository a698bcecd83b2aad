"""Count the hidden units of SE blocks that no image turns on, and how much gates vary, in trained networks (chapter 6).

    python -m senet_edu.measure.units                                        # the network that the package ships
    python -m senet_edu.measure.units runs/se_resnet20-1 runs/se_resnet20-2  # and those of runs of senet_edu.train

A unit that is off for every image gets no gradient, and a block of such units has gates of one half for ever. Each run
is a folder with `history.jsonl` and `model.safetensors`, or the `checkpoint.pt` of a run that is not finished. All
networks see the 10,000 test images of CIFAR-10. Writes `units.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from senet_edu import store, zoo
from senet_edu.analysis import gates_of
from senet_edu.commandline import guarded, positive
from senet_edu.data import load_cifar10
from senet_edu.resnet import create_model
from senet_edu.se import SEBlock

HOLDS = {
    "results/units.json": store.Holding(
        "hidden units that no image turns on, in SE-ResNet-20 of this recipe and of an earlier one",
        ("06_learning_to_gate",),
    ),
}
SHIPPED = "se_resnet20"


def look(model: nn.Module, images: Tensor) -> dict[str, list[Any]]:
    """What each SE block of a network does for images, uint8 `(N, 3, H, W)`; lists by block.

    Returns:
        `blocks`, their names; `spread`, the standard deviation of a gate over the images, mean over channels;
        `at_half`, the share of images with every gate at exactly one half; `units`, hidden units; `on`, how many of
        them some image turns on; `highest`, the largest W1 z + b1 of any unit and image; `norm`, that of W1 as a
        multiple of a fresh one's, whose mean square is twice the number of units (He initialization).
    """
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, SEBlock)}
    highest: dict[str, list[Tensor]] = {name: [] for name in blocks}
    hooks = [
        block.fc1.register_forward_hook(lambda module, args, out, seen=highest[name]: seen.append(out.amax(0)))
        for name, block in blocks.items()
    ]
    try:
        gates = gates_of(model, images)
    finally:
        for hook in hooks:
            hook.remove()
    top = {name: torch.stack(seen).amax(0) for name, seen in highest.items()}  # a number a unit
    norms = {name: block.fc1.weight.detach().norm() / (2 * len(top[name])) ** 0.5 for name, block in blocks.items()}
    return {
        "blocks": list(gates),
        "spread": [s.std(0, correction=0).mean().item() for s in gates.values()],
        "at_half": [(s == 0.5).all(1).double().mean().item() for s in gates.values()],
        "units": [len(top[name]) for name in gates],
        "on": [int((top[name] > 0).sum()) for name in gates],
        "highest": [top[name].max().item() for name in gates],
        "norm": [norms[name].item() for name in gates],
    }


def read_run(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a run of `senet_edu.train`, and its recipe and the epochs that were done.

    Raises:
        FileNotFoundError: the folder holds neither weights nor a checkpoint, or no history.
        ValueError: the history is damaged.
    """
    facts, *epochs = store.read_lines(folder / "history.jsonl")
    done = len(epochs)
    if (folder / "model.safetensors").exists():
        state = load_file(folder / "model.safetensors")
    else:
        saved = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        state, done = saved["model"], len(saved["history"])
    recipe = facts["recipe"]
    model = create_model(recipe["model"], **recipe["model_options"])
    model.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in state.items()})
    return model.eval(), {"recipe": recipe, "epochs_done": done}


def measure(folders: Sequence[Path], images: Tensor) -> dict[str, Any]:
    """The shipped network and those of runs, by name of the folder: what `look` and `read_run` say of each."""
    recipe = zoo.facts(SHIPPED)["about"]["recipe"]
    networks = {"shipped": {"recipe": recipe, "epochs_done": recipe["epochs"]}}
    networks["shipped"] |= look(zoo.load_pretrained(SHIPPED), images)
    for folder in folders:
        model, facts = read_run(folder)
        networks[folder.name] = facts | look(model, images)
        print(f"{folder.name}: {sum(networks[folder.name]['on'])} units of {sum(networks[folder.name]['units'])} on")
    return {"images": len(images), "networks": networks}


@guarded()
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.units", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs of senet_edu.train")
    parser.add_argument("--images", type=positive, help="test images; all when left out")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    data = load_cifar10(download=False).subset(test=args.images)
    started = time.perf_counter()
    results = measure(args.runs, data.test_images)
    about = store.about(
        torch.device("cpu"),
        command=store.typed(parser.prog, (Path(arg).name if Path(arg).is_dir() else arg for arg in argv)),
        seeds=sorted({one["recipe"]["seed"] for one in results["networks"].values()}),
        data={"name": data.name, "train": 0, "test": len(data.test_images)},
        seconds=time.perf_counter() - started,
        dtype=torch.float32,
    )
    path = store.keep("units", store.rounded(results, 5), about, folder=args.out)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {about['seconds']:.0f} s")


if __name__ == "__main__":
    main()
