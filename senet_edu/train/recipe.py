"""What decides the weights of a training: the recipe, the named ones, and recipes read back from stored runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

from senet_edu.checks import choice, flag, number, shown, whole

Check = Callable[[str, object], Any]


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a name, got {shown(value)}")
    return value


def _options(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} must be a dictionary from names to values, got {shown(value)}")
    return dict(value)


def _sizes(name: str, value: object) -> tuple[tuple[float, int], ...]:
    """Pairs as tuples, which lists from a file become again; the starts rise from 0 and stay below 1."""
    try:
        sizes = tuple((number("share", share, least=0, below=1), whole("side", side, least=1)) for share, side in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be pairs of a share and a side, got {shown(value)}: {error}") from None
    starts = [start for start, _ in sizes]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise ValueError(f"{name} must begin at 0 and go on with larger shares, got {shown(value)}")
    return sizes


def _entry(default: Any, why: str, check: Check) -> Any:
    """A field of `Recipe` that says what it is for, which help and chapter 11 show, and how its values are checked."""
    metadata = {"why": why, "check": check}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


_count = partial(whole, least=1)
_share = partial(number, least=0, below=1)
_within = partial(number, above=0, below=1)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the trained weights, apart from the hardware's rounding.

    None of the values was chosen by looking at the test set. A field that is added later has a default that means "as
    before", so that stored runs and checkpoints, which do not have it, stay what they were (`read_recipe`).

    Raises:
        ValueError: a value is of another kind or out of range; it names the entry and the value.
    """

    model: str = _entry("se_resnet20", "the network, a name that create_model knows", _text)
    model_options: dict[str, Any] = _entry({}, "keyword arguments for create_model", _options)
    data: str = _entry("cifar10", "the data set: cifar10, cifar100, or procedural, which needs no files", _text)
    epochs: int = _entry(50, "passes over the training images; few, so that a CPU can do it", _count)
    batch_size: int = _entry(128, "images a step: enough for batch norm, and few enough for many steps", _count)
    lr: float = _entry(
        0.25, "peak of the one-cycle learning rate; brief, so above the usual 0.1", partial(number, above=0)
    )
    warmup: float = _entry(0.2, "share of the steps in which the rate rises, before it falls to zero", _within)
    momentum: float = _entry(0.9, "of SGD, in Nesterov's form: about the last 10 gradients decide a step", _within)
    weight_decay: float = _entry(
        5e-4, "pulls weights toward zero: convolutions' and the classifier's, not the gates'", partial(number, least=0)
    )
    label_smoothing: float = _entry(
        0.1, "share of the target that goes to all classes, against overconfidence", partial(number, least=0, most=1)
    )
    sizes: tuple[tuple[float, int], ...] = _entry(
        ((0.0, 16), (0.3, 24), (0.6, 32)),
        "(share of the epochs done, side of the training images from then on)",
        _sizes,
    )
    flip: str = _entry(
        "alternating",
        "mirror each image in every second epoch; random: toss a coin each time",
        partial(choice, known=("alternating", "random")),
    )
    cutout: int = _entry(0, "side of a square that is hidden in each training image; 0: none", partial(whole, least=0))
    ema: float = _entry(0.0, "share that a running average of the weights keeps in each step; 0: no average", _share)
    compile: bool = _entry(False, "let torch.compile fuse operations; pays on a GPU, when many steps follow", flag)
    seed: int = _entry(
        0,
        "decides the first weights, the order of the images, crops and flips",
        partial(whole, least=0, most=2**32 - 1),
    )
    holdout: int = _entry(
        0,
        "training images that are held out and tested in place of the test set, to choose values by; 0: none",
        partial(whole, least=0),
    )
    padding: int = _entry(
        4, "pixels by which a crop of 32 may shift each way; of smaller images in proportion", partial(whole, least=0)
    )
    bn_shift_lr: float = _entry(
        1.0, "the learning rate of batch norms' shifts, as a multiple of that of all others", partial(number, above=0)
    )
    ema_from: float = _entry(0.0, "share of the epochs done when the running average begins", _share)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = f.metadata["check"](f"{f.name} ({f.metadata['why']})", getattr(self, f.name))
            object.__setattr__(self, f.name, value)

    def size_at(self, epoch: int) -> int:
        """Side of the training images in an epoch, counted from 0."""
        return [size for start, size in self.sizes if epoch >= start * self.epochs][-1]

    def averages_at(self, epoch: int) -> bool:
        """Whether the running average of the weights goes on in an epoch, counted from 0."""
        return self.ema > 0 and epoch >= self.ema_from * self.epochs


