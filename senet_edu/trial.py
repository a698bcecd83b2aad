"""Is a module an SE block? It is tried on random maps: its output must be its input times one number a channel.

Those numbers, the gates, must be what one of its submodules puts out, or the sigmoid of that where `forward` calls the
sigmoid as a function. So a block is found whatever its class and its names are.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Function(NamedTuple):
    """A nonlinearity from numbers to gates from 0 to 1, and the way back."""

    apply: Callable[[Tensor], Tensor]
    undo: Callable[[Tensor], Tensor]


def _logit(s: Tensor) -> Tensor:
    """Infinite for 0 and 1, which the sigmoid gives back; no gradient there, where that of `torch.logit` is nan."""
    end = torch.full_like(s, float("inf")).where(s > 0.5, -float("inf"))
    within = (s > 0) & (s < 1)
    return torch.where(within, torch.where(within, s, 0.5).logit(), end)


FUNCTIONS = {
    "sigmoid": Function(torch.sigmoid, _logit),
    "hardsigmoid": Function(F.hardsigmoid, lambda s: 6 * s - 3),
}
"""What a block may call in its own `forward` on the output of its last layer."""


class Trial(NamedTuple):
    """What a module did.

    Attributes:
        scales: its output was its input times one number a channel, another one for each sample.
        gate: the submodule that puts out these numbers, or what becomes them by `function`; None if there is none.
        function: a name of `FUNCTIONS`, or None.
    """

    scales: bool = False
    gate: nn.Module | None = None
    function: str | None = None


_TRIED: weakref.WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], Trial]] = weakref.WeakKeyDictionary()
"""Each module that was tried: what it was then made of, and what it did."""

_MOST_PARTS = 24  # an SE block is small: what has more submodules is not tried
_SIDES = (5, 3)  # height and width of a map in a trial


def tried(module: nn.Module, shape: tuple[int, ...] | None = None) -> Trial:
    """Try a module, once, on maps of several shapes, and last on the one that is given."""
    if type(module).__module__.startswith("torch.") or type(module).forward is nn.Sequential.forward:
        return Trial()  # a layer, a container, a wrapper
    parts = list(module.modules())
    if not 1 < len(parts) <= _MOST_PARTS or isinstance(module, torch.jit.ScriptModule):
        return Trial()
    made_of = tuple(map(id, parts))
    before, found = _TRIED.get(module, ((), Trial()))
    if before != made_of:
        found = _best(module, _shapes(parts))
    if found.gate is None and shape:
        found = max(found, _tried_on(module, shape), key=_rank)
    _TRIED[module] = made_of, found
    return found


def _best(module: nn.Module, shapes: Iterable[tuple[int, ...]]) -> Trial:
    """The first trial with a gate, else the one that told most."""
    best = Trial()
    for shape in shapes:
        best = max(best, _tried_on(module, shape), key=_rank)
        if best.gate is not None:
            break
    return best


def _rank(trial: Trial) -> tuple[bool, bool]:
    return trial.gate is not None, trial.scales


def _shapes(parts: Sequence[nn.Module]) -> Iterator[tuple[int, ...]]:
    """Input shapes for a trial, by the first layer with weights, which takes the C channels that were squeezed.

    A 1-D convolution with one channel runs along the channels (ECA): there any C will do.
    """
    channels = 8
    for part in parts:
        if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            channels = part.in_features if isinstance(part, nn.Linear) else part.in_channels
            channels = 8 if channels == 1 else channels
            break
    three = any(isinstance(part, (nn.Conv3d, nn.AdaptiveAvgPool3d)) for part in parts)
    one = any(isinstance(part, (nn.Conv1d, nn.AdaptiveAvgPool1d)) for part in parts)
    yield (2, channels, *((2,) * three), *_SIDES)
    if one or not three:
        yield 2, channels, 7  # a signal
        yield 2, 7, channels  # tokens
        yield 2, *_SIDES, channels  # channels last


@torch.no_grad()
def _tried_on(module: nn.Module, shape: tuple[int, ...]) -> Trial:
    """Run a twin of the module on random maps: is out = in · s, and where does s come from?"""
    twin = _twin(module)
    originals = dict(zip(twin.modules(), module.modules()))
    seen: list[tuple[nn.Module, Tensor]] = []

    def look(part: nn.Module, args: tuple, output: Any) -> None:
        if isinstance(output, Tensor):
            seen.append((part, output.clone()))

    for part in list(twin.modules())[1:]:
        part.register_forward_hook(look)
    like = next((p for p in twin.parameters() if p.is_floating_point()), torch.empty(0, device="cpu"))
    x = _random(shape, seed=0) + 0.5  # no zero hides a gate
    x = (x * (_random(shape, seed=1) - 0.5).sign()).to(like)
    try:
        with warnings.catch_warnings(), torch.autocast(x.device.type, enabled=False):
            warnings.simplefilter("ignore")
            out = twin(x.clone())
    except Exception:  # whatever it is, it does not take such maps
        return Trial()
    if not isinstance(out, Tensor) or out.shape != x.shape or not out.norm() > 0:
        return Trial()
    for axis in (1, -1):
        kept = [size if i in (0, axis % x.ndim) else 1 for i, size in enumerate(shape)]

        def scaled_by(s: Tensor) -> bool:
            return bool((x * s.reshape(kept).to(x) - out).norm() <= 8 * torch.finfo(x.dtype).eps * out.norm())  # noqa: B023

        rows = [(part, s) for part, s in seen if s.numel() == shape[0] * shape[axis] and s.shape[0] == shape[0]]
        for function in (None, *FUNCTIONS):
            for part, s in rows:
                if scaled_by(FUNCTIONS[function].apply(s) if function else s):
                    return Trial(True, originals[part], function)
        ratio = (out / x).flatten(2) if axis == 1 else (out / x).flatten(1, -2).mT  # (N, C, places)
        s = ratio.mean(-1)
        if scaled_by(s) and not torch.allclose(s[0], s[1]):
            return Trial(scales=True)
    return Trial()


def _random(shape: Sequence[int], seed: int) -> Tensor:
    """From 0 to 1; not from the reader's random numbers."""
    return torch.rand(tuple(shape), device="cpu", generator=torch.Generator("cpu").manual_seed(seed))


def _twin(module: nn.Module) -> nn.Module:
    """The same module in eval mode and without hooks, sharing its weights: what runs it does not touch the original.

    Weights on the meta device, shapes without numbers, become random ones.
    """
    twins: dict[nn.Module, nn.Module] = {}

    def real(tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.device.type != "meta":
            return tensor
        numbers = _random(tensor.shape, seed=tensor.numel()).to(tensor.dtype)
        return nn.Parameter(numbers, requires_grad=False) if isinstance(tensor, nn.Parameter) else numbers

    def copied(part: nn.Module) -> nn.Module:
        if part not in twins:
            twin = twins[part] = part.__new__(type(part))
            twin.__dict__ = part.__dict__ | {"training": False, "_compiled_call_impl": None}
            twin.__dict__ |= {k: type(v)() for k, v in part.__dict__.items() if "_hooks" in k and isinstance(v, dict)}
            twin.__dict__["_parameters"] = {name: real(p) for name, p in part._parameters.items()}
            twin.__dict__["_buffers"] = {name: real(b) for name, b in part._buffers.items()}
            twin.__dict__["_modules"] = {n: c if c is None else copied(c) for n, c in part._modules.items()}
        return twins[part]

    return copied(module)
