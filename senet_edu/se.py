"""The Squeeze-and-Excitation block (Hu et al., 2018, https://arxiv.org/abs/1709.01507, §3).

The block looks at a whole feature map, decides how much each channel matters for *this* input, and scales the
channels accordingly. It has three steps, and each is a method of `SEBlock`:

    squeeze   z_c = 1/(H·W) Σ_ij u_c(i, j)        equation 2: a map becomes a number
    excite    s   = σ(W2 δ(W1 z))                 equation 3: the numbers vote on gates
    rescale   x̃_c = s_c · u_c                     equation 4: each channel is scaled by its gate
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from senet_edu.checks import choice, flag, shown, whole

SQUEEZES = ("avg", "max")
"""Ways to turn each map into one number; the paper's Table 11 compares the two."""

GATES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softmax": partial(nn.Softmax, dim=1),
}
"""Last nonlinearity of the excitation; the paper's Table 12 compares sigmoid, tanh and ReLU."""

ACTS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "silu": partial(nn.SiLU, inplace=True),
    "gelu": nn.GELU,
    "hardswish": partial(nn.Hardswish, inplace=True),
}
"""First nonlinearity of the excitation: ReLU in the paper and in MobileNetV3, SiLU in EfficientNet."""

Activation = str | nn.Module | Callable[[], nn.Module]
"""A name, a module (each block gets a copy), or what makes one, such as a class."""


def global_average(x: Tensor, channel_dim: int = 1) -> Tensor:
    """The mean of each map: `(N, C, …)` to `(N, C)`; with `channel_dim=-1`, `(N, …, C)` to `(N, C)`.

    As `x.mean((2, 3))`, to the last bit in float32 on a CPU. But the backward pass of that one writes a whole map of
    equal gradients for each channel; dividing the sums does not, and forward with backward of an SE block takes a
    fifth to two thirds less time (`scripts/bench_se_block.py`). A sum may pass 65504, the largest float16. So float16
    takes the mean, and so does every graph, because its weights may become float16 after it was made.
    """
    axes = _map_axes(x, channel_dim)
    if not torch.jit.is_scripting():
        if _in_eager_training(x) and x.dtype != torch.float16:
            return x.sum(axes) / math.prod([x.shape[axis] for axis in axes])
    return x.mean(axes)


def _in_eager_training(x: Tensor) -> bool:
    """Gradients run, and no tool makes a graph."""
    graph = torch.jit.is_tracing() or torch.compiler.is_compiling() or isinstance(x, torch.fx.Proxy)
    return torch.is_grad_enabled() and not graph


def _map_axes(x: Tensor, channel_dim: int) -> list[int]:
    """The axes of a map: all but N and C. In `torch.fx`, which sees no shapes, those of `(N, C, H, W)`."""
    dims = x.dim() if torch.jit.is_scripting() else _dims(x)
    return [axis + 2 if channel_dim == 1 else axis + 1 for axis in range(dims - 2)]


def _dims(x: Tensor) -> int:
    return 4 if isinstance(x, torch.fx.Proxy) else x.dim()


