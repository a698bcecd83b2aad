"""What records gates during training, and the recording that chapter 6 shows."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from senet_edu import create_model, record_gates, store
from senet_edu.data import load_data, normalize, procedural
from senet_edu.measure import learning
from senet_edu.measure.ablations import shrink
from senet_edu.train import Recipe, train

KEYS = ("mean", "distance", "spread", "at_half")


# The script


def test_steps_run_from_the_first_to_the_last_on_a_logarithmic_scale() -> None:
    steps = learning.steps_to_record(780)
    assert steps[0] == 0 and steps[-1] == 780 and 20 < len(steps) <= 30
    assert steps == sorted(set(steps))
    late = [step for step in steps if step > 30]
    ratios = [(b + 1) / (a + 1) for a, b in zip(late, late[1:])]
    assert max(ratios) / min(ratios) < 1.05
    assert learning.steps_to_record(1) == [0, 1]


def test_one_half_is_the_middle_of_a_bin() -> None:
    counts = learning.histogram(torch.tensor([[0.5, 0.5 - 0.012], [0.5 + 0.012, 0.0]]))
    assert len(counts) == learning.BINS and sum(counts) == 4
    assert counts[learning.BINS // 2] == 3 and counts[0] == 1


def test_numbers_of_a_block() -> None:
    gates = torch.tensor([[0.5, 0.5], [0.5, 0.9], [0.5, 0.5], [0.3, 0.5]])
    found = learning.numbers(gates)
    assert found == {
        "mean": pytest.approx(4.2 / 8),
        "distance": pytest.approx(0.6 / 8),
        "spread": pytest.approx((math.sqrt(0.0075) + math.sqrt(0.03)) / 2),
        "at_half": 0.5,
    }


def test_gates_are_those_of_a_training_step_and_the_model_stays_as_it_is() -> None:
    model = create_model("se_resnet20", reduction=4)
    images = shrink(procedural(train=10, test=40).test_images, learning.SIZE)
    before = copy.deepcopy(model.state_dict())
    found = learning.gates_now(model, images, images)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with record_gates(model) as expected, torch.no_grad():
        model(normalize(images))  # in training mode
    assert list(found) == list(expected)
    for block, s in expected.items():  # running variances divide by one less
        assert torch.allclose(found[block], s, atol=5e-3), block


def test_a_tiny_recording_is_whole_and_does_not_change_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    data = procedural(train=48, test=20)
    recipe = Recipe("se_resnet20", epochs=2, batch_size=24, sizes=((0.0, 16),))
    monkeypatch.setattr(learning, "RECIPE", recipe)
    variants = {
        "standard": learning.Variant("r = 4", {"reduction": 4}, (0, 1)),
        "zero_init": learning.Variant("zero", {"reduction": 4, "zero_init_residual": True}),
    }
    results = learning.measure(data, variants, reference=30)
    assert (results["images"], results["calibration_images"]) == (20, 30)
    assert not results["whole_training_set"]
    assert results["steps"] == [0, 1, 2, 3, 4]
    looks_right(results)
    assert results["variants"]["zero_init"]["at_half"][0][0] == [1.0] * 9  # all of them, before the first step
    once = train(recipe, data=data, device="cpu", eval_every=2, progress=False)
    again = train(
        recipe, data=data, device="cpu", eval_every=2, progress=False,
        on_step=lambda step, model: learning.gates_now(model, data.test_images, data.test_images),
    )  # fmt: skip
    for name, tensor in once.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def looks_right(results: dict[str, Any]) -> None:
    """Shapes, counts, and numbers that agree with the histograms."""
    blocks, steps, bins = results["blocks"], results["steps"], results["bins"]
    channels = [{"1": 16, "2": 32, "3": 64}[block[5]] for block in blocks]
    for one in results["variants"].values():
        assert len(one["train_accuracy"]) == len(one["seeds"])
        for key in KEYS:
            values = torch.tensor(one[key])
            assert values.shape == (len(one["seeds"]), len(steps), len(blocks)), key
            assert 0 <= values.min() and values.max() <= 1, key
        counts = torch.tensor(one["histogram"])
        assert counts.shape == (len(steps), len(blocks), bins)
        assert torch.equal(counts.sum(2), results["images"] * torch.tensor(channels).expand(len(steps), -1))
        middles = (torch.arange(bins) + 0.5) / bins
        shares = counts / counts.sum(2, keepdim=True)
        for key, by_bins in (("mean", middles), ("distance", (middles - 0.5).abs())):
            assert torch.allclose(shares @ by_bins, torch.tensor(one[key][0]), atol=0.5 / bins), key


# The stored recording


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return store.load("learning")


def test_the_recording_is_whole_and_small(root: Any, results: dict[str, Any]) -> None:
    assert results["data"] == "cifar10" and results["train_images"] == 50_000 and results["whole_training_set"]
    assert results["images"] == 250 and results["size"] == learning.SIZE
    assert results["bins"] == learning.BINS
    assert results["steps"] == learning.steps_to_record(2 * (50_000 // 128))
    assert len(results["blocks"]) == 9
    assert {name: (one["what"], one["model_options"]) for name, one in results["variants"].items()} == {
        name: (one.what, one.model_options) for name, one in learning.VARIANTS.items()
    }
    looks_right(results)
    assert (root / "senet_edu" / "results" / "learning.json").stat().st_size < 150_000


def test_the_recording_says_how_to_make_it_again(results: dict[str, Any]) -> None:
    about = results["about"]
    assert "learning" in about["command"]
    assert about["recipe"]["epochs"] == 2 and about["recipe"]["sizes"] == [[0.0, 16]]
    assert about["hardware"] and about["seconds"] > 0 and {"python", "torch"} <= set(about["versions"])
    assert [len(one["seeds"]) for one in results["variants"].values()] == [3, 1, 1]


def test_the_recording_begins_where_chapter_6_says(results: dict[str, Any]) -> None:
    """Fresh networks are the same on every machine, so the first step can be computed anew (where CIFAR-10 is)."""
    data = load_data()
    if data.name != "cifar10":
        pytest.skip(data.note)
    images = shrink(data.subset(test=results["images"]).test_images, learning.SIZE)
    reference = shrink(data.subset(train=results["calibration_images"]).train_images, learning.SIZE)
    for one in results["variants"].values():
        torch.manual_seed(one["seeds"][0])
        gates = learning.gates_now(create_model("se_resnet20", **one["model_options"]), reference, images)
        for k, s in enumerate(gates.values()):
            for key, value in learning.numbers(s).items():
                assert value == pytest.approx(one[key][0][0][k], abs=1e-3 if key != "at_half" else 0.01), key
