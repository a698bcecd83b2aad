"""What chapter 14 says of the book, held to the repository: files, code, tests and chapters."""

from __future__ import annotations

import ast
import hashlib
import json
import pkgutil
import re
import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from senet_edu import provenance, store, zoo
from senet_edu.explorables.provenance import chapter_title, formula_html, formula_spoken
from senet_edu.provenance import MAP, duration, marked, records, source_of_code, source_of_test, stored

NOT_YET = (
    "gpu.jsonl",
    "ablations_full.jsonl",
    "ablations_full_cifar100.jsonl",
    "ablations_cifar100.jsonl",
)
"""Files that no machine has measured so far."""
LINKS = pytest.mark.parametrize("link", MAP, ids=lambda link: link.key)


@pytest.fixture(scope="module")
def chapters(root: Path) -> dict[str, str]:
    """The code of each chapter but the last, which speaks of all files."""
    found = {}
    for path in sorted((root / "book").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        found[path.stem] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return {name: code for name, code in found.items() if name != "14_reproduce"}


# Records


def test_every_stored_file_has_a_record_and_no_other() -> None:
    package = Path(zoo.__file__).parent
    there = {f"{folder}/{path.name}" for folder in ("results", "weights") for path in (package / folder).iterdir()}
    assert {record.path for record in records()} == there
    assert there <= set(stored()), "a new file: say in HOLDS of its measurement what it is, and which chapters show it"
    assert set(stored()) - there <= {f"results/{name}" for name in NOT_YET}


def test_records_say_what_the_files_say() -> None:
    by_path = {record.path: record for record in records()}
    for path, record in by_path.items():
        raw = (Path(zoo.__file__).parent / path).read_bytes()
        assert record.size == len(raw) and record.sha256 == hashlib.sha256(raw).hexdigest()
        assert record.holds and record.chapters
    for name, facts in zoo.manifest().items():
        record, history = by_path[f"weights/{name}.safetensors"], by_path[f"weights/{name}.history.jsonl"]
        assert record.sha256 == facts["sha256"]
        assert record.commands == history.commands == (facts["about"]["command"],)
        assert record.hardware == facts["about"]["hardware"] and record.precision == facts["about"]["precision"]
        assert f"torch {facts['about']['versions']['torch']}" in record.versions
        assert record.seeds == (facts["about"]["recipe"]["seed"],)
        assert record.seconds == pytest.approx(sum(row["seconds"] for row in zoo.load_history(name)), abs=0.06)
    interventions = store.load("interventions")
    record = by_path["results/interventions.json"]
    assert record.seeds == tuple(interventions["seeds"]) and record.seconds == interventions["about"]["seconds"]
    runs = [json.loads(line) for line in (store.RESULTS / "ablations.jsonl").read_text().splitlines()]
    record = by_path["results/ablations.jsonl"]
    assert record.seeds == tuple(sorted({run["seed"] for run in runs}))
    assert set(record.commands) == {run["about"]["command"] for run in runs}
    assert record.seconds == pytest.approx(sum(run["seconds"] for run in runs), abs=0.06)


@pytest.mark.parametrize("record", [one for one in records() if one.commands], ids=lambda one: one.path)
def test_a_reader_can_run_the_commands_of_a_record(record: provenance.Record, root: Path) -> None:
    """Their module or script is there, and no word is a path of the machine that they were typed on."""
    for command in record.commands:
        assert not re.search(r"(^|[\s='\"])(/|~|\.\.)", command), command
        start, *words = shlex.split(command)
        if start != "python":  # a call, in words
            assert start.startswith("senet_edu."), command
        elif words[0] == "-m":
            assert words[1].startswith("senet_edu.") and find_spec(words[1]), command
        else:
            assert (root / words[0]).is_file(), command


def test_what_a_file_does_not_say_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "speed.json").write_text(json.dumps({"fast": 1, "about": {"precision": "float32"}}))
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results")
    record = records()[0]
    assert (record.path, record.holds, record.chapters) == ("results/speed.json", "unknown", ())
    assert (record.commands, record.seeds, record.precision) == ((), (), "float32")
    assert record.hardware is record.versions is record.seconds is None
    assert duration(None) == "not recorded"


FIGURES = {
    "results/lamp.json": "Lamp",
    "results/squeeze.json": "Block",
    "results/interventions.json": "Block",
    "weights/resnet20.safetensors": "Live",
    "weights/se_resnet20.safetensors": "Block|Live",
}
"""Files that a figure reads for a chapter."""


def uses(path: str) -> str:
    """What the code of a chapter that shows a file looks like, by itself or by a figure, as a regular expression."""
    folder, file = path.split("/")
    name = file.partition(".")[0]
    patterns = [rf"\b({FIGURES[path]})\("] if path in FIGURES else []
    if name == "manifest":
        patterns += [r"\bfacts\("]
    elif name == "relatives":
        patterns += [r"\bload_relatives\("]
    elif folder == "results":
        patterns += [rf'\bstore\.load(_runs)?\("{name}"\)']
        patterns += {"ablations": [r"\bablations\.load\(\)"], "ablations_short": [r"\bload\(ablations\.SHORT\)"]}.get(
            name, []
        )
    else:
        function = "load_history" if "history" in file else "load_pretrained"
        patterns += [rf'\b{function}\("{name}"\)', rf'(?s:"{name}".*\b{function}\(name\))']
    return "|".join(patterns)


