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
import inspect
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from functools import partial
from inspect import Parameter
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack, get_type_hints

import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.checks import choice, flag, number, shown, whole
from senet_edu.relatives import make_attention

STEMS = ("imagenet", "deep", "cifar")
PLACEMENTS = ("standard", "pre", "post", "identity", "3x3", "none")
STRIDES_IN = ("3x3", "1x1")

MakeSE = Callable[[int], nn.Module]
"""Makes the SE block for a number of channels."""


def _widths(name: str, values: object) -> tuple[int, ...]:
    """Whole numbers, one at least."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ValueError(f"{name} must be one or more whole numbers, got {shown(values)}")
    return tuple(whole(name, value, least=1) for value in values)


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
        self.se: nn.Module | None = None  # a class that knows its width puts it in
        self.relu = nn.ReLU(inplace=True)
        self.outplanes = outplanes = planes * self.expansion
        self.downsample: nn.Module | None = None
        if stride != 1 or inplanes != outplanes:  # the projection, option B of He et al.
            self.downsample = nn.Sequential(self.project(inplanes, outplanes, stride), nn.BatchNorm2d(outplanes))

    project = staticmethod(conv1x1)

    def residual(self, x: Tensor) -> Tensor:
        """The convolutions: `(N, inplanes, H, W)` to `(N, planes * expansion, H/stride, W/stride)`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        out = self.residual(self.se(x) if self.se is not None and self.placement == "pre" else x)
        if self.se is not None and self.placement == "standard":
            out = self.se(out)
        shortcut = x if self.downsample is None else self.downsample(x)
        if self.se is not None and self.placement == "identity":
            shortcut = self.se(shortcut)
        out = self.relu(out + shortcut)
        return self.se(out) if self.se is not None and self.placement == "post" else out


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
    narrowing = 1  # the first convolution has width / narrowing channels

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
        groups = whole("groups", groups, least=1)
        width = int(planes * whole("base_width", base_width, least=1) / 64) * groups
        if width < 1:
            raise ValueError(f"base_width must leave a channel of {planes} planes, got {shown(base_width)}")
        outplanes = planes * self.expansion
        narrow = width // self.narrowing
        stride1, stride2 = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = conv1x1(inplanes, narrow, stride1)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = conv3x3(narrow, width, stride2, groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, outplanes)
        self.bn3 = nn.BatchNorm2d(outplanes)
        if placement != "none":
            self.se = make_se({"pre": inplanes, "3x3": width}.get(placement, outplanes))

    def residual(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))  # (N, width, H or H/stride, …)
        out = self.relu(self.bn2(self.conv2(out)))  # (N, width, H/stride, W/stride)
        if self.se is not None and self.placement == "3x3":
            out = self.se(out)
        return self.bn3(self.conv3(out))  # (N, planes * 4, H/stride, W/stride)


class SENetBottleneck(Bottleneck):
    """SENet-154's (Hu et al., appendix): half as many channels in the first 1x1, and a 3x3 projection where it strides.

    The projection of `layer1`, which has no stride, is 1x1.
    """

    narrowing = 2

    @staticmethod
    def project(inplanes: int, planes: int, stride: int = 1) -> nn.Conv2d:
        return conv1x1(inplanes, planes) if stride == 1 else conv3x3(inplanes, planes, stride)


