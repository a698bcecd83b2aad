"""Many networks at once: on a GPU in turns over one copy of the data, on a CPU in a process a core.

One small network cannot keep a GPU busy, even when it waits for no host. Several can: each has a stream, recorded
steps, memory and a folder of its own, and what it computes is what it would compute alone. (On a CPU: to the last bit,
at the same number of threads, which is one.)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from tqdm.auto import tqdm

from senet_edu import checks
from senet_edu.data import ImageData
from senet_edu.resnet import create_model
from senet_edu.train import distributed
from senet_edu.train.checkpoint import Folder, describe_run
from senet_edu.train.loop import Run, compiling, computing, images_for, settings, turns
from senet_edu.train.recipe import Recipe
from senet_edu.train.step import Shared, cuda_graph

MOST = 16  # networks at once on a GPU, which has 32 streams
ROOM = 0.8  # share of a GPU's free memory that may be taken

Done = Run | Exception
OnRun = Callable[[int, Done], None]


def train_many(
    recipes: Sequence[Recipe],
    *,
    data: ImageData | None = None,
    out: Sequence[str | Path] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str | torch.device | None = None,
    eval_every: int = 1,
    at_once: int | None = None,
    on_run: OnRun | None = None,
    progress: bool = True,
    command: str = "",
    capture: bool = True,
) -> list[Done]:
    """Train a network by each of some recipes, several at a time. One that fails does not touch the others.

    Where processes are used, a script must call this under `if __name__ == "__main__":`, as for `multiprocessing`.

    Args:
        recipes: any mixture of networks, lengths and sizes; all on one data set.
        data: the data set; loaded by the recipes' `data` when left out.
        out: a folder for each run, as for `train`.
        resume, overwrite: as for `train`; each folder goes on from its own checkpoint.
        device: a GPU if there is one, by default.
        eval_every, command, capture: as for `train`.
        at_once: how many train at the same time. By default as many as PyTorch has threads on a CPU (with 1 there is
            no further process), and as many as fit, up to 16, on a GPU.
        on_run: called with the number of a recipe and its result as soon as there is one.
        progress: show a bar that counts runs.

    Returns:
        For each recipe, in their order, a `Run`, or the exception that ended it.

    Raises:
        ValueError: the recipes name several data sets; there is not one folder for each; the device cannot be used.
    """
    recipes = list(recipes) if isinstance(recipes, Iterable) else [recipes]
    if not all(isinstance(recipe, Recipe) for recipe in recipes):
        raise ValueError(f"recipes must be a list of Recipe, got {checks.shown(recipes)}")
    places = [None] * len(recipes) if out is None else list(out)
    checks.flag("resume", resume)
    checks.flag("overwrite", overwrite)
    if len(places) != len(recipes):
        raise ValueError(f"out must name a folder for each of the {len(recipes)} recipes, got {len(places)}")
    if len({Path(place).resolve() for place in places if place}) < sum(map(bool, places)):
        raise ValueError("out must name a folder of its own for each recipe")
    if data is None and len({recipe.data for recipe in recipes}) > 1:
        raise ValueError(f"recipes must name one data set, got {', '.join(sorted({r.data for r in recipes}))}")
    if at_once is not None:
        checks.whole("at_once", at_once, least=1)
    if distributed.processes() > 1:
        raise ValueError("train_many must not run under torchrun: it fills one device by itself")
    if not recipes:
        return []
    if not torch.cuda.is_initialized():  # a hardware queue for each stream; too late once CUDA has started
        os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")
    device = computing(device)
    data = images_for(recipes[0], data, whole=True)
    record = cuda_graph if capture and device.type == "cuda" else None
    options = {"resume": resume, "overwrite": overwrite, "eval_every": eval_every, "record": record}
    jobs = list(zip(recipes, places))
    if device.type == "cpu":
        at_once = min(at_once or torch.get_num_threads(), len(jobs))
        if at_once > 1:
            running = in_processes(jobs, data, at_once, command, options)
        else:
            running = in_turns(jobs, data, device, 1, command, options)
    else:
        running = in_turns(jobs, data, device, at_once, command, options)
    done: dict[int, Done] = {}
    for index, result in tqdm(running, "runs", len(jobs), disable=not progress):
        done[index] = result
        if on_run is not None:
            on_run(index, result)
    return [done[index] for index in range(len(jobs))]


Job = tuple[Recipe, str | Path | None]


def in_turns(
    jobs: Sequence[Job],
    data: ImageData,
    device: torch.device,
    at_once: int | None,
    command: str,
    options: dict[str, Any],
    together: int | None = None,
) -> Iterator[tuple[int, Done]]:
    """In this process, an epoch each. While the host reads and tests one network, the device works on the others.

    Args:
        at_once: None finds out, by the memory that the first takes.
        options: of `turns`.
        together: how many train at the same time, for the record, where others do so elsewhere.

    Yields:
        The number of a job and its result, as they end.
    """
    waiting, live, copies = list(enumerate(jobs)), {}, {}
    before, limit = free_memory(device), at_once or 1

    def start(recipe: Recipe, place: str | Path | None) -> Any:
        part = images_for(recipe, data)
        key = (recipe.padding, recipe.holdout)
        if key not in copies:
            copies[key] = Shared(part, device, recipe.padding)
        about = describe_run(recipe, part, device, command)
        about["sessions"][0]["together"] = together or min(at_once or MOST, len(jobs))
        return turns(recipe, copies[key], about, Folder(place), progress=False, **options)

    with ExitStack() as stack:
        stack.enter_context(settings(benchmark=True))
        stack.enter_context(compiling(any(recipe.compile for recipe, _ in jobs)))
        stack.callback(lambda: [run.close() for run in live.values()])
        while waiting or live:
            while waiting and len(live) < limit:
                index, job = waiting.pop(0)
                try:
                    live[index] = start(*job)
                except (OSError, RuntimeError, ValueError) as error:
                    yield index, error
            for index, run in list(live.items()):
                try:
                    next(run)
                except StopIteration as end:
                    del live[index]
                    yield index, end.value
                except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
                    del live[index]
                    yield index, error
            if at_once is None and before is not None and live:
                torch.cuda.synchronize(device)
                limit = how_many(before, free_memory(device))
                before = None


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a GPU; None on other devices."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def how_many(before: int, after: int) -> int:
    """Networks that fit into a GPU's memory, from what was free before the first and with it."""
    return max(1, min(MOST, int(ROOM * before / max(1, before - after))))


