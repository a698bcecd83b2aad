"""Judges of the chapter on the rescale and the whole block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.check.judge import Raised, as_tensor, ask, call, close, diagnose, judge
from senet_edu.se import SEBlock


def my_se(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """A whole SE block without biases as a function: `my_se(x, W1, W2)`."""
    judge(function, _my_se, "Two matrices and five operations: your function is the whole block.")


def _my_se(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str | None:
    for x, W1, W2 in block_inputs():
        shape = tuple(x.shape)
        given = x.clone()
        case = f"for x of shape {shape}"
        try:
            result = ask(function, given, W1, W2)
        except Raised as raised:
            if isinstance(raised.error, IndexError) and raised.mentions("too many indices"):
                return (
                    f"{case} PyTorch says: {raised.error}. Did the squeeze take the channels, too? z is (N, C): mean "
                    "over the axes 2 and 3."
                )
            if isinstance(raised.error, RuntimeError):
                return f"{case} and W1 {tuple(W1.shape)} PyTorch says: {raised.error}."
            raise
        if not torch.equal(given, x):
            return "your function changes x itself; make a new tensor: x * s, not x *= s."
        got = as_tensor(result, "your function must return the rescaled maps")
        if close(got, _block(x, W1, W2)):
            continue
        if known := diagnose(got, {hint: wrong(x, W1, W2) for hint, wrong in _BLOCK_MISTAKES.items()}):
            return known
        if shape[1] == shape[2] == shape[3] and (known := diagnose(got, _lined_up_wrongly(x, _gates(x, W1, W2)))):
            return f"no error, but wrong: {known} Make it (N, C, 1, 1)."
        if got.shape != x.shape:
            return f"{case} the result has shape {tuple(got.shape)}; the block keeps the shape."
        return f"{case} the values are not those of the block: compare z, then s, then the product."
    return None


def block_inputs() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Maps, W1 and W2, in several shapes; the first goes through also where axes are mixed up.

    The maps differ in their means, and some hidden units are on and others off, so that no two mistakes look alike.
    """
    generator = torch.Generator().manual_seed(3)
    for shape, hidden in (((4, 4, 4, 4), 3), ((2, 6, 5, 3), 2), ((1, 8, 7, 7), 3)):
        x = torch.randn(shape, generator=generator) + torch.randn(*shape[:2], 1, 1, generator=generator) + 1
        W1 = torch.randn(hidden, shape[1], generator=generator)
        W2 = torch.randn(shape[1], hidden, generator=generator)
        yield x, W1, W2


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def _gates(
    x: Tensor,
    W1: Tensor,
    W2: Tensor,
    squeeze: Callable[[Tensor], Tensor] = _mean,
    delta: Callable[[Tensor], Tensor] = torch.relu,
    sigma: Callable[[Tensor], Tensor] = torch.sigmoid,
) -> Tensor:
    """Gates `(N, C)`; the options are ways to get them wrong."""
    return sigma(delta(squeeze(x) @ W1.T) @ W2.T)


def _block(x: Tensor, W1: Tensor, W2: Tensor, **changed: Any) -> Tensor:
    return x * _gates(x, W1, W2, **changed)[:, :, None, None]


def _of_all_axes(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3))[:, None].expand(x.shape[:2])


_BLOCK_MISTAKES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "the squeeze adds the pixels up; z is their mean, over H and W.": (
        lambda *given: _block(*given, squeeze=lambda x: x.sum((2, 3)))
    ),
    "the squeeze takes the maximum; z is the mean of each map.": (
        lambda *given: _block(*given, squeeze=lambda x: x.amax((2, 3)))
    ),
    "the squeeze means over the batch, too; each image has its own z.": (
        lambda *given: _block(*given, squeeze=lambda x: x.mean((0, 2, 3)).expand(x.shape[:2]))
    ),
    "the squeeze means over the channels, too; each channel has its own number in z: mean over the axes 2 and 3.": (
        lambda *given: _block(*given, squeeze=_of_all_axes)
    ),
    "the squeeze takes the mean of everything; each channel of each image has its own number in z.": (
        lambda *given: _block(*given, squeeze=lambda x: x.mean().expand(x.shape[:2]))
    ),
    "δ, the ReLU between W1 and W2, is missing.": lambda *given: _block(*given, delta=lambda h: h),
    "δ is the ReLU; yours is a sigmoid.": lambda *given: _block(*given, delta=torch.sigmoid),
    "σ is missing, so the gates are not between 0 and 1.": lambda *given: _block(*given, sigma=lambda a: a),
    "softmax makes the channels compete; the paper's σ is the sigmoid.": (
        lambda *given: _block(*given, sigma=lambda a: a.softmax(1))
    ),
    "these are the gates; equation 4 multiplies the maps by them.": _gates,
    "these are the gates, stretched over the maps; equation 4 multiplies the maps by them.": (
        lambda x, W1, W2: _gates(x, W1, W2)[:, :, None, None].expand_as(x)
    ),
    "yours adds the gates to the maps; equation 4 multiplies.": (
        lambda x, W1, W2: x + _gates(x, W1, W2)[:, :, None, None]
    ),
    "yours adds the input to the rescaled maps; that sum belongs to the residual block.": (
        lambda *given: given[0] + _block(*given)
    ),
}
"""What a typical mistake makes of x, W1 and W2."""


