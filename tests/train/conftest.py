"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_tools import SIDE, STEPS, TINY

from senet_edu import data as datasets
from senet_edu.data import ImageData
from senet_edu.train import Run, train


@pytest.fixture(scope="package", autouse=True)
def on_the_cpu() -> Iterator[None]:
    """Where equal means bit for bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(scope="package")
def data(on_the_cpu: None) -> ImageData:
    """Small images, and five too many for a whole batch."""
    drawn = datasets.procedural(STEPS * TINY.batch_size + 5, 40)
    step = drawn.train_images.shape[2] // SIDE
    small = {f"{part}_images": getattr(drawn, f"{part}_images")[..., ::step, ::step] for part in ("train", "test")}
    return replace(drawn, **small)


@pytest.fixture(scope="package")
def unbroken(data: ImageData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A whole run of `TINY`: its folder and what `train` returned."""
    out = tmp_path_factory.mktemp("unbroken")
    return out, train(TINY, data=data, out=out, progress=False, command="the command")
