"""The gates of a network: find them, look at them, set them.

    with record_gates(model) as gates:
        model(x)
    gates["layer1.0.se"]  # (N, C)

    with override_gates(model, {"layer1.0.se": 1.0, "layer2.*": torch.ones(128)}):
        model(x)  # as if those SE blocks were not there

An SE block is found by what it does, not by its name or class. On random maps a candidate must return its input times
s, one number a channel, where s is what one of its submodules puts out: its gate. So this works with the networks of
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

Code from `torch.compile` may ignore hooks that came later, so compiled code of this process runs eagerly while a
context is open. Compile first and then open the context, outside of compiled functions. What a tool has turned into a
graph, such as a traced, scripted or exported model, has no blocks anymore: record the model that it was made from.
"""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.modes import evaluating

Hook = Callable[[nn.Module, tuple, Any], Any]
Override = float | Tensor | Sequence | Callable[[Tensor], Tensor]


class Block(NamedTuple):
    """An SE block of a network.

    Attributes:
        module: maps `(N, C, …)` to the same shape.
        gate: the submodule whose output is s.
        known: a class of this package, or with `gate_name`; its gates keep their own shape.
    """

    module: nn.Module
    gate: nn.Module
    known: bool


class Gates(Mapping[str, Tensor]):
    """What `record_gates` yields: a read-only dictionary from the name of a block to its gates `(N, C)`."""

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

    def record(name: str, known: bool, module: nn.Module, args: tuple, s: Tensor) -> None:
        if torch._C._functorch.is_batchedtensor(s):
            raise ValueError(f"the gates of {name!r} cannot be recorded inside of torch.vmap: they do not outlive it")
        if not _in_backward():  # where checkpointing runs the forward pass a second time
            gates._parts.setdefault(name, []).append((s if known else s.flatten(1)).detach().clone())

    blocks = _some_blocks(model, example)
    with hooked({block.gate: partial(record, name, block.known) for name, block in blocks.items()}):
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
            pattern, a later pattern before an earlier one.
        example: see `find_gates`.

    Raises:
        ValueError: the model has no SE block; a name is not that of a block, a pattern fits none; a value is none of
            the above or not finite; and, in the forward pass, new gates that are no numbers or do not broadcast to
            `(N, C)`.
    """
    blocks = _some_blocks(model, example)
    chosen = _chosen(overrides, list(blocks))

    def override(name: str, value: Any, module: nn.Module, args: tuple, s: Tensor) -> Tensor:
        flat = s if blocks[name].known else s.flatten(1)
        new = value(flat) if callable(value) else value
        try:
            new = torch.as_tensor(new, dtype=s.dtype, device=s.device)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"overrides[{name!r}] must return a tensor or numbers, got {new!r}") from None
        try:
            return new.expand_as(flat).reshape(s.shape)
        except RuntimeError:
            shapes = f"{tuple(flat.shape)}, got {tuple(new.shape)}"
            raise ValueError(f"overrides[{name!r}] must broadcast to the gates' shape {shapes}") from None

    with hooked({blocks[name].gate: partial(override, name, value) for name, value in chosen.items()}):
        yield


def find_gates(model: nn.Module, *, example: Any = None) -> dict[str, nn.Module]:
    """The submodule of every SE block that puts out its gates, by the block's name, in the order of the modules.

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
    checks.module("model", model)
    shapes = {} if example is None else _input_shapes(model, checks.inputs("example", example))
    found: dict[str, Block] = {}
    owners: set[nn.Module] = set()  # modules that hold a block: they are tried no more
    parents = {child: module for module in model.modules() for child in module.children()}
    paths = list(model.named_modules())
    for path, module in reversed(paths):  # inner modules stand behind outer ones
        known = getattr(type(module), "gate_name", None)
        gate = getattr(module, known) if known else None
        if not known and module not in owners:
            gate = _tried_gate(module, shapes.get(module))
        if gate is None:
            continue
        found[path] = Block(module, gate, known is not None)
        while (module := parents.get(module)) is not None and module not in owners:
            owners.add(module)
    names = plain_names(model)
    return {names[path] or "se": found[path] for path, _ in paths if path in found}


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
    blocks = find_blocks(model, example=example)
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
        raise ValueError(f"overrides must be a dictionary from a block's name to its gates, got {overrides!r}")
    by_pattern, by_name = {}, {}
    for key, value in overrides.items():
        hits = [name for name in names if isinstance(key, str) and fnmatchcase(name, key)]
        if key not in names and not hits:
            raise ValueError(f"overrides names {key!r}, which is not an SE block; known are: {', '.join(names)}")
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
            f"got {value!r}"
        ) from None
    if given.is_complex():
        raise ValueError(f"overrides[{name!r}] must be real, got {given.dtype}")
    if given.device.type == "cpu" and not given.isfinite().all():  # elsewhere the question would stop the device
        raise ValueError(f"overrides[{name!r}] must be finite, got {value!r}")
    return given


