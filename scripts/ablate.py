"""Train every row of the ablation table with several seeds (chapter 8).

    python scripts/ablate.py                        # reduced, for a CPU: see `senet_edu.ablations.REDUCED`
    python scripts/ablate.py --full                 # the whole thing; for a GPU
    python scripts/ablate.py --full --data cifar100

Each run becomes a line of `senet_edu/results/ablations….jsonl`: row, seed, accuracy, time, and what made it: recipe,
versions, hardware. Stop it whenever you like: what is in the file is not trained again. Seed by seed, so that a table
that is not finished is complete for its first seeds. Several networks train at once, since one small network keeps
neither a GPU nor the cores of a CPU busy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from functools import cache
from typing import Any

import torch
from tqdm.auto import tqdm

from senet_edu import ablations
from senet_edu.ablations import FULL, REDUCED, ROWS, Protocol
from senet_edu.cost import count_parameters, multiply_adds
from senet_edu.data import ImageData, load
from senet_edu.train import evaluate, replace_file, train


@cache
def images(protocol: Protocol, data: str) -> ImageData:
    """Loaded once a process."""
    return protocol.prepare(load(data))


def start_worker() -> None:
    """Let a worker end at once with Ctrl-C, and with its parent, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(protocol: Protocol, name: str, seed: int, data: str, device: str, command: str) -> dict[str, Any]:
    """Train one row with one seed; returns its line."""
    if device == "cpu":
        torch.set_num_threads(1)  # a process a core: no time is lost in waiting for each other
    found = images(protocol, data)
    recipe = protocol.recipe(ROWS[name], seed, data)
    started = time.perf_counter()
    result = train(recipe, data=found, device=device, eval_every=recipe.epochs, progress=False, command=command)
    seconds = time.perf_counter() - started
    last = result.history[-1]
    _, mirrored = evaluate(result.model, found.test_images, found.test_labels, mirror=True)
    return {
        "row": name,
        "seed": seed,
        "test_accuracy": last["test_accuracy"],
        "test_accuracy_mirrored": mirrored,
        "test_loss": round(last["test_loss"], 5),
        "train_accuracy": round(last["train_accuracy"], 5),
        "parameters": count_parameters(result.model),
        "multiply_adds": multiply_adds(result.model, (3, protocol.side, protocol.side)),
        "seconds": round(seconds, 1),
        "protocol": protocol.name,
        "about": result.about,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--full", action="store_true", help="the full protocol instead of the reduced one")
    names = ("cifar10", "cifar100", "procedural")
    parser.add_argument("--data", default="cifar10", choices=names, help="(%(default)s)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--device", default="cuda" if on_gpu else "cpu", help="(%(default)s)")
    cores = torch.get_num_threads()
    parser.add_argument("--workers", type=int, default=min(6, cores) if on_gpu else cores, help="at once (%(default)s)")
    args = parser.parse_args()
    protocol = FULL if args.full else REDUCED
    command = shlex.join(["python", "scripts/ablate.py", *sys.argv[1:]])
    path = ablations.path(protocol, args.data)
    path.parent.mkdir(exist_ok=True)
    runs = ablations.load(protocol, args.data) if path.exists() else []
    done = {(one["row"], one["seed"]) for one in runs}
    todo = [(row, seed) for seed in range(args.seeds) for row in args.rows if (row, seed) not in done]
    load(args.data)  # what is wrong with the data is said here once, and not by every worker
    failed = []
    context = multiprocessing.get_context("spawn")  # a CUDA context cannot be forked
    with ProcessPoolExecutor(args.workers, context, start_worker) as pool:
        jobs = {pool.submit(run, protocol, *each, args.data, args.device, command): each for each in todo}
        for job in tqdm(as_completed(jobs), "runs", len(jobs)):
            error = job.exception()
            if isinstance(error, BrokenExecutor):
                raise error
            if error:  # a network that diverges must not cost the others
                row, seed = jobs[job]
                failed.append(f"{row}, seed {seed}: {error}")
                continue
            runs.append(job.result())
            replace_file(path, "".join(json.dumps(one) + "\n" for one in runs).encode())
    if failed:
        raise SystemExit("\n".join(["These runs failed; all others are kept:", *failed]))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. The same command goes on with the runs that are missing.") from None
