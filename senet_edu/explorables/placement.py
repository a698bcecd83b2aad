"""Chapter 5: where SE stands in a residual block, and what it costs there."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.cost import cost_by_module, count_parameters, multiply_adds
from senet_edu.explorables.lib.base import Explorable
from senet_edu.resnet import ResidualBlock, ResNet, create_model
from senet_edu.se import SEBlock

INPUT_SIZE = (3, 224, 224)
REDUCTIONS = (2, 4, 8, 16, 32)
NETWORKS = {  # name: title, kind of block, the places in it in the order of the data flow
    "resnet50": ("ResNet-50", "bottleneck", ("pre", "3x3", "standard", "identity", "post")),
    "resnet18": ("ResNet-18", "basic", ("pre", "standard", "identity", "post")),
}


def _watch(model: ResNet) -> dict[str, Tensor]:
    """What goes into each SE block and first convolution (`….in`), and comes out of each layer, of one dry run."""
    seen: dict[str, Tensor] = {}

    def after(module: nn.Module, args: tuple[Tensor, ...], out: Tensor, *, name: str) -> None:
        seen[f"{name}.in"], seen[name] = args[0], out

    for name, module in model.named_modules():
        module.register_forward_hook(partial(after, name=name))
    model.eval()(torch.empty(1, *INPUT_SIZE, device="meta"))
    return seen


def _shape(x: Tensor) -> tuple[int, int]:
    """Channels, and side of the maps."""
    return x.shape[1], x.shape[2]


def _shapes(model: ResNet) -> list[dict[str, tuple[int, int]]]:
    """Of the first block of each stage: the shape that comes in, and that of each layer's output."""
    seen = _watch(model)
    layers = {"in": "conv1.in"} | {name: name for name in ("conv1", "conv2", "conv3", "downsample")}
    return [
        {name: _shape(seen[f"{stage}.0.{path}"]) for name, path in layers.items() if f"{stage}.0.{path}" in seen}
        for stage in model.stage_names
    ]


@cache
def _se(channels: int, side: int, reduction: int) -> dict[str, int]:
    """What one SE block has and does."""
    se = SEBlock(channels, reduction)
    squeeze, fc1, fc2, rescale = cost_by_module(se, (channels, side, side), elementwise=True)
    return {
        "channels": channels,
        "side": side,
        "hidden": se.fc1.out_features,
        "parameters": fc1.parameters + fc2.parameters,
        "squeeze": squeeze.multiply_adds,
        "excite": fc1.multiply_adds + fc2.multiply_adds,
        "rescale": rescale.multiply_adds,
    }


def _place(network: str, place: str) -> dict[int, dict[str, Any]]:
    """For each r: what the SE blocks of the network add, and that in the first block of each stage."""
    with torch.device("meta"):
        model = create_model(f"se_{network}", placement=place)
    seen = _watch(model)
    shapes = {name: _shape(seen[f"{name}.in"]) for name, module in model.named_modules() if isinstance(module, SEBlock)}
    costs = {}
    for r in REDUCTIONS:
        blocks = {name: _se(*shape, r) for name, shape in shapes.items()}
        costs[r] = {
            "parameters": sum(se["parameters"] for se in blocks.values()),
            "work": sum(se["squeeze"] + se["excite"] + se["rescale"] for se in blocks.values()),
            "stages": [blocks[f"{stage}.0.se"] for stage in model.stage_names],
        }
    return costs


@cache
def _data() -> dict[str, Any]:
    networks = {}
    for name, (title, kind, places) in NETWORKS.items():
        with torch.device("meta"):
            plain = create_model(name)
        networks[name] = {
            "title": title,
            "kind": kind,
            "parameters": count_parameters(plain),
            "work": multiply_adds(plain, INPUT_SIZE),
            "blocks": sum(isinstance(module, ResidualBlock) for module in plain.modules()),
            "shapes": _shapes(plain),
            "places": {place: _place(name, place) for place in places},
        }
    return {"networks": networks, "reductions": REDUCTIONS}


class Placement(Explorable):
    """Move SE to its places in a residual block; see shapes, parameters and multiply-adds.

    All numbers are counted on the built networks and blocks, for one image of 224 x 224, by `senet_edu.cost`. Those
    of SE include the additions of the squeeze and the multiplications of the rescale.
    """

    name = "placement"

    def __init__(self) -> None:
        super().__init__(
            _data(),
            "A residual block as a graph, with an SE block that can be moved to its places: before the residual, "
            "behind the 3×3 convolution, at the end of the residual, on the shortcut, behind the sum. Shapes of the "
            "maps, parameters and multiply-adds follow, for ResNet-50 and ResNet-18, for each stage and several r.",
        )