# Finding blocks by trial.

_TRIED: weakref.WeakKeyDictionary[nn.Module, tuple[tuple, nn.Module | None]] = weakref.WeakKeyDictionary()
"""Each module that was tried: what it was then made of, and its gate."""

_MOST_PARTS = 24  # an SE block is small: what has more submodules is not tried
_TRIAL = (5, 3)  # height and width of a map in a trial


def _tried_gate(module: nn.Module, shape: tuple[int, ...] | None) -> nn.Module | None:
    """The gate of a module that behaves as an SE block, or None. A module is tried once."""
    if type(module).__module__.startswith("torch.") or type(module).forward is nn.Sequential.forward:
        return None  # a layer, a container, a wrapper
    parts = list(module.modules())
    if not 1 < len(parts) <= _MOST_PARTS or isinstance(module, torch.jit.ScriptModule):
        return None
    made_of = tuple(map(id, parts))
    before, gate = _TRIED.get(module, (None, None))
    if before != made_of:
        gate = next((gate for size in _shapes(parts) if (gate := _gate_on(module, size)) is not None), None)
    if gate is None and shape:
        gate = _gate_on(module, shape)
    _TRIED[module] = made_of, gate
    return gate


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
    yield (2, channels, *((2,) * three), *_TRIAL)
    if one or not three:
        yield 2, channels, 7  # a signal
        yield 2, 7, channels  # tokens
        yield 2, *_TRIAL, channels  # channels last


@torch.no_grad()
def _gate_on(module: nn.Module, shape: tuple[int, ...]) -> nn.Module | None:
    """Run a twin of the module on random maps: its gate, if out = in · s with s the output of a submodule."""
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
        return None
    if not isinstance(out, Tensor) or out.shape != x.shape:
        return None
    tolerance = 8 * torch.finfo(x.dtype).eps
    for part, s in seen:
        for axis in (1, -1):
            kept = [size if i in (0, axis % x.ndim) else 1 for i, size in enumerate(shape)]
            if s.numel() != shape[0] * shape[axis] or s.shape[0] != shape[0]:
                continue
            if (x * s.reshape(kept).to(x) - out).norm() <= tolerance * out.norm() and out.norm() > 0:
                return originals[part]
    return None


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


@torch.no_grad()
def _input_shapes(model: nn.Module, example: Any) -> dict[nn.Module, tuple[int, ...]]:
    """The shape of what each module receives in one forward pass, where that is one tensor that keeps its shape."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def look(module: nn.Module, args: tuple, output: Any) -> None:
        if len(args) == 1 and isinstance(args[0], Tensor) and isinstance(output, Tensor):
            if args[0].shape == output.shape and output.ndim > 2:
                shapes.setdefault(module, tuple(output.shape))

    with evaluating(model), hooked(dict.fromkeys(model.modules(), look)):
        call(model, example)
    return shapes
