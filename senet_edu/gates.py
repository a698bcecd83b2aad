"""Look at the gates of a network, or set them: two context managers over forward hooks.

    with record_gates(model) as gates:
        model(x)
    gates["layer1.0.se"]  # (N, C)

    with override_gates(model, {"layer1.0.se": 1.0}):
        model(x)  # as if that SE block were not there

A block counts as an SE block if it has a submodule called `gate`: the last nonlinearity of the excitation, whose
output is s (equation 3). Blocks are named by their path in the model, `"layer1.0.se"`; a model that is itself such a
block is called `"se"`.

Of nested contexts the outer one acts first. A recorder inside an override sees the gates as overridden; a recorder
around an override sees what the network computed itself.

Code from `torch.compile` may ignore hooks that came later, so compiled models run eagerly while a context is open.
Compile first and then open the context. Names do not have the `_orig_mod` of a compiled model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple, Tensor], Tensor | None]
Override = float | Tensor | Callable[[Tensor], Tensor]


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
def record_gates(model: nn.Module) -> Iterator[Gates]:
    """Record the gates of every SE block while the context is open.

    Works in training and evaluation mode, under `no_grad`, `inference_mode` and autocast, and on compiled models
    (which then run eagerly). The model computes what it computes without the recorder.

    Yields:
        A dictionary from the name of a block to its gates: detached copies `(N, C)` on the model's device, in the
        data type in which the network computed them (bfloat16 under bfloat16 autocast). Blocks stand in the order in
        which the network calls them. Several forward passes are concatenated along N. The dictionary stays readable
        after the context.

    Raises:
        ValueError: the model has no SE block.
    """
    gates = Gates()

    def record(name: str, module: nn.Module, args: tuple, s: Tensor) -> None:
        gates._parts.setdefault(name, []).append(s.detach().clone())

    with _hooks({gate: partial(record, name) for name, gate in _some_gates(model).items()}):
        yield gates


@contextmanager
def override_gates(model: nn.Module, overrides: Mapping[str, Override]) -> Iterator[None]:
    """Replace the gates of some SE blocks while the context is open.

    Args:
        model: a network with SE blocks.
        overrides: name of a block to its new gates: a number, a tensor that broadcasts to `(N, C)`, or a function
            from the computed gates s `(N, C)` to new ones (of a shape that broadcasts to `(N, C)`). They are taken to
            the data type and device of s; gradients flow through them.

    Raises:
        ValueError: the model has no SE block; a name is not that of a block; a value is neither a number, a tensor
            nor a function; and, in the forward pass, new gates that do not broadcast to `(N, C)`.
    """
    found = _some_gates(model)
    for name, value in overrides.items():
        if name not in found:
            raise ValueError(f"overrides names {name!r}, which is not an SE block; known are: {', '.join(found)}")
        if not callable(value) and not isinstance(value, (int, float, Tensor)):
            raise ValueError(f"overrides[{name!r}] must be a number, a tensor or a function, got {value!r}")

    def override(name: str, value: Override, module: nn.Module, args: tuple, s: Tensor) -> Tensor:
        new = torch.as_tensor(value(s) if callable(value) else value, dtype=s.dtype, device=s.device)
        try:
            return new.expand_as(s)
        except RuntimeError:
            shapes = f"{tuple(s.shape)}, got {tuple(new.shape)}"
            raise ValueError(f"overrides[{name!r}] must broadcast to the gates' shape {shapes}") from None

    with _hooks({found[name]: partial(override, name, value) for name, value in overrides.items()}):
        yield


def find_gates(model: nn.Module) -> dict[str, nn.Module]:
    """The `gate` submodule of every SE block, by the block's name, in the order of the model's modules.

    These are the blocks that are *registered*, called or not; empty where there is none. `record_gates` has those that
    the forward pass calls.
    """
    found = {}
    for path, module in model.named_modules():
        gate = module._modules.get("gate")  # not getattr: a compiled module passes that on to the one within
        if gate is not None:
            name = ".".join(part for part in path.split(".") if part != "_orig_mod")
            found[name or "se"] = gate
    return found


def _some_gates(model: nn.Module) -> dict[str, nn.Module]:
    """As `find_gates`, but at least one."""
    found = find_gates(model)
    if not found:
        raise ValueError(f"model {type(model).__name__} has no SE block: none of its modules has a submodule `gate`")
    return found


@contextmanager
def _hooks(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    """Forward hooks that are gone afterwards, also after an exception."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:  # slow to import, and where it is not loaded nothing is compiled
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for module, hook in hooks.items():
            stack.enter_context(module.register_forward_hook(hook))
        yield
