"""The drawn set: repeatable, learnable, and with nothing but shapes to learn from."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from senet_edu import data
from senet_edu.data.procedural import OUTLINES


def test_procedural_set_has_the_form_of_cifar():
    shapes = data.procedural(train=120, test=33)
    assert shapes.train_images.shape == (120, 3, 32, 32) and shapes.train_images.dtype == torch.uint8
    assert shapes.train_labels.shape == (120,) and shapes.train_labels.dtype == torch.int64
    assert shapes.train_labels.bincount().tolist() == [12] * 10
    assert sorted(shapes.test_labels.bincount().tolist()) == [3] * 7 + [4] * 3
    assert len(set(shapes.classes)) == 10 and shapes.classes[0] == "striped disk"
    assert shapes.classes[9] == "checked cross"
    with pytest.raises(ValueError, match="train must be at least 1, got 0"):
        data.procedural(train=0)


def test_procedural_set_depends_on_the_seed_alone():
    first, threads = data.procedural(300, 50, seed=3), torch.get_num_threads()
    try:
        torch.manual_seed(1)
        torch.set_num_threads(3 - min(threads, 2))
        again = data.procedural(300, 50, seed=3)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first.train_images, again.train_images) and torch.equal(first.train_labels, again.train_labels)
    assert torch.equal(first.test_images, data.procedural(10, 50, seed=3).test_images)
    others = [data.procedural(50, 50, seed=s) for s in (3, 4)]
    sets = [images for other in others for images in (other.train_images, other.test_images)]
    assert all(not torch.equal(a, b) for i, a in enumerate(sets) for b in sets[:i])


def test_outlines_have_equal_areas():
    grid = torch.linspace(-2, 2, 801, dtype=torch.float64)
    u, v = torch.meshgrid(grid, grid, indexing="xy")
    for name, outline in OUTLINES.items():
        distance = outline(u, v)
        assert (distance < 0).double().mean().item() * 16 == pytest.approx(2, rel=0.01), name
        slope = torch.stack(torch.gradient(distance, spacing=0.005)).norm(dim=0)
        assert slope.quantile(0.99).item() == pytest.approx(1, abs=0.01), name  # a distance


def test_color_does_not_tell_the_class():
    shapes = data.procedural(3000, 1000)

    def color(images: torch.Tensor) -> torch.Tensor:
        images = images.float().flatten(2)
        return torch.cat([images.mean(2), images.std(2)], 1)

    train, test = color(shapes.train_images), color(shapes.test_images)
    centers = torch.stack([train[shapes.train_labels == k].mean(0) for k in range(10)])
    nearest = torch.cdist(test / train.std(0), centers / train.std(0)).argmin(1)
    assert (nearest == shapes.test_labels).float().mean() < 0.15  # chance is 0.10


def test_procedural_set_can_be_learned():
    shapes = data.procedural(2000, 500)
    torch.manual_seed(0)
    widths = (3, 16, 32, 64)
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, y = data.normalize(shapes.train_images), shapes.train_labels
    for _ in range(6):
        for index in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = model(data.normalize(shapes.test_images)).argmax(1) == shapes.test_labels
    assert right.float().mean() > 0.4
