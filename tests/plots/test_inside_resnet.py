"""Plots of SE inside a ResNet: they show the numbers they were given."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.patches import Rectangle
from pictures import assert_sound

from senet_edu import plots
from senet_edu.plots import Picture

PLACES = ["none", "standard", "pre", "post", "identity", "3x3"]


def pictures() -> dict[str, Picture]:
    return {
        "placements": plots.placements({place: "25.56 M\nerror 23.30" for place in PLACES}),
        "where_se_costs": plots.where_se_costs({"stage 1": 24_576}, {"stage 1": 2_408_448}),
        "map_sides": plots.map_sides({"small": {"image": 32, "stem": 1}, "other": {"image": 32}}),
    }


def test_every_placement_has_its_own_diagram() -> None:
    def boxes(ax: mpl.axes.Axes) -> list[tuple]:
        return sorted((round(p.get_x(), 3), round(p.get_y(), 3)) for p in ax.patches if isinstance(p, Rectangle))

    axes = plots.placements(dict.fromkeys(PLACES, "note")).figure.axes
    diagrams = [boxes(ax) for ax in axes]
    assert len({tuple(diagram) for diagram in diagrams}) == len(PLACES)
    convolutions = set(diagrams[0])  # the network without SE
    assert len(convolutions) == 3 and all(convolutions < set(diagram) for diagram in diagrams[1:])


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
