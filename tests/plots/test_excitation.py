"""Plots of the excitation: they show the numbers they were given."""

from __future__ import annotations

import pytest
import torch
from pictures import assert_sound, bar_heights, texts

from senet_edu import SEBlock, plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    return {
        "bottleneck": plots.bottleneck(16, 32),
        "reduction_sweep": plots.reduction_sweep({2: 22.29, 16: 22.28}, {2: 45_676_584, 16: 28_071_976}, (25e6, 23.3)),
        "last_nonlinearities": plots.last_nonlinearities(torch.tensor([3.0, 3.0, 0.0, -3.0])),
        "gate_histograms": plots.gate_histograms({"before": torch.rand(100), "after": torch.rand(10, 10)}),
        "jacobian": plots.jacobian(torch.randn(16, 16)),
    }


@pytest.mark.parametrize(
    ("channels", "reduction", "weights"),
    [(256, 16, "8,192 weights, 12.5 %"), (256, 2, "65,536 weights, 100 %"), (16, 32, "32 weights, 12.5 %")],
)
def test_bottleneck_counts_weights(channels: int, reduction: int, weights: str) -> None:
    picture = plots.bottleneck(channels, reduction)
    se = SEBlock(channels, reduction)
    assert weights in texts(picture)
    assert weights.startswith(f"{sum(p.numel() for p in se.parameters()):,} ")
    areas = [box.get_width() * box.get_height() for box in picture.figure.axes[0].patches]
    assert areas == [channels**2, se.fc1.weight.numel(), se.fc2.weight.numel()]


def test_last_nonlinearities() -> None:
    axes = plots.last_nonlinearities(torch.tensor([3.0, 3.0, 0.0, -3.0])).figure.axes
    expected = {
        "sigmoid": [0.9526, 0.9526, 0.5, 0.0474],
        "softmax": [0.4873, 0.4873, 0.0243, 0.0012],
        "tanh": [0.9951, 0.9951, 0, -0.9951],
        "ReLU": [3, 3, 0, 0],
    }
    assert {ax.get_title(loc="left"): pytest.approx(bar_heights(ax), abs=1e-4) for ax in axes} == expected


def test_gate_histograms_are_shares_on_the_scale_of_gates() -> None:
    (ax,) = plots.gate_histograms({"half": torch.tensor([0.5, 0.5, 0.5, 0.99])}).figure.axes
    heights = bar_heights(ax)
    assert heights.sum() == pytest.approx(100) and heights[25] == 75 and heights[-1] == 25
    assert ax.get_xlim() == (0, 1)


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
