"""Gates of a whole network for many images, and batch norms that fit them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.data import normalize
from senet_edu.gates import record_gates
from senet_edu.modes import evaluating


def gates_of(model: nn.Module, images: Tensor, batch_size: int = 125) -> dict[str, Tensor]:
    """The gates of every SE block for every image, with the model in eval mode. Its own mode is put back.

    Args:
        model: a network with SE blocks, on any device.
        images: uint8 `(N, 3, H, W)`.
        batch_size: images at a time; around a hundred, the feature maps of a CIFAR network stay in a CPU's cache.

    Returns:
        name of a block to its gates `(N, C)`, on the CPU, in the order in which the network calls the blocks.

    Raises:
        ValueError: `images` are not uint8 `(N, 3, H, W)` with N at least 1, `batch_size` is below 1, or the model has
            no SE block.
    """
    checks.module("model", model)
    checks.images("images", images)
    checks.whole("batch_size", batch_size, 1)
    device = device_of(model)
    with evaluating(model), torch.inference_mode(), record_gates(model) as gates:
        for batch in images.split(batch_size):
            model(normalize(batch.to(device)))
    return {block: s.cpu() for block, s in gates.items()}


def calibrate_batch_norm(model: nn.Module, images: Tensor) -> None:
    """Give every batch norm of a network the mean and variance that it meets on these images.

    An untrained network has the running statistics 0 and 1 that it was made with. They do not fit its feature maps, so
    in eval mode they would blow up from block to block; with this it computes what it computes in a training step.

    Args:
        model: changed in place, but not in its mode: put it into eval mode to use the statistics.
        images: uint8 `(N, 3, H, W)`, used as one batch.

    Raises:
        ValueError: `images` are not uint8 `(N, 3, H, W)` with N at least 1.
    """
    checks.module("model", model)
    checks.images("images", images)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    with evaluating(model), torch.inference_mode():
        try:
            for norm in norms:
                norm.train()
                norm.momentum = 1.0  # take the statistics of the batch, forget the old ones
            model(normalize(images.to(device_of(model))))
        finally:
            for norm, momentum in zip(norms, momenta):
                norm.momentum = momentum


def device_of(model: nn.Module) -> torch.device:
    """Where a network computes; the CPU if it has no parameters."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
