"""Take SE blocks out of a trained network where gates hardly vary: a constant gate is a scale of a layer's weights.

    folding = fold_gates(model, images)
    folding.error  # what it costs, relative to the answer

A gate that is the same for every image multiplies its channel by a number, and so can the batch norm, the convolution
or the linear layer next to the block. Then squeeze, two layers and the rescaling are saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from senet_edu import checks
from senet_edu.gates import Block, call, find_blocks, hooked, override_gates, plain_names, record_gates, suiting
from senet_edu.modes import evaluating
from senet_edu.surgery import WithSE

CHECKED = 4
"""Images on which each fold is checked. A fold is right for every image or for none, so more would tell no more."""

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_KEEPS_SCALE = (nn.ReLU, nn.Identity, nn.Dropout, nn.Dropout2d)
"""What commutes with a positive scale of each channel, in eval mode."""


@dataclass(frozen=True)
class Folding:
    """What `fold_gates` did.

    Attributes:
        error: ‖answer after - answer before‖ / ‖answer before‖ on the given input.
        folded: name of each block that is gone, to the layer that took its gates.
        kept: name of each block that is still there, to the reason.
        spread: name of each block, to the largest standard deviation of one of its gates over the images.
    """

    error: float
    folded: dict[str, str]
    kept: dict[str, str]
    spread: dict[str, float]


def fold_gates(
    model: nn.Module,
    x: Any,
    *,
    gates: Mapping[str, Tensor] | None = None,
    spread: float = float("inf"),
) -> Folding:
    """Replace SE blocks by constant gates, multiplied into the layer before or behind them, in place.

    The layer before, a batch norm, a convolution or a linear layer whose output the block receives, or receives through
    a ReLU; else the convolution or linear layer behind, whose input is the block's output. Each fold is checked: the
    network must answer as with its gates overridden by the constants, or the fold is undone. So this works with the
    networks of any library, and where a network has no such layer the block is kept. Fold a trained network, last of
    all: what is left has no gates to train.

    It costs three forward passes of the whole of x, in one batch each, and about four of `CHECKED` images for each
    block.

    Args:
        model: the network; changed in place. Copy it first to keep it.
        x: its input, some images better than one: a tensor, a tuple of arguments or a dictionary of keyword arguments.
        gates: name of a block to its constants `(C,)`; by default the means over x. Blocks that are not named are kept.
        spread: keep blocks in which a gate's standard deviation over x is larger than this.

    Raises:
        ValueError: the model has no SE block; gates names another, or holds what is no constant of its channels; spread
            is no number from 0 on; x holds nothing or does not suit the model. Nothing is changed then.
    """
    if not (isinstance(spread, float) and spread == float("inf")):
        checks.number("spread", spread, least=0)
    checks.inputs("x", x)
    with suiting("x", x, model):
        blocks = find_blocks(model, example=x)
    with evaluating(model), torch.no_grad():
        with record_gates(model) as recorded, suiting("x", x, model):
            before = _answer(model, x)
        if not all(map(len, recorded.values())):
            raise ValueError("x must hold at least one sample")
        constants = {name: s.mean(0) for name, s in recorded.items()} if gates is None else _constants(gates, recorded)
        wide = {name: s.float().std(0, unbiased=False).max().item() for name, s in recorded.items()}
        few = _first(x, CHECKED, {len(s) for s in recorded.values()})
        folded, kept = {}, {}
        for name, block in blocks.items():
            s = recorded.get(name)
            if s is None:
                kept[name] = "it is not called"
            elif s.ndim != 2:
                kept[name] = f"its gates have the shape {tuple(s.shape)}, not one for each channel"
            elif name not in constants:
                kept[name] = "its gates were not given"
            elif wide[name] > spread:
                kept[name] = f"its gates vary by {wide[name]:.3g}"
            else:
                layer = _fold(model, few, name, block, constants[name])
                (folded if layer else kept)[name] = layer or "no layer beside it can take its gates"
        after = _answer(model, x)
    error = ((after - before).norm() / before.norm().clamp(min=1e-30)).item()
    return Folding(error, folded, kept, wide)


def _constants(gates: Mapping[str, Tensor], recorded: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The given constants as tensors `(C,)`, in the data type of the gates."""
    if not isinstance(gates, Mapping):
        raise ValueError(f"gates must be a dictionary from a block's name to its constants, got {checks.shown(gates)}")
    found = {}
    for name, value in gates.items():
        if name not in recorded:
            raise ValueError(f"gates names {name!r}, not a block that is called: {', '.join(recorded)}")
        s = recorded[name]
        found[name] = checks.tensor(f"gates[{name!r}]", value, (s.shape[1],)).to(s)
        if not found[name].isfinite().all():
            raise ValueError(f"gates[{name!r}] must be finite, got {checks.shown(value)}")
    return found


def _answer(model: nn.Module, x: Any) -> Tensor:
    return torch.cat([leaf.flatten().float() for leaf in tree_leaves(call(model, x)) if isinstance(leaf, Tensor)])