class ResNet(nn.Module):
    """A stem, some stages of residual blocks, and a linear classifier on the pooled features.

    Args:
        block: `BasicBlock`, `Bottleneck` or `SENetBottleneck`.
        depths: blocks in each stage.
        planes: width of each stage (times `block.expansion` at its output); halves the resolution from the second on.
        stem: `"imagenet"` (7x7 stride 2, then max pooling: 224 -> 56), `"deep"` (SENet-154's, three 3x3 in place of the
            7x7) or `"cifar"` (3x3, keeps 32).
        in_channels: channels of the images.
        num_classes: outputs of the classifier; 0 for none, then the network returns its pooled features.
        make_se: makes the SE block for a number of channels; needed unless `placement="none"`.
        placement: where it stands in each residual block, see `ResidualBlock`.
        stages: the stages with SE blocks, counted from 1 (`layer1`); all by default. The paper numbers the same
            stages from 2 (Table 13: "SE_Stage_2" is `stages=[1]`).
        stride_in, groups, base_width: see `Bottleneck`.
        zero_init_residual: start the last batch norm of each block from zero, so that blocks start as the identity;
            0.2 to 0.3 points better for ResNet-50 in Goyal et al., 2017, https://arxiv.org/abs/1706.02677.
        drop_rate: share of the pooled features that training drops.

    Raises:
        ValueError: an argument is out of range; the message names it and its value.

    Shapes:
        input `(N, in_channels, H, W)`, output logits `(N, num_classes)`, or features `(N, num_features)`.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        planes: Sequence[int],
        *,
        stem: str = "imagenet",
        in_channels: int = 3,
        num_classes: int = 1000,
        make_se: MakeSE | None = None,
        placement: str = "none",
        stages: Collection[int] | None = None,
        stride_in: str = "3x3",
        groups: int = 1,
        base_width: int = 64,
        zero_init_residual: bool = False,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        choice("stem", stem, STEMS)
        choice("placement", placement, PLACEMENTS)
        choice("stride_in", stride_in, STRIDES_IN)
        flag("zero_init_residual", zero_init_residual)
        planes = _widths("planes", planes)
        if len(planes) != len(_widths("depths", depths)):
            raise ValueError(f"planes must have a width for each of {len(depths)} stages, got {shown(planes)}")
        if placement != "none" and make_se is None:
            raise ValueError(f"placement={placement!r} needs make_se; use an SE builder such as se_resnet50")
        if placement == "none" and stages is not None:
            raise ValueError(f"stages={shown(stages)} chooses among SE blocks, but placement='none' has none")
        all_stages = range(1, len(depths) + 1)
        chosen = list(stages) if isinstance(stages, Collection) else [None]
        if stages is not None and not all(isinstance(i, Integral) and i in all_stages for i in chosen):
            raise ValueError(f"stages must be among {list(all_stages)}, got {shown(stages)}")
        options = {"stride_in": stride_in, "groups": groups, "base_width": base_width, "make_se": make_se}

        self.stage_names = [f"layer{i}" for i in all_stages]
        self.drop_rate = number("drop_rate", drop_rate, least=0, below=1)
        channels = self._add_stem(stem, whole("in_channels", in_channels, least=1), planes[0])
        for i, (depth, width) in enumerate(zip(depths, planes), start=1):
            place = placement if stages is None or i in stages else "none"
            blocks = nn.Sequential()
            for j in range(depth):  # only the first block of a stage has a stride, and layer1 has none
                stride = 2 if i > 1 and j == 0 else 1
                blocks.append(block(channels, width, stride, placement=place, **options))
                channels = width * block.expansion
            self.add_module(f"layer{i}", blocks)
        self.num_features = self.inplanes = channels
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.reset_classifier(num_classes)

        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and ".se." not in name:  # attention initializes itself
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, ResidualBlock):
                nn.init.zeros_((module.bn3 if isinstance(module, Bottleneck) else module.bn2).weight)

    def _add_stem(self, stem: str, in_channels: int, channels: int) -> int:
        """In the order in which they are called, as whoever cuts the network by its children expects. Its width."""
        if stem == "cifar":
            self.conv1: nn.Module = conv3x3(in_channels, channels)
        elif stem == "imagenet":
            self.conv1 = nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = nn.Sequential()
            for before, after, stride in ((in_channels, channels, 2), (channels, channels, 1)):
                self.conv1.extend([conv3x3(before, after, stride), nn.BatchNorm2d(after), nn.ReLU(inplace=True)])
            self.conv1.append(conv3x3(channels, 2 * channels))
            channels *= 2
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        pool = nn.MaxPool2d(3, 2, padding=1) if stem == "imagenet" else nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool: nn.Module = nn.Identity() if stem == "cifar" else pool
        return channels

    def reset_classifier(self, num_classes: int) -> None:
        """A new classifier for so many classes, with PyTorch's initialization; none for 0."""
        self.num_classes = whole("num_classes", num_classes, least=0)
        self.fc: nn.Module = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.fc.to(self.bn1.weight)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map: `(N, in_channels, H, W)` to `(N, num_features, H / 32, W / 32)`; CIFAR's keeps more pixels."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # ImageNet: (N, 64, 56, 56); CIFAR: (N, 16, 32, 32)
        for name, stage in self.named_children():
            if name in self.stage_names:
                x = stage(x)  # layer1 keeps the resolution, each later stage halves it
        return x

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.forward_features(x)).flatten(1)
        return self.fc(F.dropout(x, self.drop_rate, self.training))


