"""What the SE paper read from its figures 6 and 7 (section 7.2), each as a number of a network and a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from senet_edu.analysis.statistics import checked, pattern_similarity, summarize


@dataclass(frozen=True)
class Observation:
    """One of the paper's observations, measured."""

    seen: str
    """What the paper saw, and in which of its blocks."""
    measured: str
    """Our number for it, in words."""
    sign: str
    """`"<"` or `">"`: on which side of the limit the number must lie."""
    limit: float
    """Ours: the paper states none."""
    value: float

    @property
    def holds(self) -> bool:
        return self.value < self.limit if self.sign == "<" else self.value > self.limit


def observations(
    gates: Mapping[str, Tensor], labels: Tensor, stage: Callable[[Sequence[float]], float] = max
) -> list[Observation]:
    """The paper's five observations, on the gates of a network of three stages or more.

    Args:
        gates: block to its gates `(N, C)`, by depth, from `gates_of`; names as `"layer1.0.se"`.
        labels: `(N,)`.
        stage: what a stage counts by, from the numbers of its blocks. The largest, so that a dead block does not drag
            it down; `statistics.fmean` shows what hangs on that.

    Raises:
        ValueError: fewer than three stages, or a first or a last one of fewer than two blocks; as for `class_means`.
    """
    stages: dict[str, list[str]] = {}
    for block in checked(gates):
        stages.setdefault(block.partition(".")[0], []).append(block)
    names = list(stages.values())
    if len(names) < 3 or min(len(names[0]), len(names[-1])) < 2:
        counts = ", ".join(f"{name}: {len(blocks)}" for name, blocks in stages.items()) or "none"
        raise ValueError(f"gates must have three stages or more, the outer ones of two blocks or more, got {counts}")
    summaries = {block: summarize(s, labels) for block, s in gates.items()}

    def by_stage(field: str) -> list[float]:
        return [stage([getattr(summaries[block], field) for block in blocks]) for blocks in names]

    early, before_last, last = (block.removesuffix(".se") for block in (names[0][-1], *names[-1][-2:]))
    between, within = by_stage("between"), by_stage("within")
    return [
        Observation(
            "Early gates are nearly the same for all classes (SE_2_3)",
            f"{early}: standard deviation of class means",
            "<",
            0.05,
            summaries[names[0][-1]].between,
        ),
        Observation(
            "Deeper gates are class-specific (SE_4_6, SE_5_1)",
            f"stage {len(names)} / stage 1: standard deviation of class means",
            ">",
            2,
            between[-1] / between[0] if between[0] else float("inf"),
        ),
        Observation(
            "Near the end, most gates are close to 1 (SE_5_2)",
            f"{before_last}: share of gates above 0.95",
            ">",
            0.5,
            summaries[names[-1][-2]].above,
        ),
        Observation(
            "In the last block, all classes show one pattern (SE_5_3)",
            f"{last}: correlation of two classes' mean gates",
            ">",
            0.9,
            pattern_similarity(gates[names[-1][-1]], labels),
        ),
        Observation(
            "Inside a class, gates vary more with depth (Fig. 7)",
            "least growth from stage to stage: standard deviation inside a class",
            ">",
            1,
            min(after / before if before else float("inf") for before, after in zip(within, within[1:])),
        ),
    ]
