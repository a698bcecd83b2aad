"""Judges of the chapter on SE inside a ResNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.check.judge import Raised, as_number, ask, close, judge, shown
from senet_edu.resnet import BasicBlock, Bottleneck


def fixed_bottleneck(answer: type[nn.Module]) -> None:
    """A subclass of torchvision's `Bottleneck` with an SE block, `self.se`, in the standard place."""
    praise = "Its SE blocks see planes * expansion channels, on the residual, before the sum."
    judge(answer, _fixed_bottleneck, praise)


def _fixed_bottleneck(answer: type[nn.Module]) -> str | None:
    from torchvision.models.resnet import Bottleneck, ResNet

    if not isinstance(answer, type) or not issubclass(answer, Bottleneck):
        return "the answer must be a class, a subclass of torchvision's Bottleneck."
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        blocks = [m for m in ask(ResNet, answer, [1, 2, 1, 1]).modules() if isinstance(m, answer)]
        inputs = [torch.randn(2, block.conv1.in_channels, 8, 8) for block in blocks]
        for block in blocks:
            _unsettle(block)
    for block, x in zip(blocks, inputs):
        if not isinstance(getattr(block, "se", None), nn.Module):
            return "self.se, the SE block, is missing."
        try:
            with _calls(block.se) as calls:
                out = ask(block, x)
        except Raised as raised:
            if raised.mentions("cannot be multiplied", "x must be (N, ", "channels, but got"):
                return f"the SE block is built for another number of channels than it gets: {raised.error}."
            raise
        if not calls:
            return "self.se is there, but forward never calls it."
        if hint := _place_of_se(block, x, out):
            return hint
        C = block.conv3.out_channels
        weights = sum(p.numel() for p in block.se.parameters() if p.ndim > 1)
        if weights != 2 * C * (C // 16):
            return f"for {C} channels self.se has {weights:,} weights; at r = 16 it must have {2 * C * C // 16:,}."
    return None


def _unsettle(block: nn.Module) -> None:
    """Move gates far from one half and batch norms from the identity, so that no two places give the same result."""
    block.eval().requires_grad_(False)
    if isinstance(getattr(block, "se", None), nn.Module):
        for parameter in block.se.parameters():
            parameter.mul_(3)
    for norm in block.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()


@contextmanager
def _calls(module: nn.Module) -> Iterator[list[int]]:
    """A list that has an entry for each call of the module in the context."""
    calls: list[int] = []
    with module.register_forward_hook(lambda *_: calls.append(1)):
        yield calls


def _place_of_se(block: nn.Module, x: Tensor, out: Tensor) -> str | None:
    """None where the SE block of a bottleneck stands in the standard place, else a hint.

    The place is found from the block's output. The SE block may be called by `forward`, or by another module which
    it was put into, such as `self.bn3`; so the parts are computed with the SE block switched off.
    """
    with _off(block.se):
        narrow = block.relu(block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))))
        wide = block.conv3(narrow)
        residual = block.bn3(wide)
        shortcut = x if block.downsample is None else block.downsample(x)

    def behind(maps: Tensor, *layers: nn.Module) -> Tensor:
        with _off(block.se):
            return nn.Sequential(*layers)(maps)

    places: dict[str, Callable[[], Tensor]] = {
        "standard": lambda: block.relu(block.se(residual) + shortcut),
        "this is POST, behind the sum; the standard place is before the sum.": lambda: block.se(
            block.relu(residual + shortcut)
        ),
        "this is behind the sum and before the ReLU; the standard place is before the sum.": lambda: block.relu(
            block.se(residual + shortcut)
        ),
        "this is Identity, on the shortcut; the standard place is on the residual.": lambda: block.relu(
            residual + block.se(shortcut)
        ),
        "this is SE_3x3, a good network, but the standard place is behind bn3.": lambda: block.relu(
            behind(block.se(narrow), block.conv3, block.bn3) + shortcut
        ),
        "this is between conv3 and bn3; the standard place is behind bn3.": lambda: block.relu(
            behind(block.se(wide), block.bn3) + shortcut
        ),
        "self.se is applied twice.": lambda: block.relu(block.se(block.se(residual)) + shortcut),
        "the result of self.se is not used: out = self.se(out).": lambda: block.relu(residual + shortcut),
        "the shortcut is missing: add it, then ReLU.": lambda: block.relu(block.se(residual)),
        "the last ReLU is missing.": lambda: block.se(residual) + shortcut,
    }
    for hint, compute in places.items():
        try:
            if close(out, compute()):
                return None if hint == "standard" else hint
        except (RuntimeError, ValueError):  # the SE block is built for the channels of another place
            continue
    return "the output is not relu(se(residual) + shortcut)."


