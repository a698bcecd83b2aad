"""The faults of `scripts/mutants.py`: each can be planted, and one that no test sees is told."""

from __future__ import annotations

import shlex
from pathlib import Path

import mutants
import pytest
from mutants import MUTANTS, Mutant, outcome


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}-{mutant.old}")
def test_every_fault_can_be_planted(mutant: Mutant, root: Path) -> None:
    assert (root / "senet_edu" / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old and (root / "tests" / shlex.split(mutant.tests)[0]).is_file()


SOURCE = "ONE = 1\nTWO = 2\n"
TESTS = """
import pytest
from senet_edu.numbers import ONE

def test_one():
    assert ONE == 1

@pytest.mark.skip
def test_two():
    pass
"""


@pytest.mark.parametrize(
    ("mutant", "expected"),
    [
        (Mutant("numbers.py", "ONE = 1", "ONE = 3", "test_numbers.py"), "seen"),
        (Mutant("numbers.py", "TWO = 2", "TWO = 3", "test_numbers.py"), "SURVIVED"),
        (Mutant("numbers.py", "TWO = 2", "TWO = 3", "test_numbers.py -k two"), "NOT TRIED"),
        (Mutant("numbers.py", "TWO = 2", "TWO = 3", "test_nothing.py"), "NOT TRIED"),
        (Mutant("numbers.py", "FOUR = 4", "FOUR = 5", "test_numbers.py"), "NOT TRIED"),
    ],
)
def test_what_became_of_a_fault(mutant: Mutant, expected: str, tmp_path: Path) -> None:
    for name, text in {
        "senet_edu/__init__.py": "",
        "senet_edu/numbers.py": SOURCE,
        "tests/test_numbers.py": TESTS,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8", newline="\n")
    assert outcome(tmp_path, mutant) == expected
    assert (tmp_path / "senet_edu/numbers.py").read_text(encoding="utf-8") == SOURCE


def test_one_that_was_not_seen_ends_with_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(mutants, "copy_tracked", lambda to: None)
    for found, code in (("seen", 0), ("SURVIVED", 1), ("NOT TRIED", 1)):
        monkeypatch.setattr(mutants, "outcome", lambda tree, mutant, found=found: found)
        assert mutants.main(["fold"]) == code
    assert mutants.main(["no such file"]) == 1
    assert "0 of 2 faults were seen" in capsys.readouterr().out
