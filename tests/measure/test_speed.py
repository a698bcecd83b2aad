"""The two loops that chapter 11 compares do the same work, and the comparison is counted rightly."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from senet_edu import store
from senet_edu.data import normalize
from senet_edu.measure import speed
from senet_edu.resnet import create_model

CPU = torch.device("cpu")


def test_both_loops_learn_from_the_same_images_the_same_network() -> None:
    """Without crop and flip, what the common loader gives is what ours normalizes."""
    data = speed.random_images(6)
    images = speed.Images(data.train_images, data.train_labels)
    kept = [t for t in images.transform.transforms if type(t).__name__ not in ("RandomCrop", "RandomHorizontalFlip")]
    assert len(kept) == len(images.transform.transforms) - 2
    images.transform.transforms = kept
    x, y = zip(*(images[k] for k in range(len(images))))
    torch.testing.assert_close(torch.stack(x), normalize(data.train_images), atol=1e-5, rtol=1e-5)
    assert list(y) == data.train_labels.tolist()
    ours = create_model(speed.RECIPE.model, **speed.RECIPE.model_options)
    assert str(speed.CommonLoop(data, CPU).model) == str(ours)


def test_every_image_of_an_epoch_is_seen_by_the_common_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "RECIPE", replace(speed.RECIPE, model="se_resnet8", batch_size=8))
    loop = speed.CommonLoop(speed.random_images(24), CPU)
    before = [p.clone() for p in loop.model.parameters()]
    assert loop.epoch() > 0 and len(loop.loader) == 3
    assert all(not torch.equal(a, b) for a, b in zip(before, loop.model.parameters()))


def test_the_numbers_belong_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three loops' speeds are given; medians, ratios and the recipe's mean over its sizes are counted anew."""
    by_side = {16: 400.0, 24: 200.0, 32: 100.0}

    def invented(data: Any, rounds: int, device: torch.device) -> tuple:
        return speed.CommonLoop(data, device), [40.0, 60.0, 50.0], [90.0, 110.0, 100.0], by_side

    monkeypatch.setattr(speed, "ours_and_common", invented)
    monkeypatch.setattr(speed, "peak_memory", _memory)
    monkeypatch.setattr(speed, "peak_arithmetic", lambda device, dtype: 1e12)
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    speed.main(["--store", "--images", "256", "--device", "cpu"])
    found = store.load("training_speed", folder=tmp_path)
    assert (found["ours"], found["common"], found["ratio"]) == (100.0, 50.0, 2.0)
    seconds = [1 / by_side[speed.RECIPE.size_at(epoch)] for epoch in range(speed.RECIPE.epochs)]
    assert found["ours_recipe"] == pytest.approx(1 / statistics.mean(seconds), abs=0.06)
    assert found["peak_memory_mb"] == {"ours": 7, "common": 7}
    assert found["about"]["command"] == "python -m senet_edu.measure.speed --store --images 256 --device cpu"
    assert set(found["about"]) == set(store.ABOUT)


def _memory(loop: str, images: int, device: torch.device) -> int:
    return 7


def test_switches_are_left_as_they_were() -> None:
    for before in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = before
        speed_of = speed.peak_arithmetic(CPU, torch.float32)
        assert speed_of > 1e9 and torch.backends.cuda.matmul.allow_tf32 is before
    torch.backends.cuda.matmul.allow_tf32 = False
