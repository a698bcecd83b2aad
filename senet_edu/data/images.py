"""A data set in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from senet_edu import checks

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN = (0.4914, 0.4822, 0.4465)  # of CIFAR-10's training images, by channel, of values in 0..1
STD = (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """A data set in memory: uint8 images `(N, 3, H, W)`, int64 labels `(N,)`, and the names of the classes.

    Raises:
        ValueError: images or labels of another type or shape, no image at all, other labels than 0 to K - 1 for K
            classes.
    """

    name: str
    """`"cifar10"`, `"cifar100"` or `"procedural"`."""
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    note: str = ""
    """Why this set stands in for CIFAR-10, where it does."""
    title: str = ""
    """How a page calls it; `name` when left out."""

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images = checks.images(f"{part}_images", getattr(self, f"{part}_images"))
            checks.labels(f"{part}_labels", getattr(self, f"{part}_labels"), len(images), len(self.classes))

    def describe(self) -> str:
        """One line that says which data a page was run on."""
        counts = f"{len(self.train_images):,} training and {len(self.test_images):,} test images"
        return f"{self.title or self.name}: {counts}" + (f" (because {self.note})" if self.note else "")

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def subset(self, train: int | None = None, test: int | None = None, *, seed: int = 0) -> ImageData:
        """A random part of the images in which all classes are equally frequent, to within one image.

        The smaller of two subsets with one seed is the beginning of the larger.

        Args:
            train: at most so many training images; all of them, in their order, when left out.
            test: the same for the test images.
            seed: decides which.

        Raises:
            ValueError: a count below 1, or anything that is no whole number.
        """
        parts = {}
        for part, count in (("train", train), ("test", test)):
            if count is None:
                continue
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            index = _balanced_order(labels, checks.whole("seed", seed))[: checks.whole(part, count, 1)]
            parts |= {f"{part}_images": images[index], f"{part}_labels": labels[index]}
        return replace(self, **parts)


def _balanced_order(labels: Tensor, seed: int) -> Tensor:
    """A random order in which every class has had its r-th image before any has its (r+1)-th."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = order[labels[order].argsort(stable=True)]  # class by class
    counts = labels.bincount()
    rank = torch.arange(len(labels)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return order[rank.argsort(stable=True)]
