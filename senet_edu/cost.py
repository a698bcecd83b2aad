"""What a network costs: parameters, multiply-adds, and measured time.

Multiply-adds are those of convolutions and linear layers, the count behind the paper's "3.86 GFLOPs" of ResNet-50.
Batch norms, activations and additions are left out, as usual: together they are well under one percent. They do cost
time, which `measure_latency` shows.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.gates import find_blocks
from senet_edu.modes import evaluating


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-adds for one input, of a part of a network."""

    name: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Latency:
    """Median time of a forward pass."""

    milliseconds: float


def count_parameters(model: nn.Module) -> int:
    """Number of trainable and frozen parameters; statistics of batch norms are not parameters.

    Raises:
        ValueError: model is not a module.
    """
    checks.module("model", model)
    return sum(p.numel() for p in model.parameters())


def se_parameters(stages: Iterable[tuple[int, int]], reduction: int = 16, *, bias: bool = False) -> int:
    """Parameters of all SE blocks of a network by equation 5: (2/r) Σ_s N_s C_s².

    Args:
        stages: for each stage its number of blocks N_s and the channels C_s that its SE blocks see. ResNet-50 has
            `[(3, 256), (4, 512), (6, 1024), (3, 2048)]`.
        reduction: r. Where it does not divide C_s, the hidden width C_s / r is rounded down, to at least 1, as in
            `SEBlock`.
        bias: count the biases of the two linear layers also: Σ_s N_s (C_s / r + C_s).

    Raises:
        ValueError: reduction is less than 1.
    """
    checks.whole("reduction", reduction, least=1)
    checks.flag("bias", bias)
    total = 0
    for blocks, channels in _pairs(stages):
        hidden = max(1, channels // reduction)
        total += blocks * (2 * channels * hidden + (hidden + channels if bias else 0))
    return total


def _pairs(stages: object) -> Iterable[tuple[int, int]]:
    try:
        pairs = [(blocks, channels) for blocks, channels in stages]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"stages must be pairs (blocks, channels), got {checks.shown(stages)}") from None
    return [
        (checks.whole("stages: blocks", b, least=0), checks.whole("stages: channels", c, least=1)) for b, c in pairs
    ]


def cost_by_module(model: nn.Module, input_size: Sequence[int], *, elementwise: bool = False) -> list[Cost]:
    """A row for every module with parameters of its own, in the order in which the network calls them.

    A copy of the model runs in eval mode on the meta device, that is, on shapes without numbers. The model itself is
    not touched.

    Args:
        model: a network that takes one image batch.
        input_size: `(channels, height, width)` of one input.
        elementwise: count also what each SE block does to its input `(C, H, W)` itself, in two rows without
            parameters: `….se.squeeze`, C·H·W additions, and `….se.rescale`, C·H·W multiplications. SE blocks are those
            of `find_gates` with one gate a channel, of this or another library.

    Raises:
        ValueError: model is not a module; input_size is not three positive whole numbers, or the model does not take
            such images.
    """
    checks.module("model", model)
    checks.flag("elementwise", elementwise)
    model = getattr(model, "_orig_mod", model)  # within a compiled model
    blocks = {block.module: block.gate for block in find_blocks(model).values()} if elementwise else {}
    size = check_size(input_size)
    dry = copy.deepcopy(model).to("meta").eval()
    twins = dict(zip(model.modules(), dry.modules()))
    gates = {twins[block]: twins[gate] for block, gate in blocks.items()}
    parameters = {name: sum(p.numel() for p in m.parameters(recurse=False)) for name, m in dry.named_modules()}
    counts: dict[str, int] = {}
    outputs: dict[nn.Module, int] = {}  # numbers that a gate put out

    def count(name: str, n: int) -> None:
        counts[name] = counts.get(name, 0) + n

    def before(module: nn.Module, args: tuple[Tensor, ...], *, name: str) -> None:
        counts.setdefault(f"{name}.squeeze".lstrip("."), 0)  # its place in the order

    def after(module: nn.Module, args: tuple[Tensor, ...], out: Tensor, *, name: str) -> None:
        outputs[module] = out.numel() if isinstance(out, Tensor) else 0
        if module in gates and outputs.get(gates[module]) == out.shape[0] * out.shape[1]:
            count(f"{name}.squeeze".lstrip("."), out.numel())
            count(f"{name}.rescale".lstrip("."), out.numel())
        elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            count(name, out.numel() * module.weight[0].numel())  # an output takes one for each weight of its filter
        elif parameters[name]:
            count(name, 0)

    for name, module in dry.named_modules():
        if module in gates:
            module.register_forward_pre_hook(partial(before, name=name))
        if module in gates or module in gates.values() or parameters[name]:
            module.register_forward_hook(partial(after, name=name))
    dtype = next((p.dtype for p in dry.parameters()), None)
    with torch.no_grad():
        try:
            dry(torch.empty(1, *size, dtype=dtype, device="meta"))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"input_size={size} does not suit the model {type(model).__name__}: {error}") from error
    for name, n in parameters.items():  # parts that eval mode does not call, such as an auxiliary classifier
        if n:
            counts.setdefault(name, 0)
    silent = {f"{name}.squeeze".lstrip(".") for name, module in dry.named_modules() if module in gates}
    rows = {name: n for name, n in counts.items() if n or name not in silent}  # not blocks with a gate for each pixel
    return [Cost(name, parameters.get(name, 0), n) for name, n in rows.items()]


