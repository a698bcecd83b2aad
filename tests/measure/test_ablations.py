"""The ablation table: what is trained, what is stored, and how a table goes on that was stopped."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from senet_edu import create_model, store
from senet_edu.cost import count_parameters
from senet_edu.data import normalize, procedural
from senet_edu.gates import find_gates, override_gates, record_gates
from senet_edu.measure import ablations
from senet_edu.measure.ablations import (
    FULL,
    MANY,
    REDUCED,
    ROWS,
    SHORT,
    STANDARD,
    accuracies,
    missing,
    same_making,
    same_recipe,
)
from senet_edu.train import Recipe, evaluate, train, train_many

PROTOCOLS = pytest.mark.parametrize("protocol", [REDUCED, FULL], ids=lambda protocol: protocol.name)
TINY = replace(
    REDUCED,
    base=replace(REDUCED.base, epochs=1, batch_size=16),
    train_images=16,
    seeds={"": 1, "plain": 2, "frozen": 2},
)


def build(protocol: ablations.Protocol, row: str, classes: int = 10) -> nn.Module:
    recipe = protocol.recipe(row, 0)
    with torch.device("meta"):
        return create_model(recipe.model, num_classes=classes, **recipe.model_options)


# What is trained


@PROTOCOLS
def test_every_row_differs_from_the_standard_in_one_thing(protocol: ablations.Protocol) -> None:
    standard = protocol.recipe(STANDARD, 3)
    assert standard.model_options == {"reduction": 4} and standard.seed == 3
    for name, row in ROWS.items():
        recipe = protocol.recipe(name, 3)
        differ = {f.name for f in fields(Recipe) if getattr(recipe, f.name) != getattr(standard, f.name)}
        if name in (STANDARD, "frozen"):
            assert not differ
        elif not row.se:
            assert differ == {"model", "model_options"}
        else:
            assert len(differ) == 1
            assert differ == (set(row.change(protocol.base)) or {"model_options"})


@PROTOCOLS
def test_the_hole_of_cutout_is_a_quarter_of_the_side(protocol: ablations.Protocol) -> None:
    assert 4 * protocol.recipe("cutout", 0).cutout == protocol.side == protocol.recipe("cutout", 0).sizes[0][1]


@PROTOCOLS
@pytest.mark.parametrize("classes", [10, 100])
def test_the_widened_plain_network_has_the_parameters_of_the_standard_one(
    protocol: ablations.Protocol, classes: int
) -> None:
    plain, wide, se = (count_parameters(build(protocol, row, classes)) for row in ("plain", "wide", STANDARD))
    assert plain < wide and abs(wide - se) / se < 0.01
    assert abs(wide - se) < 0.4 * (se - plain)


@PROTOCOLS
def test_rows_are_networks_of_their_own(protocol: ablations.Protocol) -> None:
    """No two rows that are trained have one network and one recipe: same text, same thing."""
    kinds = [str(protocol.recipe(name, 0)) for name, row in ROWS.items() if not row.of]
    assert len(set(kinds)) == len(kinds)
    assert str(build(protocol, "stage2")).count("SEBlock") == str(build(protocol, STANDARD)).count("SEBlock") / 3


@PROTOCOLS
def test_constant_gates_do_not_see_the_image(protocol: ablations.Protocol) -> None:
    torch.manual_seed(1)
    recipe = protocol.recipe("constant", 0)
    model = create_model(recipe.model, **recipe.model_options).eval()
    for name in find_gates(model):
        nn.init.normal_(model.get_submodule(name).vector)
    with record_gates(model) as gates, torch.no_grad():
        model(torch.randn(3, 3, protocol.side, protocol.side))
    for name, s in gates.items():
        assert torch.equal(s, torch.sigmoid(model.get_submodule(name).vector).expand(3, -1))
    assert len(gates) == {"reduced": 3, "full": 9}[protocol.name]


def test_an_unknown_row_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="row must be one of plain, se_r2, .*; got 'se_r3'"):
        REDUCED.recipe("se_r3", 0)


def test_images_shrink_by_a_triangle_over_the_pixels_as_in_training() -> None:
    """By half: each new pixel is 1, 3, 3, 1 eighths of four old ones in each direction; at the edges of three."""
    images = procedural(20, 20).test_images
    kernel = np.zeros((16, 32))
    for i in range(16):
        for j, weight in zip(range(2 * i - 1, 2 * i + 3), (1, 3, 3, 1)):
            if 0 <= j < 32:
                kernel[i, j] = weight
    kernel /= kernel.sum(1, keepdims=True)
    expected = np.einsum("ij,ncjk,lk->ncil", kernel, images.numpy().astype(float), kernel)
    small = ablations.shrink(images, 16)
    assert small.dtype == torch.uint8 and np.abs(small.numpy() - expected).max() <= 0.501


def test_data_is_prepared_for_a_protocol() -> None:
    whole = procedural(30, 20)
    data = ablations.prepared(whole, 16, 7)
    assert data.train_images.shape == (7, 3, 16, 16) and data.test_images.shape == (20, 3, 16, 16)
    assert torch.equal(data.train_labels, whole.subset(train=7).train_labels)
    assert "16 x 16" in data.name and ablations.prepared(whole, 32).train_images is whole.train_images


# In which order, and how often


def test_the_plan_begins_with_the_rows_of_many_seeds_and_goes_seed_by_seed() -> None:
    plan = REDUCED.plan()
    assert Counter(row for row, _ in plan) == {row: 8 if row in MANY else 5 for row in ROWS}
    many = len(MANY) * 8
    assert {row for row, _ in plan[:many]} == set(MANY)
    assert [seed for _, seed in plan] == sorted(seed for _, seed in plan[:many]) + sorted(
        seed for _, seed in plan[many:]
    )
    assert Counter(FULL.plan())["plain", 63] == 1 and min(Counter(row for row, _ in FULL.plan()).values()) == 5
    assert REDUCED.plan(["max"], 2) == [("max", 0), ("max", 1)]


def test_a_network_is_trained_once_for_all_rows_that_test_it() -> None:
    plan = REDUCED.plan(["frozen", STANDARD, "max"], 1)
    assert missing([], plan) == [(STANDARD, 0), ("max", 0)]
    standard = {"row": STANDARD, "seed": 0}
    assert missing([standard, {"row": "max", "seed": 0}], plan) == [(STANDARD, 0)]  # frozen takes its network again
    assert missing([standard, {"row": "frozen", "seed": 0}], plan) == [("max", 0)]


def test_a_run_of_another_recipe_is_not_one_of_this_protocol() -> None:
    data = ablations.prepared(procedural(40, 20), 16, 32)
    recipe = TINY.recipe("plain", 0, "procedural")
    stored = json.loads(json.dumps({f.name: getattr(recipe, f.name) for f in fields(Recipe)}))
    about = {"recipe": stored, "data": {"name": data.name, "train": 32, "test": 20}}
    assert same_making(about, recipe, data)
    older = {"recipe": {key: value for key, value in stored.items() if key != "ema"}, "data": about["data"]}
    assert same_making(older, recipe, data), "a field that came later has its default"
    assert not same_making(about, replace(recipe, epochs=recipe.epochs + 1), data)
    assert not same_making(older, replace(recipe, ema=0.9), data)
    assert not same_making(about, recipe, ablations.prepared(procedural(40, 20), 16, 31))


# One run


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("results")
    options = {"workers": 2, "folder": folder, "command": "typed", "progress": False}
    assert ablations.measure(TINY, "procedural", [STANDARD, "frozen"], 1, **options) == []
    return ablations.load(TINY, "procedural", folder=folder)


def test_a_run_says_all_that_made_it(lines: list[dict[str, Any]]) -> None:
    assert [line["row"] for line in lines] == [STANDARD, "frozen"]
    first, frozen = lines
    assert set(first["about"]) == set(store.ABOUT) and first["about"]["command"] == "typed"
    assert first["about"]["seeds"] == [0] and first["about"]["processes"] == 2 and first["about"]["threads"] == 1
    assert first["about"]["data"] == {"name": "procedural, 16 x 16", "train": 16, "test": 1_000}
    assert first["seconds"] == first["about"]["seconds"] >= 0 and frozen["seconds"] == 0  # to a tenth
    assert first["parameters"] == count_parameters(build(TINY, STANDARD))
    assert frozen["parameters"] == count_parameters(build(TINY, "plain"))
    assert frozen["multiply_adds"] < first["multiply_adds"]


def test_frozen_gates_are_the_means_over_training_images(lines: list[dict[str, Any]]) -> None:
    data = ablations.images("procedural", 16, 16)
    recipe = TINY.recipe(STANDARD, 0, "procedural")
    model = train(recipe, data=data, device="cpu", progress=False).model
    frozen = ablations.frozen_gates(model, data)
    with record_gates(model) as gates, torch.no_grad():
        model(normalize(data.train_images))
    assert list(frozen) == list(gates)
    for name, s in gates.items():
        np.testing.assert_allclose(frozen[name].numpy(), s.numpy().mean(0), atol=1e-6)
    assert lines[0]["test_accuracy"] == evaluate(model, data.test_images, data.test_labels)[1]
    with override_gates(model, {name: torch.tensor(s.numpy().mean(0)) for name, s in gates.items()}):
        loss, accuracy = evaluate(model, data.test_images, data.test_labels)
    assert lines[1]["test_accuracy"] == accuracy and lines[1]["test_loss"] == pytest.approx(loss, abs=1e-4)


# What is stored


@pytest.fixture(scope="module")
def stored() -> list[dict[str, Any]]:
    return ablations.load()


def test_the_stored_runs_are_those_of_the_protocol(stored: list[dict[str, Any]]) -> None:
    """Not every row has runs; the chapter shows those that have, and names the others as not measured."""
    data = {"name": "cifar10, 16 x 16", "train": 50_000, "test": 10_000}
    for run in stored:
        assert same_recipe(run["about"], REDUCED.recipe(run["row"], run["seed"])) and run["about"]["data"] == data
    assert missing(stored, REDUCED.plan(["plain", STANDARD, "frozen", "wide", "eca"])) == []


def test_a_pair_can_show_something(stored: list[dict[str, Any]]) -> None:
    """The reduced protocol was chosen for this, on images held out of the training set."""
    plain, se = accuracies(stored, "plain"), accuracies(stored, STANDARD)
    spread = np.std([100 * (se[seed] - plain[seed]) for seed in plain if seed in se], ddof=1)
    assert len(plain) >= 8 and spread <= 0.6


def test_the_first_table_is_kept_and_differs_in_the_epochs_alone() -> None:
    """Chapter 7 says what it gave, and why the protocol was changed: a pair scattered too much."""
    runs = ablations.load(SHORT)
    assert SHORT == replace(REDUCED, name="short", base=replace(REDUCED.base, epochs=8)) != REDUCED
    for run in runs:
        assert same_recipe(run["about"], SHORT.recipe(run["row"], run["seed"])) and run["protocol"] == "short"
    assert missing(runs, SHORT.plan(MANY)) == []
    plain, se = accuracies(runs, "plain"), accuracies(runs, STANDARD)
    assert np.std([100 * (se[seed] - plain[seed]) for seed in plain], ddof=1) == pytest.approx(0.84, abs=0.005)


def test_stored_rows_can_be_compared(stored: list[dict[str, Any]]) -> None:
    """No run twice, all of one length, and at least five seeds in common with the plain network."""
    assert max(Counter((run["row"], run["seed"]) for run in stored).values()) == 1
    (epochs,) = {run["about"]["recipe"]["epochs"] for run in stored}
    protocol = replace(REDUCED, base=replace(REDUCED.base, epochs=epochs))
    plain = set(accuracies(stored, "plain"))
    for row in {run["row"] for run in stored}:
        assert len(plain & set(accuracies(stored, row))) >= 5, row
    for run in stored:
        assert same_recipe(run["about"], protocol.recipe(run["row"], run["seed"]))
        assert run["about"]["command"] and run["about"]["hardware"] and run["about"]["versions"]["torch"]
        assert run["seconds"] > 0 or ROWS[run["row"]].of
        assert run["parameters"] == count_parameters(build(REDUCED, "plain" if ROWS[run["row"]].of else run["row"]))
        assert 0.1 < run["test_accuracy"] < 1


def test_what_was_not_measured_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="'full' was not measured on cifar100: ablations_full_cifar100.jsonl"):
        ablations.load(FULL, "cifar100")


def test_a_run_that_stands_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    line = json.dumps({"row": "plain", "seed": 3}) + "\n"
    (tmp_path / "ablations.jsonl").write_text(line + line)
    with pytest.raises(ValueError, match=r"ablations.jsonl is damaged: it has 1 runs twice, .*'plain', 3"):
        ablations.load()


# The command


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.Popen]:
    """Starts the command with a tiny protocol in a process of its own; its runs go to `tmp_path`."""

    def start(*options: str, epochs: int = 1) -> subprocess.Popen:
        code = (
            "import sys; from dataclasses import replace; from pathlib import Path\n"
            "from senet_edu import store; from senet_edu.measure.ablations import REDUCED, main\n"
            "if __name__ == '__main__':\n"
            f"    store.RESULTS = Path({str(tmp_path)!r})\n"
            f"    base = replace(REDUCED.base, epochs={epochs}, batch_size=16)\n"
            "    main(sys.argv[1:], replace(REDUCED, base=base, train_images=16))\n"
        )
        script = tmp_path / "start.py"
        script.write_text(code)
        argv = [sys.executable, str(script), "--data", "procedural", "--workers", "1", *options]
        environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[1]), "CUDA_VISIBLE_DEVICES": ""}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(argv, cwd=tmp_path, env=environment, start_new_session=True, **pipes)

    return start


def test_it_goes_on_where_it_stopped(command: Callable[..., subprocess.Popen], tmp_path: Path) -> None:
    """Two rows, one seed, then a second seed, which keeps the first."""
    found = []
    for seeds in ("1", "2"):
        process = command("--rows", "plain", "ema", "--seeds", seeds)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        found.append((tmp_path / "ablations_procedural.jsonl").read_text().splitlines())
    first, second = found
    assert second[:2] == first
    runs = [json.loads(line) for line in second]
    assert [(run["row"], run["seed"]) for run in runs] == [("plain", 0), ("ema", 0), ("plain", 1), ("ema", 1)]
    assert all(math.isfinite(run["test_loss"]) and run["protocol"] == "reduced" for run in runs)
    process = command("--rows", "plain", "--seeds", "1", epochs=2)
    _, errors = process.communicate()
    assert process.returncode == 1 and "has a run of another protocol, plain, seed 0: move it away" in errors


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_run_that_fails_does_not_cost_the_others(at_once: int) -> None:
    wild, sound = (TINY.recipe("plain", seed) for seed in (0, 1))
    wild = replace(wild, model_options={"no_such": 1})
    found = {}
    done = train_many([wild, sound], data=procedural(16, 10), at_once=at_once, on_run=found.__setitem__, progress=False)
    assert isinstance(done[0], ValueError) and "no_such" in str(done[0])
    assert done[1].history[-1]["epoch"] == 1 and found == dict(enumerate(done))


@pytest.mark.parametrize("everybody", [True, False], ids=["Ctrl-C", "SIGKILL of the parent"])
def test_workers_end_with_the_command(command: Callable[..., subprocess.Popen], everybody: bool) -> None:
    process = command("--workers", "2", "--rows", "plain", "--seeds", "2", epochs=100_000)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not workers.exists():
        process.kill()
        pytest.skip("this system does not list the children of a process")
    while len(workers.read_text().split()) < 3:  # workers, and Python's own resource tracker
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(8)  # for it to import torch and to train
    if everybody:
        os.killpg(process.pid, signal.SIGINT)
        assert "goes on with the runs that are missing" in process.communicate(timeout=30)[1]
    else:
        process.kill()
        process.wait()
    for _ in range(600):  # until nobody of the group is left, also one that is still importing torch
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a worker goes on without its parent")
