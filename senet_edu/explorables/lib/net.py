"""The trained networks of the book, for `net.js` to run in a page."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.data import CLASSES, MEAN, STD
from senet_edu.resnet import ResidualBlock, create_model
from senet_edu.se import SEBlock


@torch.no_grad()
def export_browser(model: nn.Module) -> tuple[dict[str, Any], bytes]:
    """A `resnet20` or `se_resnet20` for `net.js`, which runs it in a page.

    Every batch norm becomes a scale and a shift of its convolution's outputs, computed in float64. Matrices are stored
    in half precision, as shipped weights are; the scales, shifts and the classifier's biases, a few kilobytes, in
    single precision. So the network loses nothing that its shipped file had.

    Returns:
        What JSON can hold: `name`, `classes`, `mean` and `std` of pixels in 0..1, `blocks` (`name`, `se` or None,
        `stage` from 1, `channels`, `side` and `stride`), `tensors` (name to `dtype`, `shape` and `offset` in bytes)
        and `bytes`; and the bytes themselves, little-endian.

    Raises:
        ValueError: another architecture, or a weight that is too large for half precision.
    """
    reductions = [module.reduction for module in model.modules() if isinstance(module, SEBlock)]
    name, placement = ("se_resnet20", "standard") if reductions else ("resnet20", "none")
    with torch.device("meta"):
        known = create_model(name, **({"reduction": reductions[0]} if reductions else {}))
    # A model's text has all its layers with shapes, strides, squeeze and gate, but not the place of the SE blocks.
    placements = {module.placement for module in model.modules() if isinstance(module, ResidualBlock)}
    if str(model) != str(known) or placements != {placement}:
        raise ValueError(
            "model must be a resnet20 or an se_resnet20 for 10 classes, with the paper's SE block at its place; "
            f"got another {type(model).__name__}"
        )

    tensors: dict[str, Tensor] = {}
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            tensors[f"{path}.weight"] = layer.weight.half()
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
            raise ValueError(f"{key!r} has a number that is too large for {tensor.dtype}")
        dtype = str(tensor.dtype).removeprefix("torch.")
        about[key] = {"dtype": dtype, "shape": list(tensor.shape), "offset": offset}
        parts.append(tensor.cpu().numpy().tobytes())
        offset += len(parts[-1])
    blocks = [
        {
            "name": f"layer{stage}.{i}",
            "se": f"layer{stage}.{i}.se" if reductions else None,
            "stage": stage,
            "channels": 8 * 2**stage,
            "side": 64 // 2**stage,
            "stride": 2 if stage > 1 and i == 0 else 1,
        }
        for stage in (1, 2, 3)
        for i in range(3)
    ]
    spec = {"name": name, "classes": list(CLASSES), "mean": list(MEAN), "std": list(STD)}
    return spec | {"blocks": blocks, "tensors": about, "bytes": offset}, b"".join(parts)
