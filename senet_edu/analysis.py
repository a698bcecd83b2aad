"""Statistics of recorded gates: by channel, by class, by depth.

The gates of one block are a matrix `(N, C)`: a row an image, a column a channel, values in 0..1. `gates_of` records
them for every block of a network. The statistics take such a matrix and the labels `(N,)` of the images, and compute
in float64, whatever the data type of the gates.

Statistics watch. The second half of this file intervenes: `replace_gates` makes other gates, `answers` runs a network
under them, and `effect` compares its answers with those of the untouched network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from senet_edu.data import normalize
from senet_edu.gates import Override, override_gates, record_gates
from senet_edu.resnet import ResidualBlock, ResNet


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


# Interventions

INTERVENTIONS = {
    "mean": "frozen: every image gets the mean gates of the training images",
    "same_class": "swapped inside the class: every image gets the gates of another image of its own class",
    "other_class": "swapped between classes: every image gets the gates of an image of another class",
    "channels": "shuffled: each image keeps its own gates, but dealt out to other channels, one deal for all images",
    "half": "all gates set to one half, as in a block that has learned nothing",
    "one": "all gates set to one, as if the SE block were not there",
}
"""What `replace_gates` can do. Gates from any other image would be a mix of the two swaps: one in ten times of the same
class, for ten classes of one size."""
BY_CHANCE = ("same_class", "other_class", "channels")
"""Those that draw lots."""


def donors(labels: Tensor, generator: Generator, *, same_class: bool) -> Tensor:
    """For every image another one, drawn at random, whose gates it may be given.

    Args:
        labels: `(N,)` integers from 0.
        generator: the source of chance.
        same_class: draw from the image's own class, where every image gives and takes once; else from all images of
            other classes, each with the same probability.

    Returns:
        `(N,)` indices of images; none is the index of its own place.

    Raises:
        ValueError: there is no other image to draw: a class of one, or one class only.
    """
    counts = labels.bincount()
    if (same_class and (counts == 1).any()) or (not same_class and (counts > 0).sum() < 2):
        needed = "two images of every class" if same_class else "two classes"
        raise ValueError(f"labels must have at least {needed}, got classes of {counts.tolist()} images")
    if same_class:
        donor = torch.empty_like(labels)
        for k in counts.nonzero().flatten():
            members = (labels == k).nonzero().flatten()
            circle = members[torch.randperm(len(members), generator=generator)]
            donor[circle] = circle.roll(1)
        return donor
    by_class = labels.argsort(stable=True)
    size, start = counts[labels], (counts.cumsum(0) - counts)[labels]
    drawn = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * (len(labels) - size)).long()
    return by_class[drawn + size * (drawn >= start)]  # step over the image's own class


def replace_gates(
    kind: str, gates: Mapping[str, Tensor], means: Mapping[str, Tensor], labels: Tensor, seed: int = 0
) -> dict[str, Tensor]:
    """Other gates for the same images, for use with `override_gates` in one block or in several.

    They are made of the gates that the untouched network has computed. So in several blocks at once, no block answers
    to what was done to the one before.

    Args:
        kind: one of `INTERVENTIONS`.
        gates: block to its gates `(N, C)` for the images, from `gates_of`.
        means: block to its mean gates `(C,)`. Of training images: a mean of the images that are tested on would let
            each of them know a little about the others.
        labels: `(N,)`.
        seed: of the kinds in `BY_CHANCE`. An image's donor is the same in all blocks; the deal of channels is not.

    Returns:
        block to new gates `(N, C)`.

    Raises:
        ValueError: an unknown kind, or labels without donors (see `donors`).
    """
    if kind not in INTERVENTIONS:
        raise ValueError(f"kind must be one of {', '.join(INTERVENTIONS)}; got {kind!r}")
    generator = Generator().manual_seed(seed)
    if kind == "mean":
        return {block: means[block].to(s).expand_as(s) for block, s in gates.items()}
    if kind == "channels":
        return {block: s[:, torch.randperm(s.shape[1], generator=generator)] for block, s in gates.items()}
    if kind in ("same_class", "other_class"):
        donor = donors(labels, generator, same_class=kind == "same_class")
        return {block: s[donor] for block, s in gates.items()}
    return {block: torch.full_like(s, {"half": 0.5, "one": 1.0}[kind]) for block, s in gates.items()}


def answers(
    model: ResNet, images: Tensor, overrides: Sequence[Mapping[str, Override]], batch_size: int = 125
) -> Tensor:
    """The class that a network answers for each image, under each of several sets of gates.

    The same as a forward pass inside `override_gates` for each set, but what comes before the first changed gate is
    computed only once: for the last block, hundreds of sets take hardly longer than one.

    Args:
        model: with SE blocks in the standard place; put into eval mode and left in it.
        images: uint8 `(N, 3, H, W)`.
        overrides: sets of gates as for `override_gates`; tensors `(N, C)` have a row for each image. The empty set
            `{}` leaves the network untouched.

    Returns:
        `(len(overrides), N)` int64, on the CPU.

    Raises:
        ValueError: as for `gates_of` and `override_gates`; a network with SE blocks in another place.
    """
    _require_images(images)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size!r}")
    blocks = {f"{name}.se": block for name, block in model.named_modules() if isinstance(block, ResidualBlock)}
    places = {block.placement for block in blocks.values()}
    if places != {"standard"}:
        raise ValueError(f"model must have its SE blocks in the standard place, got {', '.join(sorted(places))}")
    model.eval()
    device = next(model.parameters()).device
    inputs: dict[str, Tensor] = {}  # x of each residual block
    maps: dict[str, Tensor] = {}  # u of each SE block

    def keep(store: dict[str, Tensor], name: str, module: nn.Module, args: tuple[Tensor]) -> None:
        store[name] = args[0]

    def by_image(value: Override) -> bool:
        return isinstance(value, Tensor) and value.ndim == 2 and len(value) == len(images)

    def logits(changed: Mapping[str, Override]) -> Tensor:
        first, *later = list(blocks)[min(list(blocks).index(name) for name in changed) :]
        with override_gates(model, changed):
            block, x = blocks[first], inputs[first]
            shortcut = x if block.downsample is None else block.downsample(x)
            x = block.relu(block.se(maps[first]) + shortcut)
            for name in later:
                x = blocks[name](x)
        return model.fc(model.avgpool(x).flatten(1))

    with override_gates(model, {name: value for changed in overrides for name, value in changed.items()}):
        pass  # names and values are checked before anything is computed
    parts = []
    with torch.inference_mode():
        for rows in torch.arange(len(images)).split(batch_size):
            with ExitStack() as hooks:
                for name, block in blocks.items():
                    hooks.enter_context(block.register_forward_pre_hook(partial(keep, inputs, name)))
                    hooks.enter_context(block.se.register_forward_pre_hook(partial(keep, maps, name)))
                untouched = model(normalize(images[rows].to(device)))
            part = []
            for changed in overrides:
                mine = {name: value[rows] if by_image(value) else value for name, value in changed.items()}
                part.append((logits(mine) if mine else untouched).argmax(1).cpu())
            parts.append(torch.stack(part))
    return torch.cat(parts, 1)


@dataclass(frozen=True)
class Effect:
    """What an intervention did to a network's answers."""

    accuracy: float
    """Share of right answers after it, the mean over seeds."""
    change: float
    """That, less the share of right answers before."""
    margin: float
    """The 95 % interval of the change is `change` ± `margin`: how far it would move with other images of the same kind.
    The network is held fixed, and so are the seeds."""
    changed: float
    """Share of answers that are not what they were, right or wrong, the mean over seeds."""
    by_seed: tuple[float, ...]
    """The accuracy for each seed."""


