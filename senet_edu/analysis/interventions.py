"""Interventions: other gates for the same images, a network's answers under them, and what became of the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn

from senet_edu import checks
from senet_edu.analysis.recording import device_of
from senet_edu.analysis.statistics import checked
from senet_edu.data import normalize
from senet_edu.gates import Override, override_gates
from senet_edu.modes import evaluating
from senet_edu.resnet import ResidualBlock, ResNet

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
BY_PREDICTION = {
    "same_prediction": "swapped inside the answer: every image gets the gates of another image with the same answer",
    "other_prediction": "swapped between answers: every image gets the gates of an image with another answer",
}
"""The swaps once more, with donors by the answers of the untouched network in place of the true classes. A donor of the
true class tells the network something that it did not know: on an image that it gets wrong, the gates of its own class
carry the label, and may mend the answer. A donor of the same answer knows no more than the network does."""
BY_CHANCE = ("same_class", "other_class", "channels")
"""Those of `INTERVENTIONS` that draw lots; so do both of `BY_PREDICTION`."""


def donors(labels: Tensor, generator: Generator, *, same_class: bool) -> Tensor:
    """For every image another one, drawn at random, whose gates it may be given.

    Args:
        labels: `(N,)` integers from 0: the true classes, or a network's answers.
        generator: the source of chance.
        same_class: draw from the image's own class, where every image gives and takes once; else from all images of
            other classes, each with the same probability.

    Returns:
        `(N,)` indices of images; none is the index of its own place.

    Raises:
        ValueError: there is no other image to draw: a class of one, or one class only. Labels of another type.
    """
    return _donors("labels", labels, generator, same_class)


def _donors(name: str, labels: Tensor, generator: Generator, same_class: bool) -> Tensor:
    checks.tensor(name, labels, (None,), torch.int64)
    checks.labels(name, labels, len(labels))
    counts = labels.bincount()
    if (same_class and (counts == 1).any()) or (not same_class and (counts > 0).sum() < 2):
        needed = "two images of every class" if same_class else "two classes"
        raise ValueError(f"{name} must have at least {needed}, got classes of {counts.tolist()} images")
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
    kind: str,
    gates: Mapping[str, Tensor],
    means: Mapping[str, Tensor],
    labels: Tensor,
    seed: int = 0,
    *,
    predicted: Tensor | None = None,
) -> dict[str, Tensor]:
    """Other gates for the same images, for use with `override_gates` in one block or in several.

    They are made of the gates that the untouched network has computed. So in several blocks at once, no block answers
    to what was done to the one before.

    Args:
        kind: one of `INTERVENTIONS` or of `BY_PREDICTION`.
        gates: block to its gates `(N, C)` for the images, from `gates_of`.
        means: block to its mean gates `(C,)`. Of training images: a mean of the images that are tested on would let
            each of them know a little about the others.
        labels: `(N,)`.
        seed: of the kinds that draw lots. An image's donor is the same in all blocks; the deal of channels is not.
        predicted: `(N,)` answers of the untouched network, `answers(model, images, [{}])[0]`; only the kinds of
            `BY_PREDICTION` need them.

    Returns:
        block to new gates `(N, C)`.

    Raises:
        ValueError: an unknown kind; labels or answers without donors (see `donors`) or of another number than the
            gates' rows; a block without means.
    """
    checks.choice("kind", kind, INTERVENTIONS | BY_PREDICTION)
    generator = Generator().manual_seed(checks.whole("seed", seed))
    for block, s in checked(gates).items():
        checks.labels("labels", labels, len(s))
        if kind == "mean" and block not in means:
            raise ValueError(f"means must have all blocks of gates, got none of {block!r}")
    if kind == "mean":
        return {block: means[block].to(s).expand_as(s) for block, s in gates.items()}
    if kind == "channels":
        return {block: s[:, torch.randperm(s.shape[1], generator=generator)] for block, s in gates.items()}
    if kind not in ("half", "one"):
        name, classes = ("predicted", predicted) if kind in BY_PREDICTION else ("labels", labels)
        checks.labels(name, classes, len(labels))
        donor = _donors(name, classes, generator, kind.startswith("same"))
        return {block: s[donor] for block, s in gates.items()}
    return {block: torch.full_like(s, {"half": 0.5, "one": 1.0}[kind]) for block, s in gates.items()}


def answers(
    model: ResNet, images: Tensor, overrides: Sequence[Mapping[str, Override]], batch_size: int = 125
) -> Tensor:
    """The class that a network answers for each image, under each of several sets of gates.

    The same as a forward pass inside `override_gates` for each set, but what comes before the first changed gate is
    computed only once: for the last block, hundreds of sets take hardly longer than one.

    Args:
        model: with SE blocks, or their relatives, in the standard place; run in eval mode, its own is put back.
        images: uint8 `(N, 3, H, W)`.
        overrides: sets of gates as for `override_gates`; tensors with as many axes as the gates and N rows have a row
            for each image. The empty set `{}` leaves the network untouched.

    Returns:
        `(len(overrides), N)` int64, on the CPU.

    Raises:
        ValueError: as for `gates_of` and `override_gates`; a network with SE blocks in another place, or a set of gates
            that names one outside of the residual blocks.
    """
    checks.images("images", images)
    checks.whole("batch_size", batch_size, 1)
    checks.module("model", model)
    model = getattr(model, "_orig_mod", model)  # within a compiled model
    blocks = {f"{name}.se": block for name, block in model.named_modules() if isinstance(block, ResidualBlock)}
    places = sorted({block.placement for block in blocks.values()}) or ["no residual block"]
    if places != ["standard"]:
        raise ValueError(f"model must have its SE blocks in the standard place, got {', '.join(places)}")
    with override_gates(model, {name: value for changed in overrides for name, value in changed.items()}):
        pass  # names and values are checked before anything is computed
    first = [min((_place(list(blocks), name) for name in changed), default=None) for changed in overrides]
    inputs: dict[str, Tensor] = {}  # x of each residual block
    maps: dict[str, Tensor] = {}  # u of each SE block

    def keep(store: dict[str, Tensor], name: str, module: nn.Module, args: tuple[Tensor]) -> None:
        store[name] = args[0]

    def logits(changed: Mapping[str, Override], place: int) -> Tensor:
        name, *later = list(blocks)[place:]
        with override_gates(model, changed):
            block, x = blocks[name], inputs[name]
            shortcut = x if block.downsample is None else block.downsample(x)
            x = block.relu(block.se(maps[name]) + shortcut)
            for name in later:
                x = blocks[name](x)
        return model.fc(model.avgpool(x).flatten(1))

    parts = []
    with evaluating(model), torch.inference_mode():
        for rows in torch.arange(len(images)).split(batch_size):
            with ExitStack() as hooks:
                for name, block in blocks.items():
                    hooks.enter_context(block.register_forward_pre_hook(partial(keep, inputs, name)))
                    hooks.enter_context(block.se.register_forward_pre_hook(partial(keep, maps, name)))
                untouched = model(normalize(images[rows].to(device_of(model))))
            part = []
            for changed, place in zip(overrides, first):
                mine = {name: _for_rows(value, rows, len(images)) for name, value in changed.items()}
                part.append((untouched if place is None else logits(mine, place)).argmax(1).cpu())
            parts.append(torch.stack(part))
    return torch.cat(parts, 1)


def _place(blocks: Sequence[str], name: str) -> int:
    """In which of the blocks a gate is: in `layer1.0.se` are those of that name and, say, of `layer1.0.se.spatial`."""
    for place, block in enumerate(blocks):
        if name == block or name.startswith(f"{block}."):
            return place
    raise ValueError(f"overrides must name SE blocks of residual blocks, such as {blocks[0]!r}, got {name!r}")


def _for_rows(value: Override, rows: Tensor, images: int) -> Override:
    """New gates for a batch: of a tensor with a row for each of all images, those of the batch."""
    if not isinstance(value, Tensor):
        return value
    return lambda s: value[rows.to(value.device)] if value.ndim == s.ndim and len(value) == images else value


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
    if not all(isinstance(given, Tensor) and given.dtype == torch.int64 for given in (before, after, labels)):
        kinds = ", ".join(str(getattr(given, "dtype", type(given).__name__)) for given in (before, after, labels))
        raise ValueError(f"before, after, labels must be int64 tensors, got {kinds}")
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

    Raises:
        ValueError: shapes or types that do not fit.
    """
    checks.tensor("labels", labels, (None,), torch.int64)
    for name, given in {"labels": labels, "before": before, "after": after, "donor": donor}.items():
        checks.labels(name, given, len(labels))
    moved = after != before
    if not moved.any():
        return 0.0, 0.0
    new, own = after[moved], labels[moved]
    counts = labels.bincount(minlength=int(after.max()) + 1).double()
    chance = torch.where(new == own, 0.0, counts[new] / (len(labels) - counts[own]))
    return (new == labels[donor[moved]]).double().mean().item(), chance.mean().item()
