"""Chapter 13 measures on busy machines and on few images: what its own functions say, and what its tables print."""

from __future__ import annotations

import ast
import html
import random
import re
import statistics
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch
from torch import nn

NOTEBOOK = nbformat.read(Path(__file__).resolve().parents[1] / "book" / "13_shipping_se.ipynb", 4)
RESOLVED = r"[+−]\d+ % \(([+−]\d+) to ([+−]\d+)\)"


def defined(name: str, **world: Any) -> Callable[..., Any]:
    """A function of the chapter, in a world that holds what it uses."""
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code" and f"def {name}(" in cell.source:
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    exec(compile(ast.Module([node], []), name, "exec"), world)
                    return world[name]
    raise AssertionError(f"the chapter defines no {name}")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ([110, 112, 108, 111], "+10 % (+8 to +12)"),
        ([90, 88, 91, 90], "−10 % (−12 to −9)"),
        ([110, 112, 99, 111], "not resolved"),  # one round says the contrary
        ([100, 100, 100, 100], "not resolved"),
        ([110, 112, 100.4, 111], "not resolved"),  # less than half a percent
    ],
)
def test_no_percentage_where_the_rounds_do_not_agree(now: list[float], said: str) -> None:
    assert defined("longer", statistics=statistics)(now, [100] * 4) == said


def test_a_slow_moment_changes_no_round() -> None:
    """The shortest try of a round counts, and the order is another each time."""
    clock = SimpleNamespace(now=0.0, waits=chain([0.5], repeat(0.0)))  # s; the first try that counts is disturbed
    order: list[str] = []

    class Takes(nn.Module):
        def __init__(self, name: str, seconds: float) -> None:
            super().__init__()
            self.name, self.seconds = name, seconds

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            order.append(self.name)
            clock.now += self.seconds + (next(clock.waits) if len(order) > 2 else 0)
            return x

    by_rounds = defined("by_rounds", random=random, torch=torch, time=SimpleNamespace(perf_counter=lambda: clock.now))
    times = by_rounds({"a": Takes("a", 0.010), "b": Takes("b", 0.011)}, torch.zeros(1), rounds=3, tries=4)
    assert times == {"a": pytest.approx([10.0] * 3), "b": pytest.approx([11.0] * 3)}
    turns = {tuple(order[at : at + 2]) for at in range(2, len(order), 2)}
    assert len(order) == 2 + 3 * 4 * 2 and turns == {("a", "b"), ("b", "a")}


def test_images_that_share_their_gates_count_as_one() -> None:
    compared = defined("compared")
    now = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0] * 10)
    was = torch.zeros(80)
    alone, four = compared(now, was), compared(now, was, together=4)
    assert alone[0] == four[0] == 50
    # Twenty groups that are right or wrong as a whole know as much as twenty images.
    assert four == pytest.approx(compared(now[::4], was[::4])) and four[1] > 1.9 * alone[1]


def tables() -> list[list[str]]:
    """The cells of each stored table, row by row."""
    shown = [
        output.get("data", {}).get("text/html", "") for cell in NOTEBOOK.cells for output in cell.get("outputs", [])
    ]
    rows = [row for table in shown for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)]
    return [
        [html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL)]
        for row in rows
    ]


def test_the_stored_tables_give_no_time_that_is_noise() -> None:
    rows = tables()
    times = [
        row[-1] for row in rows if row[0] in {"SE, r = 16", "SE, r = 4", "ECA", "eSE", "CBAM, r = 16"} and len(row) == 4
    ]
    times += [said for row in rows for said in re.findall(r"time here (?:against that SE: )?(.*)$", row[-1])]
    assert len(times) == 5 + 2
    for said in times:
        found = re.fullmatch(RESOLVED, said)
        assert said == "not resolved" or found and found[1][0] == found[2][0], said


def test_one_spelling_of_ese() -> None:
    assert not any(re.search(r"\bESE\b", cell.source) for cell in NOTEBOOK.cells)
