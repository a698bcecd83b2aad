"""The Squeeze-and-Excitation block (Hu et al., 2018, https://arxiv.org/abs/1709.01507, §3).

The block looks at a whole feature map, decides how much each channel matters for *this* input, and scales the
channels accordingly. It has three steps, and each is a method of `SEBlock`:

    squeeze   z_c = 1/(H·W) Σ_ij u_c(i, j)        equation 2: a map becomes a number
    excite    s   = σ(W2 δ(W1 z))                 equation 3: the numbers vote on gates
    rescale   x̃_c = s_c · u_c                     equation 4: each channel is scaled by its gate
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


def global_average(x: Tensor) -> Tensor:
    """The mean of each map: `(N, C, H, W)` to `(N, C)`.

    As `x.mean((2, 3))`, to the last bit in float32 on a CPU. But the backward pass of that one writes a whole map of
    equal gradients for each channel; dividing the sums does not, and forward with backward of an SE block takes a
    quarter to a half less time (`scripts/bench_se_block.py`).
    """
    if x.dtype == torch.float16:  # a sum could pass its largest number, 65504
        return x.mean((2, 3))
    return x.sum((2, 3)) / (x.shape[2] * x.shape[3])


SQUEEZES: dict[str, Callable[[Tensor], Tensor]] = {
    "avg": global_average,
    "max": lambda x: x.amax((2, 3)),
}
"""Ways to turn each map into one number; the paper's Table 11 compares the two."""

GATES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "hardsigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softmax": partial(nn.Softmax, dim=1),
}
"""Last nonlinearity of the excitation; the paper's Table 12 compares sigmoid, tanh and ReLU."""


class SEBlock(nn.Module):
    """Squeeze, excite, rescale.

    Args:
        channels: C, the channels of the input; at least 1.
        reduction: r, how much narrower the hidden layer is than C; at least 1. The hidden width is
            `max(min_hidden, channels // reduction)`, so it never falls to zero.
        squeeze: `"avg"` (the paper's) or `"max"`.
        gate: `"sigmoid"` (the paper's), `"hardsigmoid"`, `"tanh"`, `"relu"` or `"softmax"`.
        bias: give the two linear layers biases. Off as in the paper's §6; on in the released Caffe weights and in
            timm, torchvision and pytorchcv.
        min_hidden: least hidden width.

    Weights start from He initialization (paper §5.1), biases from zero, so that every gate starts near one half.

    Raises:
        ValueError: an argument is out of range; the message names it and its value.

    Shapes:
        input `(N, C, H, W)`, output `(N, C, H, W)`.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        squeeze: str = "avg",
        gate: str = "sigmoid",
        bias: bool = False,
        min_hidden: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (("channels", channels), ("reduction", reduction), ("min_hidden", min_hidden)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value!r}")
        for name, value, known in (("squeeze", squeeze, SQUEEZES), ("gate", gate, GATES)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
        self.channels = channels
        self.reduction = reduction
        self.squeeze_by = squeeze
        hidden = max(min_hidden, channels // reduction)
        self.fc1 = nn.Linear(channels, hidden, bias=bias)  # W1 (C/r, C)
        self.relu = nn.ReLU(inplace=True)  # δ
        self.fc2 = nn.Linear(hidden, channels, bias=bias)  # W2 (C, C/r)
        self.gate = GATES[gate]()  # σ; its output is s, which `record_gates` reads
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if bias:
                nn.init.zeros_(layer.bias)

    def squeeze(self, x: Tensor) -> Tensor:
        """Equation 2: `(N, C, H, W)` to the descriptor z `(N, C)`, one number a channel.

        Raises:
            ValueError: x is not `(N, C, H, W)` with this block's C.
        """
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"x must be (N, {self.channels}, H, W), got {tuple(x.shape)}")
        return SQUEEZES[self.squeeze_by](x)

    def excite(self, z: Tensor) -> Tensor:
        """Equation 3: the descriptor z `(N, C)` to the gates s = σ(W2 δ(W1 z)) `(N, C)`."""
        return self.gate(self.fc2(self.relu(self.fc1(z))))

    def rescale(self, x: Tensor, s: Tensor) -> Tensor:
        """Equation 4: every channel of x `(N, C, H, W)` times its gate in s `(N, C)`."""
        return x * s[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        z = self.squeeze(x)  # (N, C, H, W) -> (N, C)
        s = self.excite(z)  # (N, C) -> (N, C)
        return self.rescale(x, s)  # (N, C, H, W)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, reduction={self.reduction}, squeeze={self.squeeze_by!r}"