def read_recipe(facts: Mapping[str, Any]) -> Recipe:
    """The recipe of a stored run, also of one from before some of today's fields.

    Raises:
        ValueError: an entry is missing that has always been there, is unknown, or is out of range.
    """
    facts = _options("recipe", facts)
    unknown = sorted(set(facts) - {f.name for f in fields(Recipe)})
    if unknown:
        raise ValueError(f"the recipe has entries that this version does not know: {', '.join(unknown)}")
    missing = [f.name for f in fields(Recipe) if f.name in FIRST and f.name not in facts]
    if missing:
        raise ValueError(f"the recipe lacks {', '.join(missing)}")
    return Recipe(**facts)


FIRST = tuple(f.name for f in fields(Recipe))[: [f.name for f in fields(Recipe)].index("seed") + 1]
"""The entries that every stored recipe has."""


def differences(was: Recipe, now: Recipe) -> list[str]:
    """What differs between two recipes, in words: `lr was 0.25 and is now 0.1`."""
    pairs = {name: (value, getattr(now, name)) for name, value in asdict(was).items()}
    return [f"{name} was {old!r} and is now {new!r}" for name, (old, new) in pairs.items() if old != new]


NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe for a kind of machine, and the reason for every entry in which it differs from the default one."""

    title: str
    recipe: Recipe
    why: dict[str, str]
    measured: str = NOT_MEASURED
    """Test accuracy without mirrored images, and where it was measured; of this very recipe, and of earlier ones."""


WIDE = {
    "batch_size": "fills a GPU, and leaves 97 steps an epoch",
    "lr": "for four times the batch; wide networks want less than the narrow one of colab",
    "compile": "fuses batch norm, ReLU and gates, which wait for memory",
}
"""Reasons that `fast` and `sprint` share."""

RECIPES = {
    "laptop": NamedRecipe(
        "SE-ResNet-20 on a CPU",
        Recipe(model_options={"reduction": 4}),
        {"model_options": "with 16 channels in the first stage, r = 16 would leave one hidden unit"},
        "91.4 % on a CPU, one seed (91.8 % without SE)",
    ),
    "colab": NamedRecipe(
        "SE-ResNet-20 on a free GPU",
        Recipe(model_options={"reduction": 4}, epochs=100, batch_size=512, lr=0.5, sizes=((0.0, 32),)),
        {
            "model_options": "as in laptop: the same network",
            "epochs": "a GPU has the time to come near what He et al. reach in 164 epochs",
            "batch_size": "this small network leaves a GPU idle between small batches",
            "lr": "larger batches have less noise and bear a larger step",
            "sizes": "at 16 x 16, starting the operations takes longer than computing them",
        },
        "92.5 % on an H200 (92.4 % without SE), four seeds each, with --compile",
    ),
    "fast": NamedRecipe(
        "SE-ResNet-18 with the CIFAR stem",
        Recipe("se_resnet18_cifar", epochs=60, batch_size=512, lr=0.4, sizes=((0.0, 32),), cutout=8, compile=True),
        {
            "model": "widths of 64 to 512: r = 16 leaves 4 to 32 hidden units",
            "epochs": "a third of the usual 200; others reach 94 % in 35 to 40 epochs and 95.3 % in 150",
            "sizes": "full size throughout, for accuracy",
            "cutout": "40 times the parameters of SE-ResNet-20 could learn the images by heart",
            **WIDE,
        },
        "not measured; with 40 epochs 94.0 % on an H200, one seed, in 49.5 s",
    ),
    "sprint": NamedRecipe(
        "SE-ResNet-10 with the CIFAR stem, in seconds",
        Recipe(
            "se_resnet10_cifar",
            epochs=20,
            batch_size=512,
            lr=0.4,
            sizes=((0.0, 24), (0.5, 32)),
            ema=0.99,
            ema_from=0.8,
            padding=2,
            compile=True,
        ),
        {
            "model": "one block a stage: 4.9 million parameters at half the arithmetic of SE-ResNet-18",
            "epochs": "what an H200 may do in six seconds once it need not wait for Python",
            "sizes": "the first half at 24 x 24 costs 9/16; smaller would not fill a GPU",
            "ema": "the mean of the last hundred steps or so, as in hlb-CIFAR10: so short a run ends before it settles",
            "ema_from": "older weights would be the worse part of the mean",
            "padding": "as in airbench: in a run too short to learn images by heart, smaller shifts leave more of them",
            **WIDE,
        },
        "not measured; 15 epochs with wider shifts and no average 90.7 % on an H200, two seeds, in 11 s",
    ),
}
"""By name."""
