"""Judges of the chapter on gates across depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from senet_edu.analysis import class_share
from senet_edu.check.judge import as_tensor, ask, close, diagnose, judge, shown


def class_selectivity(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`selectivity(gates, labels)`: (μ_max - μ_rest) / (μ_max + μ_rest) of each channel, classes of unequal size.

    Morcos et al., 2018, https://arxiv.org/abs/1803.06959: μ_max is the largest class mean of a channel's activity (here
    its gate), μ_rest the mean of the other class means.
    """
    praise = "Right, whatever the sizes of the classes. Equal means give 0, one open class gives 1."
    judge(function, _class_selectivity, praise)


def _class_selectivity(function: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    for means, sizes in (
        (torch.tensor([[0.9, 0.2], [0.3, 0.2], [0.1, 0.7]]), (2, 3, 5)),
        (torch.tensor([[0.5, 0.1, 0.4], [0.5, 0.2, 0.4], [0.5, 0.6, 0.4], [0.5, 0.9, 0.8]]), (1, 4, 2, 2)),
    ):
        K, C = means.shape
        labels = torch.arange(K).repeat_interleave(torch.tensor(sizes))
        steps = torch.cat([torch.linspace(-0.08, 0.08, n) if n > 1 else torch.zeros(1) for n in sizes])
        gates = means[labels] + steps[:, None]  # within a class the steps add up to zero
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        got = as_tensor(ask(function, gates[order], labels[order]), "the result must be one number for each channel")
        if got.shape != (C,):
            return (
                f"for gates {tuple(gates.shape)} with {K} classes the result must be one number for each channel, "
                f"shape ({C},), not {tuple(got.shape)}. Means over images run along axis 0."
            )
        top = means.amax(0)
        right = _index(top, _rest(means))
        if close(got, right):
            continue
        if known := diagnose(got, _wrong_indices(means, gates, labels)):
            return known
        if not got.isfinite().all():
            return f"your result is {got.tolist()}. These labels have {K} classes; is another number fixed?"
        by_channel = [_rounded(channel) for channel in means.T]
        return f"class means {by_channel} by channel give {_rounded(right)}, yours gives {_rounded(got)}."
    return None


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 3) for value in values]


def _index(top: Tensor, rest: Tensor) -> Tensor:
    return (top - rest) / (top + rest)


def _rest(means: Tensor) -> Tensor:
    """The mean of the class means `(K, C)` but the largest."""
    return (means.sum(0) - means.amax(0)) / (len(means) - 1)


def _wrong_indices(means: Tensor, gates: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """What typical mistakes give, each by its hint."""
    top, rest, best = means.amax(0), _rest(means), means.argmax(0)
    others = torch.stack([gates[labels != k, c].mean() for c, k in enumerate(best)])
    return {
        "μ_rest must leave the preferred class out; yours is the mean of all classes.": _index(top, means.mean(0)),
        "μ_rest must leave the preferred class out, and weigh each class alike; yours is the mean of all images.": (
            _index(top, gates.mean(0))
        ),
        "the classes here differ in size, and large ones weigh more in your μ_rest. Take the mean of class means, not "
        "of images.": _index(top, others),
        "your μ_rest is the smallest class mean; take the mean over all the other classes.": (
            _index(top, means.amin(0))
        ),
        "you took the largest gate of any image; μ_max is the largest class mean.": _index(gates.amax(0), rest),
        "the division by μ_max + μ_rest is missing.": top - rest,
        "divide by the sum μ_max + μ_rest, not by μ_max.": (top - rest) / top,
        "the wrong sign: μ_max less μ_rest.": _index(rest, top),
    }


def most_class_specific(block: Any, gates: Mapping[str, Tensor], labels: Tensor) -> None:
    """The block whose gates have the largest share of variance between classes, averaged over channels.

    Args:
        block: the reader's answer, a name such as `"layer1.0.se"`.
        gates: block to its gates `(N, C)`.
        labels: `(N,)`.
    """

    def test(block: Any) -> str | None:
        if not isinstance(block, str) or block not in gates:
            return f"{shown(block)} is not one of the blocks: {', '.join(gates)}."
        share = {name: class_share(s, labels).mean().item() for name, s in gates.items()}
        best = max(share, key=share.__getitem__)
        if block == best:
            return None
        spread = {name: s.std(0).mean().item() for name, s in gates.items()}
        if block == max(spread, key=spread.__getitem__):
            return "its gates vary most over images, but how much of that lies between the classes?"
        if block == list(gates)[-1]:
            return "deepest is not the same as most class-specific: look at η², block by block."
        larger = sum(value > share[block] for value in share.values())
        return f"η² is larger in {larger} of the {len(share)} blocks. Which panel shows it?"

    judge(block, test, "In no other block does the class say more about the gates.")
