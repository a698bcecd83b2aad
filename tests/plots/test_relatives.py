"""Plots of relatives of SE: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.image import AxesImage
from pictures import assert_sound, texts

from senet_edu import plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    maps, seen = torch.randn(5, 4, 6), (torch.ones(6, 6) == 1, torch.ones(8) == 1)
    return {
        "gates_side_by_side": plots.gates_side_by_side(maps, {"channel": torch.rand(5)}, after=True, columns=3),
        "what_gates_see": plots.what_gates_see({"a": seen, "b": seen}, (2, 2), 1),
        "gate_latency": plots.gate_latency({"multiply": 0.5, "SE": 1 + float(torch.rand(1))}, (4, 64, 8, 8)),
    }


def test_gates_side_by_side_stretches_every_gate_over_the_maps() -> None:
    maps = torch.randn(5, 4, 6)
    gates = {"channel": torch.rand(5), "pixel": torch.rand(1, 4, 6), "value": torch.rand(5, 4, 6)}
    picture = plots.gates_side_by_side(maps, gates, after=True, columns=3)
    drawn = [image for image in picture.figure.findobj(AxesImage) if image.get_array().shape == (4, 6)]
    tiles = np.array([image.get_array() for image in drawn]).reshape(5, 3, 4, 6)
    chosen = [0, 2, 4]
    s = [gates["channel"][:, None, None].expand(5, 4, 6), gates["pixel"].expand(5, 4, 6), gates["value"]]
    for row, wanted in zip(tiles, (maps, *s, maps * s[0] * s[1] * s[2])):
        np.testing.assert_allclose(row, wanted[chosen].numpy(), rtol=1e-6)
    assert {image.get_clim() for image in drawn[3:12]} == {(0, 1)}
    assert {"0", "2", "4", "channel", "½", *gates} <= set(texts(picture)) and "channel, pixel, value" in picture.alt


def test_what_gates_see_counts_pixels_and_channels() -> None:
    pixels, channels = torch.zeros(6, 6, dtype=torch.bool), torch.zeros(8, dtype=torch.bool)
    pixels[1:4, 2] = channels[:2] = True
    picture = plots.what_gates_see({"a": (pixels, channels), "b": (~pixels, ~channels)}, (2, 2), 1)
    assert {"3 px, 2 ch.", "33 px, 6 ch."} <= set(texts(picture))
    assert "a 3 pixels, 2 channels; b 33 pixels, 6 channels." in picture.alt
    first = picture.figure.axes[0]
    np.testing.assert_array_equal(first.images[0].get_array(), pixels.numpy())


def test_gate_latency_draws_the_times() -> None:
    picture = plots.gate_latency({"multiply": 0.5, "SE": 1.25, "slow": 31.4}, (4, 64, 8, 8))
    (ax,) = picture.figure.axes
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.concatenate(dots), [(0.5, 0), (1.25, 1), (31.4, 2)])
    assert {"0.5", "1.2", "31"} <= set(texts(picture)) and "4 × 64 × 8 × 8" in ax.get_xlabel()
    assert picture.alt.endswith("multiply, SE, slow.")


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
