"""Put SE blocks into any network, and take them out again: behind named submodules, or behind every one of a type.

    model = torchvision.models.mobilenet_v2(weights="DEFAULT")
    insert_se(model, after=InvertedResidual, reduction=4)              # every block of a type
    insert_se(model, after="layer*.*.bn3")                             # by name, with shell wildcards
    insert_se(model, after="**.norm2", start="identity")               # the answers stay what they were
    remove_se(model)                                                   # as it was before

SE-Inception (Hu et al., Fig. 2) is built this way: `se_inception_v3`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.checks import shown, whole
from senet_edu.extras import extra
from senet_edu.gates import call, hooked, plain_names
from senet_edu.modes import evaluating
from senet_edu.relatives import make_attention
from senet_edu.se import SEBlock

Target = str | type[nn.Module] | nn.Module | Callable[[str, nn.Module], bool]


class WithSE(nn.Module):
    """A module of the network, `body`, and the SE block on its output, `se`.

    Attributes of the body, such as the `weight` of a convolution, can be read as before. A state dict from before the
    insertion fits the body; the weights of the block are then missing.
    """

    def __init__(self, body: nn.Module, se: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.se = se

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.se(self.body(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in ("body", "se"):
                raise
            return getattr(self.body, name)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        own = [key for key in state_dict if key.startswith(prefix)]
        if not any(key.startswith(f"{prefix}body.") for key in own):
            for key in own:
                if not key.startswith(f"{prefix}se."):
                    state_dict[f"{prefix}body.{key.removeprefix(prefix)}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


class Doubled(nn.Module):
    """Twice a gate: of σ(0) = 1/2 it makes 1, and the map passes unchanged."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.gate(x)


def insert_se(
    model: nn.Module,
    after: Target | Sequence[Target],
    *,
    attention: str | Callable[..., nn.Module] = "se",
    example: Any = None,
    input_size: tuple[int, ...] = (3, 224, 224),
    channel_dim: int | None = None,
    start: str | None = None,
    **options: Any,
) -> nn.Module:
    """Put an SE block behind submodules of a network, in place.

    The channels are not guessed: the network runs on two inputs of different size (in eval mode, without gradients),
    and the axis of the outputs that does not grow is that of the channels. So maps with the channels last, as in Swin,
    and tokens get a block for their last axis. Where the network takes one size only, the layers decide: a convolution
    or a batch norm has its channels in axis 1, a linear layer or a layer norm in the last.

    Load pretrained weights before the insertion, or after it with `strict=False`: a submodule `x` is called `x.body`
    afterwards, its SE block `x.se`. Make the optimizer after the insertion, or the new weights are not trained. A
    submodule that is called several times has one SE block, which is called as often. Nothing is changed when an error
    is raised.

    Args:
        model: the network; changed in place.
        after: the submodules, one or several of: a name; a type; a module; a function from name and module to whether
            it is one. Names may have shell wildcards, which do not reach over a dot, `"layer*.*.bn3"`; `**` stands for
            any number of parts, `"**.bn3"`.
        attention: `"se"`, another name of `senet_edu.relatives.ATTENTION`, or a callable that makes a module for a
            number of channels.
        example: an input of the network: a tensor, a tuple of arguments or a dictionary of keyword arguments.
        input_size: (C, H, W) of the dry run, where there is no example.
        channel_dim: 1 or -1, the axis of the channels, in place of the second dry run.
        start: `"identity"` lets every gate start at exactly 1, so that a trained network answers as before and then
            learns: W2 starts at zero and the gates are 2σ. None (the default) leaves the start to the block, whose
            gates are near 1/2.
        options: keyword arguments of the block, such as `reduction`.

    Returns:
        The same model.

    Raises:
        ValueError: a target matches nothing, already has an SE block, stands under two names, is never called in the
            forward pass, or does not return one tensor with channels; the network does not take the example or
            `input_size`; the block cannot start as the identity.
    """
    checks.module("model", model)
    if start is not None and not (isinstance(start, str) and start == "identity"):
        raise ValueError(f"start must be 'identity' or None, got {shown(start)}")
    if channel_dim is not None and checks.whole("channel_dim", channel_dim) not in (1, -1):
        raise ValueError(f"channel_dim must be 1, -1 or None, got {shown(channel_dim)}")
    one = isinstance(after, (str, type, nn.Module)) or not isinstance(after, Iterable)
    targets = [after] if one else list(after)
    if not targets:
        raise ValueError(f"after must name at least one submodule, got {shown(after)}")
    chosen = {path: module for target in targets for path, module in _matching(model, target).items()}
    x = _zeros(model, input_size) if example is None else example
    blocks = {}
    with evaluating(model), torch.no_grad():
        outputs = _outputs(model, chosen, x, "input_size" if example is None else "example")
        axes = dict.fromkeys(chosen, channel_dim) if channel_dim else _channel_axes(model, chosen, x, outputs)
        for path, output in outputs.items():
            given = options if axes[path] == 1 else options | {"channel_dim": -1}
            block = make_attention(attention, output.shape[axes[path]], **given).to(output)
            if start:
                _start_as_identity(block)
            blocks[path] = block.eval()
            block(output)  # what is wrong with it is said before the network is changed
    for path in sorted(chosen, key=lambda path: path.count("."), reverse=True):  # inner ones first: names stay valid
        _replace(model, path, WithSE(chosen[path], blocks[path].train(model.training)))
        model.get_submodule(path).training = model.training
    return model


