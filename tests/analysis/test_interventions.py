"""Other gates: who gives them to whom, what the network answers, and how sure the difference is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senet_edu import create_model, resnet20
from senet_edu.analysis import (
    BY_CHANCE,
    BY_PREDICTION,
    INTERVENTIONS,
    answers,
    calibrate_batch_norm,
    donors,
    effect,
    gates_of,
    replace_gates,
    toward_donor,
)
from senet_edu.data import normalize
from senet_edu.gates import override_gates


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
    assert model.training and got.dtype == torch.int64
    model.eval()
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


# ---- Donors by the network's answers


def test_a_donor_of_the_true_class_leaks_the_label_and_one_of_the_same_answer_does_not():
    """A network that reads the answer off its gates, and knows three classes of ten by chance only."""
    g = generator()
    labels = torch.arange(10).repeat(200)
    predicted = torch.where(labels < 3, torch.randint(3, (2_000,), generator=g), labels)
    gates = {"a": torch.eye(10)[predicted]}  # the gates are the answer
    means = {"a": gates["a"].mean(0)}

    def accuracy(kind: str, images: torch.Tensor) -> float:
        return (
            (replace_gates(kind, gates, means, labels, predicted=predicted)["a"].argmax(1) == labels)[images]
            .double()
            .mean()
        )

    wrong = predicted != labels
    assert 300 < wrong.sum() < 500
    assert accuracy("same_class", wrong) == pytest.approx(1 / 3, abs=0.1)  # the label mends them
    assert accuracy("same_prediction", wrong) == 0
    assert accuracy("same_prediction", ~wrong) == 1
    other = replace_gates("other_prediction", gates, means, labels, predicted=predicted)["a"].argmax(1)
    assert (other != predicted).all() and (other == labels)[wrong].any()


def test_swaps_by_prediction_are_those_of_donors(gates, labels):
    predicted = labels.roll(5)
    for kind, same in (("same_prediction", True), ("other_prediction", False)):
        assert kind in BY_PREDICTION and kind not in INTERVENTIONS
        new = replace_gates(kind, {"a": gates}, {}, labels, seed=3, predicted=predicted)
        assert torch.equal(new["a"], gates[donors(predicted, generator(3), same_class=same)])


def test_swaps_by_prediction_name_what_is_wrong(gates, labels):
    with pytest.raises(ValueError, match=r"predicted must be int64 \(41,\), got None"):
        replace_gates("same_prediction", {"a": gates}, {}, labels)
    alone = torch.zeros(41, dtype=torch.int64)
    alone[0] = 1
    with pytest.raises(ValueError, match="predicted must have at least two images of every class"):
        replace_gates("same_prediction", {"a": gates}, {}, labels, predicted=alone)


# ---- What used to end in an error of another library, or in another mode


def test_answers_leaves_modes_as_they_were_found(mixed, images):
    before = [module.training for module in mixed.modules()]
    answers(mixed, images, [{}, {"layer1.0.se": 0.5}])
    assert [module.training for module in mixed.modules()] == before
    with pytest.raises(ValueError, match="must broadcast to the gates' shape"):
        answers(mixed, images, [{"layer1.0.se": torch.zeros(7)}])
    assert [module.training for module in mixed.modules()] == before


@pytest.mark.parametrize("attention", ["cbam", "scse", "coordinate"])
def test_answers_of_relatives_are_those_of_a_whole_forward_pass(attention):
    """Blocks with two gates, `layer1.0.se.channel` and `….spatial`, and gates that are maps."""
    images = torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8, generator=generator())
    model = create_model("se_resnet8", attention=attention)
    calibrate_batch_norm(model, images)
    found = gates_of(model, images)
    overrides = [{}, {name: s.flip(0) for name, s in found.items()}]
    overrides += [{name: 0.0} for name in found] + [{name: s.roll(1, 0)} for name, s in found.items()]
    got = answers(model, images, overrides, batch_size=5)
    model.eval()
    with torch.no_grad():
        for one, mine in zip(overrides, got, strict=True):
            with override_gates(model, one):
                assert torch.equal(mine, model(normalize(images)).argmax(1))
    assert (got[1:] != got[0]).any()


def test_answers_names_a_network_without_residual_blocks_and_gates_outside_of_them(images):
    from torch import nn

    from senet_edu import SEBlock

    plain = nn.Sequential(nn.Conv2d(3, 4, 1), SEBlock(4))
    with pytest.raises(ValueError, match="in the standard place, got no residual block"):
        answers(plain, images, [{}])
    model = create_model("se_resnet8", reduction=4)
    model.bn1 = nn.Sequential(model.bn1, SEBlock(16))
    with pytest.raises(ValueError, match="SE blocks of residual blocks, such as 'layer1.0.se', got 'bn1.1'"):
        answers(model, images, [{"bn1.1": 1.0}])


def test_what_does_not_fit_is_named(gates, labels):
    means = {"a": gates.mean(0)}
    cases = {
        r"labels must be int64 \(…\), got torch.float32 \(3,\)": lambda: donors(
            torch.ones(3), generator(), same_class=True
        ),
        r"labels must be from 0 on, got -1 to 1": lambda: donors(torch.tensor([-1, 1]), generator(), same_class=True),
        r"kind must be one of .*; got None": lambda: replace_gates(None, {"a": gates}, means, labels),
        r"seed must be a whole number, got '1'": lambda: replace_gates("channels", {"a": gates}, means, labels, "1"),
        r"labels must be int64 \(41,\), got torch.int64 \(40,\)": lambda: replace_gates(
            "one", {"a": gates}, means, labels[1:]
        ),
        r"means must have all blocks of gates, got none of 'b'": lambda: replace_gates(
            "mean", {"b": gates}, means, labels
        ),
        r"before, after, labels must be int64 tensors, got list, torch.int64, torch.int64": lambda: effect(
            [1], labels, labels
        ),
        r"donor must be int64 \(41,\)": lambda: toward_donor(labels, labels, labels, labels[1:]),
        r"batch_size must be a whole number": lambda: answers(resnet20(), torch.zeros(1, 3, 8, 8).byte(), [{}], "9"),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message):
            call()
