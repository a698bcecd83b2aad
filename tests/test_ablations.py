"""The ablation table: what is trained, what is stored, and what five seeds allow to say."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from senet_edu import ablations
from senet_edu.ablations import FULL, REDUCED, ROWS, STANDARD, Difference, accuracies, compare, paired
from senet_edu.cost import count_parameters
from senet_edu.data import procedural
from senet_edu.resnet import create_model
from senet_edu.train import Recipe

PROTOCOLS = pytest.mark.parametrize("protocol", [REDUCED, FULL], ids=lambda protocol: protocol.name)


def build(protocol, row):
    recipe = protocol.recipe(ROWS[row], 0)
    with torch.device("meta"):
        return create_model(recipe.model, **recipe.model_options)


# ---- What is trained


@PROTOCOLS
def test_every_row_differs_from_the_standard_in_one_thing(protocol):
    standard = protocol.recipe(ROWS[STANDARD], 3)
    assert standard.model_options == {"reduction": 4} and standard.seed == 3
    for name, row in ROWS.items():
        recipe = protocol.recipe(row, 3)
        differ = {f.name for f in fields(Recipe) if getattr(recipe, f.name) != getattr(standard, f.name)}
        if name == STANDARD:
            assert not differ
        elif row.group in ("plain", "width"):
            assert differ == {"model", "model_options"}
        else:
            assert len(differ) == 1
            assert differ == ({"model_options"} if row.options else set(row.recipe))


@PROTOCOLS
def test_the_widened_plain_network_has_the_parameters_of_the_standard_one(protocol):
    plain, wide, se = (count_parameters(build(protocol, row)) for row in ("plain", "wide", STANDARD))
    assert plain < wide and abs(wide - se) / se < 0.01
    assert abs(wide - se) < 0.4 * (se - plain)


@PROTOCOLS
def test_rows_are_networks_of_their_own(protocol):
    """No two rows of one network and one recipe: same text, same thing."""
    kinds = [str(protocol.recipe(row, 0)) for row in ROWS.values()]
    assert len(set(kinds)) == len(ROWS)
    assert str(build(protocol, "stage2")).count("SEBlock") == str(build(protocol, STANDARD)).count("SEBlock") / 3


def test_images_shrink_by_the_mean_of_each_square():
    data = replace(REDUCED, train_images=7).prepare(procedural(30, 20))
    whole = procedural(30, 20)
    assert data.train_images.shape == (7, 3, 16, 16) and data.test_images.shape == (20, 3, 16, 16)
    expected = whole.test_images.numpy().reshape(20, 3, 16, 2, 16, 2).mean((3, 5))
    assert np.abs(data.test_images.numpy() - expected).max() <= 0.5
    assert torch.equal(data.train_labels, whole.subset(train=7).train_labels)


# ---- What is stored


@pytest.fixture
def stored():
    if not ablations.path().exists():
        pytest.fail("results/ablations.jsonl is missing: python scripts/ablate.py")
    return ablations.load()


def test_every_row_has_the_same_seeds_and_at_least_five(stored):
    counts = Counter((run["row"], run["seed"]) for run in stored)
    assert set(counts.values()) == {1}
    seeds = {row: set(accuracies(stored, row)) for row in ROWS}
    assert all(found == seeds["plain"] for found in seeds.values()) and len(seeds["plain"]) >= 5
    assert {run["row"] for run in stored} == set(ROWS)


def test_every_run_says_what_made_it(stored):
    for run in stored:
        about = run["about"]
        assert about["recipe"] == json.loads(
            json.dumps({f.name: getattr(REDUCED.recipe(ROWS[run["row"]], run["seed"]), f.name) for f in fields(Recipe)})
        )
        assert about["data"] == {"name": "cifar10, 16 x 16", "train": REDUCED.train_images, "test": 10_000}
        assert about["command"].startswith("python scripts/ablate.py")
        assert about["hardware"] and about["versions"]["torch"] and run["seconds"] > 0
        assert run["parameters"] == count_parameters(build(REDUCED, run["row"]))
        assert 0.1 < run["test_accuracy"] < 1


def test_what_was_not_measured_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(ablations, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match="'full' was not measured on cifar100: ablations_full_cifar100.jsonl"):
        ablations.load(FULL, "cifar100")
    with pytest.raises(ValueError, match="'se_r3' has no run; there are plain"):
        accuracies([{"row": "plain", "seed": 0, "test_accuracy": 0.5}], "se_r3")


# ---- What may be concluded


def student(df: int, t: float) -> float:
    """The probability of less than t under Student's distribution, by integrating its density."""
    x = np.linspace(0, t, 20_001)
    density = (1 + x**2 / df) ** (-(df + 1) / 2)
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return 0.5 + scale * (density[1:] + density[:-1]).sum() / 2 * (x[1] - x[0])


