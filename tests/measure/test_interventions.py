"""What chapter 9 shows of replaced gates: the stored measurement, in agreement with itself, and its maker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from senet_edu import load_pretrained, store, zoo
from senet_edu.analysis import BY_CHANCE, INTERVENTIONS, gates_of
from senet_edu.data import procedural
from senet_edu.gates import override_gates
from senet_edu.measure import interventions as maker
from senet_edu.train import evaluate


def numbers(value: Any) -> Iterator[float]:
    """All numbers in nested dictionaries and lists."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, float):
        yield value


@pytest.fixture(scope="module")
def interventions() -> dict[str, Any]:
    return store.load("interventions")


def test_interventions_belong_to_the_shipped_weights(interventions: dict[str, Any]) -> None:
    """After new weights: python -m senet_edu.measure.interventions"""
    assert interventions["sha256"] == zoo.facts(interventions["network"])["sha256"]


def test_interventions_were_measured_on_all_test_images(interventions: dict[str, Any]) -> None:
    assert interventions["data"] == "cifar10" and interventions["images"] == 10_000
    assert interventions["whole_test_set"] and len(interventions["seeds"]) >= 5
    assert interventions["accuracy"] == pytest.approx(zoo.facts(interventions["network"])["test_accuracy"], abs=2e-4)


def test_interventions_say_how_to_measure_them_again(interventions: dict[str, Any]) -> None:
    about = interventions["about"]
    assert about["command"]
    assert about["hardware"] and about["seconds"] > 0 and {"python", "torch"} <= set(about["versions"])


def test_interventions_are_whole_and_agree_with_each_other(interventions: dict[str, Any]) -> None:
    K, places = len(interventions["class_names"]), [*interventions["blocks"], "all"]
    assert (K, len(places)) == (10, 10)
    assert set(interventions["interventions"]) == set(INTERVENTIONS)
    assert all(-1 <= value <= 1 for value in numbers(interventions["interventions"]))
    before = interventions["accuracy"]
    assert before == pytest.approx(sum(interventions["class_accuracy"]) / K, abs=1e-5)  # classes of one size
    for kind, one in interventions["interventions"].items():
        assert one["what"] == INTERVENTIONS[kind] and one["by_chance"] == (kind in BY_CHANCE)
        assert list(one["places"]) == places
        for e in one["places"].values():
            assert e["accuracy"] == pytest.approx(before + e["change"], abs=1e-5)
            assert e["accuracy"] == pytest.approx(sum(e["by_seed"]) / len(e["by_seed"]), abs=1e-5)
            assert len(e["by_seed"]) == (len(interventions["seeds"]) if one["by_chance"] else 1)
            assert abs(e["change"]) <= e["changed"] + 1e-5
            assert e["change"] == pytest.approx(sum(c["change"] for c in e["classes"]) / K, abs=1e-5)
        if kind == "other_class":
            for place, e in one["places"].items():
                same = interventions["interventions"]["same_class"]["places"][place]
                assert e["beyond_same_class"]["change"] == pytest.approx(e["change"] - same["change"], abs=1e-5)
                assert 0 <= e["toward_donor_by_chance"] <= 1 / 9 + 1e-6


def test_the_maker_measures_what_override_gates_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command on a few drawn images, held to a plain loop over blocks."""
    data = procedural(40, 50)
    monkeypatch.setattr(maker, "load_cifar10", lambda download: data)
    argv = ["--images", "50", "--train-images", "40", "--seeds", "2", "--workers", "1", "--out", str(tmp_path)]
    maker.main(argv)
    found = store.load("interventions", folder=tmp_path)
    assert set(found["about"]) == set(store.ABOUT) and found["about"]["precision"] == "float32"
    assert found["about"]["command"] == "python -m senet_edu.measure.interventions " + " ".join(argv)
    model = load_pretrained("se_resnet20")
    part = data.subset(train=40, test=50)
    images, labels = part.test_images, part.test_labels
    assert found["accuracy"] == pytest.approx(evaluate(model, images, labels)[1])
    means = {block: s.mean(0) for block, s in gates_of(model, part.train_images).items()}
    for block, places in found["interventions"]["mean"]["places"].items():
        with override_gates(model, means if block == "all" else {block: means[block]}):
            assert places["accuracy"] == pytest.approx(evaluate(model, images, labels)[1], abs=1e-6), block
    assert json.dumps(found)
