"""Augmentation against NumPy and torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from senet_edu import data
from senet_edu.data import augment


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_normalize_against_torchvision():
    from torchvision.transforms import v2

    images = noise(5, 3, 8, 6)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    expected = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])(images)
    found = data.normalize(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_pad_against_numpy():
    images = noise(2, 3, 7, 9)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    assert np.array_equal(data.pad(images), expected) and data.pad(images).dtype == torch.uint8
    assert torch.equal(data.pad(images, 0), images)
    for wrong in (-1, 7):
        with pytest.raises(ValueError, match=f"padding must be at .* got {wrong}"):
            data.pad(images, wrong)


def random_crops(padded, index, size, generator):
    return data.crop_flip(padded, index, data.draw_shifts(len(index), padded.shape[2] - size + 1, generator), size)


def test_crops_against_torchvision_one_by_one():
    """Also holds the order in which the generator is used: a resumed run must repeat its crops exactly."""
    from torchvision.transforms import functional

    padded, index = data.pad(noise(20, 3, 12, 12)), torch.tensor([3, 3, 0, 19, 7, 11, 3, 5])
    found = random_crops(padded, index, 12, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    top, left = torch.randint(9, (2, 8, 1), generator=generator)
    flip = torch.rand(8, 1, generator=generator) < 0.5
    assert flip.any() and not flip.all()
    for i in range(8):
        expected = functional.crop(padded[index[i]], int(top[i]), int(left[i]), 12, 12)
        assert torch.equal(found[i], functional.hflip(expected) if flip[i] else expected)
    assert found.dtype == torch.uint8
    again = random_crops(padded, index, 12, torch.Generator().manual_seed(5))
    assert torch.equal(found, again)


def test_all_crops_are_equally_likely():
    rows, cols = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    padded = torch.stack([rows, cols, torch.zeros_like(rows)])[None].to(torch.uint8)
    n = 16_200
    crops = random_crops(padded, torch.zeros(n, dtype=torch.long), 32, torch.Generator().manual_seed(0))
    corner, other = crops[:, :2, 0, 0].long(), crops[:, 1, 0, 31].long()
    flipped = other < corner[:, 1]
    kinds = (corner[:, 0] * 9 + torch.minimum(corner[:, 1], other)) * 2 + flipped
    counts = kinds.bincount(minlength=162).double()
    assert len(counts) == 162
    chi_squared = ((counts - n / 162) ** 2 / (n / 162)).sum().item()
    assert chi_squared < 161 + 4 * (2 * 161) ** 0.5


def test_cutout_against_numpy():
    """Squares of odd and even side, in the middle and over the border."""
    images = torch.rand(40, 3, 12, 10) + 1
    centers = torch.stack([torch.arange(40) % 12, torch.arange(40) % 10], 1)
    for size in (1, 3, 4, 30):
        found = data.cutout(images, centers, size)
        expected = images.numpy().copy()
        for image, (row, col) in zip(expected, centers.tolist()):
            top, left = row - size // 2, col - size // 2
            image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        assert np.array_equal(found, expected)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        data.cutout(images, centers, 0)


def test_normalize_is_this_arithmetic_to_the_last_bit():
    """Weights of a recipe and a seed stay what they were only if every pixel does."""
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) * 255 for x in (data.MEAN, data.STD))
    assert torch.equal(data.normalize(images), (images - mean) / std)


class Operations(TorchDispatchMode):
    """The names of the operations that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.__name__)
        return func(*args, **kwargs or {})


def test_normalize_copies_nothing_from_the_host():
    """What a captured step must not do, and what would keep a GPU waiting."""
    images = noise(2, 3, 4, 4)
    data.normalize(images)
    with Operations() as seen:
        data.normalize(images)
    assert [name.partition(".")[0] for name in seen.names] == ["sub", "div", "clone"]


def test_constants_made_in_inference_mode_serve_autograd():
    augment._constants.cache_clear()
    with torch.inference_mode():
        data.normalize(noise(1, 3, 2, 2))
    mean, std = augment._constants(torch.device("cpu"))
    x = torch.ones(1, 3, 2, 2, requires_grad=True)
    ((x - mean) / std * x).sum().backward()
    assert x.grad.isfinite().all()


def test_normalize_takes_bytes_only():
    """Floats in 0..1 would come out with a spread of 0.13 in place of 1, one channel as three."""
    images = noise(2, 3, 4, 4)
    for wrong in (images / 255, images.int(), images[:, :1], images[0], images.numpy()):
        with pytest.raises(ValueError, match=r"images must be uint8 \(N, 3, H, W\), got"):
            data.normalize(wrong)
    assert data.normalize(images[:0]).shape == (0, 3, 4, 4)


def test_what_augmentation_refuses():
    images, generator = noise(4, 3, 8, 8), torch.Generator()
    index, shifts = torch.arange(4), torch.zeros(4, 3, dtype=torch.int64)
    cases = {
        r"images must be uint8": lambda: data.pad(images[0]),
        r"padding must be a whole number, at least 0 and at most 7, got '2'": lambda: data.pad(images, "2"),
        r"count must be a whole number, at least 0, got 2.0": lambda: data.draw_shifts(2.0, 9, generator),
        r"room must be at least 1, got 0": lambda: data.draw_shifts(2, 0, generator),
        r"padded must be uint8": lambda: data.crop_flip(images / 255, index, shifts, 8),
        r"size must be at least 1 and at most 8, got 9": lambda: data.crop_flip(images, index, shifts, 9),
        r"size must be a whole number, .* got None": lambda: data.crop_flip(images, index, shifts, None),
        r"shifts must be int64 \(3, 3\), got torch.int64 \(4, 3\)": lambda: data.crop_flip(
            images, index[:3], shifts, 8
        ),
        r"size must be a whole number, at least 1, got '4'": lambda: data.cutout(images, shifts[:, :2], "4"),
        r"centers must be a tensor \(4, 2\), got torch.int64 \(4, 3\)": lambda: data.cutout(images, shifts, 4),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message):
            call()
