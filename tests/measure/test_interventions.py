"""What chapter 9 shows of replaced gates: the stored measurement, in agreement with itself, and its maker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from senet_edu import load_pretrained, store, zoo
from senet_edu.analysis import BY_CHANCE, BY_PREDICTION, gates_of
from senet_edu.data import ImageData, procedural
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
    assert list(interventions["interventions"]) == list(maker.KINDS)
    measured = [one["places"] for one in interventions["interventions"].values()]
    assert all(-1 <= value <= 1 for value in numbers(measured))
    before = interventions["accuracy"]
    assert before == pytest.approx(sum(interventions["class_accuracy"]) / K, abs=1e-5)  # classes of one size
    for kind, one in interventions["interventions"].items():
        assert one["what"] == maker.KINDS[kind]
        assert one["by_chance"] == (kind in BY_CHANCE or kind in BY_PREDICTION)
        store.complete(one.get("about", interventions["about"]))
        assert list(one["places"]) == places
        for e in one["places"].values():
            assert e["accuracy"] == pytest.approx(before + e["change"], abs=1e-5)
            assert e["accuracy"] == pytest.approx(sum(e["by_seed"]) / len(e["by_seed"]), abs=1e-5)
            assert len(e["by_seed"]) == (len(interventions["seeds"]) if one["by_chance"] else 1)
            assert abs(e["change"]) <= e["changed"] + 1e-5
            assert e["change"] == pytest.approx(sum(c["change"] for c in e["classes"]) / K, abs=1e-5)
        if kind.startswith("other_"):
            partner = kind.replace("other", "same")
            for place, e in one["places"].items():
                same = interventions["interventions"][partner]["places"][place]
                assert e[f"beyond_{partner}"]["change"] == pytest.approx(e["change"] - same["change"], abs=1e-5)
                assert 0 <= e["toward_donor_by_chance"] <= 1 / 8


def twice(data: ImageData) -> ImageData:
    """Half of the test images, each twice, so that there are two images of every answer of the network."""
    half = data.subset(test=len(data.test_labels) // 2)
    images, labels = (torch.cat([part, part]) for part in (half.test_images, half.test_labels))
    return replace(data, test_images=images, test_labels=labels)


def test_the_maker_measures_what_override_gates_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command on a few drawn images, held to a plain loop over blocks."""
    data = twice(procedural(40, 50))
    monkeypatch.setattr(maker, "load_cifar10", lambda download: data)
    argv = ["--images", "50", "--train-images", "40", "--seeds", "2", "--workers", "1", "--out", str(tmp_path)]
    maker.main(argv)
    found = store.load("interventions", folder=tmp_path)
    assert set(found["about"]) == set(store.ABOUT) and found["about"]["precision"] == "float32"
    assert found["about"]["command"] == "python -m senet_edu.measure.interventions " + " ".join(argv[:-2])
    model = load_pretrained("se_resnet20")
    part = data.subset(train=40, test=50)
    images, labels = part.test_images, part.test_labels
    assert found["accuracy"] == pytest.approx(evaluate(model, images, labels)[1])
    means = {block: s.mean(0) for block, s in gates_of(model, part.train_images).items()}
    for block, places in found["interventions"]["mean"]["places"].items():
        with override_gates(model, means if block == "all" else {block: means[block]}):
            assert places["accuracy"] == pytest.approx(evaluate(model, images, labels)[1], abs=1e-6), block
    assert json.dumps(found)


def test_some_kinds_are_measured_later_into_the_file_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = twice(procedural(10, 50))
    monkeypatch.setattr(maker, "load_cifar10", lambda download: data)
    argv = ["--images", "50", "--train-images", "10", "--seeds", "1", "--workers", "1", "--out", str(tmp_path)]
    maker.main(argv)
    whole = store.load("interventions", folder=tmp_path)
    assert list(whole["interventions"]) == list(maker.KINDS)
    short = {**whole, "interventions": {"mean": whole["interventions"]["mean"]}}
    store.keep("interventions", short, short.pop("about"), folder=tmp_path)
    maker.main([*argv, "--kinds", "same_prediction"])
    found = store.load("interventions", folder=tmp_path)
    later = found["interventions"]["same_prediction"]
    assert later.pop("about")["command"].endswith("--kinds same_prediction")
    assert found["about"] == whole["about"]
    assert found["interventions"] == {kind: whole["interventions"][kind] for kind in ("mean", "same_prediction")}
    store.keep("interventions", {**short, "accuracy": 0.123}, whole["about"], folder=tmp_path)
    with pytest.raises(SystemExit, match="differs in accuracy; measure all kinds anew"):
        maker.main([*argv, "--kinds", "same_prediction"])
