"""Judges of the chapter on SE in networks of other libraries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.check.judge import as_names, ask, diagnose, judge, shown
from senet_edu.gates import find_gates, override_gates, record_gates
from senet_edu.resnet import create_model
from senet_edu.se import SEBlock


def invented_layout(state: Mapping[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """Key of a network of this package to the key and the tensor that the chapter's invented library would have."""
    steps = [
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        (r"^layer(\d)\.", lambda m: f"stages.{int(m[1]) - 1}."),
        (r"\.bn(\d)\.", r".norm\1."),
        (r"\.downsample\.0\.", ".skip.conv."),
        (r"\.downsample\.1\.", ".skip.norm."),
        (r"\.se\.fc1\.", ".attn.down."),
        (r"\.se\.fc2\.", ".attn.up."),
        (r"^fc\.", "head."),
    ]
    layout = {}
    for ours, tensor in state.items():
        theirs = ours
        for pattern, replacement in steps:
            theirs = re.sub(pattern, replacement, theirs)
        layout[ours] = f"module.{theirs}", tensor[:, :, None, None] if ".se." in ours else tensor
    return layout


def key_map(function: Callable[[str, Tensor], tuple[str, Tensor]]) -> None:
    """Key and tensor of the chapter's invented library to those of `se_resnet20`."""
    judge(function, _key_map, "Every key and every shape: the weights load strictly.")


def _key_map(function: Callable[[str, Tensor], tuple[str, Tensor]]) -> str | None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = create_model("se_resnet20").state_dict()
    for ours, (theirs, tensor) in invented_layout(state).items():
        answer = ask(function, theirs, tensor.clone())
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            return f"to_ours must return two things, `return key, tensor`, not {shown(answer)}."
        key, got = answer
        if not isinstance(key, str):
            return f"to_ours must return the key first, a string, not {shown(key)}."
        if key != ours:
            return f"{theirs} became {key}, not {ours}: {_key_hint(theirs, key)}"
        if not isinstance(got, Tensor):
            return f"{theirs} became {shown(got)}, and load_state_dict takes nothing but tensors."
        if got.shape != state[ours].shape:
            return f"{theirs} {tuple(tensor.shape)}: {_tensor_hint(theirs, got, state[ours])}"
        if not (got == state[ours]).all():
            return f"{theirs}: the shape is right, but the values are not in their places."
    return None


def _key_hint(theirs: str, got: str) -> str:
    if "module." in got:
        return "the prefix module. is still there; nn.DataParallel put it in front of every key."
    if "skip." in theirs:
        return "in a shortcut, conv is downsample.0 and norm is downsample.1."
    if "stages" in theirs and f"layer{theirs.split('.')[2]}." in got:
        return "their stages count from 0, our layers from 1."
    return "look it up in the table."


def _tensor_hint(theirs: str, got: Tensor, wanted: Tensor) -> str:
    if "skip" in theirs and got.ndim == 2:
        return "the shortcut's 1×1 convolution stays a convolution; reshape only what goes into se."
    if got.ndim == 4 and wanted.ndim == 2:
        return "a 1×1 convolution has (o, i, 1, 1), our linear layer (o, i)."
    if got.ndim < wanted.ndim and got.numel() == wanted.numel() and 1 in wanted.shape:
        return "squeeze() drops every axis of length 1, also a hidden width of 1; keep the first two axes."
    if got.ndim == wanted.ndim == 2 and got.shape == wanted.T.shape:
        return "it is transposed; both kinds of layer have (out, in)."
    return f"its shape is {tuple(got.shape)}, our shape {tuple(wanted.shape)}."


class Toy(nn.Module):
    """Three SE blocks; the forward pass calls some of them."""

    def __init__(self, called: tuple[str, ...]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)
        self.stem, self.body, self.head = (nn.Sequential() for _ in range(3))
        for part in (self.stem, self.body, self.head):
            part.add_module("se", SEBlock(8, 2))
        self.called = called

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        for name in self.called:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))


def uncalled(function: Callable[[nn.Module, Tensor], Any]) -> None:
    """The names of the SE blocks that a model registers and its forward pass never calls: `uncalled(model, x)`."""
    judge(function, _uncalled, "Registered, minus called: five lines that would have caught the mistake.")


def _uncalled(function: Callable[[nn.Module, Tensor], Any]) -> str | None:
    blocks = {"stem.se", "body.se", "head.se"}
    for called in (("stem",), ("stem", "body", "head"), ("head", "stem"), ()):
        x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
        got = as_names(ask(function, Toy(called), x), "uncalled must return a list of names")
        wanted = blocks - {f"{name}.se" for name in called}
        if got == wanted:
            continue
        case = f"a model registers {len(blocks)} blocks and calls {len(called)}"
        mistakes = {
            f"{case}: you name those that it calls; name the others.": blocks - wanted,
            f"{case}: you name all that are registered. Which of them had a forward pass?": blocks,
            f"{case}, but you find none: compare what is registered with what was recorded.": set(),
        }
        known = diagnose(got, mistakes, set.__eq__)
        return known or f"{case}: it never calls {sorted(wanted)}, your answer is {sorted(got)}."
    return None


