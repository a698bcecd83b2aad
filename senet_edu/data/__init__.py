"""CIFAR-10 and CIFAR-100 as tensors, a drawn set that stands in for them, and augmentation on any device.

data = load_data()          # CIFAR-10 where it can be had, else the drawn set
x = normalize(data.test_images[:50])
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from senet_edu.checks import choice
from senet_edu.extras import extra

with extra("train"):
    import filelock  # noqa: F401
    import tqdm  # noqa: F401

from senet_edu.data.augment import crop_flip, cutout, draw_shifts, normalize, pad
from senet_edu.data.cifar import CIFAR10, CIFAR100, Source, data_folder, load_cifar10, load_cifar100
from senet_edu.data.images import CLASSES, MEAN, STD, ImageData
from senet_edu.data.procedural import procedural

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CLASSES",
    "LOADERS",
    "MEAN",
    "STD",
    "ImageData",
    "Source",
    "crop_flip",
    "cutout",
    "data_folder",
    "draw_shifts",
    "load",
    "load_cifar10",
    "load_cifar100",
    "load_data",
    "normalize",
    "pad",
    "procedural",
]

LOADERS: dict[str, Callable[[], ImageData]] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "procedural": procedural,
}
"""The data sets by the names that recipes give them."""


def load_data() -> ImageData:
    """What the chapters run on: CIFAR-10 where it can be had, else the procedural set; its `describe()` says which.

    CIFAR-10 is downloaded where it is missing, but not if `$SENET_EDU_DATA` is set: that folder is yours to fill, for
    instance by `load_cifar10()`. Without a network this gives up after `download.ANSWER_SECONDS` at the latest.

    Raises:
        ValueError: a file of CIFAR-10 is there, but damaged.
    """
    try:
        data_folder()
    except ValueError as error:  # nobody's home; a damaged file is another matter, and no reason to go without it
        return _stand_in(error)
    try:
        return load_cifar10(download=not os.environ.get("SENET_EDU_DATA"))
    except OSError as error:  # missing, no network, full disk
        return _stand_in(error)


def _stand_in(reason: Exception) -> ImageData:
    """The procedural set; the first line of the error says why, the others what to do."""
    return replace(procedural(), note=str(reason).partition("\n")[0].rstrip("."))


def load(name: str) -> ImageData:
    """The data set of a recipe: `"cifar10"`, `"cifar100"`, or `"procedural"`, which needs no files.

    Raises:
        ValueError: another name.
        FileNotFoundError, ValueError, OSError: as for `load_cifar10`.
    """
    return LOADERS[choice("name", name, LOADERS)]()
