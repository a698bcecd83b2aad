"""The judge of the first chapter, on the live network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.check.judge import Wrong, as_number, ask, diagnose, judge, shown
from senet_edu.data import CLASSES
from senet_edu.gates import override_gates
from senet_edu.zoo import load_pretrained

Case = tuple[Tensor, str, int]
"""An image `(1, 3, 32, 32)`, an SE block and a channel of it."""

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
    right = [_drops(net, *case) for case in cases]
    if all(drop[answer] >= drop.max() - 1e-5 for drop, answer in zip(right, answers)):
        return None
    if known := diagnose(answers, _mistaken(net, cases), list.__eq__):
        return known
    (_, block, channel), drop, answer = next(
        case for case in zip(cases, right, answers) if case[1][case[2]] < case[1].max() - 1e-5
    )
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
    net: nn.Module, x: Tensor, block: str, channel: int | slice, gate: float = 0, logits: bool = False
) -> Tensor:
    """By how much each class `(10,)` falls when gates are set to a number: in probability, or in logits."""

    def change(s: Tensor) -> Tensor:
        return s.index_fill(1, torch.arange(s.shape[1])[channel].flatten(), gate)

    with torch.no_grad():
        before = net(x)[0]
        with override_gates(net, {block: change}):
            after = net(x)[0]
    return before - after if logits else before.softmax(0) - after.softmax(0)


def _mistaken(net: nn.Module, cases: list[Case]) -> dict[str, list[int]]:
    """The classes that typical mistakes name, each by its hint."""

    def tops(after: bool) -> list[int]:
        with torch.no_grad():
            logits = [net(x)[0] for x, _, _ in cases]
        fallen = [after * _drops(net, *case, logits=True) for case in cases]
        return [int((one - drop).argmax()) for one, drop in zip(logits, fallen)]

    return {
        "that is the class which rises most.": [int(_drops(net, *case).argmin()) for case in cases],
        "that is the class which was on top before; another one may lose more.": tops(after=False),
        "that is the class on top afterwards.": tops(after=True),
        "that class falls most in logits, or in proportion to its own probability, which is the same one. Asked is the "
        "largest difference of two probabilities, from a softmax over the ten.": [
            int(_drops(net, *case, logits=True).argmax()) for case in cases
        ],
        "you mute the whole block; only one channel is asked for.": [
            int(_drops(net, x, block, slice(None)).argmax()) for x, block, _ in cases
        ],
        "you set the gate to 1; a muted channel has the gate 0.": [
            int(_drops(net, *case, gate=1).argmax()) for case in cases
        ],
        f"you always name the first class, {CLASSES[0]}, as if no probability had changed. override_gates acts inside "
        "of its `with` only: `with override_gates(…):`, and there the second net(x).": [0] * len(cases),
    }
