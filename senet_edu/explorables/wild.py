"""Chapter 12: where SE stands in networks that others have built, and what it costs there."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.cost import Cost, cost_by_module
from senet_edu.explorables.lib.base import Explorable
from senet_edu.extras import extra
from senet_edu.gates import Block, find_blocks, hooked
from senet_edu.resnet import create_model

INPUT_SIZE = (3, 224, 224)
NETWORKS = {  # name: title, library, class of its blocks
    "mobilenet_v3_small": ("MobileNetV3 small", "torchvision", "InvertedResidual"),
    "mobilenet_v3_large": ("MobileNetV3 large", "torchvision", "InvertedResidual"),
    "efficientnet_b0": ("EfficientNet-B0", "torchvision", "MBConv"),
    "regnet_y_400mf": ("RegNetY-400MF", "torchvision", "ResBottleneckBlock"),
    "se_resnet50": ("SE-ResNet-50", "senet_edu", "Bottleneck"),
    "senet154": ("SENet-154", "senet_edu", "SENetBottleneck"),
}


def build(name: str) -> nn.Module:
    """A network of `NETWORKS`, its weights of no account."""
    if NETWORKS[name][1] == "senet_edu":
        with torch.device("meta"):
            return create_model(name).eval()
    with extra("book"):
        from torchvision.models import get_model

    with torch.random.fork_rng(devices=[]):  # RegNet computes its widths, which the meta device cannot
        return get_model(name, weights=None).eval()


def units(model: nn.Module, kind: str) -> list[dict[str, Any]]:
    """The parts of a network in the order of the data: a stem, each block of a class, and a head.

    Each has its name, `parameters` and multiply-adds, `work`, for one image; one with an SE block has also that block,
    `se`: its name, channels C, hidden width, side of its maps, parameters and work, squeeze and rescale counted.
    """
    blocks = [name for name, module in model.named_modules() if type(module).__name__ == kind]
    parts = {name: [] for name in ("stem", *blocks, "head")}
    for row in cost_by_module(model, INPUT_SIZE, elementwise=True):
        inside = next((name for name in blocks if row.name.startswith(f"{name}.")), None)
        parts[inside or ("head" if any(parts[name] for name in blocks) else "stem")].append(row)
    found = find_blocks(model)
    seen = _seen(model, found)
    made = []
    for name, rows in parts.items():
        unit = {"name": name, **_sum(rows)}
        for se in found:
            if se.startswith(f"{name}."):
                own = [row for row in rows if row.name.startswith(f"{se}.")]
                unit["se"] = {"name": se, **seen[se], **_sum(own)}
        made.append(unit)
    return made


def _sum(rows: list[Cost]) -> dict[str, int]:
    return {"parameters": sum(row.parameters for row in rows), "work": sum(row.multiply_adds for row in rows)}


def _seen(model: nn.Module, blocks: dict[str, Block]) -> dict[str, dict[str, int]]:
    """What each SE block receives, and how narrow it gets."""
    names = {block.module: name for name, block in blocks.items()}
    seen = {}

    def look(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        first = next(m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear)))
        seen[names[module]] = {"channels": out.shape[1], "side": out.shape[2], "hidden": len(first.weight)}

    with hooked(dict.fromkeys(names, look)), torch.no_grad():
        model.to("meta")(torch.empty(1, *INPUT_SIZE, device="meta"))
    return seen


@cache
def _networks() -> dict[str, dict[str, Any]]:
    networks = {}
    for name, (title, library, kind) in NETWORKS.items():
        model = build(name)
        (gate,) = {type(block.gate).__name__.lower() for block in find_blocks(model).values()}  # the same in all blocks
        networks[name] = {"title": title, "library": library, "gate": gate, "units": units(model, kind)}
    return networks


def share(network: dict[str, Any], key: str) -> float:
    """What percentage of a network's `parameters` or `work` is in its SE blocks."""
    return 100 * sum(u["se"][key] for u in network["units"] if "se" in u) / sum(u[key] for u in network["units"])


def _row(unit: dict[str, Any]) -> list[Any]:
    """A unit without the names of its numbers, which would be longer than they are."""
    row = [unit["name"], unit["parameters"], unit["work"]]
    if "se" in unit:
        se = unit["se"]
        row += [se["name"].removeprefix(unit["name"])]
        row += [se[key] for key in ("channels", "hidden", "side", "parameters", "work")]
    return row


class Wild(Explorable):
    """Walk through six networks with SE, block by block; see where SE stands and what share of the cost it has.

    All numbers are counted on the built networks, for one image of 224 x 224, by `senet_edu.cost`.
    """

    name = "wild"

    def __init__(self) -> None:
        networks = _networks()
        said = [
            f"{network['title']}, {sum('se' in unit for unit in network['units'])} blocks, {network['gate']}: "
            f"{share(network, 'parameters'):.1f} % of parameters, {share(network, 'work'):.1f} % of multiply-adds"
            for network in networks.values()
        ]
        super().__init__(
            {
                "networks": {k: {**n, "units": [_row(unit) for unit in n["units"]]} for k, n in networks.items()},
                "side": INPUT_SIZE[1],
            },
            "The parts of a network from stem to head as bars, parameters above and multiply-adds below, the share of "
            f"SE in orange. Choose a network and a part. SE is, in {'; '.join(said)}.",
        )
