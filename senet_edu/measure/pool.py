"""Many independent runs at once, a process each, which may be stopped at any time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from typing import Any

from tqdm.auto import tqdm


def start_worker() -> None:
    """Let a worker end at once with Ctrl-C, and with its parent, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_all(
    work: Callable[..., Any],
    jobs: Mapping[Hashable, tuple],
    workers: int,
    keep: Callable[[Any], None],
    *,
    progress: bool = True,
) -> list[str]:
    """Call `work(*arguments)` for each job in a process of its own, begun in their order; `keep` gets each result.

    Args:
        work: a function of a module, so that a new process can import it.
        jobs: name of a job to the arguments.
        workers: how many work at once.
        keep: called here, with a result as soon as there is one.

    Returns:
        A line for each job that failed; a run that diverges must not cost the others.

    Raises:
        BrokenExecutor: a worker was killed.
    """
    failed = []
    context = multiprocessing.get_context("spawn")  # a CUDA context cannot be forked
    with ProcessPoolExecutor(workers, context, start_worker) as pool:
        futures = {pool.submit(work, *arguments): name for name, arguments in jobs.items()}
        for future in tqdm(as_completed(futures), "runs", len(futures), disable=not progress):
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                raise error
            if error:
                failed.append(f"{futures[future]}: {error}")
            else:
                keep(future.result())
    return failed
