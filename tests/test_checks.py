"""Checks of arguments: what passes, and what the error says of what does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senet_edu import checks


def test_whole_numbers_of_python_and_numpy_pass():
    for value in (3, np.int64(3), np.uint8(3)):
        found = checks.whole("n", value, 3, 3)
        assert found == 3 and type(found) is int
    assert checks.whole("n", -5) == -5


@pytest.mark.parametrize("value", ["3", None, 3.0, 2.5, float("nan"), True, [3], torch.tensor(3), np.bool_(True)])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError) as caught:
        checks.whole("epochs", value, 1)
    assert str(caught.value) == f"epochs must be a whole number, at least 1, got {value!r}"


@pytest.mark.parametrize(
    ("value", "limits", "text"),
    [
        (0, {"least": 1}, "n must be at least 1, got 0"),
        (5, {"most": 4}, "n must be at most 4, got 5"),
        (5, {"least": 1, "most": 4}, "n must be at least 1 and at most 4, got 5"),
    ],
)
def test_limits_of_whole_numbers(value, limits, text):
    with pytest.raises(ValueError) as caught:
        checks.whole("n", value, **limits)
    assert str(caught.value) == text


def test_finite_numbers_pass():
    for value in (1, 1.0, np.float32(1), np.int8(1)):
        found = checks.number("x", value, 1, 1, above=0, below=2)
        assert found == 1 and type(found) is float


@pytest.mark.parametrize("value", ["1", None, float("nan"), float("inf"), True, 1j])
def test_what_is_no_finite_number_is_named(value):
    with pytest.raises(ValueError) as caught:
        checks.number("lr", value, above=0)
    assert str(caught.value) == f"lr must be a finite number, more than 0, got {value!r}"


@pytest.mark.parametrize(
    ("value", "limits", "text"),
    [
        (-0.1, {"least": 0}, "x must be at least 0, got -0.1"),
        (1.1, {"most": 1}, "x must be at most 1, got 1.1"),
        (0.0, {"above": 0}, "x must be more than 0, got 0.0"),
        (1.0, {"least": 0, "below": 1}, "x must be at least 0 and less than 1, got 1.0"),
    ],
)
def test_limits_of_numbers(value, limits, text):
    with pytest.raises(ValueError) as caught:
        checks.number("x", value, **limits)
    assert str(caught.value) == text


def test_flags():
    assert checks.flag("bias", True) is True and checks.flag("bias", False) is False
    for value in ("no", 1, None, torch.tensor(True)):
        with pytest.raises(ValueError, match="bias must be True or False, got"):
            checks.flag("bias", value)


def test_choices():
    assert checks.choice("kind", "mean", ("mean", "half")) == "mean"
    with pytest.raises(ValueError) as caught:
        checks.choice("kind", "maen", ("mean", "half"))
    assert str(caught.value) == "kind must be one of mean, half; got 'maen'; did you mean 'mean'?"
    for value in (None, 3, ["mean"]):
        with pytest.raises(ValueError, match="kind must be one of mean, half; got .*[^?]$"):
            checks.choice("kind", value, ("mean", "half"))


def test_images():
    good = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    assert checks.images("images", good) is good and len(checks.images("images", good[:0], least=0)) == 0
    for wrong, kind in (
        (good.float(), r"torch.float32 \(2, 3, 4, 5\)"),
        (good[0], r"torch.uint8 \(3, 4, 5\)"),
        (good[:, :1], r"torch.uint8 \(2, 1, 4, 5\)"),
        (good[:0], r"torch.uint8 \(0, 3, 4, 5\)"),
        (good.numpy(), r"ndarray of uint8 \(2, 3, 4, 5\)"),
        ([good], r"\[torch.uint8 \(2, 3, 4, 5\)\]"),
        (None, "None"),
    ):
        with pytest.raises(ValueError, match=rf"^x must be uint8 \(N, 3, H, W\) with N >= 1, got {kind}$"):
            checks.images("x", wrong)


def test_labels():
    good = torch.tensor([0, 2, 1])
    assert checks.labels("labels", good, 3, 3) is good
    assert len(checks.labels("labels", good[:0], 0, 3)) == 0
    for wrong in (good.int(), good[:2], good[:, None], good.tolist(), None):
        with pytest.raises(ValueError, match=r"^labels must be int64 \(3,\), got "):
            checks.labels("labels", wrong, 3, 3)
    with pytest.raises(ValueError, match="^labels must be from 0 to 1, got 0 to 2$"):
        checks.labels("labels", good, 3, 2)
    for classes in (3, None):
        with pytest.raises(ValueError, match="^labels must be from 0.* got -1 to 1$"):
            checks.labels("labels", good - 1, 3, classes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.rand(300, 300), "torch.float32 (300, 300)"),
        (np.zeros((300, 300)), "ndarray of float64 (300, 300)"),
        (torch.empty(9, device="meta"), "torch.float32 (9,)"),
        (torch.nn.Linear(3, 3), "Linear"),
        ([np.zeros(9), 1], "[ndarray of float64 (9,), 1]"),
        ({"a": torch.zeros(9)}, "{'a': torch.float32 (9,)}"),
        (torch.tensor(3), "tensor(3)"),
        (np.float32(0.5), repr(np.float32(0.5))),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, ...]"),
        ("se", "'se'"),
        (float("nan"), "nan"),
    ],
)
def test_a_value_is_shown_in_a_few_words(value: object, text: str) -> None:
    assert checks.shown(value) == text


def test_what_cannot_be_shown_is_named() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert checks.shown(10**5000) == "a very long int"
    assert "Odd" in checks.shown(Odd()) and len(checks.shown("x" * 10**6)) < 300