def effect(before: Tensor, after: Tensor, labels: Tensor) -> Effect:
    """Compare answers on the same images, before and after an intervention.

    The interval is paired. With d_i the change of image i, 1 for mended, -1 for broken, 0 for the rest, averaged over
    the seeds, its margin is 1.96 · sd(d) / √N, the normal approximation. The images that are right both times, or wrong
    both times, add nothing to it. Where all are, it is 0, and a change of up to 3/N may still hide ("rule of three").

    Args:
        before: answers of the untouched network, `(N,)`; or of another intervention, `(S, N)`, to compare two.
        after: `(N,)`, or `(S, N)` for S seeds.
        labels: `(N,)`.

    Raises:
        ValueError: shapes that do not fit, or no image.
    """
    shapes = f"{tuple(before.shape)}, {tuple(after.shape)} and {tuple(labels.shape)}"
    before, after = torch.atleast_2d(before), torch.atleast_2d(after)
    fit = before.shape[1:] == after.shape[1:] == labels.shape and len(before) in (1, len(after))
    if labels.ndim != 1 or len(labels) == 0 or not fit:
        raise ValueError(f"before, after, labels must be (N,) or (S, N), the same, and (N,) with N > 0, got {shapes}")
    was, now = (before == labels).double(), (after == labels).double()
    d = now.mean(0) - was.mean(0)
    return Effect(
        accuracy=now.mean().item(),
        change=d.mean().item(),
        margin=1.96 * d.std(correction=0).item() / math.sqrt(len(labels)),
        changed=(after != before).double().mean().item(),
        by_seed=tuple(now.mean(1).tolist()),
    )


def toward_donor(before: Tensor, after: Tensor, labels: Tensor, donor: Tensor) -> tuple[float, float]:
    """How many of the changed answers name the class of the image whose gates were put in.

    Args:
        before, after, labels: `(N,)`.
        donor: `(N,)` indices, from `donors` with `same_class=False`.

    Returns:
        The share among the changed answers, and the share to be expected if it made no difference from which other
        class the gates came. Both 0 where no answer changed.
    """
    moved = after != before
    if not moved.any():
        return 0.0, 0.0
    new, own = after[moved], labels[moved]
    counts = labels.bincount(minlength=int(after.max()) + 1).double()
    chance = torch.where(new == own, 0.0, counts[new] / (len(labels) - counts[own]))
    return (new == labels[donor[moved]]).double().mean().item(), chance.mean().item()


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
