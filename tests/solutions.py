"""The exercises of the chapters: what is folded away under "Solution", and the state of the chapter at that place."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

BOOK = Path(__file__).resolve().parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))

# A folded block by its summary, "Solution", in either of two ways to fold: a directive, or HTML around Markdown.
FOLDED = re.compile(
    r"^:::+\{dropdown\} *Solution *\n(?P<directive>.*?)^:::+ *$"
    r"|^<details[^>]*>\s*<summary[^>]*>(?:(?!</summary>).)*Solution(?:(?!</summary>).)*</summary>(?P<html>.*?)^</details>",
    re.DOTALL | re.MULTILINE,
)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def folded_code(markdown: str) -> list[str]:
    """The Python of each folded solution in a Markdown cell, in order."""
    found = []
    for block in FOLDED.finditer(markdown):
        code = PYTHON.findall(block["directive"] or block["html"] or "")
        found.append("\n".join(code))
    return found


def slug_of(path: Path) -> str:
    """The name of a chapter without its number."""
    return path.stem.partition("_")[2]


@dataclass(frozen=True)
class Solution:
    """One folded solution.

    Attributes:
        slug: its chapter.
        number: which of the chapter's solutions, from 0.
        code: the solution.
        call: the line that asks the judge, from the exercise; empty where the solution has it.
        judge: the name of the judge.
        above: the code of the chapter above it, the cells of earlier solutions among them.
    """

    slug: str
    number: int
    code: str
    call: str
    judge: str
    above: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.slug}-{self.judge}"

    def run(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run the solution and its judge in the state of the chapter; returns the names.

        Of the cells above, only those statements run that bind names that are needed, one after another. `given` has
        names that stand in for those of the chapter, such as that of a function that would take minutes.
        """
        names: dict[str, Any] = dict(given)
        mine = _statements(f"{self.code}\n{self.call}")
        chosen, needed = [], set()
        for statement in reversed([node for cell in self.above for node in _statements(cell)] + mine):
            bound, used = _names(statement)
            if statement in mine or bound & needed:
                needed = needed - bound | used - given.keys()
                chosen.insert(0, statement)
        if needed:
            raise NameError(f"{self}: nothing above binds {', '.join(sorted(needed))}")
        for statement in chosen:
            exec(compile(ast.Module([statement], []), self.slug, "exec"), names)
            names |= given  # an import may have bound them again
        return names


@cache
def solutions() -> tuple[Solution, ...]:
    """Every folded solution of every chapter."""
    return tuple(found for path in CHAPTERS for found in _solutions(path))


def _solutions(path: Path) -> Iterator[Solution]:
    above: list[str] = []
    number, exercise = 0, ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            above.append(cell.source)
            exercise = cell.source if _judged(cell.source) else exercise
        for code in folded_code(cell.source) if cell.cell_type == "markdown" else ():
            call = "" if _judged(code) else _judged(exercise)[-1]
            (judge,) = re.search(r"check\.(\w+)\(", call or code).groups()
            yield Solution(slug_of(path), number, code, call, judge, tuple(above))
            above.append(code)
            number += 1


def _judged(source: str) -> list[str]:
    """The statements of a cell that call a judge."""
    calls = [node for node in _statements(source) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    return [text for node in calls if (text := ast.unparse(node)).startswith("check.")]


def _statements(source: str) -> list[ast.stmt]:
    """The top level of a cell; lines such as `%pip install` do nothing."""
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)).body


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement binds at the top level, and those that must be there before."""
    top = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    used = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    tables = list(top.get_children())
    while tables:
        table = tables.pop()
        used |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        tables += table.get_children()
    simple = isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign)  # `x = x + 1` needs x
    return bound, (used if simple else used - bound) - set(dir(builtins))
