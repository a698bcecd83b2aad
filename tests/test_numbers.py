"""The numbers on the pages that are written by hand are those of the stored results and of the chapters."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from statistics import median

import nbformat
import pytest
import torch

from senet_edu import create_model, lamp, load_pretrained, override_gates
from senet_edu.cost import count_parameters
from senet_edu.data import load_data, normalize
from senet_edu.explorables.lamp import trained
from senet_edu.gates import find_gates
from senet_edu.measure import ablations
from senet_edu.measure.intervals import compare, paired
from senet_edu.published import SPEEDS
from senet_edu.receptive import receptive_fields
from senet_edu.store import load, load_runs
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
    widest = max(all_blocks[kind]["margin"] for kind in ("mean", "other_class", "one"))
    pair = {name: lamp.error(net) for name, net in trained().items()}
    with torch.device("meta"):
        plain = count_parameters(create_model("resnet50"))
        biased = count_parameters(create_model("se_resnet50", bias=True))
    errors = {row: dict(enumerate(load("lamp")["rows"][row]["error"])) for row in ("as_many", "se_r2")}
    by_lamp = paired(errors["as_many"], errors["se_r2"])
    reduced = compare(ablations.load(), "se_r4")
    runs = [run for run in load_runs("h200") if run["part"] == "colab"]
    ends = [
        {run["seed"]: run["test_accuracy"] for run in runs if run["name"].startswith(name)}
        for name in ("se_resnet20", "resnet20")
    ]
    full = paired(*ends)

    def lost(effect: dict[str, float]) -> str:
        return f"{-100 * effect['change']:.1f} ± {100 * effect['margin']:.1f} points"

    longer = sorted(speed.longer for speed in SPEEDS if "ResNet-50" in speed.what or "the same" in speed.what)
    accuracy = {name: 100 * network["test_accuracy"] for name, network in manifest().items()}
    return {
        "right": f"{100 * gates['accuracy']:.1f} %",
        "frozen": f"{100 * all_blocks['mean']['accuracy']:.1f} %",
        "half": f"{100 * all_blocks['half']['accuracy']:.1f} %",
        "one": f"{100 * all_blocks['one']['accuracy']:.1f} %",
        "other class": f"{100 * all_blocks['other_class']['accuracy']:.1f} %",
        "margin of gates": f"± {100 * widest:.1f} points or less",
        "lamp without": f"{pair['plain']:.3f}",
        "lamp with": f"{pair['se']:.3f}",
        "ResNet-50": f"{plain:,}",
        "SE-ResNet-50": f"{biased:,}",
        "slower": f"{100 * longer[0]:.0f} to {100 * longer[-1]:.0f} %",
        "slower in the middle": f"{100 * median(longer):.0f} %",
        "plain accuracy": f"{accuracy['resnet20']:.2f} %",
        "SE accuracy": f"{accuracy['se_resnet20']:.2f} %",
        "frozen costs": lost(all_blocks["mean"]),
        "another answer costs": lost(all_blocks["other_prediction"]),
        "pull": f"{100 * all_blocks['other_prediction']['toward_donor']:.0f} % of the changed answers",
        "lamp over seeds": f"{by_lamp.mean:.3f} ± {by_lamp.margin:.3f}",
        "short training": reduced.points.replace("\N{NO-BREAK SPACE}", " "),
        "short pairs": f"{reduced.count} pairs",
        "full training": f"{full.points} points".replace("\N{NO-BREAK SPACE}", " "),
        "full pairs": f"{full.count} pairs",
    }


SAYS = {
    "ten_minutes": (
        *("right", "frozen", "half", "one", "other class", "lamp without", "lamp with", "ResNet-50", "SE-ResNet-50"),
        *("plain accuracy", "SE accuracy", "slower in the middle", "margin of gates"),
    ),
    "questions": (
        *("right", "frozen", "half", "one", "lamp without", "lamp with", "ResNet-50", "SE-ResNet-50"),
        *("slower", "plain accuracy", "SE accuracy", "frozen costs", "lamp over seeds"),
        *("short training", "short pairs", "full training", "full pairs"),
    ),
    "teach": ("right", "one", "lamp without", "lamp with", "another answer costs", "pull"),
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
        (
            "13_shipping_se",
            "19.2 ± 3.7 points",
            "with SE a quarter of the whole against a tile of its own: -19.2 ± 3.7 points",
        ),
        ("13_shipping_se", "2.4 ± 1.6", "plain a quarter of the whole against a tile of its own: -2.4 ± 1.6 points"),
        ("13_shipping_se", "up to 0.064", "without a mask largest change of a gate 0.064"),
        ("07_does_it_help", "keeps 20 % of what r = 1 gains", "r = 16 keeps 20% of what r = 1 gains"),
    ],
)
def test_a_question_is_answered_with_a_chapters_number(chapter: str, say: str, print_: str) -> None:
    assert say in page("questions")
    assert print_.replace("%", "") in printed(chapter).replace(" %", "").replace("%", "")


def test_ten_minutes_say_how_the_short_training_ended() -> None:
    behind = compare(ablations.load(), "se_r4").verdict == "worse"
    assert ("short training of a smaller network SE is even behind" in page("ten_minutes")) == behind


def test_chapter_0_says_how_many_birds_there_are_with_open_gates() -> None:
    """The answers of the shipped network to the first 400 test images, all gates at one: three of four are "bird"."""
    data = load_data()
    if data.name != "cifar10":
        pytest.skip("CIFAR-10 is not here")
    network = load_pretrained("se_resnet20").eval()
    with torch.inference_mode(), override_gates(network, dict.fromkeys(find_gates(network), 1.0)):
        answers = network(normalize(data.test_images[:400])).argmax(1)
    share = (answers == data.classes.index("bird")).double().mean()
    assert 0.7 < share < 0.85
    text = (BOOK / "00_one_minute.ipynb").read_text(encoding="utf-8")
    assert "to three pictures of four" in text


def test_ten_minutes_are_about_1200_words() -> None:
    """Ten minutes at 120 words a minute, which leaves time to move things; the code is not counted."""
    text = re.sub(
        r"^```.*?^```", "", (BOOK / "ten_minutes.md").read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert 900 < len(text.split()) < 1300


def test_chapter_1_says_where_a_window_holds_the_whole_picture() -> None:
    """Behind which block ResNet-50's window is 224 pixels wide, and one in a corner of ResNet-20 reaches the others."""
    blocks = {name: receptive_fields(create_model(name).eval())[1:] for name in ("resnet50", "resnet20")}
    wide = next(n for n, field in enumerate(blocks["resnet50"], 1) if field.size >= 224)
    corner = next(n for n, field in enumerate(blocks["resnet20"], 1) if field.size // 2 >= 31)
    assert (wide, len(blocks["resnet50"]), corner) == (12, 16, 8)
    text = (BOOK / "01_why_channels.ipynb").read_text(encoding="utf-8")
    assert "only in the 12th block of 16" in text
    assert "In a corner the value needs eight" in text
