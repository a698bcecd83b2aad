"""Plots of the rescaling: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from pictures import IMAGE, assert_sound, bar_heights, gray_maps, texts

from senet_edu import plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    maps, gates = torch.randn(16, 8, 8), torch.rand(16)
    return {
        "rescaled_numbers": plots.rescaled_numbers(torch.ones(3, 3, 3), torch.tensor([0.9, 0.5, 0.1])),
        "before_after": plots.before_after(maps, gates, IMAGE),
        "before_after, 64 channels": plots.before_after(torch.randn(64, 4, 4), torch.rand(64)),
        "gates_and_norm": plots.gates_and_norm(torch.rand(5, 16), torch.rand(16), {"a": gates, "b": 1 - gates}),
        "gated_sum": plots.gated_sum(maps[:4], maps[4:8], gates[:4]),
    }


def test_rescaled_numbers_writes_the_products() -> None:
    picture = plots.rescaled_numbers(torch.tensor([[[4.0, -2.0]], [[1.0, 8.0]]]), torch.tensor([0.5, 0.1]))
    assert {"4.0", "\N{MINUS SIGN}2.0", "2.0", "\N{MINUS SIGN}1.0", "8.0", "0.8", "0.50", "0.10"} <= set(texts(picture))


def test_before_after_sorts_by_gate_and_scales_by_it() -> None:
    gates = torch.tensor([0.2, 0.9, 0.5])
    maps = torch.randn(3, 4, 4)
    drawn = gray_maps(plots.before_after(maps, gates))
    for k, c in enumerate([1, 2, 0]):
        np.testing.assert_allclose(drawn[2 * k], maps[c].numpy())
        np.testing.assert_allclose(drawn[2 * k + 1], (gates[c] * maps[c]).numpy())


def test_before_after_of_many_channels_keeps_both_extremes() -> None:
    gates = torch.linspace(0.001, 0.999, 64)[torch.randperm(64)]
    written = texts(plots.before_after(torch.randn(64, 4, 4), gates))
    channels = [text for text in written if text.isdigit()]
    assert len(channels) == 16
    assert channels[0] == str(int(gates.argmax())) and channels[-1] == str(int(gates.argmin()))


def test_gates_and_norm_sort_both_factors_alike() -> None:
    gates, norm = torch.tensor([[0.1, 0.8, 0.4], [0.3, 0.6, 0.4]]), torch.tensor([1.0, 2.0, 3.0])
    upper, lower = plots.gates_and_norm(gates, norm, {"first": gates[0]}).figure.axes
    np.testing.assert_allclose(bar_heights(lower), [2, 3, 1])
    marked = [c for c in upper.collections if len(c.get_offsets()) == 3 and c.get_label() == "first"]
    np.testing.assert_allclose(marked[0].get_offsets()[:, 1], [0.8, 0.4, 0.1], rtol=1e-6)


def test_gated_sum_draws_what_the_next_layer_sees() -> None:
    residual, shortcut, gates = torch.randn(2, 4, 4), torch.randn(2, 4, 4), torch.tensor([0.25, 0.0])
    drawn = gray_maps(plots.gated_sum(residual, shortcut, gates))
    np.testing.assert_allclose(drawn[-1], shortcut[1].clamp(min=0).numpy())  # a shut gate: the shortcut alone
    assert any(np.allclose(d, (shortcut[0] + 0.25 * residual[0]).clamp(min=0).numpy()) for d in drawn)


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
