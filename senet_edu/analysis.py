"""Statistics of recorded gates: by channel, by class, by depth.

The gates of one block are a matrix `(N, C)`: a row an image, a column a channel, values in 0..1. `gates_of` records
them for every block of a network. The other functions take such a matrix and the labels `(N,)` of the images, and
compute in float64, whatever the data type of the gates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.data import normalize
from senet_edu.gates import record_gates


def gates_of(model: nn.Module, images: Tensor, batch_size: int = 125) -> dict[str, Tensor]:
    """The gates of every SE block for every image, with the model in eval mode (and left in it).

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
    _require_images(images)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode(), record_gates(model) as gates:
        for batch in images.split(batch_size):
            model(normalize(batch.to(device)))
    return {block: s.cpu() for block, s in gates.items()}


def calibrate_batch_norm(model: nn.Module, images: Tensor) -> None:
    """Give every batch norm of a network the mean and variance that it meets on these images.

    An untrained network has the running statistics 0 and 1 that it was made with. They do not fit its feature maps, so
    in eval mode they would blow up from block to block; with this it computes what it computes in a training step.

    Args:
        model: changed in place and left in eval mode.
        images: uint8 `(N, 3, H, W)`, used as one batch.

    Raises:
        ValueError: `images` are not uint8 `(N, 3, H, W)` with N at least 1.
    """
    _require_images(images)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # take the statistics of the batch, forget the old ones
    with torch.inference_mode():
        model.train()(normalize(images.to(next(model.parameters()).device)))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    model.eval()


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
    if not 0 <= low < high <= 1:
        raise ValueError(f"low and high must be 0 <= low < high <= 1, got {low!r} and {high!r}")
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


def _require_images(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or len(images) == 0:
        raise ValueError(f"images must be uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")


def _memberships(gates: Tensor, labels: Tensor, num_classes: int | None = None) -> tuple[Tensor, Tensor]:
    """Which image is in which class, `(N, K)` of zeros and ones, and the size of each class `(K,)`; both float64."""
    if gates.ndim != 2 or len(gates) == 0 or not gates.isfinite().all():
        raise ValueError(f"gates must be finite and (N, C) with N at least 1, got shape {tuple(gates.shape)}")
    if labels.shape != gates.shape[:1] or labels.dtype != torch.int64:
        shapes = f"({len(gates)},), got {labels.dtype} {tuple(labels.shape)}"
        raise ValueError(f"labels must be int64, one for each row of gates: {shapes}")
    if num_classes is None:
        num_classes = int(labels.max()) + 1
    if labels.min() < 0 or labels.max() >= num_classes:
        limits = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels must be from 0 to num_classes - 1 = {num_classes - 1}, got {limits}")
    one_hot = F.one_hot(labels, num_classes).double()
    counts = one_hot.sum(0)
    if not counts.all():
        raise ValueError(f"labels has no image of the classes {(counts == 0).nonzero().flatten().tolist()}")
    return one_hot, counts
