"""What the tests of training share: a tiny run, and two ways to hold a step to the rules of a CUDA graph."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from senet_edu.data import ImageData
from senet_edu.train import Recipe, train
from senet_edu.train.step import Step

TINY = Recipe(
    model="se_resnet8", model_options={"reduction": 4}, data="procedural", epochs=2, batch_size=16, sizes=((0.0, 8),)
)
STEPS = 3  # an epoch of `TINY` on the fixture `data`
SIDE = 16  # of its images


def weights(model: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in model.state_dict().values()])


def read_history(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


def without_time(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    times = ("seconds", "images_per_second", "seconds_to_start")
    return [{k: v for k, v in row.items() if k not in times} for row in history]


def run_to_the_end(images: Path, out: Path) -> None:
    """What a process that may be shot does."""
    torch.set_num_threads(1)
    data = ImageData("procedural", *torch.load(images, weights_only=True), classes=tuple("0123456789"))
    train(TINY, data=data, out=out, resume=True, device="cpu", progress=False)


def interrupt(*args: Any, **more: Any) -> None:
    raise KeyboardInterrupt


WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "bincount"}
HOST = {"lift_fresh", "scalar_tensor", "_pin_memory", "set_", "resize_"}  # numbers of Python, storage that moves
DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "bernoulli_", "normal_", "uniform_", "random_"}
DRAWS |= {"native_dropout"}
MAKES = {"arange", "empty", "eye", "full", "linspace", "ones", "zeros"}
# On a CPU the dispatcher does not see these, nor that a tensor was made without a device.
PASS_BY = ((Tensor, "tolist"), (Tensor, "numpy"), (Tensor, "cpu"), (torch, "from_numpy"))


class HostFree(TorchDispatchMode):
    """Names, under `found`, the operations that wait for the host, take a number from it, or draw a random one.

    It cannot see a copy between devices, since a CPU has one; the tests for a GPU look for those.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        masks = name == "index" and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
        counted = name == "repeat_interleave" and kwargs.get("output_size") is None
        if name in WAITS | HOST | DRAWS or masks or counted:
            self.found.append(str(func))
        return func(*args, **kwargs)

    def __enter__(self) -> HostFree:
        self.found: list[str] = []
        self.undo = contextlib.ExitStack()
        for owner, name in PASS_BY + tuple((torch, name) for name in sorted(MAKES)):
            old = getattr(owner, name)

            def noted(*args: Any, _old: Any = old, _name: str = name, **more: Any) -> Any:
                if more.get("device") is None:
                    self.found.append(_name)
                return _old(*args, **more)

            setattr(owner, name, noted)
            self.undo.callback(setattr, owner, name, old)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        self.undo.close()
        return super().__exit__(*error)


class Tape(TorchDispatchMode):
    """A CUDA graph for the CPU: repeats operations with the addresses, shapes and numbers of the recording."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.namespace != "profiler":
            self.calls.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            new = func(*args, **kwargs)
            for old, fresh in zip(tree_leaves(out), tree_leaves(new)):
                if isinstance(old, Tensor) and old.data_ptr() != fresh.data_ptr():  # equal: a view, or in place
                    old.copy_(fresh)


def tape(step: Step) -> Tape:
    """What `senet_edu.train.step.cuda_graph` is on a GPU: carries out a step and returns what repeats it."""
    recorded = Tape()
    with recorded:
        step.body()
    return recorded
