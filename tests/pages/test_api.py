"""The reference in the built book: every public name, and docstrings that read as they were meant."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path

import pytest

import senet_edu

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("analysis", "check", "data", "explorables", "plots", "train")


@pytest.mark.parametrize("package", ["senet_edu", *(f"senet_edu.{name}" for name in PACKAGES)])
def test_every_public_name_has_its_place(site: Path, package: str) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    names = set(importlib.import_module(package).__all__)
    if package == "senet_edu":
        names -= set(senet_edu.list_models()) - {"resnet50", "se_resnet50"}  # two stand for all
    lost = [name for name in names if f'id="{package}.{name}"' not in text and f">{name}<" not in text]
    assert [name for name in lost if f'id="senet_edu.{name}"' not in text] == []


def test_arguments_and_errors_are_set(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    block = text[text.index('id="senet_edu.SEBlock"') : text.index('id="senet_edu.ScSE"')]
    for part in ("Parameters", "Raises", "channel_dim", "Equation 2", "<strong>reduction</strong>"):
        assert part in block, part
    assert "system-message" not in text and "problematic" not in text
    field = text[text.index('id="senet_edu.analysis.Observation.limit"') :]
    assert "<p>Ours: the paper states none.</p>" in field[: field.index("</dl>")]
    assert "Alias for field number" not in text


def test_a_docstring_becomes_markup_without_surprises() -> None:
    as_markup = runpy.run_path(str(ROOT / "book" / "_ext" / "api.py"))["as_markup"]
    lines = ["A * b, *not* |t| and `x`:", "", "    y_c = a * b", "", "Args:", "    channels: C.", "    x_: `(N, C)`."]
    as_markup(None, "", "", None, None, lines)
    assert lines == [
        "A \\* b, *not* \\|t\\| and ``x``:", "", "::", "", "    y_c = a * b", "", "Args:", "    channels: C\\.",
        "    x\\_: ``(N, C)``.",
    ]  # fmt: skip
