"""Chapter 9: what the answers do when gates are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from senet_edu.explorables.lib.base import Explorable

LABELS = {
    "mean": "frozen",
    "same_prediction": "swapped, same answer",
    "other_prediction": "swapped, other answer",
    "same_class": "swapped, same class",
    "other_class": "swapped, other class",
    "channels": "channels shuffled",
    "half": "one half",
    "one": "one",
}


class Interventions(Explorable):
    """Accuracy under interventions in all blocks, in single ones, and class by class, beside the untouched network's.

    Args:
        results: from `store.load("interventions")`.
    """

    name = "interventions"

    def __init__(self, results: Mapping[str, Any]) -> None:
        places = [*results["blocks"], "all"]

        def compact(effect: Mapping[str, Any]) -> dict[str, Any]:
            fields = ("accuracy", "change", "margin", "changed", "toward_donor", "toward_donor_by_chance")
            return {key: effect[key] for key in fields if key in effect} | {
                "seeds": effect["by_seed"],
                "classes": [[one["change"], one["margin"]] for one in effect["classes"]],
            }

        measured = results["interventions"]
        super().__init__(
            {
                "images": results["images"],
                "trial": not results["whole_test_set"],
                "accuracy": results["accuracy"],
                "classes": results["class_names"],
                "places": [place.removesuffix(".se") for place in places],
                "kinds": [
                    {"key": kind, "label": label, "what": measured[kind]["what"]}
                    | {"effects": [compact(measured[kind]["places"][place]) for place in places]}
                    for kind, label in LABELS.items()
                    if kind in measured
                ],
            },
            "Accuracy of a trained network after its gates were replaced in all of its blocks at once, a row for each "
            "intervention, with intervals, beside the accuracy of the untouched network. Choose an intervention, and "
            "see it in each block alone and class by class.",
        )