def check_maps(name: str, x: object, channels: int, channel_dim: int = 1, dims: tuple[int, ...] = (4,)) -> None:
    """Refuse what is not a batch of maps with so many channels. Says nothing where a tool makes a graph.

    Raises:
        ValueError: x is not a tensor of floating-point numbers `(N, channels, H, W)`, or of another of `dims` axes.
    """
    if isinstance(x, torch.fx.Proxy):
        torch._assert(x.dim() == 4, "a graph of torch.fx takes maps with four axes")
        return
    if torch.jit.is_tracing():
        return
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a tensor, got {shown(x)}")
    if x.ndim not in dims or x.shape[channel_dim] != channels:
        wanted = f"(N, {channels}, H, W)" if channel_dim == 1 else f"(N, …, {channels})"
        raise ValueError(f"{name} must be {wanted}, got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"{name} must hold floating-point numbers, got {x.dtype}")


def make_activation(name: str, given: Activation, known: Mapping[str, Callable[[], nn.Module]]) -> nn.Module:
    """A module of its own for a block.

    Raises:
        ValueError: neither a known name, nor a module, nor what makes one.
    """
    if isinstance(given, nn.Module):
        return copy.deepcopy(given)
    made = given() if callable(given) else known[choice(name, given, known)]()
    if not isinstance(made, nn.Module):
        raise ValueError(f"{name} must make a module, got {shown(made)} from {shown(given)}")
    return made


class SEBlock(nn.Module):
    """Squeeze, excite, rescale.

    Args:
        channels: C, the channels of the input; at least 1.
        reduction: r, how much narrower the hidden layer is than C; at least 1. The hidden width is
            `max(min_hidden, channels // reduction)`, so it never falls to zero. From 2 to 16 the paper sees no
            difference (22.25 to 22.29 % top-1 error of SE-ResNet-50; 32: 22.72; plain: 23.30; Table 10).
        squeeze: `"avg"` (the paper's) or `"max"`.
        gate: `"sigmoid"` (the paper's), `"hardsigmoid"`, `"tanh"`, `"relu"` or `"softmax"`, or a module.
        act: nonlinearity between the two layers, δ: `"relu"` (the paper's), `"silu"`, `"gelu"`, `"hardswish"`, or a
            module. The submodule is called `relu` whatever it is.
        bias: give the two linear layers biases. Off as in the paper's §6; on in the released Caffe weights and in
            timm, torchvision and pytorchcv.
        min_hidden: least hidden width.
        hidden: the hidden width itself, in place of `reduction` and `min_hidden`.
        channel_dim: 1 for `(N, C, …)`, -1 for `(N, …, C)`: tokens `(N, L, C)` and maps with the channels last.

    Weights start from He initialization (paper §5.1), biases from zero, so that every gate starts near one half.

    In `torch.fx` graphs the input has four axes; tracing, scripting and exporting keep what they see.

    Raises:
        ValueError: an argument is out of range; the message names it and its value.

    Shapes:
        input `(N, C, H, W)`, `(N, C, L)` or `(N, C, D, H, W)`, output the same. Its mask, if there is one, is boolean
        and has the axes of the input without C, such as `(N, H, W)`: True where the map is real, False where it is
        padding, which then moves no gate.
    """

    gate_name = "gate"  # the submodule that puts out s, for `senet_edu.gates`

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        squeeze: str = "avg",
        gate: Activation = "sigmoid",
        act: Activation = "relu",
        bias: bool = False,
        min_hidden: int = 1,
        hidden: int | None = None,
        channel_dim: int = 1,
    ) -> None:
        super().__init__()
        channels = whole("channels", channels, least=1)
        reduction = whole("reduction", reduction, least=1)
        min_hidden = whole("min_hidden", min_hidden, least=1)
        flag("bias", bias)
        if whole("channel_dim", channel_dim) not in (1, -1):
            raise ValueError(f"channel_dim must be 1 or -1, got {shown(channel_dim)}")
        self.channels = channels
        self.reduction = reduction
        self.squeeze_by = choice("squeeze", squeeze, SQUEEZES)
        self.channel_dim = int(channel_dim)
        if hidden is None:
            hidden = max(min_hidden, channels // reduction)
        hidden = whole("hidden", hidden, least=1)
        self.fc1 = nn.Linear(channels, hidden, bias=bias)  # W1 (C/r, C)
        self.relu = make_activation("act", act, ACTS)  # δ
        self.fc2 = nn.Linear(hidden, channels, bias=bias)  # W2 (C, C/r)
        self.gate = make_activation("gate", gate, GATES)  # σ; its output is s, which `record_gates` reads
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if bias:
                nn.init.zeros_(layer.bias)

    def squeeze(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Equation 2: `(N, C, H, W)` to the descriptor z `(N, C)`, one number a channel.

        With a mask, of its true places only: Σ m·u / Σ m, and 0 where there is none.

        Raises:
            ValueError: x is not `(N, C, H, W)` with this block's C, or the mask does not fit it.
        """
        if not torch.jit.is_scripting():
            check_maps("x", x, self.channels, self.channel_dim, (4, 3, 5))
            mask = unless_symbolic(mask)
        if mask is not None:
            return self._masked(x, mask)
        if self.squeeze_by == "max":
            return x.amax(_map_axes(x, self.channel_dim))
        return global_average(x, self.channel_dim)

    def _masked(self, x: Tensor, mask: Tensor) -> Tensor:
        if not torch.jit.is_scripting():
            _check_mask(x, mask, self.channel_dim)
        real = mask.unsqueeze(self.channel_dim)  # (N, 1, H, W)
        share = global_average(real.to(x.dtype), self.channel_dim)  # (N, 1)
        if self.squeeze_by == "max":
            z = x.masked_fill(~real, -float("inf")).amax(_map_axes(x, self.channel_dim))
            return z.masked_fill(share == 0, 0.0)
        # A quotient of means, which cannot overflow. Padding may hold anything, also nan.
        return global_average(x.masked_fill(~real, 0.0), self.channel_dim) / share.masked_fill(share == 0, 1.0)

    def excite(self, z: Tensor) -> Tensor:
        """Equation 3: the descriptor z `(N, C)` to the gates s = σ(W2 δ(W1 z)) `(N, C)`.

        Raises:
            ValueError: z does not have this block's C.
        """
        if not torch.jit.is_scripting():
            _check_row("z", z, self.channels)
        return self.gate(self.fc2(self.relu(self.fc1(z))))

    def rescale(self, x: Tensor, s: Tensor) -> Tensor:
        """Equation 4: every channel of x `(N, C, H, W)` times its gate in s `(N, C)`.

        Raises:
            ValueError: x or s does not have this block's C.
        """
        if not torch.jit.is_scripting():
            _check_row("s", s, self.channels)
            if isinstance(x, Tensor):
                check_maps("x", x, self.channels, self.channel_dim, (4, 3, 5))
        for axis in _map_axes(x, self.channel_dim):
            s = s.unsqueeze(axis)  # (N, C, 1, 1)
        return x * s

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Equations 2 to 4: `(N, C, H, W)` and, for padded batches, a mask `(N, H, W)`, to `(N, C, H, W)`."""
        z = self.squeeze(x) if mask is None else self.squeeze(x, mask)  # (N, C, H, W) -> (N, C)
        s = self.excite(z)  # (N, C) -> (N, C)
        return self.rescale(x, s)  # (N, C, H, W)

    def extra_repr(self) -> str:
        last = ", channel_dim=-1" if self.channel_dim == -1 else ""
        return f"channels={self.channels}, reduction={self.reduction}, squeeze={self.squeeze_by!r}{last}"


def _check_row(name: str, row: object, channels: int) -> None:
    if isinstance(row, torch.fx.Proxy) or torch.jit.is_tracing():
        return
    if not isinstance(row, Tensor) or row.ndim < 2 or row.shape[-1] != channels:
        got = tuple(row.shape) if isinstance(row, Tensor) else shown(row)
        raise ValueError(f"{name} must be (N, {channels}), got {got}")


def unless_symbolic(mask: Tensor | None) -> Tensor | None:
    """No mask in `torch.fx`, which cannot know whether there will be one: the graph refuses it."""
    if not isinstance(mask, torch.fx.Proxy):
        return mask
    absent = mask.tracer.create_proxy("call_function", operator.is_, (mask, None), {})
    torch._assert(absent, "a graph of torch.fx takes no mask")
    return None


def _check_mask(x: Tensor, mask: object, channel_dim: int) -> None:
    if torch.jit.is_tracing():
        return
    wanted = tuple(size for axis, size in enumerate(x.shape) if axis != channel_dim % x.ndim)
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != wanted:
        raise ValueError(f"mask must be torch.bool {wanted}, got {shown(mask)}")
