"""Limits of the squeezed numbers, against NumPy on a few drawn images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from senet_edu import load_pretrained
from senet_edu.data import normalize, procedural
from senet_edu.measure import squeeze


def test_limits_are_percentiles_of_the_means() -> None:
    images = procedural(train=30, test=1).train_images
    found = squeeze.measure(images)
    assert list(found) == [f"layer{stage}.{i}.se" for stage in (1, 2, 3) for i in range(3)]
    net = load_pretrained("se_resnet20")
    with torch.no_grad():
        x = net.relu(net.bn1(net.conv1(normalize(images))))
        means = net.layer1[1].residual(net.layer1[0](x)).numpy().mean((2, 3))
    expected = np.percentile(means.astype(float), [0.1, 99.9], axis=0)
    np.testing.assert_allclose(found["layer1.1.se"], expected, atol=1e-4)
    assert not net.training


def test_the_command_writes_what_the_figure_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squeeze, "load_cifar10", lambda download: procedural(train=20, test=1))
    squeeze.main(["--images", "10", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "squeeze.json").read_text())
    assert written["about"]["data"] == {"name": "cifar10", "train": 10, "test": 0}
    assert [len(bound) for bound in written["limits"]["layer3.2.se"]] == [64, 64]
    with pytest.raises(SystemExit):
        squeeze.main(["--images", "1"])
