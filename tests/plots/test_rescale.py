"""Plots of the rescaling: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from pictures import assert_sound, bar_heights, texts

from senet_edu import plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    gates = torch.rand(16)
    return {
        "rescaled_numbers": plots.rescaled_numbers(torch.ones(3, 3, 3), torch.tensor([0.9, 0.5, 0.1])),
        "gates_and_norm": plots.gates_and_norm(torch.rand(5, 16), torch.rand(16), {"a": gates, "b": 1 - gates}),
    }


def test_rescaled_numbers_writes_the_products() -> None:
    picture = plots.rescaled_numbers(torch.tensor([[[4.0, -2.0]], [[1.0, 8.0]]]), torch.tensor([0.5, 0.1]))
    assert {"4.0", "\N{MINUS SIGN}2.0", "2.0", "\N{MINUS SIGN}1.0", "8.0", "0.8", "0.50", "0.10"} <= set(texts(picture))


def test_gates_and_norm_sort_both_factors_alike() -> None:
    gates, norm = torch.tensor([[0.1, 0.8, 0.4], [0.3, 0.6, 0.4]]), torch.tensor([1.0, 2.0, 3.0])
    upper, lower = plots.gates_and_norm(gates, norm, {"first": gates[0]}).figure.axes
    np.testing.assert_allclose(bar_heights(lower), [2, 3, 1])
    marked = [c for c in upper.collections if len(c.get_offsets()) == 3 and c.get_label() == "first"]
    np.testing.assert_allclose(marked[0].get_offsets()[:, 1], [0.8, 0.4, 0.1], rtol=1e-6)


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
