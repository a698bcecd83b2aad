"""Statistics of recorded gates: by channel, by class, by depth.

Each takes the gates of one block `(N, C)` and the labels `(N,)` of the images, and computes in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from senet_edu import checks


def class_means(gates: Tensor, labels: Tensor, num_classes: int | None = None) -> Tensor:
    """The mean gate of each channel over the images of each class.

    Args:
        gates: `(N, C)`.
        labels: `(N,)` integers from 0.
        num_classes: K; one more than the largest label when left out.

    Returns:
        `(K, C)` float64.

    Raises:
        ValueError: shapes that do not fit, gates that are not finite, or a class without an image.
    """
    one_hot, counts = _memberships(gates, labels, num_classes)
    return one_hot.T @ gates.double() / counts[:, None]


def within_class_spread(gates: Tensor, labels: Tensor, num_classes: int | None = None) -> Tensor:
    """The standard deviation of each channel's gate over the images of each class (the bars of the paper's Fig. 7).

    Arguments and errors as for `class_means`. Returns `(K, C)` float64; the divisor is the number of images, not one
    less, so that within and between add up (see `class_share`).
    """
    one_hot, counts = _memberships(gates, labels, num_classes)
    deviations = gates.double() - class_means(gates, labels, num_classes)[labels]
    return (one_hot.T @ deviations**2 / counts[:, None]).sqrt()


def class_share(gates: Tensor, labels: Tensor) -> Tensor:
    """The share of a gate's variance over images that lies between the classes, eta squared, for each channel:

        η²_c = Σ_k n_k (m_kc − m_c)² / Σ_i (s_ic − m_c)²

    with n_k images and mean gate m_kc in class k, and m_c the mean over all images. 1: the class alone decides the
    gate. 0: the class means are equal, also for a gate that is the same for all images. Labels without any relation to
    the gates give (K − 1)/(N − 1) on average.

    Returns:
        `(C,)` float64.

    Raises:
        ValueError: as for `class_means`.
    """
    _, counts = _memberships(gates, labels)
    s = gates.double()
    mean = s.mean(0)
    between = (counts[:, None] * (class_means(s, labels) - mean) ** 2).sum(0)
    total = ((s - mean) ** 2).sum(0)
    constant = s.amax(0) == s.amin(0)  # not total == 0: the mean of equal numbers may be rounded
    return torch.where(constant, 0.0, between / total.where(~constant, torch.ones_like(total)))


def pattern_similarity(gates: Tensor, labels: Tensor) -> float:
    """How alike the classes' profiles are, up to shift and scale: the correlation over channels of two classes' mean
    gates, averaged over all pairs of classes. A profile that is the same in all channels correlates with none (0).

    Raises:
        ValueError: as for `class_means`; fewer than two classes or two channels.
    """
    means = class_means(gates, labels)
    if min(means.shape) < 2:
        raise ValueError(f"gates and labels must have two classes and two channels or more, got {tuple(means.shape)}")
    centered = means - means.mean(1, keepdim=True)
    profiles = F.normalize(centered, eps=1e-9)  # a profile that is flat up to rounding stays near zero
    pairs = (profiles @ profiles.T).triu(1)
    return (pairs.sum() / (len(means) * (len(means) - 1) / 2)).item()


@dataclass(frozen=True)
class Summary:
    """The gates of one block in a few numbers, each between 0 and 1."""

    mean: float
    """Mean gate, over images and channels."""
    spread: float
    """Standard deviation of a gate over all images, averaged over the channels."""
    within: float
    """Standard deviation of a gate over the images of one class, averaged over the channels and classes."""
    between: float
    """Standard deviation of a gate's class means over the classes, averaged over the channels."""
    class_share: float
    """`class_share`, averaged over the channels."""
    above: float
    """Share of the gates above `high`, over images and channels."""
    below: float
    """Share of the gates below `low`."""


def summarize(gates: Tensor, labels: Tensor, low: float = 0.05, high: float = 0.95) -> Summary:
    """Summarize the gates `(N, C)` of one block.

    Raises:
        ValueError: as for `class_means`; `low` and `high` are not 0 <= low < high <= 1.
    """
    if not 0 <= checks.number("low", low) < checks.number("high", high) <= 1:
        raise ValueError(f"low and high must be 0 <= low < high <= 1, got {checks.shown(low)} and {checks.shown(high)}")
    means = class_means(gates, labels)
    s = gates.double()
    return Summary(
        mean=s.mean().item(),
        spread=s.std(0, correction=0).mean().item(),
        within=within_class_spread(s, labels).mean().item(),
        between=means.std(0, correction=0).mean().item(),
        class_share=class_share(s, labels).mean().item(),
        above=(gates > high).double().mean().item(),
        below=(gates < low).double().mean().item(),
    )


@dataclass(frozen=True, eq=False)
class Openers:
    """For each gate of a block, the images for which it is most and least open."""

    most: Tensor
    """`(C, k)` indices of images, int64: a row a channel, the most open first."""
    least: Tensor
    """`(C, k)`, the most shut first."""


def openers(gates: Mapping[str, Tensor], k: int = 10) -> dict[str, Openers]:
    """What opens a gate: for each block and channel the k images with the largest gate, and the k with the smallest.

    Of images with equal gates those come first that stand first. A gate that is the same for all images, as in a dead
    block, so names the first k twice; its standard deviation says that they mean nothing.

    Args:
        gates: block to its gates `(N, C)`, from `gates_of`.
        k: how many images; at most N.

    Raises:
        ValueError: gates that are not finite and `(N, C)`, or a k that is not from 1 to N.
    """
    found = {}
    for block, s in checked(gates).items():
        s = s.double()
        count = checks.whole("k", k, 1, len(s))
        most, least = ((sign * s).argsort(dim=0, stable=True)[:count].T.contiguous() for sign in (-1, 1))
        found[block] = Openers(most.cpu(), least.cpu())
    return found


def checked(gates: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Gates of several blocks, if they are.

    Raises:
        ValueError: anything but a dictionary from names to finite `(N, C)`.
    """
    if not isinstance(gates, Mapping):
        raise ValueError(f"gates must be a dictionary from a block's name to its gates, got {checks.shown(gates)}")
    for block, s in gates.items():
        _matrix(s, f"gates[{block!r}]")
    return gates


def _matrix(gates: Tensor, name: str = "gates") -> Tensor:
    """The gates of a block, if they are."""
    if not isinstance(gates, Tensor):
        raise ValueError(f"{name} must be finite and (N, C) with N at least 1, got a {type(gates).__name__}")
    if gates.ndim != 2 or len(gates) == 0 or not gates.isfinite().all():
        raise ValueError(f"{name} must be finite and (N, C) with N at least 1, got shape {tuple(gates.shape)}")
    return gates


def _memberships(gates: Tensor, labels: Tensor, num_classes: int | None = None) -> tuple[Tensor, Tensor]:
    """Which image is in which class, `(N, K)` of zeros and ones, and the size of each class `(K,)`; both float64."""
    _matrix(gates)
    if num_classes is not None:
        checks.whole("num_classes", num_classes, 1)
    checks.labels("labels", labels, len(gates), num_classes)
    num_classes = num_classes or int(labels.max()) + 1
    one_hot = F.one_hot(labels, num_classes).double()
    counts = one_hot.sum(0)
    if not counts.all():
        raise ValueError(f"labels has no image of the classes {(counts == 0).nonzero().flatten().tolist()}")
    return one_hot, counts
