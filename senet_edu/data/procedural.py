"""Ten classes of textured shapes, drawn from a seed: what stands in for CIFAR-10 where that cannot be had."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from senet_edu.checks import whole
from senet_edu.data.images import ImageData

# Shapes as signed distances, in units of the radius: negative inside. Their areas are equal (2 square units), and both
# textures are light on one half of it, so that neither brightness nor color gives the class away.
OUTLINES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "disk": lambda u, v: (u * u + v * v).sqrt() - 0.798,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.707,
    "triangle": lambda u, v: torch.maximum(-v, 0.866 * u.abs() + 0.5 * v) - 0.620,
    "ring": lambda u, v: ((u * u + v * v).sqrt() - 0.8).abs() - 0.199,
    "cross": lambda u, v: torch.maximum(torch.minimum(u.abs(), v.abs()) - 0.293, torch.maximum(u.abs(), v.abs()) - 1),
}
TEXTURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # positive where light
    "striped": lambda u, v: _wave(u),
    "checked": lambda u, v: _wave(u) + _wave(v),
}


def procedural(train: int = 5_000, test: int = 1_000, seed: int = 0) -> ImageData:
    """Ten classes of textured shapes, drawn from a seed: needs no file, and has the shapes and types of CIFAR-10.

    Class 0 is a striped disk, class 9 a checked cross. Place, size, angles and colors are random, whatever the class.

    Args:
        train: how many training images; the classes are equally frequent, to within one image.
        test: how many test images.
        seed: decides all of it. The test images do not depend on `train`.

    Raises:
        ValueError: a count below 1, or anything that is no whole number.
    """
    parts = []
    for index, (part, count) in enumerate((("train", train), ("test", test))):
        generator = torch.Generator().manual_seed(2 * whole("seed", seed) + index)
        parts += _draw(whole(part, count, 1), generator)
    classes = tuple(f"{texture} {outline}" for outline in OUTLINES for texture in TEXTURES)
    return ImageData("procedural", *parts, classes, title="Procedural shapes")


def _draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images `(count, 3, 32, 32)` uint8 and labels `(count,)` int64.

    Per pixel there are only sums, products and roots, which round alike whatever the number of threads.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    labels = torch.randperm(count, generator=generator) % (len(OUTLINES) * len(TEXTURES))
    grid = torch.arange(32, dtype=torch.float32) - 15.5
    y = grid.view(32, 1) - uniform(-3, 3, 1, 1)  # pixels from the center of the shape: (count, 32, 1)
    x = grid.view(1, 32) - uniform(-3, 3, 1, 1)  # (count, 1, 32)
    radius = uniform(9, 13, 1, 1)
    u, v = _turn(x, y, uniform(0, 2 * torch.pi, 1, 1))
    a, b = _turn(x, y, uniform(0, 2 * torch.pi, 1, 1))  # the texture turns by itself
    period = uniform(6, 9, 1, 1)
    a, b = a / period + uniform(0, 1, 1, 1), b / period + uniform(0, 1, 1, 1)

    inside, light = torch.empty(2, count, 32, 32)
    for k, outline in enumerate(OUTLINES.values()):
        of = labels // len(TEXTURES) == k
        distance = radius[of] * outline(u[of] / radius[of], v[of] / radius[of])  # in pixels
        inside[of] = (0.5 - distance).clamp_(0, 1)
    for k, texture in enumerate(TEXTURES.values()):
        of = labels % len(TEXTURES) == k
        light[of] = (0.5 + 2 * texture(a[of], b[of])).clamp_(0, 1)

    background, dark, bright = uniform(0.3, 0.7, 3, 1, 1), uniform(0, 0.4, 3, 1, 1), uniform(0.6, 1, 3, 1, 1)
    images = dark + (bright - dark) * light[:, None]
    images = background + (images - background) * inside[:, None]
    images += uniform(-0.08, 0.08, 1, 32, 32)  # grain
    return (images * 255).round_().clamp_(0, 255).to(torch.uint8), labels


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame that is turned by an angle."""
    return angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x


def _wave(t: Tensor) -> Tensor:
    """A triangle wave of period 1 between -1 and 1."""
    return 4 * (t - (t + 0.5).floor()).abs() - 1
