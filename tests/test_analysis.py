"""Statistics of gates against NumPy, and against gates made so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from senet_edu import create_model, resnet20
from senet_edu.analysis import (
    BY_CHANCE,
    INTERVENTIONS,
    answers,
    calibrate_batch_norm,
    class_means,
    class_share,
    donors,
    effect,
    gates_of,
    pattern_similarity,
    replace_gates,
    summarize,
    toward_donor,
    within_class_spread,
)
from senet_edu.data import normalize
from senet_edu.gates import override_gates


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


# Interventions


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_donors_of_the_same_class_give_once_and_never_to_themselves(labels):
    donor = donors(labels, generator(), same_class=True)
    assert torch.equal(labels[donor], labels)
    assert sorted(donor.tolist()) == list(range(len(labels)))
    assert (donor != torch.arange(len(labels))).all()
    assert torch.equal(donor, donors(labels, generator(), same_class=True))
    assert not torch.equal(donor, donors(labels, generator(1), same_class=True))


def test_donors_of_other_classes_are_all_equally_likely():
    labels = torch.tensor([2, 0, 0, 1, 2, 2, 1, 2])
    draws = 4_000
    g = generator()
    drawn = torch.stack([donors(labels, g, same_class=False) for _ in range(draws)])
    for i, label in enumerate(labels):
        others = (labels != label).double()
        share = drawn[:, i].bincount(minlength=len(labels)) / draws
        torch.testing.assert_close(share.double(), others / others.sum(), atol=0.04, rtol=0)  # over 5 standard errors
        assert (share[labels == label] == 0).all()


def test_donors_names_labels_without_any():
    with pytest.raises(ValueError, match=r"two images of every class, got classes of \[2, 1\] images"):
        donors(torch.tensor([0, 1, 0]), generator(), same_class=True)
    with pytest.raises(ValueError, match="at least two classes, got classes of"):
        donors(torch.tensor([1, 1, 1]), generator(), same_class=False)


def test_replaced_gates(gates, labels):
    two = {"a": gates, "b": gates.flip(1) / 2}
    means = {"a": torch.full((6,), 0.25), "b": torch.arange(6) / 10}
    new = {kind: replace_gates(kind, two, means, labels, seed=3) for kind in INTERVENTIONS}
    assert all(s.shape == (41, 6) for blocks in new.values() for s in blocks.values())
    assert all((s == value).all() for kind, value in (("half", 0.5), ("one", 1)) for s in new[kind].values())
    assert all((new["mean"][b] == means[b]).all() for b in two)
    for kind, same in (("same_class", True), ("other_class", False)):
        donor = donors(labels, generator(3), same_class=same)
        assert all(torch.equal(new[kind][b], two[b][donor]) for b in two)
    for b in two:  # the same columns in another order, the same order for every image
        columns = new["channels"][b].T
        order = [int((two[b].T == column).all(1).nonzero()) for column in columns]
        assert sorted(order) == list(range(6)) and order != list(range(6))
    assert set(BY_CHANCE) == {
        kind
        for kind in INTERVENTIONS
        if not all(torch.equal(new[kind][b], replace_gates(kind, two, means, labels, seed=4)[b]) for b in two)
    }
    with pytest.raises(ValueError, match="kind must be one of mean, same_class.*got 'zero'"):
        replace_gates("zero", two, means, labels)


def test_answers_are_those_of_a_whole_forward_pass():
    torch.manual_seed(0)
    images = torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8, generator=generator())
    model = create_model("se_resnet20", reduction=4)
    calibrate_batch_norm(model, images)
    blocks = list(gates_of(model, images))
    new = {b: torch.rand(40, s.shape[1], generator=generator()) for b, s in gates_of(model, images).items()}
    overrides = [{}, {"layer3.2.se": 0.0}, {"layer2.1.se": lambda s: 1 - s, "layer1.0.se": torch.rand(16)}, new]
    overrides += [{b: new[b]} for b in blocks]
    got = answers(model.train(), images, overrides, batch_size=7)
    assert not model.training and got.dtype == torch.int64
    with torch.no_grad():
        for one, mine in zip(overrides, got, strict=True):
            with override_gates(model, one):
                assert torch.equal(mine, model(normalize(images)).argmax(1))
    assert (got[1:4] != got[0]).any(1).all()  # the overrides did something
    with torch.no_grad():
        assert torch.equal(got[0], model(normalize(images)).argmax(1))  # and nothing stays behind


def test_answers_names_what_is_wrong(images):
    model = create_model("se_resnet20", reduction=4)
    with pytest.raises(ValueError, match="images must be uint8"):
        answers(model, images.float(), [{}])
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        answers(model, images, [{}], batch_size=0)
    with pytest.raises(ValueError, match="'layer4.0.se', which is not an SE block"):
        answers(model, images, [{}, {"layer4.0.se": 1.0}])
    with pytest.raises(ValueError, match="in the standard place, got pre"):
        answers(create_model("se_resnet20", reduction=4, placement="pre"), images, [{}])


def test_effect_is_that_of_mcnemar():
    # Of 50 images, 20 stay right, 12 break (right to wrong), 5 are mended, 8 stay wrong alike, 5 wrong in another way.
    labels = torch.zeros(50, dtype=torch.int64)
    before = torch.tensor([0] * 32 + [1] * 18)
    after = torch.tensor([0] * 20 + [2] * 12 + [0] * 5 + [1] * 8 + [3] * 5)
    e = effect(before, after, labels)
    assert (e.accuracy, e.change, e.changed) == pytest.approx((25 / 50, -7 / 50, 22 / 50))
    assert e.margin == pytest.approx(1.96 * np.sqrt(12 + 5 - (12 - 5) ** 2 / 50) / 50)
    assert e.by_seed == pytest.approx((0.5,))
    two = effect(before, torch.stack([after, before]), labels)
    assert (two.accuracy, two.change, two.changed) == pytest.approx((28.5 / 50, -3.5 / 50, 11 / 50))
    assert two.margin == pytest.approx(e.margin / 2)  # every d_i is halved
    assert two.by_seed == pytest.approx((25 / 50, 32 / 50))
    apart = effect(torch.stack([before, before]), torch.stack([after, before]), labels)
    assert apart == two
    assert effect(torch.stack([after, before]), torch.stack([before, after]), labels).margin == 0  # the same on average


def test_effect_names_shapes_that_do_not_fit():
    y = torch.zeros(3, dtype=torch.int64)
    for wrong in ((y[:2], y, y), (y, y[:2], y), (y, y, y[:0]), (y, y, y[None]), (y.expand(2, 3), y, y)):
        with pytest.raises(ValueError, match="before, after, labels must be"):
            effect(*wrong)


def test_the_interval_covers_the_true_change_as_often_as_it_says():
    # Answers of which 10 % break and 4 % are mended: the true change is -6 %.
    g = generator()
    covered = 0
    for _ in range(400):
        u = torch.rand(300, generator=g)
        labels = torch.zeros(300, dtype=torch.int64)
        before = (u < 0.3).long()
        after = torch.where(u < 0.04, 0, torch.where(u > 0.9, 1, before))
        e = effect(before, after, labels)
        covered += abs(e.change + 0.06) <= e.margin
    assert 0.92 < covered / 400 < 0.98


def test_answers_that_move_toward_the_donor():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    donor = torch.tensor([2, 4, 0, 4, 0, 2])
    before = labels.clone()
    after = torch.tensor([1, 1, 1, 2, 1, 2])  # images 0, 1, 3, 4 moved; 0 and 3 to the class of their donor
    # Each moved to one class out of the two that are not their own, so by chance half of them name the donor's.
    assert toward_donor(before, after, labels, donor) == (0.5, 0.5)
    after[1] = before[1] = 2
    after[1] = 0  # mended: no donor is of its own class
    assert toward_donor(before, after, labels, donor) == (0.5, 0.375)
    assert toward_donor(after, after, labels, donor) == (0, 0)


def test_donors_that_do_not_matter_are_met_by_chance():
    labels = torch.arange(10).repeat(500)
    after = torch.randint(10, (5_000,), generator=generator())
    share, chance = toward_donor(labels, after, labels, donors(labels, generator(1), same_class=False))
    assert chance == pytest.approx(1 / 9)
    assert share == pytest.approx(chance, abs=0.02)  # over 4 standard errors
