"""The shipped networks: complete facts, sound files, and the accuracy that the facts claim."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from senet_edu import load_cifar10, load_pretrained, zoo
from senet_edu.resnet import create_model
from senet_edu.train import evaluate

NAMES = ("resnet20", "se_resnet20")


def test_both_networks_are_shipped_and_nothing_else_lies_there():
    assert set(zoo.manifest()) == set(NAMES)
    files = {f"{name}{end}" for name in NAMES for end in (".safetensors", ".history.jsonl")}
    assert {path.name for path in zoo.WEIGHTS.iterdir()} == files | {"manifest.json", "relatives.safetensors"}


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
    with pytest.raises(ValueError, match="did you mean 'se_resnet20'"):
        load("se_resnet2")
    for bad in (None, ["resnet20"], {}):
        with pytest.raises(ValueError, match="has no shipped weights; there are resnet20, se_resnet20"):
            load(bad)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the shipped weights that may be damaged."""
    shutil.copytree(zoo.WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    zoo.manifest.cache_clear()
    yield tmp_path / "weights"
    zoo.manifest.cache_clear()


def test_a_damaged_file_is_not_loaded(copy):
    load_pretrained("resnet20")  # the copy is sound
    path = copy / "resnet20.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1  # one bit
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="resnet20.safetensors is damaged: its SHA-256 .* Install senet_edu again"):
        load_pretrained("resnet20")


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-9], lambda raw: raw + b"\n", lambda raw: b"", lambda raw: b"[]\n"]
)
def test_a_damaged_index_or_history_is_named_with_the_remedy(copy, damage):
    for name in ("manifest.json", "resnet20.history.jsonl"):
        path = copy / name
        sound = path.read_bytes()
        if name == "manifest.json" and damage(sound).strip() == sound.strip():
            continue  # a blank line at the end of JSON is no damage
        path.write_bytes(damage(sound))
        with pytest.raises(ValueError, match=f"{name}.* is damaged: .* Install senet_edu again"):
            zoo.load_history("resnet20")
        path.write_bytes(sound)


def test_a_history_without_its_last_epoch_is_not_whole(copy):
    path = copy / "resnet20.history.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="is damaged: it has 99 epochs, and the run had 100. Install senet_edu again"):
        zoo.load_history("resnet20")


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_a_thousand_test_images_is_near_the_recorded_one(name):
    try:
        data = load_cifar10(download=False).subset(test=1_000)
    except FileNotFoundError as error:
        pytest.skip(str(error).partition("\n")[0])
    _, accuracy = evaluate(load_pretrained(name), data.test_images, data.test_labels)
    # The accuracy on 1,000 images has a standard error of about 0.9 points where it is 92 %.
    assert accuracy == pytest.approx(zoo.facts(name)["test_accuracy"], abs=0.03)
