"""Plots of the gates of all blocks: they show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pictures import assert_sound

from senet_edu import analysis, plots
from senet_edu.analysis import class_means, summarize
from senet_edu.plots import Picture

BLOCKS = [f"layer{stage}.{k}.se" for stage in (1, 2, 3) for k in (0, 1, 2)]
CLASSES = [f"class {k}" for k in range(10)]


def pictures() -> dict[str, Picture]:
    labels = torch.arange(100) % 10
    gates = {block: torch.rand(100, 16 * int(block[5])) for block in BLOCKS}
    means = {block: class_means(s, labels) for block, s in gates.items()}
    last = {block: means[block] for block in BLOCKS[2::3]}
    spreads = {block: 0.1 * torch.rand_like(m) for block, m in last.items()}
    summaries = {block: summarize(s, labels) for block, s in gates.items()}
    return {
        "gates_within_classes": plots.gates_within_classes(last, spreads, CLASSES, [0, 3]),
        "channels_by_class": plots.channels_by_class({"one": gates["layer1.0.se"][:, 0]}, labels, CLASSES),
        "gates_by_depth": plots.gates_by_depth(summaries, summaries, dict.fromkeys(gates, 0.01)),
    }


def test_bands_reach_one_standard_deviation() -> None:
    means, spreads = torch.full((10, 4), 0.5), torch.full((10, 4), 0.2)
    (ax,) = plots.gates_within_classes({"b": means}, {"b": spreads}, CLASSES, chosen=[0, 1]).figure.axes
    band, bars = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.3, 0.7))
    assert len(bars.get_segments()) == 4
    assert all(segment[:, 1] == pytest.approx([0.3, 0.7]) for segment in bars.get_segments())


def test_classes_stand_in_the_order_of_the_first() -> None:
    means = torch.zeros(10, 3)
    means[4], means[2] = torch.tensor([0.9, 0.1, 0.5]), torch.tensor([0.2, 0.6, 0.3])
    picture = plots.gates_within_classes({"b": means}, {"b": 0 * means}, CLASSES, chosen=[4, 2])
    (ax,) = picture.figure.axes
    line, dots = (line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3)
    np.testing.assert_allclose(line, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(dots, [0.6, 0.3, 0.2])
    (legend,) = picture.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["class 4", "class 2"]


def test_texts_hold_for_any_classes() -> None:
    def drawn(classes: list[str]) -> list[str]:
        means, s = {"layer1.0.se": torch.full((2, 4), 0.5)}, torch.rand(20, generator=torch.Generator().manual_seed(0))
        within = plots.gates_within_classes(means, means, classes, chosen=[0, 1])
        return [repr(within), repr(plots.channels_by_class({"channel 3": s}, torch.arange(20) % 2, classes))]

    assert drawn(["cat", "striped disk"]) == drawn(["striped", "dog"])


def test_openers_are_drawn_with_their_gates() -> None:
    images = torch.arange(6, dtype=torch.uint8).mul(40)[:, None, None, None].expand(6, 3, 2, 2)  # each of one gray
    gates = {"layer1.0.se": torch.tensor([[0.5, 0.2], [0.5, 0.8], [0.5, 0.3], [0.5, 0.1], [0.5, 0.7], [0.5, 0.4]])}
    table = plots.gate_openers(images, gates, {"layer1.0.se": 1}, [f"image {i}" for i in range(6)], k=2)
    ((name, most, least),) = table.rows
    assert name == "1.0, 1" and table.head[1:] == ("the 2 that open it most", "the 2 that shut it most")
    assert [[int(image[0, 0, 0]) // 40 for image in strip.images] for strip in (most, least)] == [[1, 4], [3, 0]]
    assert (most.text, least.text) == ("0.75", "0.15")
    assert (most.alt, least.alt) == ("image 1, image 4", "image 3, image 0")


def test_depth_panels_show_the_summaries() -> None:
    labels = torch.arange(100) % 10
    trained = {block: summarize(torch.rand(100, 16), labels) for block in BLOCKS}
    untrained = {block: summarize(0.9 * torch.rand(100, 16), labels) for block in BLOCKS}
    shuffled = {block: 0.001 * k for k, block in enumerate(BLOCKS)}
    share, spread, ends, mean = plots.gates_by_depth(trained, untrained, shuffled).figure.axes
    for ax, fields in ((share, ["class_share"]), (spread, ["spread"]), (ends, ["above", "below"]), (mean, ["mean"])):
        drawn = [tuple(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) == len(BLOCKS)]
        for field in fields:
            for summaries in (trained, untrained):
                assert tuple(getattr(q, field) for q in summaries.values()) in drawn
    assert tuple(shuffled.values()) in [tuple(line.get_ydata()) for line in share.lines]
    assert [tick.get_text() for tick in mean.get_xticklabels()] == [block[5:8] for block in BLOCKS]
    for ax in (share, spread, ends):  # nothing is cut off
        assert ax.get_ylim()[1] > max(max(line.get_ydata()) for line in ax.lines)


LABELS = torch.arange(100) % 10


def a_network() -> dict[str, torch.Tensor]:
    """Gates `(100, 16)` of nine blocks, all of which follow the class a little."""
    by_class = torch.linspace(0.4, 0.5, 10)[LABELS][:, None]
    return {block: by_class + 0.1 * torch.rand(100, 16) for block in BLOCKS}


def test_observations_judge_the_first_network_by_the_limits() -> None:
    networks = {"ours": (a_network(), LABELS), "control": (a_network(), LABELS)}
    table = plots.observations(networks)
    assert table.head == ("The paper saw", "We measure", "Limit", "ours", "control", "Holds?")
    assert [row[2] for row in table.rows] == ["< 0.05", "> 2", "> 0.5", "> 0.9", "> 1"]
    numbers = [one.value for one in analysis.observations(*networks["ours"])]
    assert [row[3] for row in table.rows] == [f"{number:.3f}" for number in numbers]
    for shift, first in ((1e-6, "yes"), (-1e-6, "no")):  # the first observation holds below its limit, others above
        verdicts = [row[-1] for row in plots.observations(networks, [n + shift for n in numbers]).rows]
        assert verdicts == [first] + ["no" if first == "yes" else "yes"] * 4


def test_observations_want_a_limit_each() -> None:
    with pytest.raises(ValueError, match="limits must be 5 numbers, got 4"):
        plots.observations({"ours": (a_network(), LABELS)}, [1, 2, 3, 4])


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