@pytest.mark.parametrize("path", [record.path for record in records()])
def test_the_chapters_of_a_file_are_those_that_use_it(path: str, chapters: dict[str, str]) -> None:
    found = tuple(name for name, code in chapters.items() if re.search(uses(path), code))
    assert found == stored()[path].chapters


def test_durations() -> None:
    assert [duration(seconds) for seconds in (12.4, 60, 3_369, 3_590, 5_040)] == [
        "12 seconds",
        "1 minute",
        "56 minutes",
        "1.0 hours",
        "1.4 hours",
    ]


# The map


def test_the_five_equations_are_there_and_keys_differ() -> None:
    labels = [link.label for link in MAP if link.group == "Equations"]
    assert {f"({n})" for n in range(1, 6)} <= set(labels)
    assert len({link.key for link in MAP}) == len(MAP)
    assert list(dict.fromkeys(link.group for link in MAP)) == ["Equations", "Tables", "Figures", "This book"]


@LINKS
def test_code_exists_and_its_lines_stand_once(link: Any) -> None:
    pkgutil.resolve_name(link.code)
    source = source_of_code(link)
    assert f"def {link.code.rpartition('.')[2]}(" in source
    assert len(marked(source, link.lines)) == len(link.lines) > 0


@LINKS
def test_test_exists_and_its_lines_stand_once(link: Any, root: Path) -> None:
    file, _, name = link.test.partition("::")
    functions = [node for node in ast.parse((root / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    (test,) = (node for node in functions if node.name == name)
    assert name.startswith("test_") and ("assert" in ast.unparse(test))
    assert marked(source_of_test(link), link.truth)


@LINKS
def test_the_test_is_about_the_code(link: Any, root: Path) -> None:
    """The test's file imports the module of the code, or gets it through the package."""
    text = (root / link.test.partition("::")[0]).read_text()
    parts = link.code.split(".")
    modules = [".".join(parts[:n]) for n in range(2, len(parts))]  # of a package, or a module in one
    assert any(f"{module} import" in text for module in modules) or "from senet_edu import" in text
    assert len(link.held_to) > 20 and link.held_to.endswith(".")


@LINKS
def test_the_chapter_speaks_of_it(link: Any, root: Path) -> None:
    cells = nbformat.read(root / "book" / f"{link.chapter}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    owner, _, name = link.code.rpartition(".")
    words = [name, owner.rpartition(".")[2]] if name not in ("__init__", "forward") else [owner.rpartition(".")[2]]
    number = re.sub(r"\D.*", "", link.label)
    words += {
        "Tables": [f"Table {number}", f"Tables {number}"],
        "Figures": [f"Figure {number}", f"Fig. {number}", '"placement"', "placement="],
        "Equations": [rf"\tag{{{link.label.strip('()')}}}"],
    }.get(link.group, [])
    assert any(word in text for word in words), words


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code": "senet_edu.se.SEBlock.sqeeze"}, AttributeError),
        ({"code": "senet_edu.see.SEBlock"}, AttributeError),
        ({"lines": ("return z",)}, ValueError),  # in no line
        ({"lines": ("x",)}, ValueError),  # in several
        ({"test": "tests/test_se.py::test_nothing"}, ValueError),
        ({"helper": "nobody"}, ValueError),
    ],
)
def test_a_wrong_link_is_noticed(change: dict[str, Any], error: type[Exception]) -> None:
    link = replace(MAP[3], **change)
    with pytest.raises(error):
        marked(source_of_code(link), link.lines)
        source_of_test(link)


def test_a_package_without_tests_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "TESTS", tmp_path)
    assert source_of_test(MAP[0]) is None


# How it is written


@pytest.mark.parametrize(
    ("formula", "html", "spoken"),
    [
        ("z_c = 1", "<i>z</i><sub><i>c</i></sub> = 1", "z sub c = 1"),
        ("C_s^2", "<i>C</i><sub><i>s</i></sub><sup>2</sup>", "C sub s to the 2"),
        ("F_{sq}(x̃)", "<i>F</i><sub>sq</sub>(<i>x̃</i>)", "F sub sq (x̃)"),
        ("a < max", "<i>a</i> &lt; max", "a < max"),
    ],
)
def test_formulas(formula: str, html: str, spoken: str) -> None:
    assert formula_html(formula) == html and formula_spoken(formula) == spoken


def test_chapters_by_number() -> None:
    assert chapter_title("00_one_minute") == "chapter 0"
    assert chapter_title("11_train_cifar10", "07_does_it_help") == "chapters 7, 11"
    assert chapter_title() == "no chapter"
