"""Which tool of this package works with the networks of which library: a table in which every cell is tried.

    print(compatibility())

One small network of each library, with random weights, goes through every tool, and a cell says yes only where the
numbers come out right: gates are those by which a block multiplies its input, an override is what the next layer sees,
a folded or converted network gives equal answers.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from senet_edu.analysis import gates_of
from senet_edu.audit import audit, settle
from senet_edu.checks import choice, shown
from senet_edu.fold import fold_gates
from senet_edu.gates import Block, find_blocks, find_gates, hooked, override_gates, record_gates
from senet_edu.interop import convert_state_dict
from senet_edu.resnet import Bottleneck, ResNet, create_model
from senet_edu.se import SEBlock
from senet_edu.surgery import insert_se, remove_se


@dataclass(frozen=True)
class Example:
    """A network that stands for its library.

    Attributes:
        network: its name there.
        needs: the module without which it cannot be built.
        build: makes it.
        blocks: how many SE blocks it has.
        size: height and width of the images.
        dialect: of its weights, for `convert_state_dict`.
        twin: makes the same network in this package; None where there is none.
    """

    network: str
    needs: str
    build: Callable[[], nn.Module]
    blocks: int
    size: int
    dialect: str
    twin: Callable[[], nn.Module] | None


def _torchvision() -> nn.Module:
    from torchvision.models import mobilenet_v3_small

    return mobilenet_v3_small(weights=None)


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name)


def _pytorchcv() -> nn.Module:
    from pytorchcv.model_provider import get_model

    return get_model("seresnet20_cifar10", pretrained=False)


def _twin_of_legacy() -> nn.Module:
    make_se = partial(SEBlock, bias=True)
    options = {"groups": 32, "base_width": 4, "make_se": make_se, "placement": "standard"}
    model = ResNet(Bottleneck, (2, 2, 2, 2), (64, 128, 256, 512), **options)
    model.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)  # see `senet_edu.interop`
    return model


EXAMPLES = {
    "this package": Example(
        network="se_resnet20",
        needs="torch",
        build=lambda: create_model("se_resnet20", reduction=4),
        blocks=9,
        size=32,
        dialect="timm",  # there and back
        twin=lambda: create_model("se_resnet20", reduction=4),
    ),
    "torchvision": Example(
        network="mobilenet_v3_small",
        needs="torchvision",
        build=_torchvision,
        blocks=9,
        size=64,
        dialect="torchvision",
        twin=None,
    ),
    "timm": Example(
        network="seresnet18",
        needs="timm",
        build=lambda: _timm("seresnet18"),
        blocks=8,
        size=64,
        dialect="timm",
        twin=lambda: create_model("se_resnet18", bias=True, min_hidden=8),
    ),
    "timm legacy": Example(
        network="legacy_seresnext26_32x4d",
        needs="timm",
        build=lambda: _timm("legacy_seresnext26_32x4d"),
        blocks=8,
        size=64,
        dialect="timm_legacy",
        twin=_twin_of_legacy,
    ),
    "pytorchcv": Example(
        network="seresnet20_cifar10",
        needs="pytorchcv",
        build=_pytorchcv,
        blocks=9,
        size=32,
        dialect="pytorchcv",
        twin=lambda: create_model("se_resnet20", bias=True),
    ),
}
"""A network of every library; small ones, so that the table is soon made."""


class Compatibility(dict[str, dict[str, bool | None]]):
    """Library to tool to whether it works; None where the library is not installed. Printed, a table.

    Attributes:
        why: (library, tool) to the reason of each no.
    """

    def __init__(self) -> None:
        super().__init__()
        self.why: dict[tuple[str, str], str] = {}

    def __str__(self) -> str:
        marks = {True: "✓", False: "✗", None: "–"}
        wide = max(map(len, self), default=0)
        lines = ["  ".join(["".ljust(wide), *TOOLS])]
        for library, cells in self.items():
            row = (marks[cells[tool]].center(len(tool)) for tool in TOOLS)
            lines.append("  ".join([library.ljust(wide), *row]).rstrip())
        notes = [f"✗ {tool}, {library}: {why}" for (library, tool), why in self.why.items()]
        away = [library for library, cells in self.items() if None in cells.values()]
        return "\n".join([*lines, *notes, *([f"– not installed: {', '.join(away)}"] if away else [])])

    __repr__ = __str__


def compatibility(libraries: Iterable[str] | None = None) -> Compatibility:
    """Try every tool on a network of every library; some ten seconds of a CPU. The reader's random numbers stay.

    Args:
        libraries: some of the names of `EXAMPLES`; all by default.

    Raises:
        ValueError: an unknown library, or one name in place of several.
    """
    if isinstance(libraries, str):
        raise ValueError(f"libraries must be several names, got {shown(libraries)}")
    names = list(EXAMPLES) if libraries is None else [choice("libraries", name, EXAMPLES) for name in libraries]
    table = Compatibility()
    for name in names:
        example = EXAMPLES[name]
        if importlib.util.find_spec(example.needs) is None:
            table[name] = dict.fromkeys(TOOLS)
            continue
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            case = _Case(example)
            table[name] = {}
            for tool, works in TOOLS.items():
                try:
                    with torch.no_grad():
                        why = works(case)
                except Exception as error:  # a tool that fails is an answer of this table
                    why = f"{type(error).__name__}: {error}".splitlines()[0]
                table[name][tool] = why is None
                if why is not None:
                    table.why[name, tool] = why
    return table


@dataclass
class _Case:
    """A network with weights that make its gates differ, and two images."""

    example: Example
    images: Tensor = field(init=False)
    x: Tensor = field(init=False)
    model: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        side = self.example.size
        self.images = torch.randint(256, (2, 3, side, side), dtype=torch.uint8)
        self.x = _prepared(self.images)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = settled(self.example.build(), self.x)

    @cached_property
    def answer(self) -> Tensor:
        return self.model(self.x)

    def copy(self) -> nn.Module:
        return copy.deepcopy(self.model)


def _prepared(images: Tensor) -> Tensor:
    return images.float() / 64 - 2


@torch.no_grad()
def settled(model: nn.Module, x: Tensor) -> nn.Module:
    """A network with random weights in which signals neither fade nor blow up, in eval mode; changed in place.

    He initialization in every layer, the statistics of x in every batch norm, and no residual that starts at zero.
    Libraries start their SE blocks so that untrained gates hardly differ; here they do.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    settle(model, x)
    return model.eval()


