"""Relatives of the SE block: gates that came after it, and the gates of the paper's ablations.

Each class is built from `channels` and maps `(N, C, H, W)` to the same shape, as `SEBlock` does, so that one can stand
where another stood. Their submodule `gate` puts out the gates, which `senet_edu.gates` records and overrides; a block
with two gates (CBAM, scSE) is made of two modules with a gate each. Nearly all are one formula,

    x̃ = gate(logits(x)) · x

and differ in what `logits` looks at: `Gated` is that formula, each class below fills in `logits`.

`ATTENTION` has them by name, `make_attention` builds one, and the SE builders of `senet_edu.resnet` take them as
`attention="eca"`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.checks import choice, flag, number, shown, whole
from senet_edu.se import SEBlock, check_maps, global_average, unless_symbolic


def _odd(name: str, value: object) -> int:
    if whole(name, value) < 1 or value % 2 == 0:  # an even kernel has no middle and would shift the map
        raise ValueError(f"{name} must be odd and positive, got {shown(value)}")
    return int(value)


def _hidden(channels: int, reduction: object, min_hidden: object) -> int:
    """The width of a bottleneck, from checked numbers."""
    return max(whole("min_hidden", min_hidden, least=1), channels // whole("reduction", reduction, least=1))


@torch.fx.wrap  # one node of a graph of torch.fx, which sees no shapes and cannot choose
def over_maps(s: Tensor) -> Tensor:
    """Gates `(N, C)` as `(N, C, 1, 1)`; those with four axes as they are."""
    return s[:, :, None, None] if s.dim() == 2 else s


class Gated(nn.Module):
    """x̃ = gate(logits(x)) · x.

    Args:
        channels: C, the channels of the input; at least 1.
        gate: module from the logits to the gates; its output is what `record_gates` reads. A sigmoid by default.

    Raises:
        ValueError: `channels` is out of range, or the input does not have so many.

    Shapes:
        input and output `(N, C, H, W)`; gates `(N, C)` or what broadcasts to `(N, C, H, W)`.
    """

    gate_name = "gate"  # where `senet_edu.gates` finds s

    def __init__(self, channels: int, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.channels = whole("channels", channels, least=1)
        self.gate = nn.Sigmoid() if gate is None else gate

    def logits(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """What the gate module receives, computed from x `(N, C, H, W)`; each relative is this method."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if not torch.jit.is_scripting():
            check_maps("x", x, self.channels)
        return x * over_maps(self.gate(self.logits(x)))

    def extra_repr(self) -> str:
        return f"channels={self.channels}"


class NoSqueeze(Gated):
    """The ablation without a squeeze: s = σ(W2 δ(W1 x)) at every pixel (SE paper §7.1, Table 16).

    The two linear layers become 1x1 convolutions, so each pixel sees its own channels and nothing of the rest of the
    map. As many parameters as `SEBlock`, H·W times its multiply-adds.

    Gates `(N, C, H, W)`. Arguments as for `SEBlock`.
    """

    def __init__(self, channels: int, reduction: int = 16, *, bias: bool = False, min_hidden: int = 1) -> None:
        super().__init__(channels)
        hidden = _hidden(self.channels, reduction, min_hidden)
        flag("bias", bias)
        self.conv1 = nn.Conv2d(channels, hidden, 1, bias=bias)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(hidden, channels, 1, bias=bias)
        for layer in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if bias:
                nn.init.zeros_(layer.bias)

    def logits(self, x: Tensor) -> Tensor:
        return self.conv2(self.relu(self.conv1(x)))  # (N, C, H, W) -> (N, C/r, H, W) -> (N, C, H, W)


class ConstantGates(Gated):
    """Gates that are learned and the same for every image: s = σ(v), with a vector v in place of the excitation.

    What is left of SE without the sight of the image. After training they go into the weights before them (Zhong et
    al., attention as structural reparameterization, https://arxiv.org/abs/2304.06345). C parameters; gates `(N, C)`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.vector = nn.Parameter(torch.zeros(channels))  # every gate begins at one half, as those of SE nearly do

    def logits(self, x: Tensor) -> Tensor:
        return self.vector.expand(x.shape[0], -1)  # (C,) -> (N, C)


class ESE(Gated):
    """Effective SE: s = hardsigmoid(W z + b), one full C x C layer instead of a bottleneck.

    Lee and Park, CenterMask, https://arxiv.org/abs/1911.06667, §3.5, VoVNetV2. The paper prints σ; the hard sigmoid is
    that of the authors' code. C² + C parameters; gates `(N, C)`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, nn.Hardsigmoid())
        self.fc = nn.Linear(channels, channels)

    def logits(self, x: Tensor) -> Tensor:
        return self.fc(global_average(x))


