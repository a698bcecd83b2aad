"""Gates of a whole network for many images, and batch norms that fit them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from senet_edu import checks, data
from senet_edu.gates import record_gates
from senet_edu.modes import evaluating, taking_statistics


def gates_of(
    model: nn.Module,
    images: Tensor,
    batch_size: int = 125,
    *,
    prepare: Callable[[Tensor], Tensor] = data.normalize,
) -> dict[str, Tensor]:
    """The gates of every SE block for every image, with the model in eval mode. Its own mode is put back.

    Args:
        model: a network with SE blocks, of this or another library, on any device.
        images: uint8 `(N, 3, H, W)` of any size that the network takes.
        batch_size: images at a time; around a hundred, the feature maps of a CIFAR network stay in a CPU's cache.
        prepare: from uint8 images to what the network was trained on. By default the `normalize` of CIFAR-10; for
            weights of torchvision it is `models.MobileNet_V3_Small_Weights.DEFAULT.transforms()` and the like.

    Returns:
        name of a block to its gates `(N, C)`, on the CPU, in the order in which the network calls the blocks. Relatives
        with a gate for each pixel keep its axes, as `(N, 1, H, W)`.

    Raises:
        ValueError: `images` are not uint8 `(N, 3, H, W)` with N at least 1, `batch_size` is below 1, `prepare` does
            not give a batch of maps, the model has no SE block, or it calls one several times for an image.
    """
    checks.module("model", model)
    checks.images("images", images)
    checks.whole("batch_size", batch_size, 1)
    device = device_of(model)
    with evaluating(model), torch.inference_mode(), record_gates(model) as gates:
        for batch in images.split(batch_size):
            x = prepare(batch.to(device))
            if not isinstance(x, Tensor) or not x.is_floating_point() or len(x) != len(batch):
                got = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else repr(x)
                raise ValueError(f"prepare must give floating-point maps ({len(batch)}, C, H, W), got {got}")
            model(x)
    for name, s in gates.items():
        if len(s) != len(images):
            times = len(s) / len(images)
            raise ValueError(f"model calls its block {name!r} {times:g} times for an image; gates_of needs one call")
    return {name: s.cpu() for name, s in gates.items()}


def calibrate_batch_norm(
    model: nn.Module, images: Tensor, *, prepare: Callable[[Tensor], Tensor] = data.normalize
) -> None:
    """Give every batch norm of a network the mean and variance that it meets on these images.

    An untrained network has the running statistics 0 and 1 that it was made with. They do not fit its feature maps, so
    in eval mode they would blow up from block to block; with this it computes what it computes in a training step.

    Args:
        model: changed in place, but not in its mode: put it into eval mode to use the statistics.
        images: uint8 `(N, 3, H, W)`, used as one batch.
        prepare: as for `gates_of`.

    Raises:
        ValueError: `images` are not uint8 `(N, 3, H, W)` with N at least 1.
    """
    checks.module("model", model)
    checks.images("images", images)
    with taking_statistics(model), torch.inference_mode():
        model(prepare(images.to(device_of(model))))


def device_of(model: nn.Module) -> torch.device:
    """Where a network computes; the CPU if it has no parameters."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
