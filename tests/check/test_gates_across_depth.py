"""Judges of `gates_across_depth`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from senet_edu import check
from senet_edu.analysis import class_share


def means(gates: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([gates[labels == k].mean(0) for k in labels.unique()])


def index(top: Tensor, rest: Tensor) -> Tensor:
    return (top - rest) / (top + rest)


def selectivity(gates: Tensor, labels: Tensor) -> Tensor:
    ordered = means(gates, labels).sort(0).values
    return index(ordered[-1], ordered[:-1].mean(0))


def rest_of_images(gates: Tensor, labels: Tensor) -> Tensor:
    best = means(gates, labels).argmax(0)
    columns = []
    for c, k in enumerate(best):
        columns.append(index(gates[labels == k, c].mean(), gates[labels != k, c].mean()))
    return torch.stack(columns)


def ten_classes(gates: Tensor, labels: Tensor) -> Tensor:
    ordered = torch.stack([gates[labels == k].mean(0) for k in range(10)]).sort(0).values
    return index(ordered[-1], ordered[:-1].mean(0))


def test_class_selectivity(verdict: Callable[..., str]) -> None:
    assert verdict(check.class_selectivity, selectivity).startswith(check.TICK)
    assert verdict(check.class_selectivity, lambda s, y: selectivity(s, y).numpy()).startswith(check.TICK)
    assert verdict(check.class_selectivity, lambda gates, labels: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("selectivity", "hint"),
    [
        (lambda s, y: index(means(s, y).amax(0), means(s, y).mean(0)), "yours is the mean of all classes"),
        (lambda s, y: index(means(s, y).amax(0), s.mean(0)), "yours is the mean of all images"),
        (rest_of_images, "differ in size"),
        (lambda s, y: index(means(s, y).amax(0), means(s, y).amin(0)), "smallest class mean"),
        (lambda s, y: index(s.amax(0), means(s, y).sort(0).values[:-1].mean(0)), "largest gate of any image"),
        (lambda s, y: means(s, y).amax(0) - means(s, y).sort(0).values[:-1].mean(0), "division"),
        (lambda s, y: 1 - means(s, y).sort(0).values[:-1].mean(0) / means(s, y).amax(0), "not by μ_max"),
        (lambda s, y: means(s, y).amax(1), "one number for each channel"),
        (lambda s, y: selectivity(s, y).mean(), "one number for each channel"),
        (ten_classes, "is another number fixed?"),
        (
            lambda s, y: class_share(s, y),
            "class means [[0.9, 0.3, 0.1], [0.2, 0.2, 0.7]] by channel give [0.636, 0.556], yours gives",
        ),
        (lambda s: s, "TypeError"),
    ],
)
def test_class_selectivity_hints(verdict: Callable[..., str], selectivity: Callable, hint: str) -> None:
    line = verdict(check.class_selectivity, selectivity)
    assert line.startswith(check.CROSS) and hint in line


def gates() -> tuple[dict[str, Tensor], Tensor]:
    """Four blocks: a small share of a large spread, a large share of a small one, and two with little of both."""
    labels = torch.arange(40) % 4
    noise = torch.rand(40, 5) - 0.5
    follows = labels[:, None].float() - 1.5
    return {
        "layer1.0.se": 0.5 + 0.9 * noise,
        "layer2.0.se": 0.5 + 0.03 * follows + 0.01 * noise,
        "layer3.0.se": 0.5 + 0.01 * follows + 0.05 * noise,
        "layer3.1.se": 0.5 + 0.01 * follows + 0.10 * noise,
    }, labels


@pytest.mark.parametrize(
    ("block", "start"),
    [
        ("layer2.0.se", check.TICK),
        (..., check.OPEN),
        ("layer1.0.se", f"{check.CROSS} its gates vary most"),
        ("layer3.1.se", f"{check.CROSS} deepest is not"),
        ("layer3.0.se", f"{check.CROSS} η² is larger in 1 of the 4"),
        ("layer9", f"{check.CROSS} 'layer9' is not one of the blocks: layer1.0.se, layer2.0.se"),
        (2, f"{check.CROSS} 2 is not one of the blocks"),
        (["layer2.0.se"], f"{check.CROSS} a list of 1 is not one of the blocks"),
        (None, f"{check.CROSS} None is not one of the blocks"),
    ],
)
def test_most_class_specific(verdict: Callable[..., str], block: Any, start: str) -> None:
    assert verdict(check.most_class_specific, block, *gates()).startswith(start)
