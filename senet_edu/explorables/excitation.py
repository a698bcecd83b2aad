"""Chapter 3: how channels vote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from senet_edu import checks
from senet_edu.explorables.lib.base import Explorable

if TYPE_CHECKING:
    from torch import Tensor

    from senet_edu.se import SEBlock


class Excitation(Explorable):
    """Drag a descriptor and follow it through W1, the ReLU, W2 and the gate (equation 3).

    Args:
        z: the descriptor to begin with, `(C,)`.
        blocks: by their names, blocks of C channels without biases to choose from; the first is shown first. Only their
            weights are used: the figure has its own choice of sigmoid or softmax.
        channel: the channel, counted from 0, whose gate is explained at first.

    Raises:
        ValueError: z is not a vector, a block has biases or another C, there is no block, or no such channel.
    """

    name = "excitation"

    def __init__(self, z: Tensor, blocks: Mapping[str, SEBlock], channel: int = 0) -> None:
        if z.ndim != 1:
            raise ValueError(f"z must be (C,), got {tuple(z.shape)}")
        if not blocks:
            raise ValueError("blocks must hold at least one block, got none")
        for name, block in blocks.items():
            if block.channels != len(z) or block.fc1.bias is not None:
                raise ValueError(f"blocks must have {len(z)} channels and no biases, got {name!r}: {block}")
        if not 0 <= channel < len(z):
            raise ValueError(f"channel must be 0 to {len(z) - 1}, got {checks.shown(channel)}")
        super().__init__(
            {
                "z": _rounded(z),
                "limit": max(4, math.ceil(z.abs().max())),
                "blocks": [[name, _rounded(b.fc1.weight), _rounded(b.fc2.weight)] for name, b in blocks.items()],
                "channel": channel,
            },
            f"The numbers z of {len(z)} channels on their way through W1, the ReLU, W2 and the gate. Drag any z and "
            "see which gates move; choose other weights, and sigmoid or softmax; point at a hidden unit or a gate to "
            "see the sum behind it.",
        )


def _rounded(values: Tensor) -> list:
    """Nested lists with five decimals: enough for the two that are shown."""
    return [_rounded(row) if row.ndim else round(row.item(), 5) for row in values.detach()]
