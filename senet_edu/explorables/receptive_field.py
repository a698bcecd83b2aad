"""Chapter 1: how much of a picture one value of a network sees."""

from __future__ import annotations

import torch

from senet_edu.explorables.lib.base import Explorable
from senet_edu.explorables.lib.scene import SCENE
from senet_edu.receptive import receptive_fields
from senet_edu.resnet import create_model

NETWORKS = (("resnet20", "ResNet-20", 32), ("resnet50", "ResNet-50", 224))
"""Name, what it is called, side of its pictures in pixels. With SE blocks the windows are the same."""


class ReceptiveField(Explorable):
    """The window of one value behind each block of a network, with and without SE blocks, on a picture."""

    name = "receptive_field"

    def __init__(self) -> None:
        networks = []
        for name, title, side in NETWORKS:
            with torch.device("meta"):  # only kernels and strides are needed
                fields = receptive_fields(create_model(name))
            networks.append({"title": title, "side": side, "fields": [[f.name, f.size, f.jump] for f in fields]})
        super().__init__(
            {"networks": networks, "scene": SCENE},
            "A picture of a house, and on it the window that one value of a network sees. Go through the blocks of the "
            "network: the window grows. With SE blocks, every value depends on the whole picture from the first block "
            "on.",
        )
