"""Many networks at once: each as if it were alone, whatever happens to the others."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_tools import STEPS, TINY, read_history, tape, weights, without_time

from senet_edu.data import ImageData
from senet_edu.train import Recipe, Run, pack, train, train_many
from senet_edu.train.checkpoint import Folder, describe_run
from senet_edu.train.loop import turns
from senet_edu.train.step import Shared

UNEQUAL = [
    TINY,
    replace(TINY, seed=1, epochs=3, sizes=((0.0, 8), (0.5, 12))),
    replace(TINY, model="resnet8", model_options={}, epochs=1, batch_size=20, padding=2),
    replace(TINY, seed=2, ema=0.9, cutout=4, holdout=5),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A process of a pack has one, and another number of threads rounds otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def alone(data: ImageData) -> list[Run]:
    return [train(recipe, data=data, progress=False) for recipe in UNEQUAL]


def assert_equal(found: list, expected: list[Run]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Run), repr(one)
        assert torch.equal(weights(one.model), weights(other.model)) and not one.model.training
        assert without_time(one.history) == without_time(other.history)


def test_in_one_process_each_is_what_it_is_alone(data: ImageData, alone: list[Run]) -> None:
    found = train_many(UNEQUAL, data=data, progress=False)
    assert_equal(found, alone)
    assert found[3].about["data"] == {"name": "procedural", "train": 48, "test": 5}


@pytest.mark.parametrize("record", [None, tape], ids=["carried out", "recorded"])
def test_networks_that_take_turns_do_not_touch_each_other(data: ImageData, alone: list[Run], record) -> None:
    """As on a GPU: an epoch of each is queued, over one copy of the data, before any of them is read."""
    jobs = [(recipe, None) for recipe in UNEQUAL]
    options = {"resume": False, "overwrite": False, "record": record}
    done = dict(pack.in_turns(jobs, data, torch.device("cpu"), len(jobs), "", options))
    assert_equal([done[index] for index in range(len(jobs))], alone)
    assert all(run.about["sessions"][0]["together"] == 4 for run in done.values())


def test_in_processes_each_is_what_it_is_alone(data: ImageData, alone: list[Run], tmp_path: Path) -> None:
    ended = []
    recipes = [*UNEQUAL[:2], replace(TINY, lr=1e30)]
    out = [tmp_path / name for name in "abc"]
    *found, failed = train_many(
        recipes,
        data=data,
        out=out,
        at_once=2,
        progress=False,
        command="the command",
        on_run=lambda index, run: ended.append(index),
    )
    assert_equal(found, alone[:2])
    assert isinstance(failed, FloatingPointError) and "lower lr than 1e+30" in str(failed)
    assert sorted(ended) == [0, 1, 2]
    about, *rows = read_history(out[1])
    assert rows == found[1].history and about["sessions"][0]["together"] == 2
    assert about["command"] == "the command" and about["threads"] == 1
    assert not multiprocessing.active_children()


def test_one_that_diverges_harms_nobody(data: ImageData, alone: list[Run], tmp_path: Path) -> None:
    recipes = [UNEQUAL[0], replace(TINY, lr=1e30), UNEQUAL[1]]
    jobs = list(zip(recipes, (tmp_path / name for name in "abc")))
    options = {"resume": False, "overwrite": False, "record": tape}
    done = dict(pack.in_turns(jobs, data, torch.device("cpu"), 3, "", options))
    assert isinstance(done[1], FloatingPointError)
    assert_equal([done[0], done[2]], alone[:2])
    assert len(read_history(tmp_path / "b")) == 1 and not (tmp_path / "b" / ".lock").exists()


def test_a_pack_that_is_killed_goes_on_where_it_was(data: ImageData, alone: list[Run], tmp_path: Path) -> None:
    """Some runs ended, one is in the middle, one has not begun."""
    out = [tmp_path / str(index) for index in range(4)]

    class Killed(Exception):
        pass

    def kill(index: int, run: Run) -> None:
        raise Killed

    jobs = list(zip(UNEQUAL, out))
    running = pack.in_turns(
        jobs, data, torch.device("cpu"), 3, "", {"resume": False, "overwrite": False, "record": None}
    )
    assert next(running)[0] == 2  # that of one epoch
    running.close()
    lengths = [len(read_history(place)) - 1 if place.exists() else None for place in out]
    assert lengths[2] == 1 and lengths[3] is None and lengths[0] < 2 and not list(tmp_path.glob("*/.lock"))
    found = train_many(UNEQUAL, data=data, out=out, resume=True, progress=False)
    assert_equal(found, alone)
    again = train_many(UNEQUAL, data=data, out=out, resume=True, progress=False)
    assert_equal(again, alone)
    refused = train_many(UNEQUAL[:1], data=data, out=out[:1], progress=False)
    assert isinstance(refused[0], ValueError) and "holds a run already" in str(refused[0])


def test_a_turn_ends_when_an_epoch_is_queued_and_before_anything_is_read(data: ImageData) -> None:
    shared = Shared(data, torch.device("cpu"))
    about = describe_run(TINY, data, torch.device("cpu"))
    steps = []
    run = turns(
        TINY,
        shared,
        about,
        Folder(None),
        resume=False,
        overwrite=False,
        record=None,
        on_step=lambda step, model: steps.append(step),
        progress=False,
    )
    for epoch in (1, 2):
        next(run)
        assert steps[-1] == epoch * STEPS
    with pytest.raises(StopIteration):
        next(run)


def test_a_gpu_holds_as_many_as_its_memory_has_room_for() -> None:
    gib = 2**30
    assert pack.how_many(80 * gib, 79 * gib) == pack.MOST
    assert pack.how_many(16 * gib, 14 * gib) == 6
    assert pack.how_many(16 * gib, 2 * gib) == 1
    assert pack.how_many(16 * gib, 16 * gib) == pack.MOST


def test_what_does_not_fit_together_is_refused(
    data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train_many([]) == []
    cases = [
        (["laptop"], {}, "recipes must be a list of Recipe, got"),
        ([TINY, TINY], {"out": [tmp_path]}, "out must name a folder for each of the 2 recipes, got 1"),
        ([TINY, TINY], {"out": [tmp_path, tmp_path]}, "a folder of its own for each recipe"),
        ([TINY, Recipe()], {}, "recipes must name one data set, got cifar10, procedural"),
        ([TINY], {"data": data, "at_once": 0}, "at_once must be at least 1, got 0"),
        ([TINY], {"data": [1]}, "data must be ImageData, got list"),
        ([TINY], {"data": data, "device": "abacus"}, "device 'abacus' cannot be used"),
    ]
    for recipes, options, message in cases:
        with pytest.raises(ValueError, match=message):
            train_many(recipes, **options)
    monkeypatch.setattr(pack.distributed, "processes", lambda: 2)
    with pytest.raises(ValueError, match="must not run under torchrun"):
        train_many([TINY], data=data)
