"""Chapter 9: what the answers do when gates are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from senet_edu.explorables.lib.base import Explorable

LABELS = {
    "mean": "frozen",
    "same_class": "swapped, same class",
    "other_class": "swapped, other class",
    "channels": "channels shuffled",
    "half": "one half",
    "one": "one",
}


class Interventions(Explorable):
    """Accuracy by block under an intervention, against the untouched network; and which classes lose by it.

    Args:
        results: from `store.load("interventions")`.
    """

    name = "interventions"

    def __init__(self, results: Mapping[str, Any]) -> None:
        places = [*results["blocks"], "all"]

        def percent(value: float) -> float:
            return round(100 * value, 3)

        def compact(effect: Mapping[str, Any]) -> dict[str, Any]:
            fields = ("accuracy", "change", "margin", "changed", "toward_donor", "toward_donor_by_chance")
            return {key: percent(effect[key]) for key in fields if key in effect} | {
                "seeds": [percent(accuracy) for accuracy in effect["by_seed"]],
                "classes": [[percent(one["change"]), percent(one["margin"])] for one in effect["classes"]],
            }

        super().__init__(
            {
                "images": results["images"],
                "trial": not results["whole_test_set"],
                "accuracy": percent(results["accuracy"]),
                "classes": results["class_names"],
                "places": [place.removesuffix(".se") for place in places],
                "kinds": [
                    {"key": kind, "label": LABELS[kind], "what": one["what"]}
                    | {"effects": [compact(one["places"][place]) for place in places]}
                    for kind, one in results["interventions"].items()
                ],
            },
            "Accuracy of a trained network after its gates were replaced, in each of its blocks and in all at once, "
            "with intervals, beside the accuracy of the untouched network. Choose what is done to the gates, and a "
            "block to see which classes gain and lose by it.",
        )