@contextmanager
def _off(module: nn.Module) -> Iterator[None]:
    """Where the module is called in the context, its input comes out."""
    with module.register_forward_hook(lambda _, args, named, out: (*args, *named.values())[0], with_kwargs=True):
        yield


def make_stage(function: Callable[..., nn.Module]) -> None:
    """`make_stage(block, inplanes, planes, depth, stride)`: a stage in which only the first block has the stride."""
    judge(function, _make_stage, "One stride a stage, in its first block, for both kinds of block.")


def _make_stage(function: Callable[..., nn.Module]) -> str | None:
    for block, inplanes, planes, depth, stride in (
        (BasicBlock, 16, 32, 3, 2),
        (BasicBlock, 16, 16, 2, 1),
        (Bottleneck, 16, 16, 3, 2),
        (Bottleneck, 64, 16, 1, 1),
    ):
        case = f"for {depth} {block.__name__}s, {inplanes} to {planes} planes, stride {stride}"
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            stage = ask(function, block, inplanes, planes, depth, stride)
            if not isinstance(stage, nn.Sequential):
                return f"make_stage must return an nn.Sequential, not {shown(stage)}."
            if others := [type(each).__name__ for each in stage if not isinstance(each, block)]:
                return f"{case}: the stage has a {others[0]}; it must be made of {block.__name__}s alone."
            if len(stage) != depth:
                return f"{case}: the stage has {len(stage)} blocks."
            sides, x = [32], torch.zeros(1, inplanes, 32, 32)
            for each in stage.eval():
                try:
                    x = each(x)
                except RuntimeError as error:
                    return f"{case}: the channels of two blocks do not fit. PyTorch says: {error}."
                sides.append(x.shape[-1])
        strides = [before // after for before, after in zip(sides, sides[1:])]
        if strides != [stride] + [1] * (depth - 1):
            found = {
                (stride,) * depth: "every block has the stride",
                (1,) * depth: "no block has the stride",
                (1,) * (depth - 1) + (stride,): "the last block has the stride",
            }.get(tuple(strides), "the strides are in the wrong blocks")
            path = " → ".join(map(str, sides))
            return f"{case}: {found}, the maps go {path}. Only the first block has it."
        if x.shape[1] != planes * block.expansion:
            return f"{case}: {x.shape[1]} channels come out, not {planes * block.expansion}."
    return None


def se34_parameters(count: Any) -> None:
    """Parameters that SE without biases, r = 16, adds to ResNet-34."""
    praise = "0.72 % of ResNet-34, and the very number of SE_3x3 in ResNet-50: the same widths and depths."
    judge(count, _se34_parameters, praise)


_COUNTS = {
    161_196: "these are with biases; leave them out.",
    4_012: "these are only the biases; count the weights.",
    78_592: "this counts one matrix a block; there are two, W1 and W2.",
    43_520: "this counts one block a stage; there are 3, 4, 6 and 3.",
    87_040: "this is SE-ResNet-18, with 2 blocks a stage; ResNet-34 has 3, 4, 6 and 3.",
    2_514_944: "this is SE-ResNet-50; a BasicBlock does not widen four times.",
    21_954_856: "this is the whole network; count only what SE adds.",
}
"""What a typical mistake counts."""


def _se34_parameters(count: Any) -> str | None:
    number = as_number(count, "give one number of parameters")
    if number == 157_184:
        return None
    return _COUNTS.get(number, "use equation 5: (2/16) · Σ N_s C_s², with C_s = 64, 128, 256 and 512.")