# The tools. Each takes a case and says why it does not work, or None.


def _find(case: _Case) -> str | None:
    found = len(find_gates(case.model))
    return None if found == case.example.blocks else f"{found} blocks found of {case.example.blocks}"


def _passed(model: nn.Module, x: Tensor) -> tuple[dict[str, Block], dict[str, tuple[Tensor, Tensor]], Tensor]:
    """The blocks, what each receives and puts out, and the answer."""
    blocks = find_blocks(model)
    names = {block.module: name for name, block in blocks.items()}
    maps: dict[str, tuple[Tensor, Tensor]] = {}

    def look(module: nn.Module, args: tuple, out: Tensor) -> None:
        maps[names[module]] = args[0].clone(), out.clone()

    with hooked(dict.fromkeys(names, look)):
        answer = model(x)
    return blocks, maps, answer


def _record(case: _Case) -> str | None:
    with record_gates(case.model) as gates:
        _, maps, answer = _passed(case.model, case.x)
    if not torch.equal(answer, case.answer) or len(maps) != case.example.blocks:
        return "the answer changed, or a block was not called"
    wrong = [name for name, (u, out) in maps.items() if not _rescaled(u, gates[name], out)]
    return None if not wrong else f"{wrong[0]} is not its input times its gates"


def _rescaled(u: Tensor, s: Tensor, out: Tensor) -> bool:
    return s.shape == u.shape[:2] and torch.allclose(u * s[:, :, None, None], out, atol=1e-5)


