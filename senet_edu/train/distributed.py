"""One run on several devices: `torchrun --nproc-per-node 2 -m senet_edu.train …`.

Every process holds the whole data set and the same weights, takes its own part of each batch, and the gradients are
averaged. Batch norm uses the statistics of the whole batch. So the number of processes changes the rounding and
nothing else. Without torchrun there is one process, and all of this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from senet_edu import machine


def rank() -> int:
    """Number of this process, from 0. Only process 0 writes files and talks."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def asked_for() -> int:
    """How many processes torchrun started; 1 without it.

    Raises:
        ValueError: WORLD_SIZE is not a number of processes.
    """
    text = os.environ.get("WORLD_SIZE", "1")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"WORLD_SIZE must be a number of processes, as torchrun sets it, got {text!r}")
    return int(text)


@contextmanager
def process_group(device: str | torch.device | None) -> Iterator[torch.device | str | None]:
    """Join the processes that torchrun started: NCCL on GPUs, gloo on CPUs. Gives the device of this one.

    Raises:
        ValueError: `device` cannot be used, or names one GPU where several processes need one each, or there are
            fewer GPUs than processes.
    """
    if asked_for() == 1:
        yield device
        return
    # Nothing may touch a GPU before each process has chosen its own: all of them would take memory of the first.
    on_gpu = torch.cuda.is_available() if device is None else str(device).startswith("cuda")
    if on_gpu and device is not None and torch.device(device).index is not None:
        raise ValueError(f"device must be cuda or left out under torchrun, which gives each process one; got {device}")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else machine.usable(device)
    if on_gpu:
        if device.index >= torch.cuda.device_count():
            raise ValueError(f"every process needs a GPU of its own, and there are {torch.cuda.device_count()}")
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def total(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes; gradients flow back to every one of them."""
    return x if processes() == 1 else all_reduce(x)


def mean(values: tuple[float, ...], weight: int, device: torch.device) -> list[float]:
    """The mean of numbers over all processes, each of which counts by its weight."""
    if processes() == 1:
        return list(values)
    sums = total(torch.tensor([*values, 1.0], dtype=torch.double, device=device) * weight)
    return (sums[:-1] / sums[-1]).tolist()


def wait() -> None:
    """Until all processes are here."""
    if processes() > 1:
        dist.barrier()


class WholeBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over `(N, C, H, W)` of all processes together; PyTorch's own, `SyncBatchNorm`, needs GPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or processes() == 1:
            return super().forward(x)
        wide = x.to(self.running_mean.dtype)
        count = processes() * x.numel() // self.num_features  # equal parts
        mean = total(wide.sum((0, 2, 3))) / count
        centered = wide - mean[:, None, None]
        variance = total(centered.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def parallel(model: nn.Module) -> nn.Module:
    """The model for the forward pass in training: itself, or itself in DistributedDataParallel.

    Its batch norms are then those of all processes together; parameters, buffers and their names stay.
    """
    if processes() == 1:
        return model
    device = next(model.parameters()).device
    on_gpu = device.type == "cuda"
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = nn.SyncBatchNorm if on_gpu else WholeBatchNorm2d
            module.process_group = None  # of SyncBatchNorm: all
    return nn.parallel.DistributedDataParallel(model, [device.index] if on_gpu else None)
