"""Do the SE blocks of a network work? A table of every block, from one batch.

    python -m senet_edu.audit torchvision:mobilenet_v3_small
    python -m senet_edu.audit timm:seresnet50 --pretrained
    python -m senet_edu.audit senet_edu:se_resnet20 --model-option reduction=4 --weights runs/x/model.safetensors

or, in Python, `audit(model, x)`. An SE block that is registered but not called, or whose output is not used, costs
memory and does nothing, and no error says so. So each block is shut once, and the answer must change.

A network that starts its branches from zero, as timm's ResNets do, answers the same whatever the gates say until it is
trained. The command lets an untrained network begin elsewhere, see `settle`.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from senet_edu.checks import inputs, path, whole
from senet_edu.commandline import parse_option
from senet_edu.gates import Block, call, find_blocks, hooked, override_gates, record_gates, suiting
from senet_edu.interop import unwrap_state_dict
from senet_edu.modes import evaluating, taking_statistics

SATURATED = 0.05
"""A gate within this of 0 or of 1 is saturated."""

CONSTANT = 0.01
"""A channel's gate is constant if its standard deviation over the images is less than this."""


@dataclass(frozen=True)
class Row:
    """What was seen of one SE block.

    Attributes:
        name: of the block.
        kind: its class.
        channels: C; 0 where it was not called.
        calls: how often one forward pass calls it.
        effect: ‖answer with all gates at 0 - answer‖ / ‖answer‖.
        gradient: norm of the gradient of the answer's mean square in the block's weights; None without weights.
        mean: of the gates.
        saturated: share of gates within `SATURATED` of 0 or 1.
        constant: share of channels whose gate varies less than `CONSTANT` over the images; None for one image.
        parameters: of the block.
        multiply_adds: of its layers, and of reading and rescaling its map, for one image.
    """

    name: str
    kind: str
    channels: int = 0
    calls: int = 0
    effect: float = 0.0
    gradient: float | None = None
    mean: float = 0.0
    saturated: float = 0.0
    constant: float | None = None
    parameters: int = 0
    multiply_adds: int = 0

    @property
    def verdict(self) -> str:
        """`ok`, or what is wrong, or `ok, but …`."""
        if not self.calls:
            return "never called"
        if self.effect == 0:
            return "does not change the answer"
        if self.gradient == 0 and self.constant in (None, 1.0):  # as where every hidden unit is off
            return "ok, but silent: on these images no gate varies"
        return "gets no gradient" if self.gradient == 0 else "ok"

    @property
    def works(self) -> bool:
        """It is called, changes the answer, and can learn."""
        return self.verdict.startswith("ok")

    @property
    def _cells(self) -> tuple[str, ...]:
        """What a line of the table says, short enough for a page."""

        def share(value: float | None) -> str:
            return "-" if value is None else "<1%" if 0 < value < 0.005 else f"{value:.0%}"

        def power(value: float | None) -> str:
            return "-" if value is None else re.sub(r"e([+-])0", r"e\1", f"{value:.0e}") if value else "0"

        return (
            *(self.name, str(self.channels), str(self.calls), share(self.effect), power(self.gradient)),
            *(f"{self.mean:.2f}", share(self.saturated), share(self.constant)),
            *(f"{self.parameters:,}", f"{self.multiply_adds:,}", "ok" if self.works else "no"),
        )


class Audit(tuple[Row, ...]):
    """The rows of `audit`; printed, a table.

    Its columns are the attributes of `Row`, in few letters: `runs` are its calls, `0/1` is the share of saturated
    gates, `same` that of constant ones, `params` and `MACs` are what a block costs. What is wrong stands below.
    """

    @property
    def healthy(self) -> bool:
        """There is a block, and every block works."""
        return bool(self) and all(row.works for row in self)

    def __str__(self) -> str:
        if not self:
            return "no SE block"
        table = [("block", "C", "runs", "effect", "grad", "mean", "0/1", "same", "params", "MACs", "ok")]
        table += [row._cells for row in self]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = []
        for (name, *cells), row in zip(table, (None, *self)):
            numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:]))
            lines.append("  ".join((name.ljust(widths[0]), *numbers)))
            if row and row.verdict != "ok":
                lines.append(f"    {row.verdict}")
        kinds = Counter(row.kind for row in self)
        return "\n".join((*lines, "classes: " + ", ".join(f"{kind} ({n})" for kind, n in kinds.items())))

    __repr__ = __str__


def audit(model: nn.Module, x: Any) -> Audit:
    """Look at every SE block of a network, of this or another library, with one batch.

    The network runs in eval mode, once with gradients and once more for each block. Its weights, gradients and modes
    stay as they are, and it may be called under `no_grad` or `inference_mode`.

    Args:
        model: a network.
        x: its input: a tensor `(N, C, H, W)`, a tuple of arguments or a dictionary of keyword arguments; more images
            than one, to see which gates vary.

    Raises:
        ValueError: model is not a module, or x does not suit it.
    """
    with torch.inference_mode(False), torch.enable_grad():
        return _audited(model, tree_map(lambda leaf: leaf.clone() if _is_inference(leaf) else leaf, inputs("x", x)))