def _override(case: _Case) -> str | None:
    with record_gates(case.model) as gates:
        case.model(case.x)
    new = {name: torch.rand(s.shape[1]) for name, s in gates.items()}
    with override_gates(case.model, new):
        _, maps, answer = _passed(case.model, case.x)
    wrong = [name for name, (u, out) in maps.items() if not _rescaled(u, new[name].expand(len(u), -1), out)]
    if wrong:
        return f"{wrong[0]} does not multiply by the new gates"
    return None if _apart(answer, case.answer) > 1e-3 else "the answer does not change"


def _gates_of(case: _Case) -> str | None:
    with record_gates(case.model) as expected:
        case.model(case.x)
    gates = gates_of(case.model, case.images, batch_size=1, prepare=_prepared)
    same = list(gates) == list(expected) and all(torch.allclose(gates[n], expected[n], atol=1e-4) for n in gates)
    return None if same else "not the gates of a forward pass"


def _audit(case: _Case) -> str | None:
    model = case.copy()
    model.add_module("planted", SEBlock(8))
    faults = {row.name: row.verdict for row in audit(model, case.x) if not row.works}
    return None if faults == {"planted": "never called"} else f"it finds {faults}"


def _fold(case: _Case) -> str | None:
    model = case.copy()
    with record_gates(model) as gates:
        model(case.x)
    with override_gates(model, {name: s.mean(0) for name, s in gates.items()}):
        expected = model(case.x)
    folding = fold_gates(model, case.x)
    if folding.kept:
        return f"{len(folding.kept)} blocks kept, for instance {next(iter(folding.kept.items()))}"
    return None if _apart(model(case.x), expected) < 1e-3 and not find_gates(model) else "not the constant gates"


def _insert(case: _Case) -> str | None:
    model = case.copy()
    insert_se(model, next(m for m in model.modules() if isinstance(m, nn.Conv2d)), example=case.x, start="identity")
    if len(find_gates(model)) != case.example.blocks + 1:
        return "the new block is not found"
    return None if _apart(model(case.x), case.answer) < 1e-5 else "the answer changes"


def _remove(case: _Case) -> str | None:
    model = case.copy()
    insert_se(model, next(m for m in model.modules() if isinstance(m, nn.Conv2d)), example=case.x)
    same = torch.equal(remove_se(model)(case.x), case.answer)
    return None if same and list(model.state_dict()) == list(case.model.state_dict()) else "not what it was"


def _convert_block(case: _Case) -> str | None:
    """The first block of the network as an `SEBlock`; one of this package there and back."""
    theirs = next(iter(find_blocks(case.model).values()))
    weights = theirs.module.state_dict()
    if theirs.known:
        weights = convert_state_dict(weights, source="senet_edu", target=case.example.dialect)
    weights = convert_state_dict(weights, source=case.example.dialect)
    hidden, channels = weights["fc1.weight"].shape
    ours = SEBlock(channels, hidden=hidden, bias="fc1.bias" in weights, gate=theirs.gate)
    ours.load_state_dict(weights)
    u = torch.randn(2, channels, 6, 5)
    return None if torch.allclose(ours(u), theirs.module(u), atol=1e-5) else "another output"


def _convert_network(case: _Case) -> str | None:
    example = case.example
    if example.twin is None:
        return f"this package has no {example.network}"
    weights = case.model.state_dict()
    if isinstance(case.model, ResNet):  # one of this package
        weights = convert_state_dict(weights, source="senet_edu", target=example.dialect)
    ours = example.twin().eval()
    ours.load_state_dict(convert_state_dict(weights, source=example.dialect), strict=True)
    return None if _apart(ours(case.x), case.answer) < 1e-4 else "another answer"


def _apart(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm().clamp(min=1e-30)).item()


TOOLS: dict[str, Callable[[_Case], str | None]] = {
    "find": _find,
    "record": _record,
    "override": _override,
    "gates_of": _gates_of,
    "audit": _audit,
    "fold": _fold,
    "insert": _insert,
    "remove": _remove,
    "convert block": _convert_block,
    "convert network": _convert_network,
}
"""The columns of the table."""