def remove_se(model: nn.Module, names: str | Sequence[str] = "**") -> nn.Module:
    """Take out SE blocks that `insert_se` put in, in place; the modules that they stood behind are what they were.

    Args:
        model: the network.
        names: one or several of the submodules that have a block, with wildcards as in `after` of `insert_se`; all by
            default.

    Returns:
        The same model.

    Raises:
        ValueError: no such block; names are none.
    """
    checks.module("model", model)
    patterns = [names] if isinstance(names, str) else names
    if not isinstance(patterns, Sequence) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise ValueError(f"names must be a name, a pattern or several, got {shown(names)}")
    paths = plain_names(model)
    found = [
        path
        for path, module in model.named_modules()
        if path
        and isinstance(module, WithSE)
        and any(_name_matches(paths[path].replace(".body", ""), pattern) for pattern in patterns)
    ]
    if not found:
        raise ValueError(f"names={shown(names)} matches no block that insert_se put into {type(model).__name__}")
    for path in sorted(found, key=lambda path: path.count("."), reverse=True):
        _replace(model, path, model.get_submodule(path).body)
    return model


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, child = path.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


# What is meant by `after`


def _matching(model: nn.Module, target: Target) -> dict[str, nn.Module]:
    """The submodules that a target means, by path, after the checks that need no forward pass."""
    plain = plain_names(model)
    names: dict[nn.Module, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(path)
    chosen = {}
    for module, aliases in names.items():
        if aliases == [""] or not _hits(target, module, [plain[path] for path in aliases]):
            continue
        if isinstance(module, WithSE) or aliases[0].endswith(".body") and _parent_has_se(model, aliases[0]):
            raise ValueError(
                f"after={shown(target)}: {plain[aliases[0]].removesuffix('.body')!r} already has an SE block"
            )
        if len(aliases) > 1:
            raise ValueError(f"after={shown(target)}: one module stands under several names, {', '.join(aliases)}")
        chosen[aliases[0]] = module
    if not chosen:
        raise ValueError(f"after={shown(target)} matches no submodule of {type(model).__name__}")
    return chosen


def _hits(target: Target, module: nn.Module, names: Sequence[str]) -> bool:
    if isinstance(target, str):
        return any(_name_matches(name, target) for name in names if name)
    if isinstance(target, type):
        return isinstance(module, target)
    if isinstance(target, nn.Module):
        return module is target
    if not callable(target):
        raise ValueError(f"after must hold names, types, modules or functions, got {shown(target)}")
    return bool(target(names[0], module))


def _name_matches(name: str, pattern: str) -> bool:
    """Shell wildcards, part by part: a `*` does not reach over a dot, `**` is any number of parts."""

    def match(parts: list[str], patterns: list[str]) -> bool:
        if not patterns:
            return not parts
        if patterns[0] == "**":
            return any(match(parts[i:], patterns[1:]) for i in range(len(parts) + 1))
        return bool(parts) and fnmatchcase(parts[0], patterns[0]) and match(parts[1:], patterns[1:])

    return match(name.split("."), pattern.split("."))


def _parent_has_se(model: nn.Module, path: str) -> bool:
    return isinstance(model.get_submodule(path.rpartition(".")[0]), WithSE)


# The dry runs


def _zeros(model: nn.Module, input_size: object) -> Tensor:
    try:
        size = [whole("input_size", n, least=1) for n in input_size]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        size = []
    if not size:
        raise ValueError(f"input_size must be the shape of one input, such as (3, 224, 224); got {shown(input_size)}")
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(1, *size, dtype=like.dtype, device=like.device)


def _outputs(model: nn.Module, chosen: Mapping[str, nn.Module], x: Any, said: str) -> dict[str, Tensor]:
    """The output of each chosen module in one forward pass."""
    outputs: dict[str, Tensor] = {}
    paths = {module: path for path, module in chosen.items()}

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        path = paths[module]
        if not isinstance(output, Tensor) or not 3 <= output.ndim <= 5:
            what = f"of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ValueError(f"after {path!r}: the output must be one tensor (N, C, H, W) or the like, it is {what}")
        if path in outputs and output.ndim != outputs[path].ndim:
            raise ValueError(f"after {path!r}: it is called several times, with {output.ndim} axes and others")
        if path in outputs and output.shape[1] != outputs[path].shape[1]:
            widths = f"{outputs[path].shape[1]} and {output.shape[1]}"
            raise ValueError(f"after {path!r}: it is called several times, with {widths} channels")
        outputs[path] = output

    with hooked(dict.fromkeys(chosen.values(), look)):
        try:
            call(model, x)
        except (RuntimeError, TypeError, IndexError, KeyError, AttributeError, AssertionError) as error:
            what = f"{tuple(x.shape[1:])}" if isinstance(x, Tensor) else f"{type(x).__name__}"
            raise ValueError(f"{said}={what} does not suit {type(model).__name__}: {error}") from error
    for path in chosen:
        if path not in outputs:
            raise ValueError(f"after {path!r}: it is never called in a forward pass")
    return outputs


_CHANNELS_FIRST = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm)
_CHANNELS_FIRST += (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm)


