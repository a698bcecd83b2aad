"""What measures on a GPU, tried on a CPU with tiny runs: it goes on, measures nothing twice, and keeps to its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from senet_edu import store
from senet_edu.data import ImageData, procedural
from senet_edu.measure import ablations, gpu
from senet_edu.measure.ablations import FULL
from senet_edu.train import Recipe

TINY = Recipe("se_resnet8", {"reduction": 4}, "procedural", epochs=1, batch_size=16, sizes=((0.0, 8),))
PROTOCOL = replace(FULL, base=TINY, train_images=16, seeds={"": 1, "plain": 2, "se_r4": 2, "frozen": 2})


def images(name: str) -> ImageData:
    return procedural(16, 10)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gpu.Place:
    """Everything that takes minutes made tiny; three rows of the table are left."""
    monkeypatch.setattr(gpu, "TIMED", {"sprint": 2, "fast": 1, "colab": 1, "colab resnet20": 1})
    monkeypatch.setattr(gpu, "recipe_of", lambda name, seed: replace(TINY, seed=seed))
    monkeypatch.setattr(gpu, "LOOPS", {"eager": gpu.Loop(), "2 at once": gpu.Loop(networks=2)})
    monkeypatch.setattr(gpu, "SPEED", replace(TINY, epochs=2))
    monkeypatch.setattr(gpu, "BATCH", 2)
    rows = {name: ablations.ROWS[name] for name in ("plain", "se_r4", "frozen")}
    monkeypatch.setattr(ablations, "ROWS", rows)
    monkeypatch.setattr(ablations.Protocol.plan, "__defaults__", (rows, None))
    return gpu.Place(torch.device("cpu"), tmp_path / "results", tmp_path / "work", "typed", images, PROTOCOL)


@pytest.mark.parametrize("minutes", ["-1", "0", "nan"])
def test_minutes_that_are_none_are_named_before_a_device_is_looked_for(minutes: str, capsys) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--minutes", minutes])
    assert f"argument --minutes: must be more than 0, got {minutes}" in capsys.readouterr().err


def test_a_dry_run_lists_the_steps_with_their_seconds_and_measures_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.main(["--dry-run", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("speed", "sprint", "fast", "ablations cifar10", "ablations cifar100", "colab", "colab resnet20", "all")
    ]
    assert all("to measure, about" in line and " s: " in line for line in lines[:-1])
    assert not list(tmp_path.iterdir())


def test_all_is_measured_once(place: gpu.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu.measure(place) == []
    runs = place.runs()
    assert Counter(run["part"] for run in runs) == {"speed": 2, "sprint": 2, "fast": 1, "colab": 1, "colab resnet20": 1}
    for data in ("cifar10", "cifar100"):
        found = gpu.ablation_runs(place, data)
        assert Counter(run["row"] for run in found) == {"plain": 2, "se_r4": 2, "frozen": 2}
        assert {run["protocol"] for run in found} == {"full"}
    for run in [*runs, *found]:
        assert set(run["about"]) == set(store.ABOUT) and run["about"]["command"] == "typed"
    assert gpu.left(place) == "Nothing is missing."
    monkeypatch.setattr(gpu, "train_many", lambda *args, **options: pytest.fail("something is measured twice"))
    assert gpu.measure(place) == []


def test_nothing_is_begun_that_would_not_end_in_time(place: gpu.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "train_many", lambda *args, **options: pytest.fail("begun"))
    assert gpu.measure(place, seconds=0) == []
    assert "sprint" in gpu.left(place) and not place.results.exists()


def test_what_was_measured_says_how_long_the_next_will_take(place: gpu.Place) -> None:
    before = {task.name: task.seconds for task in gpu.recipe_tasks(place, ["sprint"])}
    gpu.measure_recipes(place, gpu.recipe_tasks(place, ["sprint"])[:1])
    (task,) = gpu.recipe_tasks(place, ["sprint"])
    assert task.name == "seed 1" and task.seconds == place.runs()[0]["wall"] != before["seed 1"]


def test_a_recipe_that_has_changed_is_measured_anew(place: gpu.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu.measure_recipes(place, gpu.recipe_tasks(place, ["fast"]))
    assert gpu.recipe_tasks(place, ["fast"]) == []
    monkeypatch.setattr(gpu, "recipe_of", lambda name, seed: replace(TINY, seed=seed, lr=0.1))
    gpu.measure_recipes(place, gpu.recipe_tasks(place, ["fast"]))
    assert gpu.recipe_tasks(place, ["fast"]) == []
    assert [run["about"]["recipe"]["lr"] for run in place.runs()] == [0.1], "the earlier one is replaced"


def test_a_run_that_fails_does_not_cost_the_others(place: gpu.Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real = gpu.train_many

    def sometimes(recipes: list[Recipe], *, on_run: Any = None, **options: Any) -> Any:
        def told(index: int, run: Any) -> None:
            wild = recipes[index].model == "resnet8" and recipes[index].seed == 1
            on_run(index, FloatingPointError("the loss became nan") if wild else run)

        return real(recipes, on_run=on_run and told, **options)

    monkeypatch.setattr(gpu, "train_many", sometimes)
    failed = gpu.measure(place)
    assert failed == [f"ablations {data}, plain 1: the loss became nan" for data in ("cifar10", "cifar100")]
    assert Counter(run["row"] for run in gpu.ablation_runs(place, "cifar10")) == {"plain": 1, "se_r4": 2, "frozen": 2}
    assert "ablations cifar10       1 to measure" in gpu.left(place), "it is tried again next time"


def invented(place: gpu.Place, differences: list[float]) -> None:
    """Runs of all rows in which SE is so many points better than plain."""
    about = store.about(place.device, command="invented")
    runs = [
        {"row": row, "seed": seed, "test_accuracy": 0.9 + gain * (row != "plain"), "seconds": 1.0, "about": about}
        for seed, gain in enumerate(differences)
        for row in ("plain", "se_r4", "frozen")
    ]
    store.keep_runs("ablations_full", runs, folder=place.results)


def test_pairs_are_added_until_the_interval_is_short(place: gpu.Place) -> None:
    """± 0.1 points: five differences that scatter by 0.2 points are too few, those by 0.05 are enough."""
    seeds = {"": 5, "plain": 64, "se_r4": 64, "frozen": 64}
    place = replace(place, full=replace(PROTOCOL, seeds=seeds))
    invented(place, [0.002, 0.004, 0.0, 0.002, 0.0])  # sd 0.17 points, margin 2.776 · 0.17 / √5 = 0.21
    assert [task.name for task in gpu.ablation_tasks(place, "cifar10")][:3] == ["plain 5", "se_r4 5", "plain 6"]
    invented(place, [0.002, 0.0025, 0.0015, 0.002, 0.002])  # sd 0.035, margin 0.044
    assert gpu.ablation_tasks(place, "cifar10") == []
    invented(place, [0.002, 0.0025, 0.0015, 0.002])  # four would be short enough, too, but may be luck
    assert gpu.ablation_tasks(place, "cifar10")[0].name == "plain 4"
    invented(place, [0.002, 0.002, 0.0015, 0.002, 0.002])
    runs = gpu.ablation_runs(place, "cifar10")
    store.keep_runs(
        "ablations_full", [run for run in runs if run["seed"] < 2 or run["row"] == "plain"], folder=place.results
    )
    assert "plain 5" in {task.name for task in gpu.ablation_tasks(place, "cifar10")}, "two pairs are not five"


def test_the_speed_of_networks_that_take_turns_is_that_of_all(
    place: gpu.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three networks whose epochs of 80 images take 2 seconds, all in the same 2; the first epoch is longer."""
    history = [{"seconds": 9.0, "seconds_to_start": 7.0}, {"seconds": 2.0}, {"seconds": 2.0}]
    runs = [SimpleNamespace(history=history)] * 3
    monkeypatch.setattr(gpu, "LOOPS", {"3 at once": gpu.Loop(networks=3)})
    monkeypatch.setattr(gpu, "train_many", lambda recipes, **options: runs[: len(recipes)])
    assert gpu.measure_speeds(place, gpu.speed_tasks(place)) == []
    (found,) = place.runs()
    assert found["images_per_second"] == 3 * 80 / 2.0 and found["seconds_to_start"] == [7.0] * 3
    assert found["about"]["settings"]["networks"] == found["about"]["processes"] == 3


