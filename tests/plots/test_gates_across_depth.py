"""Plots of the gates of all blocks: they show the numbers they were given."""

from __future__ import annotations

import pytest
import torch
from pictures import assert_sound

from senet_edu import plots
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
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.3, 0.7))


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


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
