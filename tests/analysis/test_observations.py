"""The paper's observations, on gates made so that the numbers are known."""

from __future__ import annotations

from statistics import fmean

import pytest
import torch

from senet_edu.analysis import class_means, observations, pattern_similarity, within_class_spread

LABELS = torch.tensor([0, 0, 1, 1])


def block(between: float, within: float, middle: float = 0.5) -> torch.Tensor:
    """Gates `(4, 2)` whose class means and whose images inside a class deviate by so much."""
    s = middle + torch.tensor([-between - within, -between + within, between - within, between + within])
    return torch.stack([s, 1 - s], 1)


@pytest.fixture
def gates() -> dict[str, torch.Tensor]:
    return {
        "layer1.0.se": block(0.04, 0.02),
        "layer1.1.se": block(0.02, 0.01),
        "layer2.0.se": block(0.05, 0.03),
        "layer2.1.se": block(0.0, 0.0),  # dead
        "layer3.0.se": torch.tensor([[0.96, 0.97], [0.98, 0.1], [0.99, 0.96], [0.2, 0.96]]),
        "layer3.1.se": block(0.2, 0.06),
    }


def test_numbers_of_known_gates(gates):
    found = observations(gates, LABELS)
    # The largest of a stage; of stage 3 that is the second block between, the first within.
    within = within_class_spread(gates["layer3.0.se"], LABELS).mean().item()
    growth = [0.03 / 0.02, within / 0.03]
    similarity = pattern_similarity(gates["layer3.1.se"], LABELS)
    expected = [0.02, 0.2 / 0.04, 6 / 8, similarity, min(growth)]
    assert [one.value for one in found] == pytest.approx(expected, rel=1e-5)
    assert similarity == pytest.approx(-1)
    assert [one.holds for one in found] == [True, True, True, False, True]
    assert [one.measured.partition(":")[0] for one in found[:4]] == [
        "layer1.1",
        "stage 3 / stage 1",
        "layer3.0",
        "layer3.1",
    ]


def test_a_mean_over_the_blocks_of_a_stage_is_another_measure(gates):
    found = observations(gates, LABELS, stage=fmean)
    outer = class_means(gates["layer3.0.se"], LABELS).std(0, correction=0).mean().item()
    assert found[1].value == pytest.approx((outer + 0.2) / 2 / 0.03, rel=1e-5)
    assert found[4].value == pytest.approx(0.015 / 0.015, rel=1e-5)  # the dead block counts


def test_networks_that_are_too_small_are_named(gates):
    for names in (list(gates)[:4], list(gates)[1:], []):
        with pytest.raises(ValueError, match="gates must have three stages or more"):
            observations({name: gates[name] for name in names}, LABELS)
