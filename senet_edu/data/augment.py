"""What happens to images on their way into a network, on any device: normalized, padded, cropped, mirrored, cut out."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from senet_edu import checks
from senet_edu.data.images import MEAN, STD


def normalize(images: Tensor) -> Tensor:
    """uint8 images `(N, 3, H, W)` to what the networks take: float32, channels-last, zero mean and unit variance.

    Zero and one on average over CIFAR-10's training images; other data are shifted and scaled alike.

    Raises:
        ValueError: images of another type, such as floats in 0..1, or of another shape.
    """
    mean, std = _constants(checks.images("images", images, least=0).device)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


@cache
def _constants(device: torch.device, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of pixels in 0..255, each `(1, 3, 1, 1)`.

    Made once for each device: a copy from the host in every training step would keep a GPU waiting, and a step that is
    captured as a graph must have none.
    """
    with torch.inference_mode(False):  # or autograd could not use them later
        mean, std = (torch.tensor(x, dtype=dtype, device="cpu").view(1, 3, 1, 1) * 255 for x in (MEAN, STD))
        return mean.to(device), std.to(device)


def pad(images: Tensor, padding: int = 4) -> Tensor:
    """Reflect-pad uint8 images `(N, 3, H, W)` once, so that `crop_flip` only has to gather.

    Raises:
        ValueError: images of another type or shape; `padding` is negative, or not smaller than the images.
    """
    checks.images("images", images, least=0)
    checks.whole("padding", padding, 0, min(images.shape[2:]) - 1)
    rows, cols = (
        F.pad(torch.arange(n, dtype=torch.float32).view(1, 1, n), (padding, padding), mode="reflect").flatten().long()
        for n in images.shape[2:]
    )
    return images[:, :, rows.to(images.device)][..., cols.to(images.device)]


def draw_shifts(count: int, room: int, generator: torch.Generator) -> Tensor:
    """Where `crop_flip` should crop, and whether to mirror: int64 `(count, 3)` of top and left in 0..room-1 and 0 or 1.

    They come from a CPU generator, so that a seed means the same on every device.

    Raises:
        ValueError: `count` is below 0, or `room` below 1.
    """
    checks.whole("count", count, 0)
    checks.whole("room", room, 1)
    top, left = torch.randint(room, (2, count), generator=generator)
    flip = torch.rand(count, generator=generator) < 0.5
    return torch.stack([top, left, flip.long()], dim=1)


def crop_flip(padded: Tensor, index: Tensor, shifts: Tensor, size: int) -> Tensor:
    """Cut a crop out of each of some images and mirror some of the crops, all in one gather.

    Args:
        padded: uint8 images `(N, 3, H, W)`, square, already padded.
        index: which of them, int64 `(B,)`, on the same device.
        shifts: `(B, 3)` from `draw_shifts` with room H - size + 1, on the same device.
        size: side of the crop.

    Returns:
        uint8 crops `(B, 3, size, size)`.

    Raises:
        ValueError: images of another type or shape, as many shifts as there are not images, or a `size` that is larger
            than they are.
    """
    checks.images("padded", padded)
    checks.whole("size", size, 1, min(padded.shape[2:]))
    checks.tensor("index", index, (None,), torch.int64)
    checks.tensor("shifts", shifts, (len(index), 3), torch.int64)
    top, left, flip = shifts[:, :, None].unbind(1)  # each (B, 1)
    steps = torch.arange(size, device=padded.device)
    rows = top + steps  # (B, size)
    cols = left + torch.where(flip == 1, size - 1 - steps, steps)
    channels = torch.arange(padded.shape[1], device=padded.device)
    return padded[index[:, None, None, None], channels[:, None, None], rows[:, None, :, None], cols[:, None, None, :]]


def cutout(images: Tensor, centers: Tensor, size: int) -> Tensor:
    """Hide a square of each image (DeVries and Taylor, 2017, https://arxiv.org/abs/1708.04552).

    Args:
        images: `(B, 3, H, W)`; zero, which the squares get, is the mean color of normalized images.
        centers: `(B, 2)` row and column, on the same device. What of a square lies outside of the image is lost.
        size: side of the squares.

    Raises:
        ValueError: `size` is below 1, or there is not one center for each image.
    """
    checks.whole("size", size, 1)
    checks.tensor("images", images, (None, None, None, None))
    checks.tensor("centers", centers, (len(images), 2))
    rows, cols = (
        torch.arange(n, device=images.device) - centers[:, axis : axis + 1] + size // 2  # (B, n)
        for axis, n in enumerate(images.shape[2:])
    )
    hidden = ((rows >= 0) & (rows < size))[:, :, None] & ((cols >= 0) & (cols < size))[:, None, :]
    return images.masked_fill(hidden[:, None], 0)
