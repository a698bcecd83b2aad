"""The lamp: a network with SE and one without, trained before the reader.

`python -m senet_edu.explorables.lamp` trains the pair that ships, for where a figure opens trained.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from senet_edu import checks, lamp, store
from senet_edu.explorables.lib.base import Explorable, pack
from senet_edu.explorables.live import load_samples

TRAINED = Path(__file__).parent / "samples" / "lamp.safetensors"
SEED = 1
NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {"attention": None, "channels": 18},
    "se": {"attention": "se", "reduction": 2},
}
PHOTOS = ("bird", "ship", "coffee", "airplane")
OPEN = ("question", "fan", "trained")


def trained() -> dict[str, torch.nn.Module]:
    """The shipped pair, `"plain"` with as many weights and `"se"`: 400 steps with seed 1, in half precision."""
    nets = {}
    with safe_open(TRAINED, framework="pt") as file:
        for name, arguments in NETWORKS.items():
            nets[name] = lamp.network(**arguments).eval()
            keys = nets[name].state_dict()
            nets[name].load_state_dict({key: file.get_tensor(f"{name}.{key}").float() for key in keys})
    return nets


def _pack_halves(net: torch.nn.Module) -> dict[str, Any]:
    """Weights for `unpackHalves` of safetensors.js: shapes by name, and all numbers in half precision."""
    tensors = net.state_dict()
    content = b"".join(tensor.half().contiguous().numpy().tobytes() for tensor in tensors.values())
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    return {"shapes": shapes, "base64": base64.b64encode(content).decode()}


def _pair() -> dict[str, Any]:
    return {"seed": SEED} | {name: _pack_halves(net) for name, net in trained().items()}


def _losses() -> dict[str, Any]:
    """The loss of every step of the shipped pair's training."""
    with safe_open(TRAINED, framework="pt") as file:
        return {name: pack(file.get_tensor(f"{name}.losses"), per=1000) for name in NETWORKS}


def _baselines() -> dict[str, float]:
    """Errors on new pictures without a network."""
    on = lamp.held_out()
    cures = {"nothing": torch.clone, "gray_world": lamp.gray_world, "white_patch": lamp.white_patch}
    return {name: round((cure(on.seen) - on.true).abs().mean().item(), 4) for name, cure in cures.items()}


def _lost() -> dict[str, int] | None:
    """Of how many measured seeds SE did not come below 0.9 of plain with as many weights; None: unmeasured."""
    if not (store.RESULTS / "lamp.json").exists():
        return None
    rows = store.load("lamp")["rows"]
    pairs = list(zip(rows["as_many"]["error"], rows["se_r2"]["error"]))
    return {"lost": sum(se >= 0.9 * plain for plain, se in pairs), "seeds": len(pairs)}


class Lamp(Explorable):
    """Two networks learn to see tiles as in white light, one of them with SE; 400 steps, some seconds, in the page.

    Args:
        open: how it opens: `"question"`, untrained, for chapter 1; `"fan"`, untrained, with the fan of gates against
            the lamp in the first place, for chapter 6; `"trained"`, with the shipped pair, for chapter 9.

    Raises:
        ValueError: `open` is none of the three.
    """

    name = "lamp"

    def __init__(self, open: str = "question") -> None:
        checks.choice("open", open, OPEN)
        images = load_samples()
        photos = [{"name": name, "pixels": pack(images[name].permute(1, 2, 0).flatten())} for name in PHOTOS]
        data = {"open": open, "samples": photos, "baselines": _baselines(), "measured": _lost()}
        if open == "trained":
            data["trained"] = _pair() | {"losses": _losses()}
        super().__init__(
            data,
            "Two networks learn, in the page, to give colored tiles back as they are in white light, whatever lamp "
            "shines on them. The one with SE comes closer, and its gates follow the lamp. Drag the lamp, train, then "
            "freeze, swap or set the gates.",
        )


class LampHero(Explorable):
    """The trained pair of the lamp, small and at once: four pictures, the pad, and the 32 gates, for the front page."""

    name = "lamp_hero"

    def __init__(self) -> None:
        super().__init__(
            {"trained": _pair()},
            "The same tiles under a lamp, as a network without SE and one with SE give them back, and in white light. "
            "Move the lamp: the 32 gates of the network with SE follow it.",
        )


def main() -> None:
    """Train the pair that ships."""
    torch.set_num_threads(1)
    tensors, errors = {}, {}
    for name, arguments in NETWORKS.items():
        net = lamp.network(**arguments, seed=SEED)
        losses = lamp.train(net, seed=SEED)
        net.half().float()
        errors[name] = f"{lamp.error(net):.4f}"
        tensors |= {f"{name}.{key}": tensor.half().contiguous() for key, tensor in net.state_dict().items()}
        tensors[f"{name}.losses"] = torch.tensor(losses).half()
    about = {"seed": str(SEED), "steps": str(lamp.STEPS), "torch": torch.__version__}
    save_file(tensors, TRAINED, about | {f"error of {name}": error for name, error in errors.items()})
    print(f"{TRAINED.name}: {TRAINED.stat().st_size:,} bytes, errors {errors}")


if __name__ == "__main__":
    main()
