"""Chapter 10: which pixels and which channels reach a gate, for SE and its relatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.explorables.lib.base import Explorable
from senet_edu.relatives import CBAMChannel, CBAMSpatial, GatherExciteTheta, SpatialSE, make_attention

CHANNELS, SIDE = 32, 16
RELATIVES: dict[str, tuple[str | Callable[..., nn.Module], dict[str, Any], str]] = {
    "SE": ("se", {"reduction": 4}, "The mean of every map, mixed by two layers."),
    "eSE": ("ese", {}, "The mean of every map, mixed by one full layer."),
    "ECA": ("eca", {}, "The means of three neighbors in the list of channels."),
    "CBAM channel": (CBAMChannel, {"reduction": 4}, "Mean and maximum of every map."),
    "sSE": (SpatialSE, {}, "All channels of its own pixel. One gate for all of them."),
    "CBAM spatial": (
        CBAMSpatial,
        {},
        "A window of 7 × 7, as mean and maximum over channels. One gate for all channels.",
    ),
    "NoSqueeze": ("no_squeeze", {"reduction": 4}, "All channels of its own pixel, mixed by two layers."),
    "GE-θ⁻": ("ge_theta_minus", {"extent": 4}, "The mean of its own map nearby. No weights."),
    "GE-θ": ("ge_theta", {}, "Its own map nearby, through three convolutions with stride."),
    "SimAM": ("simam", {}, "How far its own value is from the mean of its own map. No weights."),
    "coordinate": ("coordinate", {}, "Its row and its column, of all channels."),
}
"""Name to the block, its options, and what its gate looks at."""


def build(name: str) -> nn.Module:
    """The block of a name of `RELATIVES` with fresh weights, in double precision and eval mode."""
    attention, options, _ = RELATIVES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_attention(attention, CHANNELS, **options).eval().double()


def depends(block: nn.Module, channel: int, row: int, column: int) -> Tensor:
    """Where the derivative of one gate is not zero for one of some random inputs: bool `(C, H, W)`.

    GE-θ gets many, because a ReLU on the way hides what it shuts off; eight miss pixels at its edge.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (64 if isinstance(block, GatherExciteTheta) else 4, CHANNELS, SIDE, SIDE)
    x = torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
    recorded: list[Tensor] = []
    hook = block.gate.register_forward_hook(lambda module, args, s: recorded.append(s))
    block(x)
    hook.remove()
    s = recorded[0]
    whole = (s[:, :, None, None] if s.ndim == 2 else s).expand_as(x)
    (gradient,) = torch.autograd.grad(whole[:, channel, row, column].sum(), x)
    return (gradient != 0).any(0)


@cache
def _data() -> dict[str, Any]:
    relatives = []
    for name, (_, _, words) in RELATIVES.items():
        block, middle = build(name), CHANNELS // 2
        found = [depends(block, middle, place, place) for place in range(SIDE)]
        pixels = [one.any(0) for one in found]
        channels = found[0].any(2).any(1).nonzero().flatten() - middle
        # A cross is the union of a row and a column; all others are rows times columns.
        cross = not bool(pixels[SIDE // 2][0, 0]) and bool(pixels[SIDE // 2][0].any())
        lines = [one.diagonal() if cross else one.any(1) for one in pixels]
        relatives.append(
            {
                "name": name,
                "words": words,
                "cross": cross,
                "lines": [[int(line.nonzero().min()), int(line.nonzero().max())] for line in lines],
                "channels": [max(int(channels.min()), -CHANNELS), int(channels.max())],
                "all": len(channels) == CHANNELS,
            }
        )
    return {"relatives": relatives, "channels": CHANNELS, "side": SIDE}


class Reach(Explorable):
    """Point at a gate of SE or a relative; the pixels and the channels that can change it light up.

    What is lit is where the gate's derivative by the input is not zero, by autograd on the blocks themselves.
    """

    name = "reach"

    def __init__(self) -> None:
        super().__init__(
            _data(),
            "A map of 16 × 16 pixels and a strip of 32 channels. A dot marks one gate; what can change it is blue. "
            "SE’s gate sees all pixels of all channels, ECA’s all pixels of three channels, that of sSE one pixel "
            "of all channels, that of coordinate attention a row and a column. Choose a relative and move the dot.",
        )
