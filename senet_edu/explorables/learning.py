"""Chapter 6: how gates leave one half during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from senet_edu.explorables.lib.base import Explorable, pack

LABELS = {"standard": "standard", "zero_init": "zero-init", "r16": "r = 16"}
NUMBERS = ("mean", "distance", "spread", "at_half")
"""What is known of the gates of a block after a step; all but the first are drawn as lines."""


class Learning(Explorable):
    """Histograms of the gates of every block, scrubbed over training, linked with lines of a number by step.

    Args:
        results: from `store.load("learning")`.

    Heights are square roots of counts, in percent of the highest; numbers have four decimals. The link of the page
    holds variant, step and block: `#learning=standard,128,layer2.0`.
    """

    name = "learning"

    def __init__(self, results: Mapping[str, Any]) -> None:
        def heights(counts: ArrayLike) -> NDArray[np.float64]:
            return 100 * np.sqrt(counts / np.max(counts, axis=-1, keepdims=True))

        super().__init__(
            {
                "images": results["images"],
                "trial": not results["whole_training_set"],
                "blocks": [block.removesuffix(".se") for block in results["blocks"]],
                "steps": results["steps"],
                "variants": [
                    {
                        "key": key,
                        "label": LABELS[key],
                        "what": one["what"],
                        "heights": pack(heights(np.array(one["histogram"]))),
                        "numbers": {name: pack(one[name], 10_000) for name in NUMBERS},
                    }
                    for key, one in results["variants"].items()
                ],
            },
            f"Histograms of the gates of {len(results['blocks'])} SE blocks at {len(results['steps'])} moments of a "
            "training, all on one scale from 0 to 1 with the half marked. Beside them lines show by step how far the "
            "gates are from one half, and how much they vary over images. Choose the step, the block and the network, "
            "or let the training play.",
        )
