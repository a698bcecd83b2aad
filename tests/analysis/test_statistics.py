"""Statistics of gates against NumPy, and against gates made so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senet_edu.analysis import (
    class_means,
    class_share,
    openers,
    pattern_similarity,
    summarize,
    within_class_spread,
)


def test_means_and_spreads_are_those_of_numpy_class_by_class(gates, labels):
    s, y = gates.double().numpy(), labels.numpy()
    np.testing.assert_allclose(class_means(gates, labels), [s[y == k].mean(0) for k in range(4)], rtol=1e-12)
    np.testing.assert_allclose(within_class_spread(gates, labels), [s[y == k].std(0) for k in range(4)], rtol=1e-10)


def test_class_share_is_what_a_regression_on_the_class_explains(gates, labels):
    # R² of least squares on one-hot classes: the same number by another way.
    s = gates.double().numpy()
    design = np.eye(4)[labels.numpy()]
    residual = s - design @ np.linalg.lstsq(design, s, rcond=None)[0]
    np.testing.assert_allclose(class_share(gates, labels), 1 - residual.var(0) / s.var(0), rtol=1e-10)


def test_class_share_of_known_gates():
    labels = torch.tensor([0, 0, 1, 1])
    gates = torch.tensor(
        [
            # class only, image only, constant, half and half: class means ±1/8, within the classes ±1/8
            [0.25, 0.3, 0.1, 0.25],
            [0.25, 0.7, 0.1, 0.50],
            [0.75, 0.3, 0.1, 0.50],
            [0.75, 0.7, 0.1, 0.75],
        ]
    )
    torch.testing.assert_close(class_share(gates, labels), torch.tensor([1, 0, 0, 0.5]).double(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 1.0])
def test_a_constant_gate_has_no_class_share_whatever_the_rounding(value):
    gates = torch.full((1_001, 1), value)
    assert class_share(gates, torch.arange(1_001) % 7).item() == 0


def test_labels_without_relation_give_the_expected_class_share():
    K, N, C = 10, 500, 4_000
    generator = torch.Generator().manual_seed(0)
    share = class_share(torch.rand(N, C, generator=generator), torch.randperm(N, generator=generator) % K)
    assert share.mean().item() == pytest.approx((K - 1) / (N - 1), rel=0.05)  # 13 standard errors


def test_variance_between_and_within_balanced_classes_adds_up(gates):
    labels = torch.arange(40) % 5
    s = gates[:40]
    between = class_means(s, labels).var(0, correction=0)
    within = (within_class_spread(s, labels) ** 2).mean(0)
    torch.testing.assert_close(between + within, s.double().var(0, correction=0))
    torch.testing.assert_close(between / (between + within), class_share(s, labels))


def test_pattern_similarity_is_the_mean_correlation_of_pairs(gates, labels):
    correlation = np.corrcoef(class_means(gates, labels))
    pairs = [correlation[i, j] for i in range(4) for j in range(i)]
    assert pattern_similarity(gates, labels) == pytest.approx(np.mean(pairs), abs=1e-12)


@pytest.mark.parametrize(
    ("profiles", "similarity"),
    [
        ([[0.1, 0.2, 0.6], [0.2, 0.3, 0.7], [0.05, 0.10, 0.30]], 1),  # shifted, scaled
        ([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], -1),
        ([[0.1, 0.2, 0.3], [0.7, 0.7, 0.7]], 0),  # flat
        ([[0.3, 0.3, 0.3], [0.7, 0.7, 0.7]], 0),
    ],
)
def test_pattern_similarity_of_known_profiles(profiles, similarity):
    s = torch.tensor(profiles)
    assert pattern_similarity(s, torch.arange(len(s))) == pytest.approx(similarity, abs=1e-5)


def test_summary(gates, labels):
    s, y = gates.double().numpy(), labels.numpy()
    means = np.array([s[y == k].mean(0) for k in range(4)])
    summary = summarize(gates, labels, low=0.2, high=0.7)
    assert vars(summary) == pytest.approx(
        {
            "mean": s.mean(),
            "spread": s.std(0).mean(),
            "within": np.mean([s[y == k].std(0) for k in range(4)]),
            "between": means.std(0).mean(),
            "class_share": class_share(gates, labels).mean().item(),
            "above": (s > 0.7).mean(),
            "below": (s < 0.2).mean(),
        },
        rel=1e-9,
    )


def test_the_ends_are_0_05_and_0_95_by_default():
    summary = summarize(torch.tensor([[0.04, 0.06], [0.94, 0.96]]), torch.tensor([0, 1]))
    assert (summary.below, summary.above) == (0.25, 0.25)


@pytest.mark.parametrize("function", [class_means, class_share, within_class_spread, pattern_similarity, summarize])
def test_what_does_not_fit_is_named(function, gates, labels):
    for wrong in (gates[0], gates[:0], gates.where(gates > 0.5, torch.nan)):
        with pytest.raises(ValueError, match="gates must be finite and"):
            function(wrong, labels)
    for wrong in (labels[:-1], labels[:, None], labels.float()):
        with pytest.raises(ValueError, match=r"labels must be int64 \(41,\), got"):
            function(gates, wrong)
    with pytest.raises(ValueError, match=r"no image of the classes \[1, 3\]"):
        function(gates, torch.tensor([0, 2, 4]).repeat(14)[:41])
    with pytest.raises(ValueError, match="labels must be from 0 on, got -1 to 2"):
        function(gates, labels - 1)


def test_wrong_options_are_named(gates, labels):
    with pytest.raises(ValueError, match="labels must be from 0 to 2, got 0 to 3"):
        class_means(gates, labels, num_classes=3)
    with pytest.raises(ValueError, match="low and high .* got 0.9 and 0.1"):
        summarize(gates, labels, low=0.9, high=0.1)
    with pytest.raises(ValueError, match="two classes and two channels"):
        pattern_similarity(gates[:, :1], labels)


def test_openers_are_those_of_a_sort_by_hand(gates):
    found = openers({"a": gates, "b": gates.flip(0)}, k=3)
    assert list(found) == ["a", "b"]
    for c in range(6):
        by_gate = sorted(range(41), key=lambda i: gates[i, c].item())
        assert found["a"].least[c].tolist() == by_gate[:3]
        assert found["a"].most[c].tolist() == by_gate[::-1][:3]
        assert found["b"].most[c].tolist() == [40 - i for i in by_gate[::-1][:3]]
    assert found["a"].most.shape == (6, 3) and found["a"].most.dtype == torch.int64


def test_openers_of_equal_gates_are_the_first_images():
    dead = openers({"dead": torch.full((5, 2), 0.5)}, k=2)["dead"]
    assert dead.most.tolist() == dead.least.tolist() == [[0, 1], [0, 1]]


def test_openers_names_what_is_wrong(gates):
    for k in (0, 42):
        with pytest.raises(ValueError, match=f"k must be at least 1 and at most 41, got {k}"):
            openers({"a": gates}, k)
    with pytest.raises(ValueError, match="k must be a whole number, .* got '3'"):
        openers({"a": gates}, "3")
    for wrong in (gates[0], gates.where(gates > 0.5, torch.nan), gates.numpy()):
        with pytest.raises(ValueError, match=r"gates\['a'\] must be finite and \(N, C\)"):
            openers({"a": wrong})