def _first(x: Any, count: int, sizes: set[int]) -> Any:
    """The first images of an input, or all of it where its tensors do not have one row for each row of the gates."""
    leaves, form = tree_flatten(x)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if sizes != {len(leaf) if leaf.ndim else -1 for leaf in tensors}:
        return x
    return tree_unflatten([leaf[:count] if isinstance(leaf, Tensor) else leaf for leaf in leaves], form)


def _fold(model: nn.Module, x: Any, name: str, block: Block, s: Tensor) -> str | None:
    """Fold one block. The name of the layer that took its gates, or None, and then nothing has changed."""
    before, behind = _neighbors(model, x, block.module)
    with override_gates(model, {name: s}):
        expected = _from_here(model, x, block.module)
    paths = {module: path for path, module in model.named_modules()}
    for layer, scale in ((before, _scale_outputs), (behind, _scale_inputs)):
        if layer is None:
            continue
        saved = {key: value.clone() for key, value in layer.state_dict().items()}
        if scale(layer, s):
            place, put_back = _take_out(model, paths[block.module])
            if _close(_from_here(model, x, place), expected):
                return plain_names(model)[next(path for path, module in model.named_modules() if module is layer)]
            put_back()
        layer.load_state_dict(saved)
    return None


_LOOK_AHEAD = 16


def _from_here(model: nn.Module, x: Any, place: nn.Module) -> list[Tensor]:
    """What the next layers behind a module put out, and the answer: a wrong fold shows there before it fades."""
    seen: list[Tensor] = []
    started = False

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        nonlocal started
        if module is place:
            started = True
        elif started and len(seen) < _LOOK_AHEAD and isinstance(output, Tensor) and not any(module.children()):
            seen.append(output.clone())

    with hooked(dict.fromkeys(model.modules(), look)):
        answer = _answer(model, x)
    return [*seen, answer]


def _close(ours: list[Tensor], expected: list[Tensor]) -> bool:
    """Equal up to rounding, for which a few numbers near zero, such as a hidden unit, may have no size of their own."""
    sizes = [b.square().mean().sqrt() for b in expected]
    return len(ours) == len(expected) and all(
        a.shape == b.shape and (a - b).square().mean().sqrt() <= 1e-4 * max(size, sizes[0])
        for a, b, size in zip(ours, expected, sizes)
    )


def _neighbors(model: nn.Module, x: Any, block: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """The layer that made what the block receives, perhaps through a ReLU, and the layer that receives its output."""
    makers: dict[int, nn.Module] = {}  # by the identity of a tensor
    alive: list[Any] = []  # an identity is not given to another tensor meanwhile
    before: list[nn.Module] = []
    behind: list[nn.Module] = []
    out: list[Tensor] = []

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        if not isinstance(output, Tensor) or not args or not isinstance(args[0], Tensor):
            return
        alive.extend((args[0], output))
        if module is block:
            before.extend([makers[id(args[0])]] if id(args[0]) in makers else [])
            out.append(output)
        elif isinstance(module, (*_NORMS, *_CONVS, nn.Linear)):
            makers[id(output)] = module
            behind.extend([module] if out and args[0] is out[0] else [])
        elif not any(module.children()):
            maker = makers.pop(id(args[0]), None) if output is args[0] else makers.get(id(args[0]))
            if maker is not None and isinstance(module, _KEEPS_SCALE):
                makers[id(output)] = maker

    with hooked(dict.fromkeys(model.modules(), look)):
        call(model, x)
    return before[0] if len(before) == 1 else None, behind[0] if len(behind) == 1 else None


def _scale_outputs(layer: nn.Module, s: Tensor) -> bool:
    """Multiply what a layer puts out, channel by channel; wrong, and undone, for a negative gate behind a ReLU."""
    if layer.weight is None or len(layer.weight) != len(s):
        return False
    layer.weight.mul_(s.view(-1, *[1] * (layer.weight.ndim - 1)))
    if layer.bias is not None:
        layer.bias.mul_(s)
    return True


def _scale_inputs(layer: nn.Module, s: Tensor) -> bool:
    """Multiply what a convolution or a linear layer receives, channel by channel, in each of its groups."""
    if isinstance(layer, _NORMS):
        return False
    groups = getattr(layer, "groups", 1)
    if layer.weight.shape[1] * groups != len(s):
        return False
    parts = layer.weight.view(groups, -1, *layer.weight.shape[1:])
    parts.mul_(s.view(groups, 1, -1, *[1] * (layer.weight.ndim - 2)))
    return True


def _take_out(model: nn.Module, path: str) -> tuple[nn.Module, Callable[[], None]]:
    """Put an identity where the block is, or its body where `insert_se` put it in. That, and what undoes it."""
    parent_path, _, child = path.rpartition(".")
    parent = model.get_submodule(parent_path)
    if isinstance(parent, WithSE) and child == "se" and parent_path:
        parent_path, _, child = parent_path.rpartition(".")
        old, new = parent, parent.body
        parent = model.get_submodule(parent_path)
    else:
        old, new = getattr(parent, child), nn.Identity()
    setattr(parent, child, new)
    return new, lambda: setattr(parent, child, old)
