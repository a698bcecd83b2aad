"""Chapter 8: mean gates by block, channel and class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from senet_edu import checks
from senet_edu.analysis import Summary
from senet_edu.explorables.lib.base import Explorable, pack

NUMBERS = ("class_share", "spread", "above", "below")
"""What is drawn by depth: these fields of `Summary`."""


class GateMap(Explorable):
    """A heat map of mean gates, class by channel, of one block after the other, linked with numbers by depth.

    Args:
        means: name of a network to (block -> class means `(K, C)`). The first network leads, the others are controls.
        summaries: name of a network to (block -> summary of its gates), for the same networks and blocks.
        classes: K names.
        block, chosen: the block and the class that are shown first; the last block and the first class when left out.

    Gates and shares are rounded to three digits. The link of the page holds block and class: `#gates=layer3.0,cat`.

    Raises:
        ValueError: networks, blocks or classes do not fit.
    """

    name = "gate_map"

    def __init__(
        self,
        means: Mapping[str, Mapping[str, Tensor]],
        summaries: Mapping[str, Mapping[str, Summary]],
        classes: Sequence[str],
        block: str | None = None,
        chosen: str | None = None,
    ) -> None:
        blocks = list(next(iter(means.values())))
        block = blocks[-1] if block is None else block
        chosen = classes[0] if chosen is None else chosen
        checks.choice("block", block, blocks)
        checks.choice("chosen", chosen, classes)
        if list(summaries) != list(means):
            raise ValueError(f"summaries must be of the networks {list(means)}, got {list(summaries)}")
        networks = []
        for name, gates in means.items():
            if not list(gates) == list(summaries[name]) == blocks:
                raise ValueError(f"means and summaries of network {name!r} must be of the blocks {', '.join(blocks)}")
            for each, m in gates.items():
                if m.ndim != 2 or len(m) != len(classes):
                    raise ValueError(f"means of {each!r} must be ({len(classes)}, C), got {tuple(m.shape)}")
            networks.append(
                {
                    "name": name,
                    "means": [pack(m, 1000) for m in gates.values()],
                    "numbers": {n: [round(getattr(q, n), 3) for q in summaries[name].values()] for n in NUMBERS},
                }
            )
        super().__init__(
            {
                "blocks": [each.removesuffix(".se") for each in blocks],
                "classes": list(classes),
                "networks": networks,
                "block": blocks.index(block),
                "chosen": list(classes).index(chosen),
            },
            f"A heat map of the mean gates of one of {len(blocks)} SE blocks: {len(classes)} classes by its channels. "
            "Below it, the chosen class is a line over the mean of all classes. Beside it stand numbers of all blocks "
            "by depth. Choose block, class, and order of the channels.",
        )
