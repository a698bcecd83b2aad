"""The gates of a network: find them, look at them, set them.

    with record_gates(model) as gates:
        model(x)
    gates["layer1.0.se"]  # (N, C)

    with override_gates(model, {"layer1.0.se": 1.0, "layer2.*": torch.ones(128)}):
        model(x)  # as if those SE blocks were not there

An SE block is found by what it does, not by its name or class. On random maps a candidate must return its input times
s, one number a channel, where s is what one of its submodules puts out: its gate. Where `forward` calls the sigmoid as
a function, `torch.sigmoid(self.fc2(z))`, the gate is the layer before it. So this works with the networks of
torchvision, timm, pytorchcv, transformers and others as with those of this package, and takes neither a
mixture-of-experts router nor a spatial gating unit for an SE block. Blocks of this package, and of any class with an
attribute `gate_name`, are known without a trial.

Blocks are named by their path in the model, `"layer1.0.se"`, without the `module.` and `_orig_mod.` of wrappers; a
model that is itself a block is called `"se"`. Gates are `(N, C)`, whatever shape the library computes with. Relatives
of this package with other gates keep their shape, such as `(N, 1, H, W)` of `CBAMSpatial`.

Of nested contexts the outer one acts first. A recorder inside an override sees the gates as overridden; a recorder
around an override sees what the network computed itself.

A context belongs to the thread that opened it: other threads that run the same model meanwhile are neither recorded nor
overridden. It belongs to the model, not to copies made of it. A forward pass that activation checkpointing repeats in
the backward pass is recorded once; an override must still be open then.

`DistributedDataParallel` wants a gradient for every weight, and a block whose gates are overridden by constants has
none: train such a network with `find_unused_parameters=True`.

Code from `torch.compile` may ignore hooks that came later, so compiled code of this process runs eagerly while a
context is open. Compile first and then open the context, outside of compiled functions. What a tool has turned into a
graph, such as a traced, scripted or exported model, has no blocks anymore: record the model that it was made from.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.checks import shown
from senet_edu.modes import evaluating
from senet_edu.trial import FUNCTIONS, tried

Hook = Callable[[nn.Module, tuple, Any], Any]
Override = float | Tensor | Sequence | Callable[[Tensor], Tensor]


class Block(NamedTuple):
    """An SE block of a network.

    Attributes:
        module: maps `(N, C, …)` to the same shape.
        gate: the submodule whose output is s.
        known: a class of this package, or with `gate_name`; its gates keep their own shape.
        function: None, or `"sigmoid"` or `"hardsigmoid"` where `forward` calls it as a function: then s is this
            function of what `gate` puts out.
    """

    module: nn.Module
    gate: nn.Module
    known: bool
    function: str | None = None

    def gates(self, output: Tensor) -> Tensor:
        """The gates `(N, C)` from what the submodule put out."""
        s = FUNCTIONS[self.function].apply(output) if self.function else output
        return s if self.known else s.flatten(1)

    def output(self, s: Tensor) -> Tensor:
        """What the submodule must put out for gates `(N, C)`."""
        return FUNCTIONS[self.function].undo(s) if self.function else s


class Gates(Mapping[str, Tensor]):
    """What `record_gates` yields: a read-only dictionary from the name of a block to its gates `(N, C)`.

    Copied or saved, it is an ordinary one.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._parts:
            raise KeyError(f"no gates of {name!r}; recorded are: {', '.join(self) or 'none, run the model first'}")
        parts = self._parts[name]
        # Concatenated here and not after each pass, so that many passes cost no repeated copies. The copy also makes
        # an ordinary tensor of one that came from inference mode.
        if len(parts) > 1 or parts[0].is_inference():
            parts[:] = [torch.cat(parts)]
        return parts[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __reduce__(self) -> tuple:
        return OrderedDict, (), None, None, iter(self.items())  # which `torch.load` reads without trust

    def __repr__(self) -> str:
        return f"Gates({', '.join(f'{name}: {tuple(s.shape)}' for name, s in self.items())})"


@contextmanager
def record_gates(model: nn.Module, *, example: Any = None) -> Iterator[Gates]:
    """Record the gates of every SE block while the context is open.

    Works in training and evaluation mode, under `no_grad`, `inference_mode` and autocast, and on compiled models
    (which then run eagerly). The model computes what it computes without the recorder.

    Args:
        model: a network with SE blocks, of this or another library.
        example: see `find_gates`.

    Yields:
        A dictionary from the name of a block to its gates: detached copies `(N, C)` on the model's device, in the
        data type in which the network computed them (bfloat16 under bfloat16 autocast). Blocks stand in the order in
        which the network calls them. Several forward passes are concatenated along N. The dictionary stays readable
        after the context.

    Raises:
        ValueError: the model has no SE block; and, in the forward pass, a model inside of `torch.vmap`.
    """
    gates = Gates()

    def record(name: str, block: Block, module: nn.Module, args: tuple, output: Tensor) -> None:
        if torch._C._functorch.is_batchedtensor(output):
            raise ValueError(f"the gates of {name!r} cannot be recorded inside of torch.vmap: they do not outlive it")
        if not _in_backward():  # where checkpointing runs the forward pass a second time
            gates._parts.setdefault(name, []).append(block.gates(output).detach().clone())

    blocks = _some_blocks(model, example)
    with hooked({block.gate: partial(record, name, block) for name, block in blocks.items()}):
        yield gates


@contextmanager
def override_gates(model: nn.Module, overrides: Mapping[str, Override], *, example: Any = None) -> Iterator[None]:
    """Replace the gates of some SE blocks while the context is open.

    Args:
        model: a network with SE blocks, of this or another library.
        overrides: name of a block to its new gates: a number; a tensor, array or list that broadcasts to `(N, C)`; or
            a function from the computed gates s `(N, C)` to new ones (of a shape that broadcasts to `(N, C)`). They
            are taken to the data type and device of s; gradients flow through them. A name may have shell wildcards,
            which here reach over dots: `"layer1.*"` means every block in `layer1`. A block's own name goes before a
            pattern, a later pattern before an earlier one. Where `forward` calls the sigmoid as a function, what goes
            into it is set: new gates are from 0 to 1, and at 0 and 1 no gradient flows through them.
        example: see `find_gates`.

    Raises:
        ValueError: the model has no SE block; a name is not that of a block, a pattern fits none; a value is none of
            the above or not finite; and, in the forward pass, new gates that are no finite numbers, do not broadcast to
            `(N, C)`, or are not from 0 to 1 where the sigmoid is a function.
    """
    blocks = _some_blocks(model, example)
    chosen = _chosen(overrides, list(blocks))

    def override(name: str, value: Any, module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        s = blocks[name].gates(output)
        new = value(s) if callable(value) else value
        try:
            new = torch.as_tensor(new, dtype=s.dtype, device=s.device)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"overrides[{name!r}] must return a tensor or numbers, got {shown(new)}") from None
        if callable(value) and s.device.type == "cpu" and s.isfinite().all() and not new.isfinite().all():
            raise ValueError(f"overrides[{name!r}] must return finite gates, got nan or infinite ones")
        try:
            new = new.expand_as(s)
        except RuntimeError:
            shapes = f"{tuple(s.shape)}, got {tuple(new.shape)}"
            raise ValueError(f"overrides[{name!r}] must broadcast to the gates' shape {shapes}") from None
        if (function := blocks[name].function) and not ((new >= 0) & (new <= 1)).all():
            raise ValueError(
                f"overrides[{name!r}] must be from 0 to 1, got {new.min():.4g} to {new.max():.4g}: the block calls "
                f"{function} as a function, and what goes in is set"
            )
        return blocks[name].output(new).reshape(output.shape)

    with hooked({blocks[name].gate: partial(override, name, value) for name, value in chosen.items()}):
        yield


def find_gates(model: nn.Module, *, example: Any = None) -> dict[str, nn.Module]:
    """The submodule of every SE block that puts out its gates, by the block's name, in the order of the modules.

    Where `forward` calls the sigmoid as a function, that is the layer before it; `find_blocks` says so.

    These are the blocks that are *registered*, called or not; empty where there is none. `record_gates` has those that
    the forward pass calls.

    Args:
        model: a network of this or another library; not run, but small parts of it are, on random maps.
        example: an input of the model: a tensor, a tuple of arguments or a dictionary of keyword arguments. Only
            needed for blocks that work at one size of map alone; the model runs once on it, in eval mode.

    Raises:
        ValueError: model is not a module.
    """
    return {name: block.gate for name, block in find_blocks(model, example=example).items()}


def find_blocks(model: nn.Module, *, example: Any = None) -> dict[str, Block]:
    """As `find_gates`, with the block beside its gate."""
    return _search(model, example)[0]


def _search(model: nn.Module, example: Any) -> tuple[dict[str, Block], list[str]]:
    """The blocks by their names; and the names of modules that act as one but have no gate that a hook could reach."""
    checks.module("model", model)
    shapes = {} if example is None else _input_shapes(model, checks.inputs("example", example))
    found: dict[str, Block | None] = {}
    owners: set[nn.Module] = set()  # modules that hold a block: they are tried no more
    parents = {child: module for module in model.modules() for child in module.children()}
    paths = list(model.named_modules())
    for path, module in reversed(paths):  # inner modules stand behind outer ones
        if known := getattr(type(module), "gate_name", None):
            found[path] = Block(module, getattr(module, known), True)
        elif module not in owners and (trial := tried(module, shapes.get(module))).scales:
            found[path] = None if trial.gate is None else Block(module, trial.gate, False, trial.function)
        if found.get(path) is not None:
            while (module := parents.get(module)) is not None and module not in owners:
                owners.add(module)
    names = plain_names(model)
    blocks = {names[path] or "se": block for path, _ in paths if (block := found.get(path)) is not None}
    return blocks, [names[path] or "se" for path, _ in paths if path in found and found[path] is None]


def plain_names(model: nn.Module) -> dict[str, str]:
    """The path of every module to its name as the reader knows it, without `module.` and `_orig_mod.` of wrappers."""
    names = {"": ""}
    wrappers = {""} if _wraps(model) else set()
    for path, module in model.named_modules(remove_duplicate=False):
        if not path:
            continue
        above, _, last = path.rpartition(".")
        names[path] = names[above] if above in wrappers else f"{names[above]}.{last}".lstrip(".")
        if _wraps(module):
            wrappers.add(path)
    return names


def _wraps(module: nn.Module) -> bool:
    """A module of PyTorch that holds another one and is called in its place."""
    return type(module).__module__ in (
        "torch._dynamo.eval_frame",
        "torch.distributed.algorithms._checkpoint.checkpoint_wrapper",
        "torch.distributed.fsdp.fully_sharded_data_parallel",
        "torch.nn.parallel.data_parallel",
        "torch.nn.parallel.distributed",
        "torch.optim.swa_utils",
    )


def call(model: nn.Module, example: Any) -> Any:
    """Run a model on a tensor, a tuple of arguments or a dictionary of keyword arguments."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, (tuple, list)) else model(example)


class Unsuited(ValueError):
    """An argument that a model does not take."""


@contextmanager
def suiting(name: str, x: Any, model: nn.Module) -> Iterator[None]:
    """While a model runs on an argument: where it does not suit the model, the error names the argument.

    Of nested ones the outermost has the name that the reader gave.

    Raises:
        Unsuited: with what the model says.
    """
    try:
        yield
    except (RuntimeError, TypeError, IndexError, KeyError, AttributeError, AssertionError, Unsuited) as error:
        why = error.__cause__ if isinstance(error, Unsuited) else error
        raise Unsuited(f"{name}={shown(x)} does not suit {type(model).__name__}: {why}") from why


@contextmanager
def hooked(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    """Forward hooks `(module, args, output)` that are gone afterwards, also after an exception.

    They act in the thread that opens the context, on these modules and not on copies of them. Compiled code runs
    eagerly meanwhile.
    """
    with ExitStack() as stack:
        stack.enter_context(_eager())
        for module, hook in hooks.items():
            stack.enter_context(module.register_forward_hook(_Hook(module, hook)))
        yield


class _Hook:
    """A hook of one module and one thread. A copy of it, which a copied module gets, does nothing."""

    def __init__(self, module: nn.Module, hook: Hook) -> None:
        self.module = weakref.ref(module)
        self.hook = hook
        self.thread = threading.get_ident()

    def __call__(self, module: nn.Module, args: tuple, output: Any) -> Any:
        # Backward passes, in which checkpointing runs the module again, have threads of their own on a GPU.
        if module is self.module() and (threading.get_ident() == self.thread or _in_backward()):
            return self.hook(module, args, output)
        return None

    def __deepcopy__(self, memo: dict) -> Hook:
        return _nothing

    def __reduce__(self) -> tuple:
        return _get_nothing, ()


def _nothing(module: nn.Module, args: tuple, output: Any) -> None:
    """What is left of a hook in a copy of its module."""


def _get_nothing() -> Hook:
    return _nothing


def _in_backward() -> bool:
    return torch._C._current_graph_task_id() != -1


_lock = threading.Lock()
_eager_users = 0
_stance: Any = None  # the compiler's own context; holds the stance from before


@contextmanager
def _eager() -> Iterator[None]:
    """Compiled code runs eagerly. The first context sets the compiler's stance, the last one puts the old one back."""
    global _eager_users, _stance
    with _lock:
        if _stance is None and "torch._dynamo" in sys.modules:  # not loaded: nothing is compiled, and loading is slow
            _stance = torch.compiler.set_stance("force_eager")
        _eager_users += 1
    try:
        yield
    finally:
        with _lock:
            _eager_users -= 1
            if not _eager_users and _stance is not None:
                _stance.__exit__(None, None, None)
                _stance = None


def _some_blocks(model: nn.Module, example: Any) -> dict[str, Block]:
    """As `find_blocks`, but at least one."""
    blocks, unreachable = _search(model, example)
    if not blocks and unreachable:
        raise ValueError(
            f"model {type(model).__name__} has no SE block whose gates can be reached: {shown(unreachable)} scale "
            "their channels, but by numbers that no submodule puts out. Let one do so: self.gate = nn.Sigmoid() in "
            "__init__, and s = self.gate(…) in forward"
        )
    if not blocks:
        kind = type(model).__name__
        graph = isinstance(model, (torch.jit.ScriptModule, torch.fx.GraphModule))
        why = (
            "it is a graph, made by a tool: use the model that it was made from"
            if graph
            else "none of its modules returns its input times one number a channel, the output of a submodule"
        )
        raise ValueError(f"model {kind} has no SE block: {why}")
    return blocks


def _chosen(overrides: Mapping[str, Override], names: Sequence[str]) -> dict[str, Any]:
    """The checked override of each block that is named, patterns resolved."""
    if not isinstance(overrides, Mapping):
        raise ValueError(f"overrides must be a dictionary from a block's name to its gates, got {shown(overrides)}")
    by_pattern, by_name = {}, {}
    for key, value in overrides.items():
        hits = [name for name in names if isinstance(key, str) and fnmatchcase(name, key)]
        if key not in names and not hits:
            raise ValueError(f"overrides names {shown(key)}, which is not an SE block; known are: {', '.join(names)}")
        value = _checked(key, value)
        (by_name if key in names else by_pattern).update(dict.fromkeys(hits, value))
    return by_pattern | by_name


def _checked(name: str, value: Any) -> Any:
    """A function, or the value as a tensor."""
    if callable(value) and not isinstance(value, Tensor):
        return value
    try:
        if value is None or isinstance(value, str):
            raise TypeError
        given = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"overrides[{name!r}] must be a number, a tensor or a function, or a list or an array of numbers, "
            f"got {shown(value)}"
        ) from None
    if given.is_complex():
        raise ValueError(f"overrides[{name!r}] must be real, got {given.dtype}")
    if given.device.type == "cpu" and not given.isfinite().all():  # elsewhere the question would stop the device
        raise ValueError(f"overrides[{name!r}] must be finite, got {shown(value)}")
    return given


@torch.no_grad()
def _input_shapes(model: nn.Module, example: Any) -> dict[nn.Module, tuple[int, ...]]:
    """The shape of what each module receives in one forward pass, where that is one tensor that keeps its shape."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        if len(args) == 1 and isinstance(args[0], Tensor) and isinstance(output, Tensor):
            if args[0].shape == output.shape and output.ndim > 2:
                shapes.setdefault(module, tuple(output.shape))

    with evaluating(model), hooked(dict.fromkeys(model.modules(), look)), suiting("example", example, model):
        call(model, example)
    return shapes
