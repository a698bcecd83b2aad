"""What depends on the gates: plots, and the verdicts of the interventions."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from torch import Tensor

from senet_edu.plots.style import Picture, half, new_figure, picture, theme
from senet_edu.plots.table import Table, Verdict, of_verdicts


@picture
def needed_channels(gate: Tensor, needed: Tensor, title: str = "") -> Picture:
    """Each channel of a block as a dot: how open its gate is on average, and how many answers change without it.

    Args:
        gate: mean gates `(C,)`.
        needed: share of answers that change `(C,)`.
        title: above the plot.
    """
    figure = new_figure(3.4)
    ax = figure.subplots()
    half(ax, upward=False)
    ax.scatter(
        gate, 100 * needed, s=46, color=theme.excitation, alpha=0.75, edgecolor=theme.excitation_text, clip_on=False
    )
    ax.set(
        xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1], xlabel="mean gate", ylabel="answers that change, %", title=title
    )
    ax.set_xticklabels(["0 (shut)", "0.25", "½", "0.75", "1 (open)"])
    ax.set_ylim(0, max(1.08 * 100 * float(needed.max()), 1))
    alt = (
        f"A dot for each of {len(gate)} channels: mean gate across, and upward the share of answers that change when "
        "the channel is muted."
    )
    return Picture(figure, alt)


def _points(*changes: float) -> str:
    """Changes of an accuracy in points, with signs: `"+0.4 and −5.3"`."""
    return " and ".join(f"{100 * change:+.1f}" for change in changes).replace("-", "\N{MINUS SIGN}")


def _with_margin(effect: Mapping[str, Any]) -> str:
    return f"{_points(effect['change'])} ± {100 * effect['margin']:.1f}"


def _falls(effect: Mapping[str, Any]) -> bool:
    """The whole interval is below zero."""
    return effect["change"] + effect["margin"] < 0


def of_several(effect: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The effect with the margin that it needs as one of several: they share the 5 % that miss the truth (Bonferroni).

    Among nine measurements one lies low by luck more often than one that was named before. The worst of nine gets 2.77
    standard errors each way instead of 1.96.

    Args:
        effect: with `change` and the `margin` of its 95 % interval.
        count: how many it was chosen from.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count!r}")
    errors = [NormalDist().inv_cdf(1 - 0.05 / 2 / k) for k in (1, count)]
    return {**effect, "margin": effect["margin"] * errors[1] / errors[0]}


def intervention_verdicts(results: Mapping[str, Any]) -> list[Verdict]:
    """What the stored measurement of interventions says about nine questions; "no" means: not shown by it.

    Where nothing else is said, "yes" needs a fall whose interval stays clear of zero.

    Args:
        results: of `senet_edu.store.load("interventions")`.
    """
    blocks = results["blocks"]

    def measured(kind: str, place: str = "all") -> Mapping[str, Any]:
        return results["interventions"][kind]["places"][place]

    frozen_all, frozen = measured("mean"), {block: measured("mean", block) for block in blocks}
    one = {block: measured("one", block) for block in blocks}
    leaks = {block: measured("same_class", block) for block in blocks}
    other = measured("other_prediction")
    toward, chance = other["toward_donor"], other["toward_donor_by_chance"]
    worst = min(blocks, key=lambda block: frozen[block]["change"])
    gains = max(blocks, key=lambda block: leaks[block]["change"])
    leak = of_several(leaks[gains], len(blocks))
    summed = sum(effect["change"] for effect in frozen.values())
    harder = sum(one[block]["change"] + one[block]["margin"] < frozen[block]["change"] for block in blocks)

    def fall(question: str, what: str, effect: Mapping[str, Any]) -> Verdict:
        return Verdict(question, what, (_with_margin(effect),), _falls(effect))

    return [
        fall("Must the gates answer to the image?", "all blocks frozen", frozen_all),
        fall("Does it matter which channel gets which gate?", "channels shuffled, all blocks", measured("channels")),
        fall(
            "Do gates of another image do harm, even of one with the same answer?",
            "swapped inside the answer, all blocks",
            measured("same_prediction"),
        ),
        fall(
            "Does the class in the gates matter?",
            "swapped to another answer, less the swap inside the answer",
            other["beyond_same_prediction"],
        ),
        Verdict(
            "Do gates of another answer pull to that answer?",
            "of the changed answers, those that name it; limit: twice chance",
            (f"{100 * toward:.0f} %; by chance {100 * chance:.0f} %",),
            toward > 2 * chance,
        ),
        Verdict(
            "Do donors of the true class leak it?",
            f"the most that a swap inside the true class gains, {gains.removesuffix('.se')}",
            (_with_margin(leak),),
            leak["change"] > leak["margin"],
        ),
        fall(
            "Is one block enough to do harm?",
            f"the worst of the single frozen blocks, {worst.removesuffix('.se')}",
            of_several(frozen[worst], len(blocks)),
        ),
        Verdict(
            "Do all blocks at once cost more than one by one?",
            "all frozen at once, and the sum over blocks frozen singly",
            (_points(frozen_all["change"], summed),),
            frozen_all["change"] + frozen_all["margin"] < summed,
        ),
        Verdict(
            "Does set-to-one overstate what a block does?",
            "blocks that fall further set to one than frozen; limit: half",
            (f"{harder} of {len(blocks)}",),
            2 * harder > len(blocks),
        ),
    ]


def interventions_table(results: Mapping[str, Any]) -> Table:
    """The `intervention_verdicts` as a table."""
    return of_verdicts(intervention_verdicts(results), ("Question", "Measured", "Points", "Answer"))