def _is_inference(leaf: Any) -> bool:
    """A tensor that autograd could not use."""
    return isinstance(leaf, Tensor) and leaf.is_inference()


def _audited(model: nn.Module, x: Any) -> Audit:
    with suiting("x", x, model):
        blocks = find_blocks(model, example=x)
    gates: Mapping[str, Tensor] = {}
    with evaluating(model), ExitStack() as stack:
        if blocks:
            gates = stack.enter_context(record_gates(model))
        calls = _Counts()
        layers = {m: calls.layer for block in blocks.values() for m in block.module.modules() if _weighs(m)}
        stack.enter_context(hooked(layers | {block.module: calls.block for block in blocks.values()}))
        with suiting("x", x, model):
            output = call(model, x)
        answer = _answer(output)
    with evaluating(model):
        gradients = _gradients(answer, blocks)
        sizes = {name: calls.of(block) for name, block in blocks.items()}
        rows = []
        for name, block in blocks.items():
            effect = 0.0
            if name in gates:
                with torch.no_grad(), override_gates(model, {name: 0.0}):
                    shut = _answer(call(model, x))
                effect = ((shut - answer).norm() / answer.norm().clamp(min=1e-30)).item()
            rows.append(_row(name, block, gates.get(name), effect, gradients[name], *sizes[name]))
    return Audit(rows)


class _Counts:
    """Hooks that count calls and multiply-adds by module."""

    def __init__(self) -> None:
        self.calls: dict[nn.Module, int] = {}
        self.work: dict[nn.Module, int] = {}

    def layer(self, module: nn.Module, args: tuple, out: Any) -> None:
        self.work[module] = self.work.get(module, 0) + out[0].numel() * module.weight[0].numel()

    def block(self, module: nn.Module, args: tuple, out: Any) -> None:
        self.calls[module] = self.calls.get(module, 0) + 1
        self.work[module] = self.work.get(module, 0) + 2 * out[0].numel()  # squeezed and rescaled

    def of(self, block: Block) -> tuple[int, int]:
        return self.calls.get(block.module, 0), sum(self.work.get(m, 0) for m in block.module.modules())


def _weighs(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))


