"""The shipped networks: complete facts, sound files, and the accuracy that the facts claim."""

import hashlib
import json
import shutil

import pytest
import ship_weights
import torch
from safetensors.torch import load_file

from senet_edu import load_cifar10, load_pretrained, zoo
from senet_edu.analysis import BY_CHANCE, INTERVENTIONS
from senet_edu.data import procedural
from senet_edu.resnet import create_model
from senet_edu.train import Recipe, evaluate, train

NAMES = ("resnet20", "se_resnet20")


def test_both_networks_are_shipped_and_nothing_else_lies_there():
    assert set(zoo.manifest()) == set(NAMES)
    files = {f"{name}{end}" for name in NAMES for end in (".safetensors", ".history.jsonl")}
    assert {path.name for path in zoo.WEIGHTS.iterdir()} == files | {"manifest.json"}


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_complete(name):
    facts = zoo.facts(name)
    assert facts["sha256"] == hashlib.sha256((zoo.WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest()
    assert 0 < facts["test_accuracy"] < 1 and facts["test_loss"] > 0
    about = facts["about"]
    assert about["recipe"]["model"] == name and about["recipe"]["data"] == "cifar10"
    assert about["recipe"]["model_options"] == facts["model_options"]
    assert about["command"].startswith("python -m senet_edu.train ") and f"--model {name}" in about["command"]
    assert {"python", "torch"} <= set(about["versions"])
    assert about["hardware"] and about["precision"]


def test_the_two_were_trained_by_the_same_recipe():
    plain, se = ({**zoo.facts(name)["about"]["recipe"]} for name in NAMES)
    for recipe in (plain, se):
        del recipe["model"], recipe["model_options"]
    assert plain == se
    assert zoo.facts("se_resnet20")["model_options"] == {"reduction": 4}


@pytest.mark.parametrize("name", NAMES)
def test_file_is_small_and_matrices_are_in_half_precision(name):
    path = zoo.WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size < 1_000_000
    for key, tensor in load_file(path).items():
        if tensor.is_floating_point():
            assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32), key


@pytest.mark.parametrize("name", NAMES)
def test_weights_load_whole_in_float32_and_eval_mode(name):
    model = load_pretrained(name)
    assert not model.training
    assert all(p.dtype == torch.float32 for p in model.parameters())
    stored = load_file(zoo.WEIGHTS / f"{name}.safetensors")
    assert (
        set(stored)
        == set(model.state_dict())
        == set(create_model(name, **zoo.facts(name)["model_options"]).state_dict())
    )
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, stored[key].to(tensor.dtype)), key
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("name", NAMES)
def test_history_is_whole_and_ends_at_the_shipped_accuracy(name):
    recipe = zoo.facts(name)["about"]["recipe"]
    history = zoo.load_history(name)
    assert [row["epoch"] for row in history] == list(range(1, recipe["epochs"] + 1))
    assert history[-1]["test_accuracy"] == pytest.approx(zoo.facts(name)["test_accuracy"], abs=0.001)  # half precision
    first = json.loads((zoo.WEIGHTS / f"{name}.history.jsonl").read_text().splitlines()[0])
    assert first == zoo.facts(name)["about"]


@pytest.mark.parametrize("load", [load_pretrained, zoo.load_history, zoo.facts])
def test_an_unknown_name_says_what_there_is(load):
    with pytest.raises(ValueError, match="'resnet56' has no shipped weights; there are resnet20, se_resnet20"):
        load("resnet56")


def test_a_damaged_file_is_not_loaded(tmp_path, monkeypatch):
    shutil.copytree(zoo.WEIGHTS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    load_pretrained("resnet20")  # the copy is sound
    path = tmp_path / "resnet20.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1  # one bit
    path.write_bytes(raw)
    with pytest.raises(RuntimeError, match="resnet20.safetensors is damaged: its SHA-256 .* Install senet_edu again"):
        load_pretrained("resnet20")


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_a_thousand_test_images_is_near_the_recorded_one(name):
    try:
        data = load_cifar10(download=False).subset(test=1_000)
    except FileNotFoundError as error:
        pytest.skip(str(error).partition("\n")[0])
    _, accuracy = evaluate(load_pretrained(name), data.test_images, data.test_labels)
    # The accuracy on 1,000 images has a standard error of about 0.9 points where it is 92 %.
    assert accuracy == pytest.approx(zoo.facts(name)["test_accuracy"], abs=0.03)


# Stored measurements


def numbers(value):
    """All numbers in nested dictionaries and lists."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, float):
        yield value


@pytest.fixture(scope="module")
def interventions():
    return zoo.load_results("interventions")


def test_interventions_belong_to_the_shipped_weights(interventions):
    """After new weights: python scripts/measure_interventions.py"""
    assert interventions["sha256"] == zoo.facts(interventions["network"])["sha256"]


def test_interventions_were_measured_on_all_test_images(interventions):
    assert interventions["data"] == "cifar10" and interventions["images"] == 10_000
    assert interventions["whole_test_set"] and len(interventions["seeds"]) >= 5
    assert interventions["accuracy"] == pytest.approx(zoo.facts(interventions["network"])["test_accuracy"], abs=2e-4)


def test_interventions_say_how_to_measure_them_again(interventions):
    about = interventions["about"]
    assert about["command"].startswith("python scripts/measure_interventions.py")
    assert about["hardware"] and about["seconds"] > 0 and {"python", "torch"} <= set(about["versions"])


def test_interventions_are_whole_and_agree_with_each_other(interventions):
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


def test_an_unknown_measurement_says_what_there_is():
    with pytest.raises(ValueError, match="'speed' is not a stored measurement; there are .*interventions"):
        zoo.load_results("speed")


# ---- Shipping a run


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A copy of the shipped weights that may be replaced; ten images are the test set."""
    shutil.copytree(zoo.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(ship_weights, "load_cifar10", lambda download: procedural(10, 10))
    zoo.manifest.cache_clear()
    yield tmp_path / "weights"
    zoo.manifest.cache_clear()


def tiny_run(folder, data):
    recipe = Recipe("se_resnet20", {"reduction": 8}, data, epochs=1, batch_size=16, sizes=((0.0, 8),))
    return train(recipe, data=procedural(16, 10), out=folder, progress=False)


def test_a_run_is_shipped_with_its_facts_and_its_accuracy(shelf, tmp_path):
    run = tiny_run(tmp_path / "run", "cifar10")
    ship_weights.ship(tmp_path / "run")
    facts = zoo.facts("se_resnet20")
    assert facts["model_options"] == {"reduction": 8} and facts["about"] == json.loads(json.dumps(run.about))
    assert zoo.load_history("se_resnet20") == run.history
    shipped = load_pretrained("se_resnet20")  # checks the SHA-256
    for key, tensor in run.model.state_dict().items():
        torch.testing.assert_close(shipped.state_dict()[key], tensor, atol=1e-3, rtol=1e-3)
    data = procedural(10, 10)
    assert facts["test_accuracy"] == evaluate(shipped, data.test_images, data.test_labels)[1]


def test_what_cannot_be_shipped_leaves_what_is_there(shelf, tmp_path):
    before = {path.name: path.read_bytes() for path in shelf.iterdir()}
    tiny_run(tmp_path / "run", "procedural")
    with pytest.raises(ValueError, match="was trained on procedural"):
        ship_weights.ship(tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no finished run"):
        ship_weights.ship(tmp_path / "run")
    assert {path.name: path.read_bytes() for path in shelf.iterdir()} == before