def own_model(model: Any, x: Tensor) -> None:
    """Any network: it has SE blocks, the forward pass calls each, and what each returns reaches the output.

    An SE block is what `find_gates` finds, torchvision's `SqueezeExcitation`, and any module that is called with maps
    `(N, C, H, W)` and returns them with each channel of each image times a number, which is not always the same.
    """
    judge((model, x), _own_model, "Each block is called, and each changes the answer.")


def _own_model(answer: tuple[Any, Any]) -> str | None:
    model, x = answer
    if not isinstance(model, nn.Module):
        return f"the answer must be a network, an nn.Module, not {shown(model)}."
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            return _unused(model, x)
    finally:
        for module, training in modes.items():
            module.training = training


def _unused(model: nn.Module, x: Any) -> str | None:
    """A hint unless the model has SE blocks, calls each, and uses what each returns."""
    from torchvision.ops import SqueezeExcitation

    ours = list(find_gates(model))
    called, scaling = _run(model, x)
    theirs = {name for name, module in model.named_modules() if isinstance(module, SqueezeExcitation)} | scaling
    theirs = {name for name in theirs if not any(_within(name, other) or _within(other, name) for other in ours)}
    theirs = {name for name in theirs if not any(_within(other, name) for other in theirs - {name})}  # innermost
    if not ours and not theirs:
        return (
            "it has no SE block yet: insert_se(model, after=…) puts one in. What counts is a block of this package, "
            "torchvision's SqueezeExcitation, and any module that takes maps (N, C, H, W) and returns them, each "
            "channel of each image times a number of its own."
        )
    for name in [*ours, *sorted(theirs)]:
        if name not in called:
            return f"{name} is registered, but the forward pass never calls it."
        gated = partial(_ours_at if name in ours else _theirs_at, model, x, name)
        if _equal(gated(0.0), gated(1.0)):
            return f"{name} is called, but its result is not used: shut or open, the output is the same."
    return None


def _run(model: nn.Module, x: Any) -> tuple[set[str], set[str]]:
    """The names of the modules that a forward pass calls, and of those among them that gate channels."""
    called: dict[str, list[Tensor | None]] = {}

    def look(name: str, module: nn.Module, args: tuple, out: Any) -> None:
        called.setdefault(name, []).append(_factors(args[0] if args else None, out))

    with ExitStack() as stack:
        for name, module in model.named_modules():
            stack.enter_context(module.register_forward_hook(partial(look, name)))
        if find_gates(model):  # by their own names, and in a compiled model, too
            gates: Mapping[str, Tensor] = stack.enter_context(record_gates(model))
        else:
            gates = {}
        ask(model, x)
        if isinstance(x, Tensor) and x.is_floating_point():
            ask(model, x / 2)  # an image more, for a batch of one: gates answer to the image, fixed scales do not
    return called.keys() | gates.keys(), {name for name, found in called.items() if _are_gates(found)}


def _factors(x: Any, out: Any) -> Tensor | None:
    """The factors `(N, C)` if `out` is x `(N, C, H, W)` times a factor for each channel of each image, else None.

    NaN where a map is zero, because any factor does there.
    """
    if not (isinstance(x, Tensor) and isinstance(out, Tensor) and x.ndim == 4 and x.shape == out.shape):
        return None
    if x.shape[2] * x.shape[3] < 2 or not x.is_floating_point() or not len(x):
        return None
    x, out = x.double(), out.double()
    factors = (x * out).sum((2, 3)) / x.square().sum((2, 3))
    fits = torch.allclose(factors.nan_to_num(0)[:, :, None, None] * x, out, rtol=1e-4, atol=1e-6)
    return factors if fits else None


def _are_gates(found: Sequence[Tensor | None]) -> bool:
    """Whether factors `(N, C)` of several calls differ between images, and are not only 0 and 1.

    The scale of a batch norm is the same for all images; a ReLU may keep or clear whole maps.
    """
    if any(factors is None for factors in found):
        return False
    rows = torch.cat([factors for factors in found if factors is not None])
    spread = rows.nan_to_num(-torch.inf).amax(0) - rows.nan_to_num(torch.inf).amin(0)
    return bool(spread.max() > 1e-5) and bool((rows * (1 - rows)).nan_to_num(0).abs().max() > 1e-5)


def _within(name: str, other: str) -> bool:
    """Whether a module is another one or a part of it, by their names."""
    return name == other or other == "" or name.startswith(f"{other}.")


def _ours_at(model: nn.Module, x: Any, name: str, gate: float) -> Any:
    with override_gates(model, {name: gate}):
        return ask(model, x)


def _theirs_at(model: nn.Module, x: Any, name: str, gate: float) -> Any:
    def gated(module: nn.Module, args: tuple, named: dict[str, Any], out: Tensor) -> Tensor:
        return gate * (*args, *named.values())[0]

    with model.get_submodule(name).register_forward_hook(gated, with_kwargs=True):
        return ask(model, x)


def _tensors(output: Any) -> Iterator[Tensor]:
    """The tensors of what a network returns: one, or a tuple, list or dictionary of them."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for item in output.values():
            yield from _tensors(item)
    elif isinstance(output, tuple | list):
        for item in output:
            yield from _tensors(item)


def _equal(one: Any, other: Any) -> bool:
    return all(
        a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
        for a, b in zip(_tensors(one), _tensors(other))
    )
