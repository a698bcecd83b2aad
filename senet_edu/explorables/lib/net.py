"""Trained networks for `net.js` to run in a page."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.data import CLASSES, MEAN, STD
from senet_edu.resnet import BasicBlock, ResNet
from senet_edu.se import SEBlock

MOST = 3_000_000
"""Numbers of a network that a page holds and computes in good time; `spec.js` has the same bound."""


def _blocks(model: nn.Module) -> list[dict[str, Any]]:
    """What the page needs to know of each residual block.

    Raises:
        ValueError: `net.js` does not compute such a network.
    """
    wanted = (
        "a ResNet of senet_edu with a CIFAR stem and basic blocks, for 10 classes, plain or with the paper's SE block"
    )
    if not isinstance(model, ResNet):
        raise ValueError(f"model must be {wanted}; got a {type(model).__name__}")
    blocks = []
    for stage, name in enumerate(model.stage_names, start=1):
        for i, block in enumerate(getattr(model, name)):
            if type(block) is not BasicBlock:
                raise ValueError(f"model must be {wanted}; {name}.{i} is a {type(block).__name__}")
            attention = block.se is not None
            if attention and (not isinstance(block.se, SEBlock) or block.placement != "standard"):
                found = f"{type(block.se).__name__}, placement={block.placement!r}"
                raise ValueError(f"model must be {wanted} at its place; {name}.{i} has {found}")
            blocks.append(
                {
                    "name": f"{name}.{i}",
                    "se": f"{name}.{i}.se" if attention else None,
                    "stage": stage,
                    "channels": block.outplanes,
                    "side": 64 // 2**stage,
                    "stride": 2 if stage > 1 and i == 0 else 1,
                }
            )
    # A model's text has all its layers with shapes, strides, squeeze and gate.
    depths = [len(getattr(model, name)) for name in model.stage_names]
    planes = [getattr(model, name)[-1].outplanes for name in model.stage_names]
    se_blocks = [module for module in model.modules() if isinstance(module, SEBlock)]
    stages = {block["stage"] for block in blocks if block["se"]}
    options: dict[str, Any] = {}
    if se_blocks:
        make_se = partial(SEBlock, reduction=se_blocks[0].reduction)
        options = {"make_se": make_se, "placement": "standard", "stages": sorted(stages)}
    with torch.device("meta"):
        known = ResNet(BasicBlock, depths, planes, stem="cifar", num_classes=len(CLASSES), **options)
    if str(model) != str(known):
        raise ValueError(f"model must be {wanted}; its layers differ from those of one:\n{_difference(model, known)}")
    if any(width % 4 for width in planes):
        raise ValueError(f"model must have planes that are multiples of four, got {planes}")
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > MOST:
        raise ValueError(f"model must have at most {MOST:,} weights for a page to hold them, got {count:,}")
    return blocks


def _difference(model: nn.Module, known: nn.Module) -> str:
    """The first lines of two models' texts that differ."""
    pairs = zip_longest(str(model).splitlines(), str(known).splitlines(), fillvalue="nothing")
    one, other = next((one.strip(), other.strip()) for one, other in pairs if one != other)
    return f"{one} in place of {other}"


@torch.no_grad()
def export_browser(model: nn.Module) -> tuple[dict[str, Any], bytes]:
    """A CIFAR ResNet, plain or with SE, for `net.js`, which runs it in a page.

    Every batch norm becomes a scale and a shift of its convolution's outputs, computed in float64. Matrices are stored
    in half precision where that loses nothing, as with shipped weights, else in single precision, as are the scales,
    shifts and the classifier's biases, a few kilobytes. So the network loses nothing that its file had.

    Args:
        model: of `create_model`, such as `se_resnet20` or `resnet56`, for 10 classes; basic blocks, any depths.

    Returns:
        What JSON can hold: `name`, `classes`, `mean` and `std` of pixels in 0..1, `blocks` (`name`, `se` or None,
        `stage` from 1, `channels`, `side` and `stride`), `tensors` (name to `dtype`, `shape` and `offset` in bytes)
        and `bytes`; and the bytes themselves, little-endian.

    Raises:
        ValueError: another architecture, more than `MOST` weights, or a number that is not finite.
    """
    blocks = _blocks(model)
    tensors: dict[str, Tensor] = {}
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            half = layer.weight.half()
            tensors[f"{path}.weight"] = half if half.float().equal(layer.weight.float()) else layer.weight.float()
            if layer.bias is not None:
                tensors[f"{path}.bias"] = layer.bias.float()
        elif isinstance(layer, nn.BatchNorm2d):
            conv = path.replace("bn", "conv").replace("downsample.1", "downsample.0")
            scale = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
            tensors[f"{conv}.scale"] = scale.float()
            tensors[f"{conv}.shift"] = (layer.bias - scale * layer.running_mean).float()

    about, parts, offset = {}, [], 0
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"model must have finite numbers, {key!r} has another")
        dtype = str(tensor.dtype).removeprefix("torch.")
        about[key] = {"dtype": dtype, "shape": list(tensor.shape), "offset": offset}
        parts.append(tensor.cpu().numpy().tobytes())
        offset += len(parts[-1])
    attention = "se_" if any(block["se"] for block in blocks) else ""
    spec = {
        "name": f"{attention}resnet{2 * len(blocks) + 2}",
        "classes": list(CLASSES),
        "mean": list(MEAN),
        "std": list(STD),
    }
    return spec | {"blocks": blocks, "tensors": about, "bytes": offset}, b"".join(parts)
