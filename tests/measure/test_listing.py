"""`python -m senet_edu.measure` knows every measurement, and each has what the others have."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from senet_edu import measure
from senet_edu.measure.__main__ import main
from senet_edu.store import Holding

MODULES = pytest.mark.parametrize("name", measure.NAMES)


def test_every_module_that_holds_something_is_listed() -> None:
    folder = Path(measure.__file__).parent
    holding = {path.stem for path in folder.glob("*.py") if "\nHOLDS" in path.read_text(encoding="utf-8")}
    assert holding == set(measure.NAMES)


@MODULES
def test_each_says_what_it_holds_measures_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = import_module(f"senet_edu.measure.{name}")
    assert module.HOLDS and all(isinstance(one, Holding) and one.chapters for one in module.HOLDS.values())
    assert callable(module.measure)
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert not ended.value.code
    assert f"python -m senet_edu.measure.{name}" in capsys.readouterr().out


def test_the_listing_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    text = capsys.readouterr().out
    for name in measure.NAMES:
        module = import_module(f"senet_edu.measure.{name}")
        assert f"python -m senet_edu.measure.{name}\n" in text
        assert all(path in text for path in module.HOLDS)
