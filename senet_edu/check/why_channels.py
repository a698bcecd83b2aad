"""Judges of the chapter on why a network should want channels with gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from senet_edu.check.judge import as_number, as_numbers, ask, diagnose, judge

Layers = Sequence[tuple[int, int]]
"""Kernel and stride of each layer, the one nearest to the image first."""


def _window(layers: Layers, *, size: int = 1, added: int = -1, strides: str = "product") -> int:
    """Side of the window, by the recursion of the chapter; the options are ways to get it wrong."""
    jump = 1
    for kernel, stride in layers:
        if strides == "early":
            jump *= stride
        size += (kernel + added) * jump
        if strides != "early":
            jump = {"product": jump * stride, "last": stride, "none": 1}[strides]
    return size


_WINDOW_MISTAKES: dict[str, dict[str, Any]] = {
    "the strides are missing: behind a layer with stride 2, neighbors lie twice as far apart in the image.": {
        "strides": "none"
    },
    "the jump is not the stride of one layer; it is the product of the strides of all layers before.": {
        "strides": "last"
    },
    "a layer's own stride comes too early: first add (k - 1) · jump, then multiply the jump.": {"strides": "early"},
    "off by one: without any layer a value sees one pixel, so start from 1.": {"size": 0},
    "off by one in every layer: a kernel of k adds k - 1 neighbors, for the one in the middle was there before.": {
        "added": 0
    },
}


def receptive_field(function: Callable[[list[tuple[int, int]]], int]) -> None:
    """Side of the window of one value: `receptive_field(layers)` with pairs (kernel, stride) from the image on."""
    judge(function, _receptive_field, "Kernels widen the window, and strides make the later ones widen it more.")


def _receptive_field(function: Callable[[list[tuple[int, int]]], int]) -> str | None:
    for layers in (
        [(3, 1), (3, 1), (3, 1)],
        [(3, 2), (3, 2), (5, 1)],
        [(7, 2), (3, 2), (3, 1), (3, 1), (3, 2), (3, 1)],
        [(5, 1), (1, 2), (3, 3), (2, 2), (3, 1)],
        [],
    ):
        got = as_number(ask(function, list(layers)), "your function must return one number, the side in pixels")
        wanted = _window(layers)
        if got == wanted:
            continue
        mistakes: dict[str, int] = {hint: _window(layers, **how) for hint, how in _WINDOW_MISTAKES.items()}
        mistakes |= {
            "you go from the last layer to the first; the first pair is the layer nearest to the image.": (
                _window(layers[::-1])
            )
        }
        return diagnose(got, mistakes) or f"for {layers} the window is {wanted} wide, not {got:g}."
    return None


def stage_fields(answers: Sequence[Any]) -> None:
    """Side of the window behind each of the four stages of ResNet-18 with the ImageNet stem."""
    judge(answers, _stage_fields, "From the third stage on, the window is as wide as most of the picture, or wider.")


_STEM = [(7, 2), (3, 2)]  # of ResNet-18: convolution and max pooling


def _stage_fields(answers: Sequence[Any]) -> str | None:
    given = as_numbers(answers, 4, "give four numbers, one for each stage")
    right = _windows(_STEM)
    if given == right:
        return None
    mistakes = {
        "you count the 1x1 shortcuts, too. They run beside the two convolutions, not behind them: take the longer "
        "way.": _windows(_STEM, shortcut=[(1, 2)]),
        "the stem is missing: a 7x7 convolution and a 3x3 max pooling, both with stride 2.": _windows([]),
        "the max pooling of the stem is missing; it has a kernel of 3 and a stride of 2.": _windows(_STEM[:1]),
        "a block of ResNet-18 has two convolutions, and a stage two blocks; you count two convolutions a stage.": (
            _windows(_STEM, convolutions=2)
        ),
    } | {hint: _windows(_STEM, **how) for hint, how in _WINDOW_MISTAKES.items()}
    if known := diagnose(given, mistakes):
        return known
    stage = next(i for i in range(4) if given[i] != right[i])
    before, width = (f"stage {stage}", right[stage - 1]) if stage else ("the stem", _window(_STEM))
    hint = f"Behind {before} it is {width}, and neighbors lie {4 * 2 ** max(0, stage - 1)} apart."
    return f"stage {stage + 1} is not {given[stage]:g}. {hint}"


def _windows(stem: Layers, *, shortcut: Layers = (), convolutions: int = 4, **how: Any) -> list[int]:
    """The window behind each stage; only the first convolution of stages 2 to 4 has a stride.

    Args:
        shortcut, convolutions: ways to lay out a stage wrongly; `how` has those of `_window`.
    """
    layers, windows = list(stem), []
    for stage in range(4):
        strided = [(3, 2 if stage else 1)] + [(3, 1)] * (convolutions - 1)
        layers = layers + strided[:2] + (list(shortcut) if stage else []) + strided[2:]
        windows.append(_window(layers, **how))
    return windows
