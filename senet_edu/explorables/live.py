"""The trained network, live in the page."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from senet_edu.explorables.lib.base import Explorable, pack
from senet_edu.explorables.lib.net import export_browser
from senet_edu.store import load
from senet_edu.zoo import load_pretrained

SAMPLES = Path(__file__).parent / "samples"
PAIR = SAMPLES / "pair.json"


def load_samples() -> dict[str, Tensor]:
    """The pictures that come with the package: name to image `(3, 32, 32)` uint8. None is from CIFAR-10.

    `samples/LICENSES.md` says where each is from.
    """
    from matplotlib.image import imread  # PNGs as float32 in 0..1

    images = {name: torch.from_numpy(imread(SAMPLES / f"{name}.png")) for name in _manifest()}
    return {name: (255 * image).round().to(torch.uint8).permute(2, 0, 1) for name, image in images.items()}


def sample_words() -> dict[str, str]:
    """What each of the `load_samples` is and who made it, in a few words."""
    return {name: one["about"] for name, one in _manifest().items()}


@cache
def _manifest() -> dict[str, dict[str, str]]:
    return json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


MEASURED = {"one": "one", "frozen": "mean", "shuffled": "channels", "donor": "other_class"}
"""What the figure can do to all blocks, and the stored intervention that did it to 10,000 pictures."""


def _measured() -> dict[str, Any]:
    results = load("interventions")
    after = {kind: results["interventions"][name]["places"]["all"]["accuracy"] for kind, name in MEASURED.items()}
    return {"images": results["images"], "right": results["accuracy"], "after": after}


class Live(Explorable):
    """The shipped SE-ResNet-20, computed in the page: show it pictures, change its gates, watch its answer.

    The networks' weights, 0.75 MB of text each, stand behind the scripts, so that a slow connection shows the figure
    before it has them.
    """

    name = "live"

    def __init__(self) -> None:
        samples = [
            {
                "name": name,
                "about": _manifest()[name]["about"],
                "pixels": pack(image.permute(1, 2, 0).flatten()),
            }
            for name, image in load_samples().items()
            if "grown" not in _manifest()[name]["about"]
        ]
        networks = {name: export_browser(load_pretrained(name)) for name in ("se_resnet20", "resnet20")}
        spec, _ = networks["se_resnet20"]
        blocks = [{"name": block["se"], "channels": block["channels"]} for block in spec["blocks"]]
        pair = json.loads(PAIR.read_text(encoding="utf-8"))
        samples.sort(key=lambda sample: sample["name"] != pair["picture"])  # it opens with the first
        super().__init__(
            {"classes": spec["classes"], "samples": samples, "blocks": blocks, "measured": _measured(), "pair": pair},
            "A trained SE-ResNet-20 that runs in the page. Show it a picture, and it names one of ten classes. The "
            "gates of all nine SE blocks are shown; give it the gates of another picture, or set any of them, and see "
            "how the answer changes, here and over 10,000 pictures.",
        )
        self.networks = networks

    def element(self, suffix: str = "") -> str:
        weights = [
            f'<script type="application/json" data-se-network="{name}">'
            + json.dumps({"spec": spec, "weights": _base64(content)}, separators=(",", ":"))
            + "</script>"
            for name, (spec, content) in self.networks.items()
        ]
        return "\n".join([super().element(suffix), *weights])
