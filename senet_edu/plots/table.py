"""Tables that a chapter shows, such as of verdicts: HTML for pages and notebooks, and the same as plain text."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image


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
class Strip:
    """A cell of a table: a word, then photographs side by side. One file serves light and dark pages.

    Args:
        text: before the photographs.
        images: uint8 `(k, 3, H, W)`.
        alt: what they show.
        side: of a photograph on the page, in px where there is room.
    """

    text: str
    images: np.ndarray
    alt: str
    side: int = 44

    def __str__(self) -> str:
        return self.text

    def html(self) -> str:
        """The cell's content; the photographs as WebP, which at this size is a fifth of a PNG."""
        buffer = io.BytesIO()
        k, _, height, width = self.images.shape
        strip = self.images.transpose(2, 0, 3, 1).reshape(height, k * width, 3)  # (H, k W, 3)
        Image.fromarray(strip).save(buffer, "webp", quality=85, method=6)
        data = base64.b64encode(buffer.getvalue()).decode()
        style = f"width: {k * self.side}px; min-width: {k * 24}px; max-width: 100%; image-rendering: pixelated"
        image = f'<img src="data:image/webp;base64,{data}" alt="{escape(self.alt)}" style="{style}">'
        return f"{escape(self.text)} {image}"


@dataclass(frozen=True)
class Table:
    """Rows of text, or of photographs, under a head; shows itself as HTML.

    Args:
        head: names of the columns.
        rows: as many cells each.

    Raises:
        ValueError: a row has another number of cells than the head.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str | Strip, ...], ...]

    def __post_init__(self) -> None:
        for k, row in enumerate(self.rows):
            if len(row) != len(self.head):
                raise ValueError(f"rows[{k}] must have {len(self.head)} cells, as the head has, got {len(row)}")

    def __repr__(self) -> str:
        lines = [self.head, *(tuple(map(str, row)) for row in self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.head))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(cell)}</th>' if cell else "<td></td>" for cell in self.head)
        rows = ("".join(f"<td>{_html(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html(cell: str | Strip) -> str:
    return cell.html() if isinstance(cell, Strip) else escape(cell)


def of_verdicts(verdicts: Sequence[Verdict], head: tuple[str, ...]) -> Table:
    """A row a verdict: question, what is measured, the numbers, yes or no."""
    rows = ((v.question, v.measured, *v.numbers, "yes" if v.holds else "no") for v in verdicts)
    return Table(head, tuple(rows))