def _answer(output: Any) -> Tensor:
    """All numbers that a network puts out, in one row."""
    parts = [leaf.flatten().float() for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    if not parts:
        raise ValueError(f"the model must put out tensors, got {type(output).__name__}")
    return torch.cat(parts)


def _gradients(answer: Tensor, blocks: dict[str, Block]) -> dict[str, float | None]:
    """Norm of the gradient in each block's weights."""
    weights = {name: [p for p in block.module.parameters() if p.requires_grad] for name, block in blocks.items()}
    every = [p for parameters in weights.values() for p in parameters]
    found = dict.fromkeys(every, None)
    if every and answer.requires_grad:
        found = dict(zip(every, torch.autograd.grad(answer.square().mean(), every, allow_unused=True)))

    def norm(parameters: list[nn.Parameter]) -> float:
        return sum(found[p].norm().item() ** 2 for p in parameters if found[p] is not None) ** 0.5

    return {name: norm(parameters) if parameters else None for name, parameters in weights.items()}


def _row(
    name: str,
    block: Block,
    s: Tensor | None,
    effect: float,
    gradient: float | None,
    calls: int,
    multiply_adds: int,
) -> Row:
    parameters = sum(p.numel() for p in block.module.parameters())
    if s is None:
        return Row(name, type(block.module).__name__, gradient=gradient, parameters=parameters)
    s = s.float()
    near = ((s < SATURATED) | (s > 1 - SATURATED)).float().mean().item()
    constant = (s.std(0, unbiased=False) < CONSTANT).float().mean().item() if len(s) > 1 else None
    return Row(
        name,
        type(block.module).__name__,
        channels=s.shape[1],
        calls=calls,
        effect=effect,
        gradient=gradient,
        mean=s.mean().item(),
        saturated=near,
        constant=constant,
        parameters=parameters,
        multiply_adds=multiply_adds,
    )


def settle(model: nn.Module, x: Tensor) -> None:
    """Let an untrained network show what its blocks do, in place: no batch norm at zero, each at home with its maps.

    Many residual networks start the last batch norm of each branch from zero, so that nothing behind an SE block hears
    it. And batch norms with the statistics 0 and 1 let maps vanish or explode from block to block.

    Args:
        model: a network with its first weights.
        x: `(N, C, H, W)`, of which they take the statistics; of one image, with its mirror image, as a batch norm may
            see one number of each.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine and not module.weight.any():
            nn.init.ones_(module.weight)
    with taking_statistics(model), torch.no_grad():
        model(x if len(x) > 1 else torch.cat([x, x.flip(-1)]))


def load_model(
    source: str,
    *,
    options: Mapping[str, Any] | None = None,
    pretrained: bool = False,
    weights: str | None = None,
    trust: bool = False,
) -> nn.Module:
    """A network by `library:name`, or from a file.

    Args:
        source: `torchvision:NAME`, `timm:NAME`, `pytorchcv:NAME` or `senet_edu:NAME`; or the path of a file in which
            `torch.save` put a whole model.
        options: what the library's builder takes besides the name, such as `{"num_classes": 10}`.
        pretrained: with the library's own trained weights, which it may have to download.
        weights: path of a checkpoint for the network.
        trust: the file of a whole model may run code, so it is only loaded with this.

    Raises:
        ValueError: an unknown library, name or option, a library that is not installed, a file without a model, or
            weights that do not fit.
    """
    library, _, name = str(path("source", source)).partition(":")
    if name and not Path(source).exists():
        model = _built(library, name, pretrained, options or {})
    elif options:
        raise ValueError(f"options={dict(options)!r} are for a network by name, and {source!r} is a file")
    else:
        model = _read(source, trust)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{source!r} holds weights only: name the network, and give the file as --weights {source}")
    if weights:
        try:
            model.load_state_dict(unwrap_state_dict(_read(weights, trust, "weights")))
        except RuntimeError as error:
            first, *more = [line.strip() for line in str(error).splitlines()[1:]]
            why = f"{first}{f' And {len(more)} more.' * bool(more)}"
            raise ValueError(
                f"weights {weights!r} do not fit {source} as it was built; an option may be missing, such as "
                f"--model-option reduction=4. {why}"
            ) from None
    return model


def _built(library: str, name: str, pretrained: bool, options: Mapping[str, Any]) -> nn.Module:
    chosen = {"pretrained": True} if pretrained else {}
    makers = {
        "senet_edu": ("senet_edu", lambda m: (m.load_pretrained if pretrained else m.create_model)(name, **options)),
        "torchvision": (
            "torchvision.models",
            lambda m: m.get_model(name, weights="DEFAULT" if pretrained else None, **options),
        ),
        "timm": ("timm", lambda m: m.create_model(name, **chosen, **options)),
        "pytorchcv": ("pytorchcv.model_provider", lambda m: m.get_model(name, **chosen, **options)),
    }
    if library not in makers:
        raise ValueError(f"source must be a file or LIBRARY:NAME with one of {', '.join(makers)}; got {library}:{name}")
    module, make = makers[library]
    try:
        found = importlib.import_module(module)
    except ImportError:
        raise ValueError(f"{library} is not installed: pip install {library}") from None
    try:
        return make(found)
    except Exception as error:
        raise ValueError(f"{library} cannot make {name!r}: {error}") from error


def _read(path: str, trust: bool, what: str = "source") -> Any:
    if not Path(path).is_file():
        hint = "; a network of a library is LIBRARY:NAME, such as timm:seresnet50" if what == "source" else ""
        raise ValueError(f"{what}: there is no file {path!r}{hint}")
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as error:
        why = str(error).strip().splitlines()[0] if trust else "a whole model holds code; if you trust it, add --trust"
        raise ValueError(f"cannot load {path!r}: {why}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0 if every block works, 1 if one does not or there is none, 2 if there is no such network."""
    parser = argparse.ArgumentParser("python -m senet_edu.audit", description="Do the SE blocks of a network work?")
    parser.add_argument("source", help="torchvision:NAME, timm:NAME, pytorchcv:NAME, senet_edu:NAME, or file.pt")
    parser.add_argument("--pretrained", action="store_true", help="trained weights of the library, maybe a download")
    parser.add_argument("--weights", metavar="FILE", help="a checkpoint of the network")
    parser.add_argument(
        "--model-option",
        type=parse_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the library's builder, such as num_classes=10",
    )
    parser.add_argument("--trust", action="store_true", help="the file of a whole model may run its code")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images (default 224)")
    parser.add_argument("--images", type=int, default=8, help="how many (default 8)")
    given = parser.parse_args(argv)
    try:
        shape = whole("--images", given.images, least=1), 3, *[whole("--size", given.size, least=1)] * 2
        options = dict(given.model_option)
        model = load_model(
            given.source, options=options, pretrained=given.pretrained, weights=given.weights, trust=given.trust
        )
    except ValueError as error:
        parser.error(str(error))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    untrained = not (given.pretrained or given.weights or Path(given.source).exists())
    try:
        if untrained:
            settle(model, x)
        table = audit(model, x)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError) as error:
        parser.error(f"{given.source} does not take images of shape {shape[1:]}: {error}; another --size may do")
    print(table)
    images = f"{len(x)} image{'s' * (len(x) > 1)}"
    print(f"\n{len(table)} SE blocks, {sum(row.works for row in table)} work; {images} of random noise")
    if untrained:
        print("untrained: batch norms took the statistics of these images, and those at zero began at one")
    return int(not table.healthy)


if __name__ == "__main__":
    raise SystemExit(main())
