"""ResNet and SE-ResNet: every network of the book in one file.

References:
    He et al., Deep Residual Learning, https://arxiv.org/abs/1512.03385: the residual blocks, the CIFAR networks.
    Hu et al., Squeeze-and-Excitation Networks, https://arxiv.org/abs/1709.01507: Fig. 3 and 5, Table 1, §6.
    Xie et al., ResNeXt, https://arxiv.org/abs/1611.05431: `groups` and `base_width`.

Parameter names are torchvision's (`conv1`, `bn1`, `layer1.0.conv1`, …, `fc`), so its ResNet weights load strictly
into the plain networks; an SE block adds `layer1.0.se.fc1` and `layer1.0.se.fc2`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from senet_edu.relatives import make_attention

PLACEMENTS = ("standard", "pre", "post", "identity", "3x3", "none")
STRIDES_IN = ("3x3", "1x1")

MakeSE = Callable[[int], nn.Module]
"""Makes the SE block for a number of channels."""


def conv3x3(inplanes: int, planes: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inplanes, planes, 3, stride=stride, padding=1, groups=groups, bias=False)


def conv1x1(inplanes: int, planes: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inplanes, planes, 1, stride=stride, bias=False)


class ResidualBlock(nn.Module):
    """What the two residual blocks share: the shortcut, the sum, and the five places of an SE block (Fig. 5).

    A block computes relu(residual(x) + shortcut(x)). The SE block stands
    `"standard"` on the residual, before the sum; `"pre"` before the residual; `"post"` after the sum and its ReLU;
    `"identity"` on the shortcut (behind the projection where there is one); `"3x3"` inside the bottleneck, behind its
    3x3 convolution; or nowhere, `"none"`.
    """

    expansion: int  # output channels / planes

    def __init__(self, inplanes: int, planes: int, stride: int, placement: str) -> None:
        super().__init__()
        self.placement = placement
        self.relu = nn.ReLU(inplace=True)
        outplanes = planes * self.expansion
        self.downsample = None
        if stride != 1 or inplanes != outplanes:  # the projection, option B of He et al.
            self.downsample = nn.Sequential(conv1x1(inplanes, outplanes, stride), nn.BatchNorm2d(outplanes))

    def residual(self, x: Tensor) -> Tensor:
        """The convolutions: `(N, inplanes, H, W)` to `(N, planes * expansion, H/stride, W/stride)`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        out = self.residual(self.se(x) if self.placement == "pre" else x)
        if self.placement == "standard":
            out = self.se(out)
        shortcut = x if self.downsample is None else self.downsample(x)
        if self.placement == "identity":
            shortcut = self.se(shortcut)
        out = self.relu(out + shortcut)
        return self.se(out) if self.placement == "post" else out


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions; of ResNet-18 and -34, and of the CIFAR networks up to 110 layers.

    Raises:
        ValueError: an option that only a bottleneck has.
    """

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        *,
        make_se: MakeSE | None = None,
        placement: str = "none",
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
    ) -> None:
        super().__init__(inplanes, planes, stride, placement)
        if placement == "3x3" or stride_in != "3x3" or groups != 1 or base_width != 64:
            raise ValueError(
                "a BasicBlock has no bottleneck: placement='3x3', stride_in='1x1', groups and base_width need "
                f"Bottleneck; got placement={placement!r}, stride_in={stride_in!r}, groups={groups}, "
                f"base_width={base_width}"
            )
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        if placement != "none":
            self.se = make_se(inplanes if placement == "pre" else planes)

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))  # (N, planes, H/stride, W/stride)
        return self.bn2(self.conv2(out))


class Bottleneck(ResidualBlock):
    """1x1 to narrow, 3x3, 1x1 to widen four times; of ResNet-50, -101, -152 and of the CIFAR ResNet-164.

    The SE block of the standard placement sees the *output* of the block, `planes * 4` channels.

    Args:
        stride_in: which convolution has the stride: `"3x3"` (torchvision, "v1.5") or `"1x1"` (the first; the paper
            and its SE-ResNets).
        groups, base_width: ResNeXt's cardinality and width per group.
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        *,
        make_se: MakeSE | None = None,
        placement: str = "none",
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
    ) -> None:
        super().__init__(inplanes, planes, stride, placement)
        width = int(planes * base_width / 64) * groups
        outplanes = planes * self.expansion
        stride1, stride2 = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = conv1x1(inplanes, width, stride1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride2, groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, outplanes)
        self.bn3 = nn.BatchNorm2d(outplanes)
        if placement != "none":
            self.se = make_se({"pre": inplanes, "3x3": width}.get(placement, outplanes))

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))  # (N, width, H or H/stride, …)
        out = self.relu(self.bn2(self.conv2(out)))  # (N, width, H/stride, W/stride)
        if self.placement == "3x3":
            out = self.se(out)
        return self.bn3(self.conv3(out))  # (N, planes * 4, H/stride, W/stride)


