"""What tests share."""

from __future__ import annotations

from pathlib import Path

import matplotlib.font_manager  # noqa: F401  builds its font cache once, here: a chapter would warn about it
import pytest
import torch
import yaml
from browser import axe, browser, figure_page, page_factory  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same random numbers, alone or among others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def repository() -> str:
    """The repository's address, from its one place."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
