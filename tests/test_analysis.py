"""Statistics of gates against NumPy, and against gates made so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from senet_edu import create_model, resnet20
from senet_edu.analysis import (
    calibrate_batch_norm,
    class_means,
    class_share,
    gates_of,
    pattern_similarity,
    summarize,
    within_class_spread,
)
from senet_edu.data import normalize


@pytest.fixture(scope="module")
def gates() -> torch.Tensor:
    return torch.rand(41, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    """Four classes of 20, 11, 7 and 3 images, mixed."""
    sizes = torch.tensor([20, 11, 7, 3])
    return torch.arange(4).repeat_interleave(sizes)[torch.randperm(41, generator=torch.Generator().manual_seed(1))]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(256, (10, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


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
        with pytest.raises(ValueError, match="labels must be int64, one for each row"):
            function(gates, wrong)
    with pytest.raises(ValueError, match=r"no image of the classes \[1, 3\]"):
        function(gates, torch.tensor([0, 2, 4]).repeat(14)[:41])
    with pytest.raises(ValueError, match="labels must be from 0 to"):
        function(gates, labels - 1)


def test_wrong_options_are_named(gates, labels):
    with pytest.raises(ValueError, match="labels must be from 0 to num_classes - 1 = 2, got 0 to 3"):
        class_means(gates, labels, num_classes=3)
    with pytest.raises(ValueError, match="low and high .* got 0.9 and 0.1"):
        summarize(gates, labels, low=0.9, high=0.1)
    with pytest.raises(ValueError, match="two classes and two channels"):
        pattern_similarity(gates[:, :1], labels)


def test_gates_of_all_blocks_in_order_whatever_the_batches(images):
    torch.manual_seed(0)
    model = create_model("se_resnet20", reduction=4)  # in training mode
    calibrate_batch_norm(model, images)
    blocks = gates_of(model.train(), images, batch_size=4)
    assert {name: tuple(s.shape) for name, s in blocks.items()} == {
        f"layer{stage}.{k}.se": (10, C) for stage, C in ((1, 16), (2, 32), (3, 64)) for k in range(3)
    }
    assert list(blocks) == sorted(blocks)

    seen = []  # the first block's gates, without the recorder
    model.layer1[0].se.register_forward_hook(lambda se, args, out: seen.append(se.excite(se.squeeze(args[0]))))
    with torch.no_grad():
        model.eval()(normalize(images))
    torch.testing.assert_close(blocks["layer1.0.se"], seen[0], atol=1e-5, rtol=0)


def test_gates_of_names_what_is_wrong(images):
    model = create_model("se_resnet20", reduction=4)
    for wrong in (images.float(), images[0], images[:, :1], images[:0]):
        with pytest.raises(ValueError, match="images must be uint8"):
            gates_of(model, wrong)
        with pytest.raises(ValueError, match="images must be uint8"):
            calibrate_batch_norm(model, wrong)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        gates_of(model, images, batch_size=0)
    with pytest.raises(ValueError, match="no SE block"):
        gates_of(resnet20(), images)


def test_a_calibrated_network_computes_in_eval_mode_what_it_computes_in_training(images):
    torch.manual_seed(0)
    model = create_model("se_resnet20", reduction=4)
    before = {name: p.clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        in_training = model.train()(normalize(images))  # with the batch's own statistics
    calibrate_batch_norm(model, images)
    assert not model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}
    with torch.no_grad():
        # Running variances are unbiased, those of a batch are not; at 4x4 maps and 10 images that is 0.3 % a layer.
        torch.testing.assert_close(model(normalize(images)), in_training, atol=0.05, rtol=0)
