"""Where the time of a training step goes."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import torch
from torch.profiler import ProfilerActivity, profile

from senet_edu import checks, machine
from senet_edu.data import ImageData
from senet_edu.train.loop import train
from senet_edu.train.recipe import Recipe

PARTS = ("augmentation", "forward pass", "backward pass", "optimizer")


def profile_steps(recipe: Recipe, data: ImageData, device: str | torch.device | None = None, steps: int = 20) -> str:
    """Where the time of a training step goes, as text: on a CPU by part of the loop, then by operation.

    Trains so many steps at the recipe's last, largest size, after a few to warm up. Each is carried out in Python, also
    on a GPU. Nothing is kept. A GPU has no parts: autograd starts the backward pass from a thread of its own, where the
    profiler does not see to which it belongs.

    Raises:
        ValueError: `steps` is below 1; and see `train`.
    """
    checks.whole("steps", steps, least=1)
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, such as RECIPES['laptop'].recipe, got {checks.shown(recipe)}")
    short = replace(recipe, epochs=1, sizes=((0.0, recipe.sizes[-1][1]),), holdout=0, ema_from=0.0)

    def run(count: int) -> None:
        part = data.subset(train=min(count * recipe.batch_size, len(data.train_images)), test=1)
        train(short, data=part, device=device, progress=False, capture=False)

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells standard error of its own states otherwise
    run(3)  # loads kernels, compiles
    on_gpu = machine.usable(device).type == "cuda"
    activities = [ProfilerActivity.CPU] + on_gpu * [ProfilerActivity.CUDA]
    with profile(activities=activities) as recorded:
        started = time.perf_counter()
        run(steps)
        seconds = time.perf_counter() - started
    events = recorded.key_averages()
    batch_size = min(recipe.batch_size, len(data.train_images))
    done = min(steps, len(data.train_images) // batch_size)
    lines = [f"{done} steps of {batch_size} images in {seconds:.2f} s, with the profiler's own work"]
    if not on_gpu:
        parts = {event.key: event.cpu_time_total / 1e3 for event in events if event.key in PARTS}  # ms
        whole = sum(parts.values())
        lines += [f"{name:15}{parts[name] / done:9.2f} ms a step  {100 * parts[name] / whole:3.0f} %" for name in PARTS]
    key = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    return "\n".join(lines) + "\n\n" + events.table(sort_by=key, row_limit=12, max_name_column_width=48)
