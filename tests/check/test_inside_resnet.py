"""Judges of `inside_resnet`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import SqueezeExcitation

from senet_edu import SEBlock, check, resnet34, se_resnet34
from senet_edu.cost import count_parameters, se_parameters
from senet_edu.surgery import WithSE


class RightBottleneck(Bottleneck):
    """The right answer; the wrong ones below change its channels or its forward."""

    def __init__(self, inplanes: int, planes: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        self.se = SEBlock(self.channels(planes))

    def channels(self, planes: int) -> int:
        return planes * self.expansion

    def narrow(self, x: Tensor) -> Tensor:
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))

    def convolutions(self, x: Tensor) -> Tensor:
        return self.bn3(self.conv3(self.narrow(x)))

    def shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.se(self.convolutions(x)) + self.shortcut(x))


class InBatchNorm(Bottleneck):
    """The forward of torchvision, with the block put behind the last batch norm."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.se = SEBlock(self.conv3.out_channels)
        self.bn3 = nn.Sequential(self.bn3, self.se)


class AsInserted(Bottleneck):
    """The same as `insert_se` does it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.se = SEBlock(self.conv3.out_channels)
        self.bn3 = WithSE(self.bn3, self.se)


class Theirs(RightBottleneck):
    """With torchvision's block."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        C = self.conv3.out_channels
        self.se = SqueezeExcitation(C, C // 16)


class HandWritten(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 16), nn.Linear(channels // 16, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.up(self.down(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]


class ByHand(RightBottleneck):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.se = HandWritten(self.conv3.out_channels)


class NoConstructor(Bottleneck):
    def __init__(self, inplanes: int) -> None:
        super().__init__(inplanes, 64)


def variant(forward: Callable[[Any, Tensor], Tensor] | None = None, **changed: Any) -> type[RightBottleneck]:
    return type("Variant", (RightBottleneck,), changed | ({"forward": forward} if forward else {}))


def make_stage(block: type[nn.Module], inplanes: int, planes: int, depth: int, stride: int) -> nn.Sequential:
    return stage(lambda i, depth, stride: stride if i == 0 else 1)(block, inplanes, planes, depth, stride)


def stage(stride_of: Callable[[int, int, int], int], widen: bool = True) -> Callable[..., nn.Sequential]:
    def make_stage(block: Any, inplanes: int, planes: int, depth: int, stride: int) -> nn.Sequential:
        blocks = []
        for i in range(depth):
            blocks.append(block(inplanes, planes, stride_of(i, depth, stride)))
            inplanes = planes * block.expansion if widen else inplanes
        return nn.Sequential(*blocks)

    return make_stage


def test_fixed_bottleneck(verdict: Callable[..., str]) -> None:
    assert verdict(check.fixed_bottleneck, RightBottleneck).startswith(check.TICK)
    for answer in (InBatchNorm, AsInserted, Theirs, ByHand):
        assert verdict(check.fixed_bottleneck, answer).startswith(check.TICK)
    assert verdict(check.fixed_bottleneck, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("block", "hint"),
    [
        (variant(channels=lambda self, planes: planes), "built for another number of channels"),
        (variant(channels=lambda self, planes: 256), "built for another number of channels"),  # stage 1 only
        (variant(lambda self, x: self.se(self.relu(self.convolutions(x) + self.shortcut(x)))), "this is POST"),
        (variant(lambda self, x: self.relu(self.se(self.convolutions(x) + self.shortcut(x)))), "before the ReLU"),
        (variant(lambda self, x: self.relu(self.convolutions(x) + self.se(self.shortcut(x)))), "this is Identity"),
        (
            variant(
                lambda self, x: self.relu(self.bn3(self.conv3(self.se(self.narrow(x)))) + self.shortcut(x)),
                channels=lambda self, planes: planes,
            ),
            "this is SE_3x3",
        ),
        (variant(Bottleneck.forward), "never calls it"),
        (
            variant(lambda self, x: (self.se(self.convolutions(x)), Bottleneck.forward(self, x))[1]),
            "is not used",
        ),
        (variant(lambda self, x: self.relu(self.se(self.convolutions(x)))), "the shortcut is missing"),
        (variant(lambda self, x: self.se(self.convolutions(x)) + self.shortcut(x)), "the last ReLU is missing"),
        (variant(lambda self, x: 2 * RightBottleneck.forward(self, x)), "the output is not"),
        (Bottleneck, "self.se, the SE block, is missing"),
        (SEBlock, "a subclass of torchvision's Bottleneck"),
        (4, "must be a class"),
        (NoConstructor, "raised TypeError: NoConstructor.__init__()"),
        (
            variant(lambda self, x: self.relu(self.bn3(self.se(self.conv3(self.narrow(x)))) + self.shortcut(x))),
            "between conv3 and bn3",
        ),
        (
            variant(lambda self, x: self.relu(self.se(self.se(self.convolutions(x))) + self.shortcut(x))),
            "applied twice",
        ),
    ],
)
def test_fixed_bottleneck_hints(verdict: Callable[..., str], block: Any, hint: str) -> None:
    line = verdict(check.fixed_bottleneck, block)
    assert line.startswith(check.CROSS) and hint in line


def test_fixed_bottleneck_counts_the_weights(verdict: Callable[..., str]) -> None:
    class Wide(RightBottleneck):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.se = SEBlock(self.conv3.out_channels, reduction=4)

    assert "it must have 8,192" in verdict(check.fixed_bottleneck, Wide)


def test_make_stage(verdict: Callable[..., str]) -> None:
    assert verdict(check.make_stage, make_stage).startswith(check.TICK)
    assert verdict(check.make_stage, ...).startswith(check.OPEN)
    assert verdict(check.make_stage, lambda *stage: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("make_stage", "hint"),
    [
        (stage(lambda i, depth, stride: stride), "every block has the stride, the maps go 32 → 16 → 8 → 4"),
        (stage(lambda i, depth, stride: 1), "no block has the stride"),
        (stage(lambda i, depth, stride: stride if i == depth - 1 else 1), "the last block has the stride"),
        (stage(lambda i, depth, stride: stride if i == 1 else 1), "in the wrong blocks"),
        (stage(lambda i, depth, stride: stride if i == 0 else 1, widen=False), "do not fit"),
        (lambda block, inplanes, planes, depth, stride: nn.Sequential(block(inplanes, planes, stride)), "has 1 blocks"),
        (lambda *given: nn.Sequential(*make_stage(*given), nn.ReLU()), "the stage has a ReLU"),
        (lambda *stage: list(make_stage(*stage)), "not a list of 3"),
        (lambda block, i, planes, *rest: make_stage(block, i, 2 * planes, *rest), "64 channels come out, not 32"),
    ],
)
def test_make_stage_hints(verdict: Callable[..., str], make_stage: Callable, hint: str) -> None:
    line = verdict(check.make_stage, make_stage)
    assert line.startswith(check.CROSS) and hint in line


def test_se34_parameters(verdict: Callable[..., str]) -> None:
    added = count_parameters(se_resnet34()) - count_parameters(resnet34())
    assert verdict(check.se34_parameters, added).startswith(check.TICK)
    for kind in (np.int64, np.array, torch.tensor, float):
        assert verdict(check.se34_parameters, kind(added)).startswith(check.TICK)
    assert "one number of parameters, not '157,184'" in verdict(check.se34_parameters, f"{added:,}")
    assert verdict(check.se34_parameters, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("stages", "bias", "hint"),
    [
        ([(3, 64), (4, 128), (6, 256), (3, 512)], True, "with biases"),
        ([(2, 64), (2, 128), (2, 256), (2, 512)], False, "SE-ResNet-18"),
        ([(1, 64), (1, 128), (1, 256), (1, 512)], False, "one block a stage"),
        ([(3, 256), (4, 512), (6, 1024), (3, 2048)], False, "SE-ResNet-50"),
        ([(3, 64), (4, 128), (6, 256), (3, 500)], False, "use equation 5"),
    ],
)
def test_se34_parameters_hints(verdict: Callable[..., str], stages: list, bias: bool, hint: str) -> None:
    line = verdict(check.se34_parameters, se_parameters(stages, bias=bias))
    assert line.startswith(check.CROSS) and hint in line
