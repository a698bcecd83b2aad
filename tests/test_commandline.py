"""What the commands share: numbers that are checked, and errors in a line."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import execute_notebooks
import pytest

from senet_edu import measure
from senet_edu.commandline import guarded, positive


@pytest.mark.parametrize("text", ["0", "-3", "2.5", "two", "", "NaN"])
def test_numbers_that_count_nothing_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"at least 1, got '{text}'"):
        positive(text)
    assert positive("12") == 12


@pytest.mark.parametrize("error", [FileNotFoundError("no data"), ValueError("no data")])
def test_what_is_wrong_is_said_in_a_line(error: Exception) -> None:
    @guarded()
    def main() -> None:
        raise error

    with pytest.raises(SystemExit, match="^Error: no data$") as ended:
        main()
    assert ended.value.__suppress_context__


def test_ctrl_c_is_no_traceback_and_another_fault_is_one() -> None:
    for error, seen in ((KeyboardInterrupt(), SystemExit), (KeyError("x"), KeyError)):

        @guarded("Stopped. It goes on.")
        def main(error: BaseException = error) -> None:
            raise error

        with pytest.raises(seen, match="It goes on" if seen is SystemExit else "x"):
            main()


@pytest.mark.parametrize("name", measure.NAMES)
def test_every_measurement_is_guarded_and_counts_from_one(name: str) -> None:
    text = Path(measure.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert re.search(r"^@guarded\(.*\)\ndef main\(", text, re.MULTILINE) and "type=int" not in text


@pytest.mark.parametrize("content", [None, "text"])
def test_what_is_no_notebook_is_named(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    if content:
        path.write_text(content)
    with pytest.raises(SystemExit, match="a.ipynb cannot be read as a notebook"):
        execute_notebooks.main(["--check", str(path)])