class ResNet(nn.Module):
    """A stem, three or four stages of residual blocks, and a linear classifier on the pooled features.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks in each stage.
        planes: width of each stage (times `block.expansion` at its output); halves the resolution from the second on.
        stem: `"imagenet"` (7x7 stride 2, then max pooling: 224 -> 56) or `"cifar"` (3x3, keeps 32).
        num_classes: outputs of the classifier.
        make_se: makes the SE block for a number of channels; needed unless `placement="none"`.
        placement: where it stands in each residual block, see `ResidualBlock`.
        stages: the stages with SE blocks, counted from 1 (`layer1`); all by default. The paper numbers the same
            stages from 2 (Table 13: "SE_Stage_2" is `stages=[1]`).
        stride_in, groups, base_width: see `Bottleneck`.
        zero_init_residual: start the last batch norm of each block from zero, so that blocks start as the identity.

    Raises:
        ValueError: an argument is out of range; the message names it and its value.

    Shapes:
        input `(N, 3, H, W)`, output logits `(N, num_classes)`.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        planes: Sequence[int],
        *,
        stem: str = "imagenet",
        num_classes: int = 1000,
        make_se: MakeSE | None = None,
        placement: str = "none",
        stages: Collection[int] | None = None,
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("stem", stem, ("imagenet", "cifar")),
            ("placement", placement, PLACEMENTS),
            ("stride_in", stride_in, STRIDES_IN),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
        if placement != "none" and make_se is None:
            raise ValueError(f"placement={placement!r} needs make_se; use an SE builder such as se_resnet50")
        if placement == "none" and stages is not None:
            raise ValueError(f"stages={stages!r} chooses among SE blocks, but placement='none' has none")
        if num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, got {num_classes!r}")
        all_stages = range(1, len(depths) + 1)
        if stages is not None and not set(stages) <= set(all_stages):
            raise ValueError(f"stages must be among {list(all_stages)}, got {stages!r}")

        channels = planes[0]
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            self.conv1 = conv3x3(3, channels)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

        for i, (depth, width) in enumerate(zip(depths, planes, strict=True), start=1):
            make_block = partial(
                block,
                make_se=make_se,
                placement=placement if stages is None or i in stages else "none",
                stride_in=stride_in,
                groups=groups,
                base_width=base_width,
            )
            blocks = []
            for j in range(depth):  # only the first block of a stage has a stride, and layer1 has none
                blocks.append(make_block(channels, width, stride=2 if i > 1 and j == 0 else 1))
                channels = width * block.expansion
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
        self.stage_names = [f"layer{i}" for i in all_stages]

        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)

        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and ".se." not in name:  # attention initializes itself
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, ResidualBlock):
                nn.init.zeros_((module.bn3 if isinstance(module, Bottleneck) else module.bn2).weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # ImageNet: (N, 64, 56, 56); CIFAR: (N, 16, 32, 32)
        for name in self.stage_names:
            x = getattr(self, name)(x)  # layer1 keeps the resolution, each later stage halves it
        return self.fc(self.avgpool(x).flatten(1))


_BUILDERS: dict[str, Callable[..., ResNet]] = {}


def _register(builder: Callable[..., ResNet]) -> Callable[..., ResNet]:
    _BUILDERS[builder.__name__] = builder
    return builder


def list_models() -> list[str]:
    """Names that `create_model` knows."""
    return list(_BUILDERS)


def create_model(name: str, **options: Any) -> ResNet:
    """Build a network by name; options reach its builder: `create_model("se_resnet18", reduction=8)`.

    Raises:
        ValueError: there is no such network; the message has the nearest names.
    """
    if name not in _BUILDERS:
        near = difflib.get_close_matches(name, _BUILDERS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(_BUILDERS)}"
        raise ValueError(f"name {name!r} is not a model: {hint}")
    return _BUILDERS[name](**options)


# Builders. The plain ones take the keyword arguments of `ResNet`: num_classes, zero_init_residual; CIFAR's also planes,
# and networks of bottlenecks stride_in, groups and base_width. Those with SE also take reduction, min_hidden, bias,
# squeeze, gate, placement, stages, and attention: a name of `relatives.ATTENTION`, a class, or a function from the
# number of channels to a module.


def _imagenet(block: type[BasicBlock] | type[Bottleneck], depths: Sequence[int], **options: Any) -> ResNet:
    return ResNet(block, depths, (64, 128, 256, 512), **options)


def _cifar(
    block: type[BasicBlock] | type[Bottleneck],
    n: int,
    *,
    num_classes: int = 10,
    planes: Sequence[int] = (16, 32, 64),
    **options: Any,
) -> ResNet:
    """He et al. §4.2: three stages of n blocks with 16, 32 and 64 planes, 6n + 2 layers (9n + 2 with bottlenecks)."""
    return ResNet(block, (n, n, n), planes, stem="cifar", num_classes=num_classes, **options)


def _se(
    plain: Callable[..., ResNet],
    *,
    attention: str | Callable[[int], nn.Module] = "se",
    reduction: int | None = None,
    min_hidden: int | None = None,
    bias: bool | None = None,
    squeeze: str | None = None,
    gate: str | None = None,
    placement: str = "standard",
    **options: Any,
) -> ResNet:
    """The network of a plain builder with SE blocks, or a relative of theirs by name or class, in it.

    What is None is left to the block: r = 16, no biases and a hidden width of at least 1 for `"se"`.
    """
    given = {"reduction": reduction, "min_hidden": min_hidden, "bias": bias, "squeeze": squeeze, "gate": gate}
    make_se = partial(make_attention, attention, **{name: value for name, value in given.items() if value is not None})
    return plain(make_se=make_se, placement=placement, **options)


@_register
def resnet18(**options: Any) -> ResNet:
    """ResNet-18 for ImageNet, 11,689,512 parameters."""
    return _imagenet(BasicBlock, (2, 2, 2, 2), **options)


@_register
def resnet34(**options: Any) -> ResNet:
    """ResNet-34 for ImageNet, 21,797,672 parameters."""
    return _imagenet(BasicBlock, (3, 4, 6, 3), **options)


@_register
def resnet50(**options: Any) -> ResNet:
    """ResNet-50 for ImageNet, 25,557,032 parameters."""
    return _imagenet(Bottleneck, (3, 4, 6, 3), **options)


@_register
def resnet101(**options: Any) -> ResNet:
    """ResNet-101 for ImageNet, 44,549,160 parameters."""
    return _imagenet(Bottleneck, (3, 4, 23, 3), **options)


@_register
def resnet152(**options: Any) -> ResNet:
    """ResNet-152 for ImageNet, 60,192,808 parameters."""
    return _imagenet(Bottleneck, (3, 8, 36, 3), **options)


@_register
def resnet8(**options: Any) -> ResNet:
    """ResNet-8 for CIFAR, one block a stage: the smallest of the family, for quick experiments."""
    return _cifar(BasicBlock, 1, **options)


@_register
def resnet20(**options: Any) -> ResNet:
    """ResNet-20 for CIFAR, 3 blocks a stage."""
    return _cifar(BasicBlock, 3, **options)


@_register
def resnet32(**options: Any) -> ResNet:
    """ResNet-32 for CIFAR, 5 blocks a stage."""
    return _cifar(BasicBlock, 5, **options)


@_register
def resnet44(**options: Any) -> ResNet:
    """ResNet-44 for CIFAR, 7 blocks a stage."""
    return _cifar(BasicBlock, 7, **options)


@_register
def resnet56(**options: Any) -> ResNet:
    """ResNet-56 for CIFAR, 9 blocks a stage."""
    return _cifar(BasicBlock, 9, **options)


@_register
def resnet110(**options: Any) -> ResNet:
    """ResNet-110 for CIFAR, 18 blocks a stage."""
    return _cifar(BasicBlock, 18, **options)


@_register
def resnet164(**options: Any) -> ResNet:
    """ResNet-164 for CIFAR, 18 blocks a stage."""
    return _cifar(Bottleneck, 18, **options)


@_register
def resnet10_cifar(*, num_classes: int = 10, **options: Any) -> ResNet:
    """ResNet-10 with the CIFAR stem: one block in each of four stages, 64 to 512 channels on 32x32 images."""
    return _imagenet(BasicBlock, (1, 1, 1, 1), stem="cifar", num_classes=num_classes, **options)


@_register
def resnet18_cifar(*, num_classes: int = 10, **options: Any) -> ResNet:
    """ResNet-18 with the CIFAR stem: 64 to 512 channels on 32x32 images."""
    return resnet18(stem="cifar", num_classes=num_classes, **options)


@_register
def se_resnet18(**options: Any) -> ResNet:
    """SE-ResNet-18 for ImageNet, 11,776,552 parameters at r = 16."""
    return _se(resnet18, **options)


@_register
def se_resnet34(**options: Any) -> ResNet:
    """SE-ResNet-34 for ImageNet, 21,954,856 parameters at r = 16."""
    return _se(resnet34, **options)


@_register
def se_resnet50(**options: Any) -> ResNet:
    """SE-ResNet-50 for ImageNet, 28,071,976 parameters at r = 16."""
    return _se(resnet50, **options)


@_register
def se_resnet101(**options: Any) -> ResNet:
    """SE-ResNet-101 for ImageNet, 49,292,328 parameters at r = 16."""
    return _se(resnet101, **options)


@_register
def se_resnet152(**options: Any) -> ResNet:
    """SE-ResNet-152 for ImageNet, 66,770,984 parameters at r = 16."""
    return _se(resnet152, **options)


@_register
def se_resnet8(**options: Any) -> ResNet:
    """SE-ResNet-8 for CIFAR, with three SE blocks."""
    return _se(resnet8, **options)


@_register
def se_resnet20(**options: Any) -> ResNet:
    """SE-ResNet-20 for CIFAR."""
    return _se(resnet20, **options)


@_register
def se_resnet32(**options: Any) -> ResNet:
    """SE-ResNet-32 for CIFAR."""
    return _se(resnet32, **options)


@_register
def se_resnet44(**options: Any) -> ResNet:
    """SE-ResNet-44 for CIFAR."""
    return _se(resnet44, **options)


@_register
def se_resnet56(**options: Any) -> ResNet:
    """SE-ResNet-56 for CIFAR."""
    return _se(resnet56, **options)


@_register
def se_resnet110(**options: Any) -> ResNet:
    """SE-ResNet-110 for CIFAR."""
    return _se(resnet110, **options)


@_register
def se_resnet164(**options: Any) -> ResNet:
    """SE-ResNet-164 for CIFAR."""
    return _se(resnet164, **options)


@_register
def se_resnet10_cifar(**options: Any) -> ResNet:
    """SE-ResNet-10 with the CIFAR stem."""
    return _se(resnet10_cifar, **options)


@_register
def se_resnet18_cifar(**options: Any) -> ResNet:
    """SE-ResNet-18 with the CIFAR stem."""
    return _se(resnet18_cifar, **options)
