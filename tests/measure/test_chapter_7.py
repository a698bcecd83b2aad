"""Chapter 7 on tables that nobody measured: its sentences hold whatever comes out, whichever rows there are."""

from __future__ import annotations

import ast
import copy
import random
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.display import Markdown

from senet_edu import store
from senet_edu.measure import ablations
from senet_edu.measure.ablations import REDUCED, STANDARD

MANY = ("plain", STANDARD, "frozen", "wide", "eca")


def table(*, rows: tuple[str, ...] = MANY, seeds: int = 8, sd: float = 0.3, **levels: float) -> list[dict[str, Any]]:
    """Runs of the reduced protocol with these accuracies above the plain network, in points, and this much scatter."""
    known = {(run["row"], run["seed"]): run for run in ablations.load(ablations.SHORT)}
    chance = random.Random(1)
    made = []
    for seed in range(seeds):
        for row in rows:
            run = copy.deepcopy(known.get((row, seed)) or known[STANDARD, seed])  # a row that SHORT has not
            run["row"] = row
            run["about"]["recipe"]["epochs"] = REDUCED.base.epochs
            run["test_accuracy"] = 0.77 + (levels.get(row, 0) + chance.gauss(0, sd)) / 100
            made.append(run)
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path):
    """All that the chapter says of a table, by its cells."""

    def execute(runs: list[dict[str, Any]]) -> str:
        for path in store.RESULTS.iterdir():
            if path.name != "ablations.jsonl" and not (tmp_path / path.name).exists():
                (tmp_path / path.name).symlink_to(path)
        monkeypatch.setattr(store, "RESULTS", tmp_path)
        store.keep_runs("ablations", runs)
        names: dict[str, Any] = {}
        said = []
        for cell in nbformat.read(root / "book" / "07_does_it_help.ipynb", as_version=4).cells:
            if cell.cell_type != "code" or "remove-cell" in cell.metadata.get("tags", []):
                continue
            body = ast.parse(cell.source).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            if last is not None:
                shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                said.append(shown.data if isinstance(shown, Markdown) else getattr(shown, "said", ""))
        return "\n".join(said)

    return execute


@pytest.mark.parametrize(
    ("levels", "expected", "never"),
    [
        pytest.param(
            {STANDARD: 1.5, "frozen": -3.0, "wide": 0.1},
            [
                "shown to help",
                "And so networks that never had gates do worse",
                "SE is ahead of the wide network",
                "they bring +1.",
            ],
            ["shown to be worse", "need not contradict"],
            id="SE gains",
        ),
        pytest.param(
            {STANDARD: -1.5, "frozen": -6.0, "wide": 0.1},
            [
                "shown to be worse",
                "And yet networks that never had gates do better",
                "SE is behind",
                "they bring \N{MINUS SIGN}1.",
            ],
            ["shown to help**"],
            id="SE loses",
        ),
        pytest.param(
            {STANDARD: 0.05, "frozen": 0.0, "wide": 0.05},
            ["neither to help nor to harm", "It is not shown", "cannot be told apart", "cannot tell from nothing"],
            ["shown to help**", "shown to be worse", "networks that never had gates"],
            id="cannot tell from nothing",
        ),
        pytest.param(
            {STANDARD: -1.0, "frozen": 2.0}, ["gates that answer to the image do harm"], [], id="frozen gains"
        ),
    ],
)
def test_sentences_follow_the_table(read, levels: dict[str, float], expected: list[str], never: list[str]) -> None:
    said = read(table(**levels))
    for words in expected:
        assert words.lower() in said.lower(), words
    for words in never:
        assert words.lower() not in said.lower(), words
    last = said.rstrip().rpartition("\n")[2] or said
    assert "no other ratio was measured" in said and "looking at the image" not in said
    assert "**SE " in last and "points after a short training (8 pairs)" in last


@pytest.mark.parametrize(("sd", "goal"), [(0.1, "within the 0.6"), (1.5, "still above the 0.6")])
def test_what_the_table_can_resolve_is_said(read, sd: float, goal: str) -> None:
    said = read(table(sd=sd))
    assert goal in said and "this table cannot resolve" in said


RATIOS = ("se_r2", "se_r8", "se_r16")


def with_five_more(**levels: float) -> list[dict[str, Any]]:
    """The rows of eight seeds, and five more rows of five seeds each."""
    more = (*RATIOS, "constant", "cbam")
    return [
        run
        for run in table(rows=(*MANY, *more), **(dict.fromkeys(RATIOS, levels.get(STANDARD, 0.0)) | levels))
        if run["row"] not in more or run["seed"] < 5
    ]


@pytest.mark.parametrize(
    ("levels", "expected", "never"),
    [
        pytest.param(
            {},
            ["none of 3 other ratios can be told from r = 4", "that looking at the image brings anything is not shown"],
            ["chance does not explain", "no other ratio was measured"],
            id="all alike",
        ),
        pytest.param(
            {"se_r16": -2.0, "constant": -2.0},
            [
                "chance does not explain r = 16 at \N{MINUS SIGN}",
                "The rest cannot be told from r = 4",
                "so it gains by looking at the image",
            ],
            ["r = 2 at", "r = 8 at", "none of 3"],
            id="16 is too narrow",
        ),
        pytest.param(
            {STANDARD: -1.0, "se_r2": 1.0, "se_r8": 1.0, "se_r16": 1.0, "constant": 1.0},
            ["r = 2 at +", "r = 8 at +", "r = 16 at +", "looking at the image costs more than it brings"],
            ["The rest cannot"],
            id="the standard is the worst",
        ),
    ],
)
def test_five_more_rows_are_said_as_they_are(
    read, levels: dict[str, float], expected: list[str], never: list[str]
) -> None:
    said = read(with_five_more(**levels)).replace("\N{NO-BREAK SPACE}", " ")
    for words in expected:
        assert words in said, words
    for words in never:
        assert words not in said, words


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(table(seeds=2), id="two seeds"),
        pytest.param(table(seeds=5, rows=(*MANY, "constant")), id="a row more"),
        pytest.param([run for run in table() if run["row"] != "eca"], id="a row less"),
        pytest.param([run for run in table() if run["row"] != "eca" or run["seed"] < 5], id="a row of fewer seeds"),
    ],
)
def test_the_chapter_reads_whichever_rows_there_are(read, runs: list[dict[str, Any]]) -> None:
    assert "points after a short training" in read(runs)
