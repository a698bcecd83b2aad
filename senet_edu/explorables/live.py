"""The trained network, live in the page."""

from __future__ import annotations

import base64
import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.explorables.lib.base import Explorable, pack
from senet_edu.explorables.lib.net import export_browser
from senet_edu.extras import extra
from senet_edu.store import load
from senet_edu.zoo import load_pretrained

SAMPLES = Path(__file__).parent / "samples"
PAIR = SAMPLES / "pair.json"


def load_samples() -> dict[str, Tensor]:
    """The pictures that come with the package: name to image `(3, 32, 32)` uint8. None is from CIFAR-10.

    `samples/LICENSES.md` says where each is from.
    """
    with extra("book"):
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


SHIPPED = "se_resnet20"
SHIPPED_WORDS = (
    "The gates of all nine SE blocks are shown; give it the gates of another picture, or set any of them, and see how "
    "the answer changes, here and over 10,000 pictures."
)
OWN_WORDS = (
    "The gates of its SE blocks are shown; give it the gates of another picture, or set any of them, and see how the "
    "answer changes."
)


def _words(spec: dict[str, Any]) -> str:
    return spec["name"].replace("se_resnet", "SE-ResNet-").replace("resnet", "ResNet-")


class Live(Explorable):
    """A trained SE-ResNet, computed in the page: show it pictures, change its gates, watch its answer.

    The networks' weights, 0.75 MB of text each, stand behind the scripts, so that a slow connection shows the figure
    before it has them. A reader can also drop the `model.safetensors` of `python -m senet_edu.train` into the figure.

    Args:
        model: a network of your own to show, such as `create_model("se_resnet32")` with what it has learned; by default
            the shipped SE-ResNet-20, of which the figure also says what was measured over 10,000 pictures. Its weights
            are copied.

    Raises:
        ValueError: the page cannot compute `model`; see `export_browser`.
    """

    name = "live"

    def __init__(self, model: nn.Module | None = None) -> None:
        samples = [
            {
                "name": name,
                "about": _manifest()[name]["about"],
                "pixels": pack(image.permute(1, 2, 0).flatten()),
            }
            for name, image in load_samples().items()
            if "grown" not in _manifest()[name]["about"]
        ]
        spec, weights = export_browser(load_pretrained(SHIPPED) if model is None else model)
        network = SHIPPED if model is None else f"own-{sha256(weights).hexdigest()[:12]}"
        blocks = [{"name": block["se"], "channels": block["channels"]} for block in spec["blocks"] if block["se"]]
        pair = json.loads(PAIR.read_text(encoding="utf-8"))
        samples.sort(key=lambda sample: sample["name"] != pair["picture"])  # it opens with the first
        if model is not None:
            del pair["frozen"]  # the shipped network's mean gates
        about = {key: spec[key] for key in ("classes", "mean", "std")}
        super().__init__(
            about | {"network": network, "samples": samples, "blocks": blocks, "measured": _measured(), "pair": pair},
            f"A trained {_words(spec)} that runs in the page. Show it a picture, and it names one of ten classes. "
            + (SHIPPED_WORDS if model is None else OWN_WORDS if blocks else "It has no gates."),
        )
        self.networks = {network: (spec, weights), "resnet20": export_browser(load_pretrained("resnet20"))}

    def element(self, suffix: str = "") -> str:
        weights = [
            f'<script type="application/json" data-se-network="{name}">'
            + json.dumps({"spec": spec, "weights": _base64(content)}, separators=(",", ":"))
            + "</script>"
            for name, (spec, content) in self.networks.items()
        ]
        return "\n".join([super().element(suffix), *weights])