def check_size(input_size: object) -> tuple[int, ...]:
    """`(channels, height, width)`, each at least 1."""
    try:
        size = tuple(checks.whole("input_size", n, least=1) for n in input_size)  # type: ignore[attr-defined]
        if len(size) == 3:
            return size
    except (TypeError, ValueError):
        pass
    raise ValueError(f"input_size must be (channels, height, width), each at least 1; got {checks.shown(input_size)}")


def cost_by_stage(model: nn.Module, input_size: Sequence[int], *, elementwise: bool = False) -> list[Cost]:
    """The rows of `cost_by_module` summed over the network's direct children: `stem`, `layer1`, …, `fc`.

    `stem` is the first convolution with its batch norm, `conv1` and `bn1`.
    """
    rows: dict[str, Cost] = {}
    for part in cost_by_module(model, input_size, elementwise=elementwise):
        child = part.name.split(".")[0]
        name = "stem" if child in ("conv1", "bn1") else child
        so_far = rows.get(name, Cost(name, 0, 0))
        rows[name] = Cost(name, so_far.parameters + part.parameters, so_far.multiply_adds + part.multiply_adds)
    return list(rows.values())


def multiply_adds(model: nn.Module, input_size: Sequence[int], *, elementwise: bool = False) -> int:
    """Multiply-adds of one input `(channels, height, width)`; see `cost_by_module`.

    ResNet-50 at 224x224: 4.089 G with `stride_in="3x3"`, 3.858 G with `"1x1"`, the paper's 3.86 G (Table 2).
    """
    return sum(row.multiply_adds for row in cost_by_module(model, input_size, elementwise=elementwise))


def se_cost(model: nn.Module, input_size: Sequence[int]) -> list[Cost]:
    """What the SE blocks of a network add, in three rows: `squeeze`, `excite` (its layers) and `rescale`.

    Squeeze and rescale count one for each element of the map that they read. SE-ResNet-50 at 224x224:
    5.52 M + 2.51 M + 5.52 M = 13.6 M, 0.35 % of ResNet-50. Networks of other libraries are counted likewise.

    Raises:
        ValueError: the model has no SE block; input_size is not three positive numbers.
    """
    rows = {step: Cost(step, 0, 0) for step in ("squeeze", "excite", "rescale")}
    parts = cost_by_module(model, input_size, elementwise=True)
    blocks = tuple(
        part.name.removesuffix("squeeze")
        for part in parts
        if part.name.split(".")[-1] == "squeeze" and not part.parameters
    )
    if not blocks:
        raise ValueError(f"model {type(model).__name__} has no SE block")
    for part in parts:
        block = next((block for block in blocks if part.name.startswith(block)), None)
        if block is not None:
            step = part.name.removeprefix(block)
            row = rows[step if step in rows else "excite"]
            total = row.parameters + part.parameters, row.multiply_adds + part.multiply_adds
            rows[row.name] = Cost(row.name, *total)
    return list(rows.values())


def measure_latency(models: Mapping[str, nn.Module], x: Tensor, repeats: int = 20) -> dict[str, Latency]:
    """Time forward passes of several models on the same input, in eval mode and without gradients.

    The models take turns, so that a slow moment of the machine strikes all of them, and the median is reported; one
    pass each warms up and is not counted. x and the models are on one device.

    Raises:
        ValueError: repeats is less than 1.
    """
    checks.whole("repeats", repeats, least=1)
    if not isinstance(models, Mapping) or not all(isinstance(model, nn.Module) for model in models.values()):
        raise ValueError(f"models must be a dictionary of modules, got {checks.shown(models)}")
    if not isinstance(x, Tensor):
        raise ValueError(f"x must be a tensor, got {checks.shown(x)}")
    cuda = x.device.type == "cuda"
    times: dict[str, list[float]] = {name: [] for name in models}
    with evaluating(*models.values()), torch.inference_mode():
        for _ in range(repeats + 1):
            for name, model in models.items():
                if cuda:
                    torch.cuda.synchronize(x.device)
                start = time.perf_counter()
                model(x)
                if cuda:  # a CUDA call returns before its work is done
                    torch.cuda.synchronize(x.device)
                times[name].append(time.perf_counter() - start)
    return {name: Latency(1e3 * statistics.median(times[name][1:])) for name in models}
