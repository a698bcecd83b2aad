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
    """What the stored measurement of interventions says about eight questions; "no" means: not shown by it.

    Where nothing else is said, "yes" needs a fall whose interval stays clear of zero.

    Args:
        results: of `senet_edu.store.load("interventions")`.
    """
    blocks = results["blocks"]

    def measured(kind: str, place: str = "all") -> Mapping[str, Any]:
        return results["interventions"][kind]["places"][place]

    frozen_all, frozen = measured("mean"), {block: measured("mean", block) for block in blocks}
    other = measured("other_class")
    toward, chance = other["toward_donor"], other["toward_donor_by_chance"]
    worst = min(blocks, key=lambda block: frozen[block]["change"])
    worst_one = of_several(frozen[worst], len(blocks))
    summed = sum(effect["change"] for effect in frozen.values())
    needed = sum(map(_falls, frozen.values()))
    needed_at_one = sum(_falls(measured("one", block)) for block in blocks)

    def fall(question: str, what: str, effect: Mapping[str, Any]) -> Verdict:
        return Verdict(question, what, (_with_margin(effect),), _falls(effect))

    return [
        fall("Must the gates answer to the image?", "all blocks frozen", frozen_all),
        fall("Does it matter which channel gets which gate?", "channels shuffled, all blocks", measured("channels")),
        fall(
            "Do gates of another image do harm, even of the same class?",
            "swapped inside the class, all blocks",
            measured("same_class"),
        ),
        fall(
            "Does the class in the gates matter?",
            "swapped to another class, less the swap inside the class",
            other["beyond_same_class"],
        ),
        Verdict(
            "Do gates of another class pull the answer to that class?",
            "of the changed answers, those that name it; limit: twice chance",
            (f"{toward:.0%}; by chance {chance:.0%}",),
            toward > 2 * chance,
        ),
        fall(
            "Is one block enough to do harm?",
            f"the worst of the single frozen blocks, {worst.removesuffix('.se')}",
            worst_one,
        ),
        Verdict(
            "Do the blocks stand in for each other?",
            "all frozen at once, and the sum over blocks frozen singly",
            (_points(frozen_all["change"], summed),),
            frozen_all["change"] + frozen_all["margin"] < summed,
        ),
        Verdict(
            "Does set-to-one make more blocks look needed?",
            "blocks that fall when set to one, and when frozen",
            (f"{needed_at_one} and {needed} of {len(blocks)}",),
            needed_at_one > needed,
        ),
    ]


def interventions_table(results: Mapping[str, Any]) -> Table:
    """The `intervention_verdicts` as a table."""
    return of_verdicts(intervention_verdicts(results), ("Question", "Measured", "Points", "Answer"))
