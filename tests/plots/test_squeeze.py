"""Plots of the squeeze: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.image import AxesImage
from pictures import IMAGE, assert_sound, bar_heights, texts

from senet_edu import plots
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    maps = torch.randn(16, 32, 32)
    return {
        "seen_pixels": plots.seen_pixels(IMAGE, {"one\npixel": torch.eye(32) == 1, "all": torch.ones(32, 32) == 1}),
        "squeezed_maps": plots.squeezed_maps({"a": maps[0], "b": maps[1].numpy()}),
        "three_squeezes": plots.three_squeezes(maps),
        "paper_errors": plots.paper_errors({"max": 22.57, "average": 22.28}, plain=23.30),
    }


def test_squeezed_maps_write_mean_max_and_sd() -> None:
    u = np.zeros((4, 4))
    u[0] = 1  # mean 0.25, max 1, sd sqrt(0.25 * 0.75)
    written = texts(plots.squeezed_maps({"flat": np.full((4, 4), 0.25), "row": u}))
    numbers = [text for text in written if text.startswith(("0.", "1."))]
    assert numbers == ["0.25", "0.25", "0.00", "0.25", "1.00", "0.43"]


def test_three_squeezes_sort_by_the_mean() -> None:
    maps = torch.stack([torch.full((2, 2), value) for value in (0.1, 0.3, -0.2)])
    maps[0, 0, 0], maps[0, 1, 1] = 5.1, -4.9  # still the mean 0.1
    picture = plots.three_squeezes(maps)
    mean, maximum, deviation = (bar_heights(ax) for ax in picture.figure.axes)
    np.testing.assert_allclose(mean, [0.3, 0.1, -0.2], atol=1e-6)
    np.testing.assert_allclose(maximum, [0.3, 5.1, -0.2], atol=1e-6)
    np.testing.assert_allclose(deviation, [0, np.std(maps[0].numpy()), 0], atol=1e-6)
    assert [tick.get_text() for tick in picture.figure.axes[-1].get_xticklabels()] == ["1", "0", "2"]


def test_seen_pixels_count_and_dim() -> None:
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[10:17, 12:19] = True
    picture = plots.seen_pixels(IMAGE, {"window": mask})
    assert "49 of 1,024 pixels" in texts(picture)
    (drawn,) = (np.asarray(image.get_array()) for image in picture.figure.findobj(AxesImage))
    np.testing.assert_allclose(drawn[mask.numpy()], IMAGE[:, mask].T.numpy() / 255)
    assert drawn[~mask.numpy()].min() > 0.8


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
