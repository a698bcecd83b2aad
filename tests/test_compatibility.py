"""The table library × tool is true: every cell is tried here, and every cell can turn false."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from senet_edu import compatibility as table_of
from senet_edu.audit import Audit
from senet_edu.compatibility import EXAMPLES, TOOLS, compatibility
from senet_edu.fold import Folding

NO = {("torchvision", "convert network"): "this package has no mobilenet_v3_small"}
"""What does not work, and is said in the table; everything else must."""


@pytest.mark.parametrize("library", EXAMPLES)
def test_every_cell(library: str) -> None:
    pytest.importorskip(EXAMPLES[library].needs, reason=f"{library} is needed to try the tools on its networks")
    table = compatibility([library])
    assert table.why == {key: why for key, why in NO.items() if key[0] == library}
    assert table[library] == {tool: (library, tool) not in NO for tool in TOOLS}


@contextmanager
def _gates_of_nobody(model: nn.Module, *, example: Any = None) -> Iterator[dict]:
    yield {name: torch.rand(2, module.channels) for name, module in model.named_modules() if hasattr(module, "fc1")}


@contextmanager
def _idle(*args: Any, **options: Any) -> Iterator[None]:
    yield


def _same(model: nn.Module, *args: Any, **options: Any) -> nn.Module:
    return model


BROKEN: dict[str, tuple[str, Callable]] = {
    "find": ("find_gates", lambda model, **options: {}),
    "record": ("record_gates", _gates_of_nobody),
    "override": ("override_gates", _idle),
    "gates_of": ("gates_of", lambda model, images, **options: {}),
    "audit": ("audit", lambda model, x: Audit()),
    "fold": ("fold_gates", lambda model, x: Folding(0.0, {}, {}, {})),
    "insert": ("insert_se", _same),
    "remove": ("remove_se", _same),
    "convert block": ("convert_state_dict", lambda weights, **options: {k: v + 1 for k, v in weights.items()}),
    "convert network": ("convert_state_dict", lambda weights, **options: {k: v + 1 for k, v in weights.items()}),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_broken_tool_turns_its_cell_false(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, broken = BROKEN[tool]
    monkeypatch.setattr(table_of, name, broken)
    table = compatibility(["this package"])
    assert table["this package"][tool] is False and table.why["this package", tool]


def test_a_network_with_another_number_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXAMPLES, "this package", replace(EXAMPLES["this package"], blocks=8))
    assert compatibility(["this package"]).why["this package", "find"] == "9 blocks found of 8"


def test_the_printed_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "timm" else object())
    torch.manual_seed(5)
    lines = str(compatibility(["this package", "timm", "torchvision"])).splitlines()
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert lines[0].split() == " ".join(TOOLS).split()
    assert lines[1].split() == ["this", "package", *["✓"] * len(TOOLS)]
    assert lines[2].split() == ["timm", *["–"] * len(TOOLS)]
    assert lines[3].split() == ["torchvision", *["✓"] * (len(TOOLS) - 1), "✗"]
    assert lines[4:] == [
        "✗ convert network, torchvision: this package has no mobilenet_v3_small",
        "– not installed: timm",
    ]
    with pytest.raises(ValueError, match="libraries must be several names, got 'timm'"):
        compatibility("timm")
    with pytest.raises(ValueError, match="libraries must be one of this package, .* got 'tim'; did you mean 'timm'"):
        compatibility(["tim"])