class ECA(Gated):
    """Efficient channel attention: s = σ(w * z), a 1-D convolution over neighboring channels, k weights in all.

    Wang et al., ECA-Net, https://arxiv.org/abs/1910.03151. The kernel grows with C (their equation 12):
    k = |log2(C)/γ + b/γ|_odd with γ = 2, b = 1, where |t|_odd is, as in their code, t cut to an integer and raised to
    the next odd number: 3 at C = 64, 5 at C = 256, 7 at C = 2048.

    Args:
        channels: C.
        kernel_size: k, odd; by default from the formula.

    Gates `(N, C)`.
    """

    def __init__(self, channels: int, *, kernel_size: int | None = None) -> None:
        super().__init__(channels)
        if kernel_size is None:
            kernel_size = int((math.log2(channels) + 1) / 2) // 2 * 2 + 1
        kernel_size = _odd("kernel_size", kernel_size)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        z = global_average(x)
        return self.conv(z[:, None])[:, 0]  # the C channels are the length of one signal: (N, 1, C)


class CBAMChannel(SEBlock):
    """CBAM's channel gate: s = σ(W2 δ(W1 z_avg) + W2 δ(W1 z_max)), an SE block that squeezes twice.

    Woo et al., CBAM, https://arxiv.org/abs/1807.06521, equation 2. Arguments as for `SEBlock`; gates `(N, C)`.
    """

    def __init__(self, channels: int, reduction: int = 16, *, bias: bool = False, min_hidden: int = 1) -> None:
        super().__init__(channels, reduction, bias=bias, min_hidden=min_hidden)
        self.squeeze_by = "avg+max"

    def squeeze(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(N, C, H, W)` to the two descriptors `(2, N, C)`: mean and maximum of each map. It knows no masks."""
        if not torch.jit.is_scripting():
            check_maps("x", x, self.channels)
            if unless_symbolic(mask) is not None:
                raise ValueError(f"mask must be None: {type(self).__name__} knows no masks")
        return torch.stack((global_average(x), x.amax((2, 3))))

    def excite(self, z: Tensor) -> Tensor:
        """The two descriptors `(2, N, C)` through the same two layers, then summed, to the gates `(N, C)`."""
        return self.gate(self.fc2(self.relu(self.fc1(z))).sum(0))


class CBAMSpatial(Gated):
    """CBAM's spatial gate: s = σ(BN(w * [mean_c x; max_c x])), one k x k convolution over two maps.

    Woo et al., CBAM, https://arxiv.org/abs/1807.06521, equation 3; the batch norm is in the authors' code only.

    Args:
        channels: C.
        kernel_size: k, odd.

    Gates `(N, 1, H, W)`.
    """

    def __init__(self, channels: int, *, kernel_size: int = 7) -> None:
        super().__init__(channels)
        kernel_size = _odd("kernel_size", kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def logits(self, x: Tensor) -> Tensor:
        maps = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), dim=1)  # (N, 2, H, W)
        return self.bn(self.conv(maps))


class CBAM(nn.Sequential):
    """Convolutional block attention module: the channel gate, then the spatial gate on what it let through.

    Woo et al., CBAM, https://arxiv.org/abs/1807.06521, equation 1. Its gates are recorded as `….channel` `(N, C)` and
    `….spatial` `(N, 1, H, W)`. Arguments as for `CBAMChannel` and `CBAMSpatial`.
    """

    def __init__(
        self, channels: int, reduction: int = 16, *, kernel_size: int = 7, bias: bool = False, min_hidden: int = 1
    ) -> None:
        super().__init__()
        self.channel = CBAMChannel(channels, reduction, bias=bias, min_hidden=min_hidden)
        self.spatial = CBAMSpatial(channels, kernel_size=kernel_size)


class SpatialSE(Gated):
    """sSE: s = σ(w · x + b) at every pixel, one gate for all of its channels.

    Roy et al., https://arxiv.org/abs/1803.02579, §2.2. Squeezes the channels where SE squeezes the map, so the 1x1
    convolution has *one* output channel. C + 1 parameters; gates `(N, 1, H, W)`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv = nn.Conv2d(channels, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        return self.conv(x)


class ScSE(nn.Module):
    """Concurrent spatial and channel SE: x̃ = SE(x) + sSE(x), the sum of a channel-gated and a pixel-gated copy.

    Roy et al., https://arxiv.org/abs/1803.02579, §2.3 (their later work takes the maximum instead of the sum). The
    channel part is an `SEBlock`, by default with the authors' r = 2. Its gates are recorded as `….channel` `(N, C)` and
    `….spatial` `(N, 1, H, W)`. Arguments as for `SEBlock`.
    """

    def __init__(self, channels: int, reduction: int = 2, *, bias: bool = False, min_hidden: int = 1) -> None:
        super().__init__()
        self.channel = SEBlock(channels, reduction, bias=bias, min_hidden=min_hidden)
        self.spatial = SpatialSE(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel(x) + self.spatial(x)


class GatherExcite(Gated):
    """GE-θ⁻, without parameters: s = σ(up(pool_e(x))), each pixel is gated by the mean of its neighborhood.

    Hu et al., Gather-Excite, https://arxiv.org/abs/1810.12348, §3.1. Pooling with extent e has a window of 2e - 1 and a
    stride of e, the border not counted; `up` is the nearest neighbor. With the global extent the gate is σ(z): SE
    without its two layers.

    Args:
        channels: C.
        extent: e, at least 2; None (the default) for the whole map.

    Gates `(N, C, H, W)`, or `(N, C)` with the global extent.
    """

    def __init__(self, channels: int, *, extent: int | None = None) -> None:
        super().__init__(channels)
        if extent is not None and whole("extent", extent) < 2:
            raise ValueError(f"extent must be at least 2, or None for the whole map; got {shown(extent)}")
        self.extent = extent

    def logits(self, x: Tensor) -> Tensor:
        e = self.extent
        if e is None:
            return global_average(x)
        pooled = F.avg_pool2d(x, 2 * e - 1, stride=e, padding=e - 1, count_include_pad=False)  # (N, C, ⌈H/e⌉, ⌈W/e⌉)
        return F.interpolate(pooled, size=x.shape[2:])


class GatherExciteTheta(Gated):
    """GE-θ: the gather of `GatherExcite` is learned, log2(e) depthwise 3x3 convolutions of stride 2 for extent e.

    Hu et al., Gather-Excite, https://arxiv.org/abs/1810.12348, §3.2. A batch norm follows each convolution and a ReLU
    all but the last. The authors' global extent is a depthwise convolution as large as the map, which fixes the input
    size, and is not here. In training, N times the gathered map must be more than one value for the batch norm.

    Args:
        channels: C.
        extent: e, a power of two, at least 2.

    Gates `(N, C, H, W)`.
    """

    def __init__(self, channels: int, *, extent: int = 8) -> None:
        super().__init__(channels)
        if whole("extent", extent) < 2 or extent & (extent - 1):
            raise ValueError(f"extent must be a power of two and at least 2, got {shown(extent)}")
        self.gather = nn.Sequential()
        for _ in range(int(math.log2(extent))):
            self.gather.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False))
            self.gather.append(nn.BatchNorm2d(channels))
            self.gather.append(nn.ReLU(inplace=True))
        del self.gather[-1]

    def logits(self, x: Tensor) -> Tensor:
        return F.interpolate(self.gather(x), size=x.shape[2:])


class SimAM(Gated):
    """SimAM, without parameters: s = σ((x - μ)² / (4 (v + λ)) + 1/2), a pixel counts by how far it is from its map.

    Yang et al., SimAM, ICML 2021, https://proceedings.mlr.press/v139/yang21o.html, equation 5 and the code in its
    appendix: μ and v are the mean and the variance (with H·W - 1) of each map. No gate is below σ(1/2) = 0.62.

    Args:
        channels: C.
        lam: λ, positive.

    Gates `(N, C, H, W)`.
    """

    def __init__(self, channels: int, *, lam: float = 1e-4) -> None:
        super().__init__(channels)
        self.lam = number("lam", lam, above=0)

    def logits(self, x: Tensor) -> Tensor:
        squares = (x - x.mean((2, 3), keepdim=True)).square()
        n = x.shape[2] * x.shape[3]
        # A sum of squares may pass the largest float16. The squares of one pixel are 0, whatever they are taken times.
        variance = squares.mean((2, 3), keepdim=True) * (n / (n - 1 + 1e-18))
        return squares / (4 * (variance + self.lam)) + 0.5


class RowsTimesColumns(nn.Module):
    """The gate of `CoordinateAttention`: logits `(N, C, H, 1)` and `(N, C, 1, W)` to σ(rows) · σ(columns)."""

    def forward(self, logits: tuple[Tensor, Tensor]) -> Tensor:
        rows, columns = logits
        return rows.sigmoid() * columns.sigmoid()


class CoordinateAttention(Gated):
    """Coordinate attention: s(i, j) = σ(g_h(i)) · σ(g_w(j)), so that a gate knows where it is.

    Hou et al., https://arxiv.org/abs/2103.02907, equations 4-8. Means over each row and over each column, side by side
    through one bottleneck (1x1 convolution, batch norm, hard-swish), then a 1x1 convolution for each direction.

    Args:
        channels: C.
        reduction: r; the bottleneck is `max(min_hidden, channels // reduction)` wide.
        bias: biases of the convolutions, as in the authors' code.
        min_hidden: least width of the bottleneck.

    Gates `(N, C, H, W)`.
    """

    def __init__(self, channels: int, reduction: int = 32, *, bias: bool = True, min_hidden: int = 8) -> None:
        super().__init__(channels, RowsTimesColumns())
        hidden = _hidden(self.channels, reduction, min_hidden)
        flag("bias", bias)
        self.conv1 = nn.Conv2d(channels, hidden, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.act = nn.Hardswish()
        self.conv_h = nn.Conv2d(hidden, channels, 1, bias=bias)
        self.conv_w = nn.Conv2d(hidden, channels, 1, bias=bias)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = x.mean(3, keepdim=True)  # (N, C, H, 1)
        columns = x.mean(2, keepdim=True).transpose(2, 3)  # (N, C, W, 1)
        y = self.act(self.bn1(self.conv1(torch.cat((rows, columns), dim=2))))  # (N, C/r, H + W, 1)
        rows, columns = y.split((x.shape[2], x.shape[3]), dim=2)
        return self.conv_h(rows), self.conv_w(columns).transpose(2, 3)


ATTENTION: dict[str, Callable[..., nn.Module]] = {
    "se": SEBlock,
    "se_max": partial(SEBlock, squeeze="max"),
    "se_relu": partial(SEBlock, gate="relu"),
    "se_tanh": partial(SEBlock, gate="tanh"),
    "se_softmax": partial(SEBlock, gate="softmax"),
    "no_squeeze": NoSqueeze,
    "constant": ConstantGates,
    "eca": ECA,
    "cbam": CBAM,
    "ge_theta_minus": GatherExcite,
    "ge_theta": GatherExciteTheta,
    "ese": ESE,
    "scse": ScSE,
    "simam": SimAM,
    "coordinate": CoordinateAttention,
}
"""The SE block, its ablations (SE paper, Tables 11, 12, 16; softmax is ours) and its relatives, by name."""


def make_attention(attention: str | Callable[..., nn.Module], channels: int, **options: Any) -> nn.Module:
    """Build an attention block: `make_attention("eca", 64)`, `make_attention(SEBlock, 64, reduction=4)`.

    Args:
        attention: a name of `ATTENTION`, a class, or any function from the number of channels to a module.
        channels: C.
        options: keyword arguments of the block, for instance `reduction`.

    Raises:
        ValueError: there is no such name, or the block does not take one of the options (none is silently dropped);
            it makes no module; and what the block itself refuses.
    """
    if isinstance(attention, str):
        choice("attention", attention, ATTENTION)
    make = ATTENTION[attention] if isinstance(attention, str) else attention
    if not callable(make) or isinstance(make, nn.Module):
        raise ValueError(f"attention must be a name, a class or a function, got {shown(attention)}")

    name = attention if isinstance(attention, str) else getattr(make, "__name__", repr(make))
    parameters = list(inspect.signature(make).parameters.values())[1:]  # the first is the number of channels
    fixed = make.keywords if isinstance(make, partial) else {}  # already chosen, as the squeeze of "se_max"
    takes = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name not in fixed]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    refused = [option for option in options if option in fixed or not (anything or option in takes)]
    if refused:
        values = ", ".join(f"{option}={shown(options[option])}" for option in refused)
        raise ValueError(f"attention {name!r} does not take {values}; its options: {', '.join(takes) or 'none'}")
    block = make(channels, **options)
    if not isinstance(block, nn.Module):
        raise ValueError(f"attention {name!r} must make a module, got {shown(block)}")
    return block
