"""Tables of text, and of verdicts."""

from __future__ import annotations

import pytest

from senet_edu.plots.table import Table, Verdict, of_verdicts


def test_a_table_is_html_and_text() -> None:
    table = Table(("What", "Limit"), (("mean of <b>", "< 2"), ("x", "3 & more")))
    assert repr(table).splitlines() == ["What         Limit", "mean of <b>  < 2", "x            3 & more"]
    html = table._repr_html_()
    assert '<th scope="col">What</th>' in html
    assert "<tr><td>mean of &lt;b&gt;</td><td>&lt; 2</td></tr>" in html and "3 &amp; more" in html


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
