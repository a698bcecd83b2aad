"""Tests that need a GPU; elsewhere they are skipped. Run them by `python -m pytest tests/gpu`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from senet_edu import data as datasets
from senet_edu.data import ImageData

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        skip = pytest.mark.skip(reason="needs a GPU")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="package")
def data() -> ImageData:
    """Images of 16 pixels, and some too many for a whole batch."""
    drawn = datasets.procedural(1_300, 200)
    small = {f"{part}_images": getattr(drawn, f"{part}_images")[..., ::2, ::2] for part in ("train", "test")}
    return replace(drawn, **small)


@pytest.fixture
def exact() -> Iterator[None]:
    """float32 is float32, and the same algorithm twice."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
