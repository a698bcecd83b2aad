"""Shipping a finished run: with its facts and the accuracy of the very file, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from senet_edu import load_pretrained, zoo
from senet_edu.data import procedural
from senet_edu.measure import weights
from senet_edu.train import Recipe, Run, evaluate, train


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the shipped weights that may be replaced; ten images are the test set."""
    shutil.copytree(zoo.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(weights, "load_cifar10", lambda download: procedural(10, 10))
    zoo.manifest.cache_clear()
    yield tmp_path / "weights"
    zoo.manifest.cache_clear()


def tiny_run(folder: Path, data: str) -> Run:
    recipe = Recipe("se_resnet20", {"reduction": 8}, data, epochs=1, batch_size=16, sizes=((0.0, 8),))
    return train(recipe, data=procedural(16, 10), out=folder, progress=False)


def test_a_run_is_shipped_with_its_facts_and_its_accuracy(shelf: Path, tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", "cifar10")
    weights.measure(tmp_path / "run")
    facts = zoo.facts("se_resnet20")
    assert facts["model_options"] == {"reduction": 8} and facts["about"] == json.loads(json.dumps(run.about))
    assert zoo.load_history("se_resnet20") == run.history
    shipped = load_pretrained("se_resnet20")  # checks the SHA-256
    for key, tensor in run.model.state_dict().items():
        torch.testing.assert_close(shipped.state_dict()[key], tensor, atol=1e-3, rtol=1e-3)
    data = procedural(10, 10)
    assert facts["test_accuracy"] == evaluate(shipped, data.test_images, data.test_labels)[1]


def test_what_cannot_be_shipped_leaves_what_is_there(shelf: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in shelf.iterdir()}
    tiny_run(tmp_path / "run", "procedural")
    with pytest.raises(ValueError, match="was trained on procedural"):
        weights.measure(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no finished run"):
        weights.measure(tmp_path / "run")
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == before