def test_as_many_as_fit_share_the_time() -> None:
    tasks = [gpu.Task("x", str(k), seconds) for k, seconds in enumerate((5.0, 9.0, 5.0, 1.0, 1.0))]
    assert [task.name for task in gpu.that_fit(tasks, 11.5, 16)] == ["0", "2", "3"]
    assert [task.name for task in gpu.that_fit(tasks, 100.0, 2)] == ["0", "1"]
    assert gpu.that_fit(tasks, 0.5, 16) == []


def test_compiling_is_not_counted() -> None:
    rows = [(16, 30.0), (16, 1.0), (16, 1.2), (16, 1.4), (32, 25.0), (32, 4.0)]
    history = [{"size": size, "seconds": seconds} for size, seconds in rows]
    assert gpu.without_compiling(history) == pytest.approx(1.2 + 1.0 + 1.2 + 1.4 + 4.0 + 4.0)


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
@pytest.mark.parametrize("sent", ["SIGKILL", "SIGINT"])
def test_it_goes_on_after_a_kill(tmp_path: Path, sent: str) -> None:
    """The first process is ended as soon as it has kept something; the second does the rest, and only that."""
    code = f"""if True:
        import sys; from dataclasses import replace
        from senet_edu.data import procedural; from senet_edu.measure import ablations, gpu
        from senet_edu.train import Recipe
        tiny = {TINY!r}
        gpu.recipe_of = lambda name, seed: replace(tiny, seed=seed)
        gpu.TIMED = {{"sprint": 8}}; gpu.LOOPS = {{}}
        gpu.parts = lambda place: [gpu.Part(lambda: gpu.recipe_tasks(place, ["sprint"]), gpu.measure_recipes)]
        gpu.load_data = None; gpu.Place.data = staticmethod(lambda name: procedural(16, 10))
        gpu.Place.__init__.__defaults__ = ("", gpu.Place.data, ablations.FULL)
        gpu.main(sys.argv[1:])
    """
    argv = [
        sys.executable,
        "-c",
        code,
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "out"),
        "--work",
        str(tmp_path / "w"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[1])}
    file = tmp_path / "out" / "gpu.jsonl"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(argv, env=environment, **pipes)
    while not file.exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    process.send_signal(getattr(signal, sent))
    process.communicate(timeout=60)
    assert process.returncode, "it was not ended in the middle"
    kept = file.read_bytes()
    first = [json.loads(line) for line in kept.splitlines()]
    assert 1 <= len(first) < 8
    again = subprocess.run(argv, env=environment, **pipes)
    assert again.returncode == 0 and "Nothing is missing." in again.stdout, again.stdout
    assert file.read_bytes().startswith(kept)
    assert [run["name"] for run in map(json.loads, file.read_bytes().splitlines())] == [f"seed {k}" for k in range(8)]
    assert again.stdout.count("sprint, seed") == 8 - len(first)
