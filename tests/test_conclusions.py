"""Chapters that conclude: each guess has its verdict, each end its number, and numbers in prose are those measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import stdev
from typing import Any

import nbformat
import pytest

from senet_edu import store
from senet_edu.measure.intervals import T975

BOOK = Path(__file__).resolve().parents[1] / "book"
CHAPTERS = {
    7: "07_does_it_help",
    8: "08_gates_across_depth",
    9: "09_are_gates_explanations",
    10: "10_relatives",
    14: "14_reproduce",
}
every_chapter = pytest.mark.parametrize("number", CHAPTERS)


def cells(number: int) -> list[nbformat.NotebookNode]:
    [path] = BOOK.glob(f"{number:02}_*.ipynb")
    return nbformat.read(path, as_version=4).cells


def outputs(number: int) -> Iterator[dict[str, str]]:
    """What each cell shows, by kind; `text` is what it prints."""
    for cell in cells(number):
        for output in cell.get("outputs", []):
            yield {"text": output["text"]} if output.output_type == "stream" else output.get("data", {})


def read(number: int) -> str:
    """The chapter as a reader meets it: prose, and sentences that a cell wrote."""
    parts = []
    for cell in cells(number):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        parts += [
            out.data["text/markdown"] for out in cell.get("outputs", []) if "text/markdown" in out.get("data", {})
        ]
    return "\n\n".join(parts)


def figure(number: int, tag: str) -> dict[str, Any]:
    """The data of a figure of a chapter."""
    html = next(out["text/html"] for out in outputs(number) if out.get("text/html", "").startswith(f"<{tag} "))
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])


@every_chapter
def test_every_guess_is_answered(number: int) -> None:
    html = [out.get("text/html", "") for out in outputs(number)]
    keys = {
        tag: re.findall(rf'<{tag} .*?"key":"([\w-]+)"', "\n".join(html), re.DOTALL)
        for tag in ("se-guess", "se-verdict")
    }
    assert keys["se-guess"] and keys["se-guess"] == keys["se-verdict"]


@every_chapter
def test_it_ends_in_a_bold_sentence_with_a_number_and_what_comes_next(number: int) -> None:
    before, after = read(number).split("## Recap")
    found = before.strip().split("\n\n")[-1]
    assert re.match(r"\*\*[^*]*\d[^*]*\.\*\*", found.replace("*frozen*", "frozen")), found
    last = after.rstrip().split("\n\n")[-1]
    assert last.startswith("**Next:** " if number < 14 else "**This is the last chapter.**")


@pytest.mark.parametrize("number", range(15))
def test_shares_are_written_in_one_style(number: int) -> None:
    r"""`92.5 %`, in prose, in what cells print and in verdicts; code, addresses and columns of the audit aside."""
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|\$[^$]*\$", "", read(number), flags=re.DOTALL)
    shown = [out.get("text", "") + out.get("text/plain", "") for out in outputs(number)]
    verdicts = [out["text/html"] for out in outputs(number) if out.get("text/html", "").startswith("<se-verdict")]
    said = [re.sub(r"<[^>]*>", "", html) for html in verdicts]
    for text in (prose, *(text for text in shown if "  effect  " not in text), *said):
        assert not re.search(r"\d%", text), re.search(r".{0,60}\d%.{0,20}", text)[0]


def told(number: int, pattern: str) -> list[float]:
    """The numbers in a sentence of a chapter, which must be there once."""
    found = re.findall(pattern, read(number).replace("\N{MINUS SIGN}", "-"))
    assert len(found) == 1, (pattern, found)
    return [float(one) for one in (found[0] if isinstance(found[0], tuple) else found)]


NUMBER = r"(-?\d+(?:\.\d+)?)"


def test_chapter_9_tells_what_was_measured() -> None:
    """In its prose, against the stored file; as many decimals as it writes."""
    places = {kind: one["places"] for kind, one in store.load("interventions")["interventions"].items()}

    def of(kind: str, place: str = "all", key: str = "change", sign: int = 100) -> float:
        return sign * places[kind][place][key]

    other, blocks = places["other_prediction"]["all"], [place for place in places["mean"] if place != "all"]
    for pattern, values in {
        rf"right on average are not enough: {NUMBER} ± {NUMBER} points": [-of("mean"), of("mean", key="margin")],
        rf"It costs {NUMBER} ± {NUMBER} points, \*less\* than freezing": [
            -of("same_prediction"),
            of("same_prediction", key="margin"),
        ],
        rf"cost {NUMBER} points more than gates of the same answer": [-100 * other["beyond_same_prediction"]["change"]],
        rf"{NUMBER} % of the changed answers go where the gates point": [100 * other["toward_donor"]],
        rf"\*raise\* the accuracy by {NUMBER} points, to {NUMBER} %": [
            of("same_class", "layer3.2.se"),
            of("same_class", "layer3.2.se", "accuracy"),
        ],
        rf"they change nothing \({NUMBER} ± {NUMBER}\)": [
            of("same_prediction", "layer3.2.se"),
            of("same_prediction", "layer3.2.se", "margin"),
        ],
        rf"three quarters of the harm: {NUMBER} in place of {NUMBER}\.": [of("same_class"), of("same_prediction")],
        rf"inside the answer it is the other way round, {NUMBER} points one by one and {NUMBER} at once": [
            -sum(of("same_prediction", block) for block in blocks),
            -of("same_prediction"),
        ],
        rf"Frozen one by one they cost {NUMBER} points together, at once {NUMBER}:": [
            -sum(of("mean", block) for block in blocks),
            -of("mean"),
        ],
        rf"`layer1\.2` frozen costs {NUMBER} points, set to one {NUMBER} points": [
            -of("mean", "layer1.2.se"),
            -of("one", "layer1.2.se"),
        ],
        rf"it costs {NUMBER} points of {NUMBER}\.": [-of("same_prediction"), -of("other_prediction")],
        rf"swapped to another answer they take {NUMBER} ± {NUMBER} points of accuracy, and pull {NUMBER} % of the "
        rf"changed answers to their own; but they are not the explanation of an answer, for the other {NUMBER} % go "
        r"elsewhere": [
            -of("other_prediction"),
            of("other_prediction", key="margin"),
            100 * other["toward_donor"],
            100 - 100 * other["toward_donor"],
        ],
    }.items():
        for written, value in zip(told(9, pattern), values, strict=True):
            decimals = len(f"{written:g}".partition(".")[2])
            assert written == pytest.approx(value, abs=0.5 * 10**-decimals + 1e-9), pattern
    deals = [100 * right for right in places["channels"]["all"]["by_seed"]]
    over_deals = T975[len(deals) - 2] * stdev(deals) / len(deals) ** 0.5
    said = told(9, rf"between {NUMBER} and {NUMBER} % are right, so over all deals it is {NUMBER} ± {NUMBER} points")
    assert said == [round(one) for one in (min(deals), max(deals), of("channels"), over_deals)]
    assert of("channels", key="accuracy") < 50 and "less than half of the answers are right" in read(9)
    assert of("one", "layer3.2.se") > of("mean", "layer3.2.se"), "the last block loses less set to one than frozen"
    swaps = [abs(of("other_prediction", block) - of("same_prediction", block)) for block in blocks[:6]]
    (limit,) = told(9, rf"in the first six blocks the two swaps differ by less than {NUMBER} points")
    assert max(swaps) < limit


def test_chapter_7_tells_what_the_reductions_do_under_the_lamp() -> None:
    """Fewer hidden units do worse, step by step; constant gates gain nothing, softmax harms, frozen gates are worse."""
    rows = store.load("lamp")["rows"]
    mean = {name: sum(row["error"]) / len(row["error"]) for name, row in rows.items()}
    errors = [mean[f"se_r{r}"] for r in (1, 2, 4, 8, 16)]
    assert errors == sorted(errors) and errors[-1] < mean["plain"]
    assert min(mean["constant"], mean["softmax"]) > mean["plain"]
    assert sum(rows["se_r2"]["frozen"]) / len(rows["se_r2"]["frozen"]) > mean["plain"]
    assert "fewer hidden units do worse, step by step" in read(7)


def test_chapter_8_tells_what_its_outputs_show() -> None:
    trained = figure(8, "se-gate-map")["networks"][0]["numbers"]
    above, below = told(
        8, rf"Here {NUMBER} % of the gates of `layer3\.1` are above 0\.95, and more of them, {NUMBER} %"
    )
    assert (above, below) == (round(100 * trained["above"][7]), round(100 * trained["below"][7])) and below > above
    table = next(out["text/plain"] for out in outputs(8) if "The paper saw" in out.get("text/plain", ""))
    rows = [re.split(r"  +", line) for line in table.splitlines()[1:]]
    (correlation,) = told(8, rf"Here they correlate by {NUMBER}, less than")
    assert correlation == round(float(rows[3][3]), 2)
    assert 7 < float(rows[1][3]) < 8 and "move apart almost eightfold" in read(8)
    asleep = next(out["text"] for out in outputs(8) if "layer1.2.se" in out.get("text", "") and "0.0 %" in out["text"])
    shares = {block: float(value) for block, value in re.findall(r"(layer\S+) +([\d.]+) %", asleep)}
    assert 8 < shares.pop("layer1.2.se") < 12 and max(shares.values()) == 0
    assert "for about one image in ten all its gates are exactly one half" in read(8)


def test_chapter_8_describes_the_photographs_that_it_shows() -> None:
    html = next(out["text/html"] for out in outputs(8) if "data:image/webp" in out.get("text/html", ""))
    shown = {
        row[0]: [set(alt.split(", ")) for alt in re.findall(r'alt="([^"]*)"', row[1])]
        for row in re.findall(r"<tr><td>([\d., ]+)</td>(.*?)</tr>", html)
    }
    assert len(shown) == 9 and all(len(ends) == 2 for ends in shown.values())
    assert {"airplane", "dog"} <= shown["1.0, 8"][1]  # shuts at bright blue, a plane or a dog
    assert shown["3.0, 14"][1] == {"bird"}
    assert shown["3.1, 13"] == [{"automobile", "ship"}, {"dog"}]


def test_chapter_8_is_no_heavier_than_its_neighbors() -> None:
    assert (BOOK / "08_gates_across_depth.ipynb").stat().st_size < 500_000


@every_chapter
def test_code_is_not_cut_at_the_edge(number: int) -> None:
    """What a reader sees unfolded has at most 96 columns."""
    folded = {"hide-input", "remove-cell"}
    code = [cell for cell in cells(number) if cell.cell_type == "code"]
    lines = "\n".join(cell.source for cell in code if not folded & set(cell.metadata.get("tags", []))).split("\n")
    assert [line for line in lines if len(line) > 96] == []
