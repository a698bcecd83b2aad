"""Chapters 2 to 4: a picture on its way through one SE block, to the answer."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import torch
from torch import Tensor

from senet_edu import checks, store
from senet_edu.data import normalize
from senet_edu.explorables.lib.base import Explorable, pack
from senet_edu.explorables.lib.net import export_browser
from senet_edu.explorables.live import load_samples, sample_words
from senet_edu.gates import record_gates
from senet_edu.se import SEBlock
from senet_edu.zoo import load_pretrained

NETWORK = "se_resnet20"
OPEN = ("squeeze", "excitation", "rescale")
"""The part that is open, for chapters 2, 3 and 4."""
SPREAD = 0.1
"""A block whose gates differ less than this from picture to picture, by their mean standard deviation, is not shown."""
CELLS = 4
"""A map has a clear picture as far as its means over 4 x 4 cells differ."""
DONORS = ("truck", "frog", "bird")
"""Whose gates the reader may put into the block by a button; the others' by their place on the axis."""


def pictures() -> dict[str, Tensor]:
    """The shipped samples `(3, 32, 32)` uint8 but for those that were grown until the network knew them."""
    words = sample_words()
    return {name: image for name, image in load_samples().items() if not words[name].startswith("grown")}


@cache
@torch.no_grad()
def observed() -> dict[str, tuple[Tensor, Tensor]]:
    """For every SE block what reaches it and its gates, `(N, C, H, W)` and `(N, C)`, for the N `pictures`."""
    net = load_pretrained(NETWORK)
    maps: dict[str, Tensor] = {}
    for name, one in net.named_modules():
        if isinstance(one, SEBlock):
            one.register_forward_pre_hook(lambda _, inputs, name=name: maps.__setitem__(name, inputs[0]))
    with record_gates(net) as gates:
        net(normalize(torch.stack(list(pictures().values()))))
    return {name: (maps[name], gates[name]) for name in maps}


def shown_block() -> str:
    """The first block of 16 channels whose gates differ between the shipped photographs; so no block that is asleep.

    Differ means: the standard deviation of a gate over the photographs, averaged over the gates, is `SPREAD` or more.

    Raises:
        ValueError: there is none.
    """
    words = sample_words()
    photographs = [i for i, name in enumerate(pictures()) if words[name].startswith("a photograph")]
    for name, (_, gates) in observed().items():
        if gates.shape[1] == 16 and gates[photographs].std(0).mean() >= SPREAD:
            return name
    raise ValueError(f"no block of 16 channels has gates that spread by {SPREAD} or more over the photographs")


def shown_channel(part: str) -> int:
    """The row that is chosen at first, on the first picture.

    Chapter 2: the map with the clearest picture, by the share of its variance that lies between `CELLS` x `CELLS`
    cells. Chapter 3: the gate with the largest range over the pictures. Chapter 4: the gate nearest to 0.2.
    """
    maps, gates = observed()[shown_block()]
    if part == "squeeze":
        u = maps[0]
        cells = torch.nn.functional.adaptive_avg_pool2d(u, CELLS)
        return int((cells.flatten(1).var(1, correction=0) / u.flatten(1).var(1, correction=0)).argmax())
    if part == "excitation":
        return int((gates.amax(0) - gates.amin(0)).argmax())
    return int((gates[0] - 0.2).abs().argmin())


class Block(Explorable):
    """One SE block of the shipped SE-ResNet-20 from end to end: picture, maps, z, votes, gates, sum, answer.

    The network runs in the page, so the reader can pull any number of the block and watch what is behind it move. Its
    weights, 0.75 MB of text, stand behind the element.

    Args:
        open: the part that is open: `"squeeze"` for chapter 2, `"excitation"` for 3, `"rescale"` for 4.

    Raises:
        ValueError: `open` is none of these; or the stored measurements are of another network than the shipped one.
    """

    name = "block"

    def __init__(self, open: str) -> None:
        checks.choice("open", open, OPEN)
        net = load_pretrained(NETWORK)
        self.spec, self.weights = export_browser(net)
        name = shown_block()
        blocks = [block["se"] for block in self.spec["blocks"]]
        gates = observed()[name][1]
        words = sample_words()
        se = net.get_submodule(name)
        swap = store.load("interventions")["interventions"]["other_class"]["places"][name]["change"]
        data: dict[str, Any] = {
            "open": open,
            "channel": shown_channel(open),
            "block": name,
            "behind": len(blocks) - 1 - blocks.index(name),
            "blocks": len(blocks),
            "w1": se.fc1.weight.tolist(),
            "w2": se.fc2.weight.tolist(),
            "limits": store.load("squeeze")["limits"][name],
            "swap": round(100 * swap, 2),
            "donors": list(DONORS),
            "classes": self.spec["classes"],
            "samples": [
                {
                    "name": picture,
                    "about": words[picture],
                    "pixels": pack(image.permute(1, 2, 0).flatten()),
                    "gates": pack(gates[i], 10_000),
                }
                for i, (picture, image) in enumerate(pictures().items())
            ],
        }
        super().__init__(
            data,
            "A picture goes through one SE block of a trained network: sixteen maps, their means, the votes, the "
            "gates, the maps times their gates, the sum with the shortcut, and ten answers. Choose a channel and see "
            "it everywhere; pull a mean, a hidden unit or a gate, and all that is behind it moves.",
        )

    def element(self, suffix: str = "") -> str:
        weights = {"spec": self.spec, "weights": base64.b64encode(self.weights).decode("ascii")}
        text = json.dumps(weights, separators=(",", ":"))
        return f'{super().element(suffix)}\n<script type="application/json" data-se-network="{NETWORK}">{text}</script>'
