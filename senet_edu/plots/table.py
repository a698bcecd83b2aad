"""Tables that a chapter shows, such as of verdicts: HTML for pages and notebooks, and the same as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Verdict:
    """What a measurement says about one question.

    Args:
        question: what was asked, or claimed.
        measured: which number answers it.
        numbers: the number, in words, once or for several networks.
        holds: is the answer yes?
    """

    question: str
    measured: str
    numbers: tuple[str, ...]
    holds: bool


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; shows itself as HTML.

    Args:
        head: names of the columns.
        rows: as many cells each.

    Raises:
        ValueError: a row has another number of cells than the head.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for k, row in enumerate(self.rows):
            if len(row) != len(self.head):
                raise ValueError(f"rows[{k}] must have {len(self.head)} cells, as the head has, got {len(row)}")

    def __repr__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.head))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in self.head)
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def of_verdicts(verdicts: Sequence[Verdict], head: tuple[str, ...]) -> Table:
    """A row a verdict: question, what is measured, the numbers, yes or no."""
    rows = ((v.question, v.measured, *v.numbers, "yes" if v.holds else "no") for v in verdicts)
    return Table(head, tuple(rows))
