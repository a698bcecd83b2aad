"""Many networks at once, a process each, which may be stopped at any time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from senet_edu.data import ImageData
from senet_edu.train import Recipe, Run, train

Done = Run | Exception


def train_many(
    recipes: Sequence[Recipe],
    *,
    data: ImageData,
    out: Sequence[Path] | None = None,
    resume: bool = False,
    device: str | torch.device = "cpu",
    eval_every: int = 1,
    at_once: int | None = None,
    on_run: Callable[[int, Done], None] | None = None,
    progress: bool = True,
    command: str = "",
) -> list[Done]:
    """Train a network by each of some recipes, several at a time. One that fails does not touch the others.

    Args:
        recipes: any mixture, all on one data set.
        out: a folder for each run, as for `train`.
        resume: each folder goes on from its own checkpoint.
        at_once: processes on a CPU, each with one thread; a GPU trains one after the other.
        on_run: called with the number of a recipe and its result as soon as there is one.

    Returns:
        For each recipe, in their order, a `Run`, or the exception that ended it.

    Raises:
        BrokenExecutor: a process was killed.
    """
    places = [None] * len(recipes) if out is None else list(out)
    options = {"resume": resume, "device": device, "eval_every": eval_every, "progress": False, "command": command}
    jobs = [{"recipe": recipe, "out": place, **options} for recipe, place in zip(recipes, places, strict=True)]
    several = torch.device(device).type == "cpu" and (at_once or torch.get_num_threads()) > 1
    running = in_processes(jobs, data, at_once or torch.get_num_threads()) if several else one_by_one(jobs, data)
    done: dict[int, Done] = {}
    for index, result in tqdm(running, "runs", len(jobs), disable=not progress):
        done[index] = result
        if on_run is not None:
            on_run(index, result)
    return [done[index] for index in range(len(jobs))]


def one_by_one(jobs: Sequence[dict[str, Any]], data: ImageData) -> Iterator[tuple[int, Done]]:
    """In this process. Yields the number of a job and its result."""
    for index, job in enumerate(jobs):
        try:
            yield index, train(data=data, **job)
        except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
            yield index, error


def in_processes(jobs: Sequence[dict[str, Any]], data: ImageData, at_once: int) -> Iterator[tuple[int, Done]]:
    """Each in a process with one thread. Yields as `one_by_one` does, as they end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(at_once, len(jobs) or 1), context, start_worker, (data,)) as pool:
        futures = {pool.submit(work, job): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                raise error
            yield futures[future], error or future.result()


def start_worker(data: ImageData) -> None:
    """One thread; the data; and an end at once with Ctrl-C, and with the parent, however that ended."""
    global worker_data
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    torch.set_num_threads(1)  # a process a core: no time is lost in waiting for each other
    worker_data = data


worker_data: ImageData | None = None


def work(job: dict[str, Any]) -> Run:
    return train(data=worker_data, **job)
