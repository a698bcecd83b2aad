"""The numbers on the pages that are written by hand are those of the stored results and of the chapters."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch

from senet_edu import create_model, lamp
from senet_edu.cost import count_parameters
from senet_edu.explorables.lamp import trained
from senet_edu.published import SPEEDS
from senet_edu.store import load
from senet_edu.zoo import manifest

BOOK = Path(__file__).resolve().parents[1] / "book"


def page(name: str) -> str:
    return " ".join((BOOK / f"{name}.md").read_text(encoding="utf-8").split())


@cache
def printed(chapter: str) -> str:
    """All that the cells of a chapter say."""
    cells = nbformat.read(BOOK / f"{chapter}.ipynb", 4).cells
    return " ".join(" ".join(output.get("text", "").split()) for cell in cells for output in cell.get("outputs", []))


@cache
def facts() -> dict[str, str]:
    """What the pages may say, by what it is."""
    gates = load("interventions")
    all_blocks = {kind: effect["places"]["all"] for kind, effect in gates["interventions"].items()}
    pair = {name: lamp.error(net) for name, net in trained().items()}
    with torch.device("meta"):
        plain = count_parameters(create_model("resnet50"))
        biased = count_parameters(create_model("se_resnet50", bias=True))
    longer = sorted(speed.longer for speed in SPEEDS if "ResNet-50" in speed.what or "the same" in speed.what)
    accuracy = {name: 100 * network["test_accuracy"] for name, network in manifest().items()}
    return {
        "right": f"{100 * gates['accuracy']:.1f} %",
        "frozen": f"{100 * all_blocks['mean']['accuracy']:.1f} %",
        "half": f"{100 * all_blocks['half']['accuracy']:.1f} %",
        "one": f"{100 * all_blocks['one']['accuracy']:.1f} %",
        "other class": f"{100 * all_blocks['other_class']['accuracy']:.1f} %",
        "frozen costs": f"{-100 * all_blocks['mean']['change']:.1f} points",
        "lamp without": f"{pair['plain']:.3f}",
        "lamp with": f"{pair['se']:.3f}",
        "ResNet-50": f"{plain:,}",
        "SE-ResNet-50": f"{biased:,}",
        "slower": f"{100 * longer[0]:.0f} to {100 * longer[-1]:.0f} %",
        "plain accuracy": f"{accuracy['resnet20']:.2f} %",
        "SE accuracy": f"{accuracy['se_resnet20']:.2f} %",
    }


SAYS = {
    "ten_minutes": (
        *("right", "frozen", "half", "one", "other class", "lamp without", "lamp with", "ResNet-50", "SE-ResNet-50"),
        *("plain accuracy", "SE accuracy"),
    ),
    "questions": (
        *("right", "frozen", "half", "one", "frozen costs", "lamp without", "lamp with", "ResNet-50", "SE-ResNet-50"),
        *("slower", "plain accuracy", "SE accuracy"),
    ),
    "teach": ("right", "one"),
}


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, facts in SAYS.items() for what in facts])
def test_a_page_says_what_was_measured(name: str, what: str) -> None:
    assert facts()[what] in page(name), f"{name}.md does not say {facts()[what]}"


@pytest.mark.parametrize("percent", ["92.5", "92.70", "92.51", "84.7", "68.2", "51.5", "11.2"])
def test_no_page_says_a_number_that_nobody_measured(percent: str) -> None:
    """The other way round: what the pages say of accuracy is among the facts."""
    assert f"{percent} %" in facts().values()


@pytest.mark.parametrize(
    ("chapter", "say", "print_"),
    [
        ("13_shipping_se", "40.0 ± 4.7 points", "25% removed by mean gate -40.0 ± 4.7 points"),
        ("13_shipping_se", "26.2 ± 4.3", "25% removed by filter norm -26.2 ± 4.3 points"),
        ("13_shipping_se", "13.8 ± 5.1 more", "25%, mean gate less filter norm -13.8 ± 5.1 points"),
        ("13_shipping_se", "0.0 ± 0.6 points", "8 bits, a scale per tensor +0.0 ± 0.6 points"),
        ("13_shipping_se", "up to 0.064", "without a mask largest change of a gate 0.064"),
    ],
)
def test_a_question_is_answered_with_a_chapters_number(chapter: str, say: str, print_: str) -> None:
    assert say in page("questions")
    assert print_.replace("%", "") in printed(chapter).replace(" %", "").replace("%", "")


def test_ten_minutes_are_about_1200_words() -> None:
    """Ten minutes at 120 words a minute, which leaves time to move things; the code is not counted."""
    text = re.sub(
        r"^```.*?^```", "", (BOOK / "ten_minutes.md").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert 900 < len(text.split()) < 1300
