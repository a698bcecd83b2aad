"""The judge of the first chapter, on the live network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.check.judge import Wrong, as_number, ask, diagnose, judge, shown
from senet_edu.data import CLASSES
from senet_edu.gates import override_gates
from senet_edu.zoo import load_pretrained

_PLACES = [("layer1.1.se", 3), ("layer2.0.se", 7), ("layer3.1.se", 20), ("layer3.2.se", 40)]


def falling_class(function: Callable[[nn.Module, Tensor, str, int], Any]) -> None:
    """`falls(net, x, block, channel)`: the class whose probability falls most when that gate is muted."""
    praise = "Right for sixteen images and gates: you can ask what a channel does by taking it away."
    judge(function, _falling_class, praise)


def _falling_class(function: Callable[[nn.Module, Tensor, str, int], Any]) -> str | None:
    net = load_pretrained("se_resnet20")
    generator = torch.Generator().manual_seed(0)
    images = F.interpolate(torch.randn(4, 3, 4, 4, generator=generator), 32, mode="bicubic")
    cases = [(x[None], block, channel) for x in images for block, channel in _PLACES]
    answers = []
    for x, block, channel in cases:
        with torch.no_grad():
            before = net(x)
            answers.append(_class_index(ask(function, net, x.clone(), block, channel)))
            if not torch.equal(net(x), before):
                return "after your function the network computes something else; end the override with its `with`."
    drops = _drops(net, images)
    missed = [i for i, answer in enumerate(answers) if drops[i, answer] < drops[i].max() - 1e-5]
    if not missed:
        return None
    if known := diagnose(answers, _mistaken(net, images), list.__eq__):
        return known
    drop, answer, (_, block, channel) = drops[missed[0]], answers[missed[0]], cases[missed[0]]
    return (
        f"with channel {channel} of {block} muted, {CLASSES[int(drop.argmax())]} falls by {drop.max():.4f} in one "
        f"image, and {CLASSES[answer]} by {drop[answer]:.4f}."
    )


def _class_index(answer: Any) -> int:
    """A class by its name, or by its number from 0."""
    wanted = f"return one of the ten classes, {', '.join(CLASSES)}"
    if isinstance(answer, str) and answer in CLASSES:
        return CLASSES.index(answer)
    number = as_number(answer, wanted)
    if number not in range(len(CLASSES)):
        raise Wrong(f"{wanted}, not {shown(answer)}.")
    return int(number)


def _drops(
    net: nn.Module, images: Tensor, *, gate: float = 0, logits: bool = False, whole_block: bool = False
) -> Tensor:
    """By how much each class falls in each case `(16, 10)` when gates are set: in probability, or in logits."""

    def change(channel: int, s: Tensor) -> Tensor:
        return s.index_fill(1, torch.arange(s.shape[1]) if whole_block else torch.tensor([channel]), gate)

    with torch.no_grad():
        before, after = net(images), []
        for block, channel in _PLACES:
            with override_gates(net, {block: partial(change, channel)}):
                after.append(net(images))
    drops = [before - one if logits else before.softmax(1) - one.softmax(1) for one in after]
    return torch.stack(drops, 1).flatten(0, 1)  # (4 images, 4 places, 10) -> (16, 10)


def _mistaken(net: nn.Module, images: Tensor) -> dict[str, list[int]]:
    """The classes that typical mistakes name in the 16 cases, each by its hint."""
    with torch.no_grad():
        before = net(images).repeat_interleave(len(_PLACES), 0)  # logits (16, 10)
    in_logits = _drops(net, images, logits=True)
    scores = {
        "that is the class which rises most.": -_drops(net, images),
        "that is the class which was on top before; another one may lose more.": before,
        "that is the class on top afterwards.": before - in_logits,
        "that class falls most in logits, or in proportion to its own probability, which is the same one. Asked is the "
        "largest difference of two probabilities, from a softmax over the ten.": in_logits,
        "you mute the whole block; only one channel is asked for.": _drops(net, images, whole_block=True),
        "you set the gate to 1; a muted channel has the gate 0.": _drops(net, images, gate=1),
        f"you always name the first class, {CLASSES[0]}, as if no probability had changed. override_gates acts inside "
        "of its `with` only: `with override_gates(…):`, and there the second net(x).": torch.zeros_like(before),
    }
    return {hint: score.argmax(1).tolist() for hint, score in scores.items()}
