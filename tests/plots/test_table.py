"""Tables of text, and of verdicts."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from senet_edu.plots.table import Strip, Table, Verdict, of_verdicts


def test_a_table_is_html_and_text() -> None:
    table = Table(("What", "Limit"), (("mean of <b>", "< 2"), ("x", "3 & more")))
    assert repr(table).splitlines() == ["What         Limit", "mean of <b>  < 2", "x            3 & more"]
    html = table._repr_html_()
    assert '<th scope="col">What</th>' in html
    assert "<tr><td>mean of &lt;b&gt;</td><td>&lt; 2</td></tr>" in html and "3 &amp; more" in html


def test_photographs_stand_side_by_side_in_a_cell() -> None:
    """In their order and upright, with their colors, in one small file."""
    images = np.zeros((3, 3, 32, 32), dtype=np.uint8)
    images[0, 0], images[1, 1], images[2, 2, :16] = 255, 255, 255  # red, green, blue above black
    html = Table(("gate", "most"), (("<1>", Strip("0.9", images, 'a "cat"')),))._repr_html_()
    found = re.search(
        r'<td>&lt;1&gt;</td><td>0.9 <img src="data:image/webp;base64,([^"]+)" alt="a &quot;cat&quot;"', html
    )
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB")).astype(int)
    assert shown.shape == (32, 96, 3)
    for x, y, color in ((16, 16, (255, 0, 0)), (48, 16, (0, 255, 0)), (80, 8, (0, 0, 255)), (80, 24, (0, 0, 0))):
        assert np.abs(shown[y, x] - color).max() < 24
    assert repr(Table(("gate", "most"), (("1", Strip("0.9", images, "")),))) == "gate  most\n1     0.9"


def test_a_ragged_table() -> None:
    with pytest.raises(ValueError, match=r"rows\[1\] must have 2 cells, as the head has, got 1"):
        Table(("a", "b"), (("1", "2"), ("3",)))


def test_verdicts_end_in_yes_or_no() -> None:
    verdicts = [Verdict("Is it?", "a number", ("1", "2"), True), Verdict("Was it?", "another", ("3", "4"), False)]
    table = of_verdicts(verdicts, ("Question", "Measured", "ours", "theirs", "Answer"))
    assert table.rows == (("Is it?", "a number", "1", "2", "yes"), ("Was it?", "another", "3", "4", "no"))


def test_the_corner_above_the_names_of_rows_heads_nothing() -> None:
    """A screen reader would read an empty head for each cell below."""
    html = Table(("", "gates"), (("layer1", "16"),))._repr_html_()
    assert "<tr><td></td><th scope=" in html and "></th>" not in html