def _lined_up_wrongly(x: Tensor, s: Tensor) -> dict[str, Tensor]:
    """Products in which the gates `(N, C)` stand at the wrong axes, which goes through where N = C = H = W."""
    return {
        "s (N, C) is lined up with the axes (H, W).": x * s,
        "s[:, None, None, :] lines the channels up with the width.": x * s[:, None, None, :],
        "s[:, None, :, None] lines the channels up with the height.": x * s[:, None, :, None],
        "s[None, :, :, None] lines the images up with the channels.": x * s[None, :, :, None],
        "s.T lines the images up with the channels.": x * s.T[:, :, None, None],
    }


def copy_weights(function: Callable[[SEBlock, nn.Module], Any]) -> None:
    """Copy the weights of an `SEBlock`, with biases or without, into a `torchvision.ops.SqueezeExcitation`."""
    judge(function, _copy_weights, "Equal weights, equal outputs, with biases and without.")


def _copy_weights(function: Callable[[SEBlock, nn.Module], Any]) -> str | None:
    for bias in (True, False):
        se, tv = _pair(bias)
        wanted, before = _state(se), _state(tv)
        try:
            call(function, se, tv)
        except Raised as raised:
            if raised.mentions("size mismatch", "must match the size"):
                return "the shapes differ: a Linear has weights (out, in), a 1×1 convolution (out, in, 1, 1)."
            if raised.mentions("leaf Variable"):
                return "a parameter may not be changed under autograd: use load_state_dict or torch.no_grad()."
            if not bias and raised.mentions("bias", "NoneType"):
                return "this se has no biases, but tv always has. Which biases change nothing?"
            raise
        if hint := _copied(_state(se), _state(tv), wanted, before):
            return hint
        x = torch.randn(3, 8, 5, 5, generator=torch.Generator().manual_seed(0))
        if not close(ask(tv, x), ask(se, x)):
            return "the weights are equal, but the outputs are not."
    return None


def _copied(
    se: dict[str, Tensor], tv: dict[str, Tensor], wanted: dict[str, Tensor], before: dict[str, Tensor]
) -> str | None:
    """A hint unless the state of tv is the wanted one of se; `wanted` and `before` are both as they were."""
    if se.keys() != wanted.keys() or not all(_equal(value, wanted[name]) for name, value in se.items()):
        return "se has changed: copy from se into tv, not the other way."
    if tv.keys() == before.keys() and all(_equal(value, before[name]) for name, value in tv.items()):
        return "tv has not changed: tv.load_state_dict(…) would change it."
    for name, value in tv.items():
        if name not in before or value.shape != before[name].shape:
            return "the shapes in tv have changed: a 1×1 convolution has weights (out, in, 1, 1)."
    for name, value in tv.items():
        if name not in wanted and value.any():
            return f"se has no biases, but tv keeps its random ones in {name}. Which biases change nothing?"
        if name in wanted and not _equal(value.flatten(), wanted[name].flatten()):
            return f"{name} of tv is not {name} of se."
    return None


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def _pair(bias: bool) -> tuple[SEBlock, nn.Module]:
    """An `SEBlock` and torchvision's block, both with random weights, the same each time."""
    from torchvision.ops import SqueezeExcitation

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(bias))
        se, tv = SEBlock(8, reduction=4, bias=bias), SqueezeExcitation(8, 2)
        for parameter in se.parameters():
            nn.init.normal_(parameter)
    return se, tv


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}
