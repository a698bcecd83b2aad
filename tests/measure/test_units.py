"""Hidden units that no image turns on: what counts them, and what is stored of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from senet_edu import create_model, store
from senet_edu.analysis import gates_of
from senet_edu.data import procedural
from senet_edu.measure import units


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return procedural(train=10, test=20).test_images


def dying(seed: int = 0) -> torch.nn.Module:
    """A fresh network whose first block is dead, and whose second has lost one unit."""
    torch.manual_seed(seed)
    model = create_model("se_resnet20", reduction=4).eval()
    with torch.no_grad():
        model.layer1[0].bn2.bias.fill_(9)  # every z is positive, so a row of negative weights stays off
        model.layer1[0].se.fc1.weight.abs_().neg_()
        model.layer1[1].bn2.bias.fill_(9)
        model.layer1[1].se.fc1.weight.abs_()[2].neg_()
    return model


def test_dead_units_are_counted_and_the_block_is_at_one_half(images: torch.Tensor) -> None:
    model = dying()
    found = units.look(model, images)
    assert found["blocks"][:2] == ["layer1.0.se", "layer1.1.se"]
    assert found["on"][:2] == [0, 3] and found["units"] == [4] * 3 + [8] * 3 + [16] * 3
    assert found["highest"][0] < 0 < found["highest"][1]
    assert found["at_half"][:2] == [1, 0] and found["spread"][0] == 0
    gates = gates_of(model, images)["layer1.1.se"]
    assert found["spread"][1] == pytest.approx(gates.std(0, correction=0).mean().item(), abs=1e-6)
    assert not model.layer1[0].se.fc1._forward_hooks


def test_a_fresh_block_has_norm_one(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    found = units.look(create_model("se_resnet20", reduction=4), images)
    assert sum(found["norm"]) / 9 == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("finished", [True, False])
def test_runs_are_read_with_their_recipe(tmp_path: Path, images: torch.Tensor, finished: bool) -> None:
    model, run = dying(3), tmp_path / "seed-3"
    run.mkdir()
    recipe = {"model": "se_resnet20", "model_options": {"reduction": 4}, "seed": 3, "epochs": 2}
    rows = [{"recipe": recipe}, {"epoch": 1}, {"epoch": 2}]
    (run / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[: 3 if finished else 2]))
    if finished:
        save_file(model.half().state_dict(), run / "model.safetensors")
    else:
        torch.save({"model": model.state_dict(), "history": [{"epoch": 1}]}, run / "checkpoint.pt")
    found = units.measure([run], images)["networks"]
    assert list(found) == ["shipped", "seed-3"]
    assert found["seed-3"]["on"][:2] == [0, 3] and found["seed-3"]["recipe"]["seed"] == 3
    assert found["seed-3"]["epochs_done"] == (2 if finished else 1)


def test_what_chapter_6_tells_of_the_dead_block_is_stored() -> None:
    """It died although its weights had not shrunk: they are as large as fresh ones, and every unit is off."""
    networks = store.load("units")["networks"]
    before = networks["before"]
    dead = [block for block, half in zip(before["blocks"], before["at_half"]) if half > 0.99]
    assert dead == ["layer1.0.se"] and before["spread"][0] < 0.005 and before["at_half"][0] > 0.999
    assert before["norm"][0] > 0.9
    assert min(networks["shipped"]["spread"]) > 0.02
