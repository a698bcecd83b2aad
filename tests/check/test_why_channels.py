"""Judges of `why_channels`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch

from senet_edu import check, create_model
from senet_edu.receptive import receptive_fields


def field(layers: list, size: int = 1, added: int = -1, own: int = 1, before: int = 1) -> int:
    """The window; `own` and `before` are powers of the layer's own stride and of the strides before it."""
    strides = [stride for _, stride in layers]
    jumps = [int(np.prod(strides[:i])) ** before * strides[i] ** (own - 1) for i in range(len(layers))]
    return size + sum((kernel + added) * jump for (kernel, _), jump in zip(layers, jumps))


def test_receptive_field(verdict: Callable[..., str]) -> None:
    assert verdict(check.receptive_field, field).startswith(check.TICK)
    for kind in (np.int64, np.array, np.float32, torch.tensor, float, lambda size: torch.tensor([size])):
        assert verdict(check.receptive_field, lambda layers: kind(field(layers))).startswith(check.TICK)  # noqa: B023
    assert verdict(check.receptive_field, lambda layers: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("receptive_field", "hint"),
    [
        (lambda layers: field(layers, before=0), "the strides are missing"),
        (
            lambda layers: 1 + sum((k - 1) * before for (k, _), before in zip(layers, [1, *(s for _, s in layers)])),
            "the product of the strides",
        ),
        (lambda layers: field(layers, own=2), "comes too early"),
        (lambda layers: field(layers, size=0), "start from 1"),
        (lambda layers: field(layers, added=0), "adds k - 1 neighbors"),
        (lambda layers: field(layers[::-1]), "from the last layer to the first"),
        (lambda layers: (field(layers), 1), "must return one number"),
        (lambda layers: 7, r"for \[\(3, 2\), .*\] the window is 23 wide, not 7"),
        (lambda layers: layers[99], "IndexError"),
        (lambda layers: None, "is the `return` missing"),
        (lambda layers: "7", "must return one number, the side in pixels, not '7'"),
        (field([(3, 1)]), "give the judge your function, not 3"),
    ],
)
def test_receptive_field_hints(verdict: Callable[..., str], receptive_field: Callable, hint: str) -> None:
    line = verdict(check.receptive_field, receptive_field)
    assert line.startswith(check.CROSS) and re.search(hint, line)


def test_stage_fields(verdict: Callable[..., str]) -> None:
    with torch.device("meta"):
        fields = receptive_fields(create_model("resnet18"))
    right = [field.size for field in fields if field.name.endswith(".1")]
    assert right == [43, 99, 211, 435]
    assert verdict(check.stage_fields, right).startswith(check.TICK)
    for kind in (np.array, torch.tensor, tuple, lambda sizes: [np.int64(size) for size in sizes]):
        assert verdict(check.stage_fields, kind(right)).startswith(check.TICK)
    assert verdict(check.stage_fields, ...).startswith(check.OPEN)
    assert verdict(check.stage_fields, [43, ..., ..., ...]).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ([17, 25, 33, 41], "the strides are missing"),
        ([43, 131, 483, 1891], "you count the 1x1 shortcuts"),
        ([9, 23, 51, 107], "the stem is missing"),
        ([23, 51, 107, 219], "the max pooling of the stem is missing"),
        ([27, 51, 99, 195], "two convolutions a stage"),
        ([42, 98, 210, 434], "start from 1"),
        ([43, 99, 227, 435], "stage 3 is not 227. Behind stage 2 it is 99, and neighbors lie 8 apart"),
        ([44, 99, 211, 435], "stage 1 is not 44. Behind the stem it is 11, and neighbors lie 4 apart"),
        ([43, 99, 211], "give four numbers"),
        (None, "give four numbers, one for each stage, not None"),
        (43, "give four numbers, one for each stage, not 43"),
        (["43", "99", "211", "435"], "give four numbers, one for each stage, not '43'"),
    ],
)
def test_stage_fields_hints(verdict: Callable[..., str], answers: list, hint: str) -> None:
    line = verdict(check.stage_fields, answers)
    assert line.startswith(check.CROSS) and hint in line