def test_t_table_against_the_integral():
    for df, t in enumerate(ablations.T975, start=1):
        assert student(df, t - 6e-4) < 0.975 < student(df, t + 6e-4)
    assert len(ablations.T975) == 30


def test_interval_covers_the_truth_nineteen_times_in_twenty():
    generator = np.random.default_rng(0)
    for n in (2, 5, 12):
        hits = 0
        for _ in range(4_000):
            shared, own, other = generator.normal(0, 1, (3, n))
            found = paired(dict(enumerate(0.3 + shared + own)), dict(enumerate(shared + other)))
            hits += abs(found.mean - 0.3) <= found.margin
        assert abs(hits / 4_000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4_000)


def test_pairs_are_made_by_seed_and_not_by_place():
    runs = [{"row": "a", "seed": s, "test_accuracy": 0.5 + 0.1 * s} for s in (2, 0, 1)]
    runs += [{"row": "b", "seed": s, "test_accuracy": 0.4 + 0.1 * s} for s in (0, 1, 2, 3)]
    found = compare(runs, "a", "b")
    assert found.mean == pytest.approx(0.1) and found.margin == pytest.approx(0, abs=1e-9) and found.count == 3
    with pytest.raises(ValueError, match="two seeds or more in common"):
        paired({0: 0.5, 1: 0.6}, {1: 0.5})


def test_verdict():
    assert [Difference(m, 0.5, 5).verdict for m in (1.0, -1.0, 0.3, -0.5)] == ["better", "worse"] + 2 * ["undecided"]


# ---- The script


@pytest.fixture
def script(tmp_path):
    """Starts scripts/ablate.py of a copy of the package, with a tiny protocol; `.file` is where its runs go."""
    root = Path(ablations.__file__).parents[1]
    for part in ("senet_edu", "scripts"):
        (tmp_path / part).mkdir()
        for source in (root / part).glob("*.py"):
            (tmp_path / part / source.name).write_text(source.read_text())
    module = tmp_path / "senet_edu" / "ablations.py"
    original = module.read_text()

    def start(*options, epochs=1, rows="{}"):
        tiny = replace(REDUCED, train_images=16, epochs=epochs, batch_size=16)
        module.write_text(f"{original}\n\nREDUCED = {tiny!r}\nROWS |= {rows}\n")
        command = [sys.executable, "scripts/ablate.py", "--data", "procedural", "--workers", "1", *options]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **pipes)

    start.file = tmp_path / "senet_edu" / "results" / "ablations_procedural.jsonl"
    return start


def test_script_goes_on_where_it_stopped(script):
    """Two rows, one seed, then a second seed, which keeps the first."""
    lines = []
    for seeds in ("1", "2"):
        process = script("--rows", "plain", "ema", "--seeds", seeds)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        lines.append(script.file.read_text().splitlines())
    first, second = lines
    assert second[:2] == first
    runs = [json.loads(line) for line in second]
    assert [(run["row"], run["seed"]) for run in runs] == [("plain", 0), ("ema", 0), ("plain", 1), ("ema", 1)]
    assert all(math.isfinite(run["test_loss"]) and run["protocol"] == "reduced" for run in runs)


def test_a_run_that_fails_does_not_cost_the_others(script):
    wild = "{'wild': Row('plain', '', False, {}, {'cutout': -1})}"
    process = script("--rows", "wild", "plain", "--seeds", "1", rows=wild)
    _, errors = process.communicate()
    assert process.returncode == 1 and "wild, seed 0: cutout" in errors
    (run,) = map(json.loads, script.file.read_text().splitlines())
    assert run["row"] == "plain"


@pytest.mark.parametrize("everybody", [True, False], ids=["Ctrl-C", "SIGKILL of the parent"])
def test_workers_end_with_the_script(script, everybody):
    process = script("--rows", "plain", "--seeds", "2", epochs=100_000)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not workers.exists():
        process.kill()
        pytest.skip("this system does not list the children of a process")
    while len(workers.read_text().split()) < 2:  # a worker, and Python's own resource tracker
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(8)  # for it to import torch and to train
    if everybody:
        os.killpg(process.pid, signal.SIGINT)
        assert "goes on with the runs that are missing" in process.communicate(timeout=30)[1]
    else:
        process.kill()
        process.wait()
    for _ in range(100):  # until nobody of the group is left
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a worker goes on without its parent")