def _channel_axes(
    model: nn.Module, chosen: Mapping[str, nn.Module], x: Any, outputs: Mapping[str, Tensor]
) -> dict[str, int]:
    """Axis 1 or -1 of each output: the one that does not grow with the input."""
    if all(isinstance(module, _CHANNELS_FIRST) for module in chosen.values()):
        return dict.fromkeys(chosen, 1)  # there is no doubt
    try:
        larger = _outputs(model, chosen, _grown(x), "example")
    except Exception:  # it takes one size only
        larger = {}
    axes = {}
    for path, output in outputs.items():
        after = larger.get(path, output)
        still = [axis for axis in (1, -1) if output.ndim == after.ndim and output.shape[axis] == after.shape[axis]]
        axes[path] = still[0] if len(still) == 1 else _axis_by_layers(path, chosen[path])
    return axes


def _axis_by_layers(path: str, module: nn.Module) -> int:
    """The axis in which the last layer of a module has its channels."""
    for layer in reversed(list(module.modules())):
        if isinstance(layer, _CHANNELS_FIRST):
            return 1
        if isinstance(layer, _CHANNELS_LAST):
            return -1
    raise ValueError(f"after {path!r}: which axis the channels are in cannot be seen; say so with channel_dim=1 or -1")


def _grown(x: Any) -> Any:
    """A larger input: 32 more pixels along each side of a map, 32 more places of a sequence."""
    if isinstance(x, Tensor):
        if x.is_floating_point() and x.ndim > 2:
            return F.pad(x, (0, 32) * (x.ndim - 2))
        return torch.cat([x, x[:, :1].expand(-1, 32)], dim=1) if x.ndim == 2 else x
    if isinstance(x, Mapping):
        return {name: _grown(value) for name, value in x.items()}
    return tuple(map(_grown, x)) if isinstance(x, (tuple, list)) else x


def _start_as_identity(block: nn.Module) -> None:
    if not isinstance(block, SEBlock) or not isinstance(block.gate, (nn.Sigmoid, nn.Hardsigmoid)):
        kind = f"{type(block).__name__} with the gate {type(getattr(block, 'gate', None)).__name__}"
        raise ValueError(f"start='identity' needs an SEBlock with a sigmoid or a hardsigmoid, got {kind}")
    nn.init.zeros_(block.fc2.weight)
    if block.fc2.bias is not None:
        nn.init.zeros_(block.fc2.bias)
    block.gate = Doubled(block.gate)


def se_inception_v3(*, reduction: int = 16, bias: bool = False, min_hidden: int = 1, **options: Any) -> nn.Module:
    """torchvision's Inception-v3 with an SE block behind each of its eleven `Mixed_*` modules (Hu et al., Fig. 2).

    Args:
        reduction, bias, min_hidden: of the SE blocks, see `SEBlock`.
        options: of `torchvision.models.inception_v3`, such as `weights`, `num_classes`, `aux_logits`.

    Shapes:
        input `(N, 3, 299, 299)`; in eval mode logits `(N, num_classes)`, in training torchvision's `InceptionOutputs`.

    Raises:
        ImportError: torchvision is not installed; it comes with the extra `book`.
    """
    with extra("book"):
        from torchvision.models import inception_v3

    if options.get("weights") is None:
        options.setdefault("init_weights", True)
    model = inception_v3(**options)
    # 75 pixels is the least that Inception-v3 takes.
    return insert_se(model, "Mixed_*", input_size=(3, 75, 75), reduction=reduction, bias=bias, min_hidden=min_hidden)
