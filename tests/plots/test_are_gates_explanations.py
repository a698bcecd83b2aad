"""Plots of what depends on gates: they show the numbers they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pictures import assert_sound

from senet_edu import plots, store
from senet_edu.plots import Picture


def pictures() -> dict[str, Picture]:
    return {"needed_channels": plots.needed_channels(torch.rand(16), torch.rand(16), "the last block")}


def test_needed_channels() -> None:
    gate, needed = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.0, 0.25, 0.02])
    picture = plots.needed_channels(gate, needed, "the last block")
    (ax,) = picture.figure.axes
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[0.1, 0], [0.5, 25], [0.9, 2]], rtol=1e-6)
    assert ax.get_xlim() == (0, 1) and ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 25
    assert ax.get_title(loc="left") == "the last block"
    assert picture.alt == plots.needed_channels(gate, 0 * needed).alt
    assert "3 channels" in picture.alt


def effect(change: float, margin: float = 0.005, **more: Any) -> dict[str, Any]:
    return {"change": change, "margin": margin, **more}


def an_experiment(**changed: dict[str, Any]) -> dict[str, Any]:
    """Results in which nothing falls, but for the given ones, `kind_place=effect`."""
    kinds = ("mean", "same_class", "same_prediction", "other_prediction", "channels", "one")
    places = {kind: {place: effect(0.0) for place in ("a.se", "b.se", "all")} for kind in kinds}
    places["other_prediction"]["all"] |= {
        "toward_donor": 0.1,
        "toward_donor_by_chance": 0.1,
        "beyond_same_prediction": effect(0.0),
    }
    for name, value in changed.items():
        kind, _, place = name.rpartition("_")
        places[kind][place if place == "all" else f"{place}.se"] |= value
    return {"blocks": ["a.se", "b.se"], "interventions": {kind: {"places": at} for kind, at in places.items()}}


def answers(results: dict[str, Any]) -> list[bool]:
    return [verdict.holds for verdict in plots.intervention_verdicts(results)]


def test_where_nothing_falls_every_answer_is_no() -> None:
    assert answers(an_experiment()) == [False] * 9


@pytest.mark.parametrize(
    ("question", "changed"),
    [
        (1, {"channels_all": effect(-0.4)}),
        (2, {"same_prediction_all": effect(-0.04)}),
        (3, {"other_prediction_all": {"beyond_same_prediction": effect(-0.1)}}),
        (4, {"other_prediction_all": {"toward_donor": 0.21}}),
        (5, {"same_class_b": effect(0.03)}),
        (8, {"one_a": effect(-0.02), "one_b": effect(-0.02)}),
    ],
)
def test_each_answer_follows_its_own_measurement(question: int, changed: dict[str, Any]) -> None:
    assert [k for k, holds in enumerate(answers(an_experiment(**changed))) if holds] == [question]


def test_all_frozen_at_once_answers_two_questions() -> None:
    """That gates must answer to the image, and that together they cost more than one by one: none falls alone."""
    assert [k for k, holds in enumerate(answers(an_experiment(mean_all=effect(-0.05)))) if holds] == [0, 7]


def test_half_of_the_blocks_are_not_enough_to_blame_set_to_one() -> None:
    assert not answers(an_experiment(one_a=effect(-0.02)))[8]


def test_the_block_that_gains_most_by_a_leak_is_one_of_several() -> None:
    """As for the worst of two: 0.0049 becomes 0.0056."""
    assert not answers(an_experiment(same_class_a=effect(0.005, 0.0049)))[5]
    assert answers(an_experiment(same_class_a=effect(0.005, 0.0043)))[5]


@pytest.mark.parametrize(("margin", "holds"), [(0.0049, False), (0.0043, True)])
def test_the_worst_of_two_blocks_needs_a_wider_interval(margin: float, holds: bool) -> None:
    """One of two: 2.2414 standard errors instead of 1.96. So 0.0043 becomes 0.00492 and 0.0049 becomes 0.0056."""
    results = an_experiment(mean_a=effect(-0.005, margin))
    assert answers(results)[6] is holds
    assert plots.intervention_verdicts(results)[6].measured.endswith("frozen blocks, a")


def test_of_several_is_bonferroni() -> None:
    assert plots.of_several(effect(-0.01, 1.96), 1)["margin"] == pytest.approx(1.96)
    assert plots.of_several(effect(-0.01, 1.96), 9)["margin"] == pytest.approx(2.773, abs=1e-3)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        plots.of_several(effect(-0.01), 0)


def test_the_table_of_the_shipped_measurement() -> None:
    table = plots.interventions_table(store.load("interventions"))
    assert len(table.rows) == 9 and {row[-1] for row in table.rows} <= {"yes", "no"}
    stored = store.load("interventions")["interventions"]["mean"]["places"]["all"]["change"]
    assert table.rows[0][2].startswith(f"{100 * stored:+.1f}".replace("-", "\N{MINUS SIGN}"))


def test_plots_are_sound() -> None:
    assert_sound(pictures(), pictures())