def in_processes(
    jobs: Sequence[Job], data: ImageData, at_once: int, command: str, options: dict[str, Any]
) -> Iterator[tuple[int, Done]]:
    """On a CPU, each in one of some processes with one thread. Yields as `in_turns` does.

    Raises:
        BrokenExecutor: a process was killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.pt"  # which the processes share in memory, where /dev/shm may be small
        torch.save({name: getattr(data, name) for name in ("name", *TENSORS, "classes", "note", "title")}, path)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(at_once, context, start_worker, (path,)) as pool:
            futures = {pool.submit(work, job, command, options, at_once): index for index, job in enumerate(jobs)}
            for future in as_completed(futures):
                index, error = futures[future], future.exception()
                if isinstance(error, BrokenExecutor):
                    raise error
                yield index, error or unpacked(jobs[index][0], len(data.classes), future.result())


TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


def start_worker(path: Path) -> None:
    """One thread; the data; and an end at once with Ctrl-C, and with the parent, however that ended."""
    global worker_data
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    torch.set_num_threads(1)  # a process a core: no time is lost in waiting for each other
    worker_data = ImageData(**torch.load(path, mmap=True, weights_only=True))


worker_data: ImageData | None = None


def work(job: Job, command: str, options: dict[str, Any], together: int) -> tuple[bytes, dict, list]:
    """Train in a worker. Returns weights, facts and history, which can be sent."""
    ((_, run),) = in_turns([job], worker_data, torch.device("cpu"), 1, command, options, together)
    if isinstance(run, Exception):
        raise run
    weights = {name: tensor.contiguous() for name, tensor in run.model.state_dict().items()}
    return safetensors.torch.save(weights), run.about, run.history


def unpacked(recipe: Recipe, classes: int, sent: tuple[bytes, dict, list]) -> Run:
    """What a worker sent, as a `Run`."""
    weights, about, history = sent
    with torch.random.fork_rng(devices=[]):
        model = create_model(recipe.model, num_classes=classes, **recipe.model_options)
    model.load_state_dict(safetensors.torch.load(weights))
    return Run(model.to(memory_format=torch.channels_last).eval(), about, history)
