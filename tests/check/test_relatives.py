"""Judges of `relatives`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from senet_edu import check
from senet_edu.relatives import ATTENTION, make_attention


def eca(x: Tensor, weight: Tensor, padding: int | None = None) -> Tensor:
    z = x.mean((2, 3))
    half = len(weight) // 2 if padding is None else padding
    logits = torch.nn.functional.conv1d(z[:, None], weight[None, None], padding=half)
    return x * logits.sigmoid().transpose(1, 2)[..., None]


def loop(x: Tensor, weight: Tensor, **changes: Any) -> Tensor:
    """ECA as sums over the channels, with some steps changed; independent of the judge's convolution."""
    squeeze = changes.get("squeeze", lambda x: x.mean((2, 3)))
    sigma = changes.get("sigma", torch.sigmoid)
    z = squeeze(x)
    rows = torch.zeros_like(z)
    C, half = z.shape[1], len(weight) // 2
    for c in range(C):
        for i, w in enumerate(weight):
            k = c + i - half
            if changes.get("ring"):
                k %= C
            if 0 <= k < C:
                rows[:, c] += w * z[:, k]
    return x * sigma(rows)[:, :, None, None]


def in_numpy(x: Tensor, weight: Tensor) -> np.ndarray:
    return eca(x, weight).numpy()


@pytest.mark.parametrize("answer", [eca, loop, in_numpy])
def test_eca_accepts_what_is_right(verdict: Callable[..., str], answer: Callable[..., Tensor]) -> None:
    assert verdict(check.eca, answer).startswith(check.TICK)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, w: loop(x, w, sigma=lambda a: a), "the sigmoid is missing"),
        (lambda x, w: loop(x, w, sigma=lambda a: a.softmax(1)), "softmax makes the channels compete"),
        (lambda x, w: loop(x, w, squeeze=lambda x: x.sum((2, 3))), "adds the pixels up"),
        (lambda x, w: loop(x, w, squeeze=lambda x: x.amax((2, 3))), "takes the maximum"),
        (lambda x, w: loop(x, w, squeeze=lambda x: x.mean((0, 2, 3)).expand(x.shape[:2]).clone()), "the batch"),
        (lambda x, w: loop(x, w.flip(0)), "the wrong way round"),
        (lambda x, w: loop(x, w, ring=True), "your channels are a ring"),
        (lambda x, w: eca(x, w) / x, "stretched over the maps"),
        (lambda x, w: (eca(x, w) / x)[:, :, 0, 0], "these are the gates; multiply"),
        (lambda x, w: eca(x, w, padding=0), "does the kernel have padding k // 2"),
        (lambda x, w: eca(x, w, padding=1), "for x of shape (3, 16, 4, 6) and k = 5"),  # right for k = 3 alone
        (lambda x, w: eca(x.transpose(1, 3), w).transpose(1, 3), "slides over rows of pixels"),
        (lambda x, w: eca(x.transpose(1, 2), w).transpose(1, 2), "slides over columns of pixels"),
        (lambda x, w: eca(x.transpose(0, 1), w).transpose(0, 1), "over the images of the batch"),
        (
            lambda x, w: torch.stack(
                [torch.stack([eca(u.reshape(1, -1, 1, 1), w).view(u.shape) for u in maps]) for maps in x]
            ),
            "slides over the pixels",
        ),
        (
            lambda x, w: torch.stack(
                [torch.stack([eca(u.T[None, :, :, None], w)[0, :, :, 0].T for u in maps]) for maps in x]
            ),
            "slides over the columns of the map",
        ),
        (
            lambda x, w: torch.cat(
                [eca(x[:, :, i : i + 1, j : j + 1], w) for i in range(x.shape[2]) for j in range(x.shape[3])], 2
            ).view(x.shape),
            "the squeeze is missing",
        ),
        (lambda x, w: x.mul_(0.5), "changes x itself"),
        (lambda x, w: x if w else x, "your answer raised RuntimeError"),  # no word of the padding
        (lambda x, w: None, "returns None: is the `return` missing?"),
        (lambda x, w: eca(x, w)[:, :, :1], "ECA keeps it"),
        (lambda x, w: 2 * eca(x, w), "the values differ from ECA's"),
    ],
)  # fmt: skip
def test_eca_hints(verdict: Callable[..., str], answer: Callable[..., Any], hint: str) -> None:
    line = verdict(check.eca, answer)
    assert line.startswith(check.CROSS) and hint in line


NAMES = {"A": "eca", "B": "cbam", "C": "simam", "D": "coordinate", "E": "no_squeeze"}


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"A": "ese"}, "A: ese has one gate a channel, from all pixels of all channels"),
        ({"B": "scse"}, "B: scse has one gate a pixel, from that pixel alone"),
        ({"C": "ge_theta_minus"}, "C: ge_theta_minus has"),
        ({"D": "no_squeeze", "E": "coordinate"}, "D: no_squeeze has"),
        ({"A": ["eca"]}, "A: a list of 1 is not a name of this exercise"),
        ({"E": "NoSqueeze"}, "E: 'NoSqueeze' is not a name of this exercise"),
    ],
)
def test_whose_gate_hints(verdict: Callable[..., str], change: dict[str, str], hint: str) -> None:
    line = verdict(check.whose_gate, NAMES | change)
    assert line.startswith(check.CROSS) and hint in line


def test_whose_gate_wants_all_five_in_a_dictionary(verdict: Callable[..., str]) -> None:
    assert "give a dictionary" in verdict(check.whose_gate, list(NAMES.values()))
    assert "there is no answer for E" in verdict(check.whose_gate, {k: v for k, v in NAMES.items() if k != "E"})


def test_whose_gate_counts_are_those_of_the_classes() -> None:
    """The exercise says 5 channels for ECA and 49 pixels for CBAM at C = 256; its names are names of the package."""
    assert set(check.relatives.SEES) <= set(ATTENTION)
    assert make_attention("eca", 256).conv.kernel_size == (5,)
    assert make_attention("cbam", 256).spatial.conv.kernel_size == (7, 7)


def test_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    assert verdict(check.eca, lambda x, weight: ...).startswith(check.OPEN)
    assert verdict(check.whose_gate, ...).startswith(check.OPEN)
    assert verdict(check.whose_gate, NAMES | {"C": ...}).startswith(check.OPEN)