class FeatureMaps(ResNet):
    """A `ResNet` without classifier that returns the maps of its stem and of its stages, largest first.

    Attributes:
        feature_info: of each map its channels `num_chs`, its stride `reduction`, and the `module` that put it out.

    Shapes:
        input `(N, in_channels, H, W)`, output a list of maps: for 224 pixels of 112, 56, 28, 14 and 7.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "num_classes": 0})
        reduction = 1 if isinstance(self.maxpool, nn.Identity) else 2
        self.feature_info = [{"num_chs": self.bn1.num_features, "reduction": reduction, "module": "relu"}]
        for i, name in enumerate(self.stage_names):
            channels = getattr(self, name)[-1].outplanes
            self.feature_info.append({"num_chs": channels, "reduction": reduction**2 * 2**i, "module": name})

    def forward(self, x: Tensor) -> list[Tensor]:  # type: ignore[override]
        maps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(maps[0])
        for name, stage in self.named_children():
            if name in self.stage_names:
                x = stage(x)
                maps.append(x)
        return maps


# The builders, a line each. Their options have a type and a default in one place each, here.


class Options(TypedDict, total=False):
    """Options of a builder: those of `ResNet`, and `features_only=True` for a `FeatureMaps`."""

    num_classes: int
    in_channels: int
    planes: Sequence[int]
    stem: str
    stride_in: str
    groups: int
    base_width: int
    zero_init_residual: bool
    drop_rate: float
    features_only: bool


class SEOptions(Options, total=False):
    """Further options of a builder with SE blocks.

    `attention` is a name of `relatives.ATTENTION`, a class, or a function from the number of channels to a module. What
    is None is left to the block: r = 16, no biases and a hidden width of at least 1 for `"se"`.
    """

    attention: str | Callable[..., nn.Module]
    placement: str
    stages: Collection[int] | None
    reduction: int | None
    bias: bool | None
    min_hidden: int | None
    squeeze: str | None
    gate: str | nn.Module | Callable[[], nn.Module] | None
    act: str | nn.Module | Callable[[], nn.Module] | None


_DEFAULTS = {n: p.default for n, p in inspect.signature(ResNet).parameters.items() if n in Options.__annotations__}
_DEFAULTS |= {"planes": (64, 128, 256, 512), "features_only": False}
_BLOCK_OPTIONS = ("reduction", "bias", "min_hidden", "squeeze", "gate", "act")
_SE_DEFAULTS = {"attention": "se", "placement": "standard", "stages": None, **dict.fromkeys(_BLOCK_OPTIONS)}
_BUILDERS: dict[str, Callable[..., ResNet]] = {}


class Builder(Protocol):
    def __call__(self, **options: Unpack[Options]) -> ResNet: ...


class SEBuilder(Protocol):
    def __call__(self, **options: Unpack[SEOptions]) -> ResNet: ...


def list_models(pattern: str = "*") -> list[str]:
    """Names that `create_model` knows, all or those that match a pattern with shell wildcards: `"se_*"`."""
    if not isinstance(pattern, str):
        raise ValueError(f"pattern must be text such as 'se_*', got {shown(pattern)}")
    return [name for name in _BUILDERS if fnmatchcase(name, pattern)]


def create_model(name: str, **options: Unpack[SEOptions]) -> ResNet:
    """Build a network by name; options reach its builder: `create_model("se_resnet18", reduction=8)`.

    Raises:
        ValueError: there is no such network; the message has the nearest names.
        TypeError: the builder has no such option; the message has the nearest one.
    """
    if not isinstance(name, str) or name not in _BUILDERS:
        near = difflib.get_close_matches(str(name), _BUILDERS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(_BUILDERS)}"
        raise ValueError(f"name {shown(name)} is not a model: {hint}")
    return _BUILDERS[name](**options)


def _builder(name: str, block: type, depths: tuple[int, ...], types: type, defaults: dict[str, Any]) -> Any:
    """A function with a name, a text and a signature of its own."""

    def builder(**options: Any) -> ResNet:
        for option in options:
            if option not in defaults:
                raise TypeError(f"{name}() takes no option {option!r}{_hint(name, option, defaults)}")
        return _build(block, depths, **(defaults | options))

    builder.__name__ = builder.__qualname__ = name
    images = "CIFAR" if defaults["stem"] == "cifar" else "ImageNet"
    with_se = "with SE blocks, for" if types is SEOptions else "for"
    builder.__doc__ = f"A network {with_se} {images}: stages of {', '.join(map(str, depths))} × {block.__name__}."
    hints = get_type_hints(types)
    parameters = [Parameter(n, Parameter.KEYWORD_ONLY, default=v, annotation=hints[n]) for n, v in defaults.items()]
    builder.__signature__ = inspect.Signature(parameters, return_annotation=ResNet)  # type: ignore[attr-defined]
    _BUILDERS[name] = builder
    return builder


def _hint(name: str, option: str, known: Collection[str]) -> str:
    if option in ("pretrained", "weights"):
        return ": load_pretrained loads trained weights"
    if f"se_{name}" in _BUILDERS and option in inspect.signature(_BUILDERS[f"se_{name}"]).parameters:
        return f": se_{name} does"
    near = ", ".join(difflib.get_close_matches(option, known, n=1))
    return f"; did you mean {near!r}?" if near else f"; its options: {', '.join(known)}"


def _build(block: type, depths: Sequence[int], *, features_only: bool, planes: Sequence[int], **options: Any) -> ResNet:
    if attention := options.pop("attention", None):
        given = {name: value for name in _BLOCK_OPTIONS if (value := options.pop(name)) is not None}
        options["make_se"] = partial(make_attention, attention, **given)
    return (FeatureMaps if flag("features_only", features_only) else ResNet)(block, depths, planes, **options)


def _plain(name: str, block: type, *depths: int, **defaults: Any) -> Builder:
    return _builder(name, block, depths, Options, _DEFAULTS | defaults)


def _se(name: str, block: type, *depths: int, **defaults: Any) -> SEBuilder:
    return _builder(name, block, depths, SEOptions, _SE_DEFAULTS | _DEFAULTS | defaults)


# He et al. §4.2: three stages of n blocks with 16, 32 and 64 planes, 6n + 2 layers (9n + 2 with bottlenecks).
_CIFAR: dict[str, Any] = {"stem": "cifar", "num_classes": 10, "planes": (16, 32, 64)}
_WIDE: dict[str, Any] = {"stem": "cifar", "num_classes": 10}
_NEXT: dict[str, Any] = {"groups": 32, "base_width": 4}
_154: dict[str, Any] = {"groups": 64, "base_width": 4, "stem": "deep", "drop_rate": 0.2, "bias": True}

resnet18 = _plain("resnet18", BasicBlock, 2, 2, 2, 2)
resnet34 = _plain("resnet34", BasicBlock, 3, 4, 6, 3)
resnet50 = _plain("resnet50", Bottleneck, 3, 4, 6, 3)
resnet101 = _plain("resnet101", Bottleneck, 3, 4, 23, 3)
resnet152 = _plain("resnet152", Bottleneck, 3, 8, 36, 3)
resnext50_32x4d = _plain("resnext50_32x4d", Bottleneck, 3, 4, 6, 3, **_NEXT)
resnext101_32x4d = _plain("resnext101_32x4d", Bottleneck, 3, 4, 23, 3, **_NEXT)
resnet8 = _plain("resnet8", BasicBlock, 1, 1, 1, **_CIFAR)
resnet20 = _plain("resnet20", BasicBlock, 3, 3, 3, **_CIFAR)
resnet32 = _plain("resnet32", BasicBlock, 5, 5, 5, **_CIFAR)
resnet44 = _plain("resnet44", BasicBlock, 7, 7, 7, **_CIFAR)
resnet56 = _plain("resnet56", BasicBlock, 9, 9, 9, **_CIFAR)
resnet110 = _plain("resnet110", BasicBlock, 18, 18, 18, **_CIFAR)
resnet164 = _plain("resnet164", Bottleneck, 18, 18, 18, **_CIFAR)
resnet10_cifar = _plain("resnet10_cifar", BasicBlock, 1, 1, 1, 1, **_WIDE)
resnet18_cifar = _plain("resnet18_cifar", BasicBlock, 2, 2, 2, 2, **_WIDE)
se_resnet18 = _se("se_resnet18", BasicBlock, 2, 2, 2, 2)
se_resnet34 = _se("se_resnet34", BasicBlock, 3, 4, 6, 3)
se_resnet50 = _se("se_resnet50", Bottleneck, 3, 4, 6, 3)
se_resnet101 = _se("se_resnet101", Bottleneck, 3, 4, 23, 3)
se_resnet152 = _se("se_resnet152", Bottleneck, 3, 8, 36, 3)
se_resnext50_32x4d = _se("se_resnext50_32x4d", Bottleneck, 3, 4, 6, 3, **_NEXT)
se_resnext101_32x4d = _se("se_resnext101_32x4d", Bottleneck, 3, 4, 23, 3, **_NEXT)
se_resnet8 = _se("se_resnet8", BasicBlock, 1, 1, 1, **_CIFAR)
se_resnet20 = _se("se_resnet20", BasicBlock, 3, 3, 3, **_CIFAR)
se_resnet32 = _se("se_resnet32", BasicBlock, 5, 5, 5, **_CIFAR)
se_resnet44 = _se("se_resnet44", BasicBlock, 7, 7, 7, **_CIFAR)
se_resnet56 = _se("se_resnet56", BasicBlock, 9, 9, 9, **_CIFAR)
se_resnet110 = _se("se_resnet110", BasicBlock, 18, 18, 18, **_CIFAR)
se_resnet164 = _se("se_resnet164", Bottleneck, 18, 18, 18, **_CIFAR)
se_resnet10_cifar = _se("se_resnet10_cifar", BasicBlock, 1, 1, 1, 1, **_WIDE)
se_resnet18_cifar = _se("se_resnet18_cifar", BasicBlock, 2, 2, 2, 2, **_WIDE)
senet154 = _se("senet154", SENetBottleneck, 3, 8, 36, 3, **_154)

if not TYPE_CHECKING:  # a type checker reads literal lists only, and without one takes all public names
    __all__ = ["create_model", "list_models", *_BUILDERS]
