"""The public names as `mypy --strict` sees them, and mistakes that it must find."""

from __future__ import annotations

from pathlib import Path

import pytest

import senet_edu

MISTAKES = """
from senet_edu import SEBlock, create_model, se_resnet20
SEBlock("64")
create_model("se_resnet18", reductoin=8)
se_resnet20(num_classes="ten")
"""


def check(path: Path, cache: Path) -> str:
    api = pytest.importorskip("mypy.api", reason="mypy is needed to check types")
    options = ["--strict", "--follow-imports=silent", f"--cache-dir={cache}"]
    return api.run([*options, str(path)])[0]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_every_public_name_is_typed(root: Path, cache: Path) -> None:
    path = root / "tests" / "strict_use.py"
    text = path.read_text(encoding="utf-8")
    assert [name for name in senet_edu.__all__ if name not in text] == []
    assert check(path, cache).startswith("Success")


def test_mistakes_are_found(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "mistakes.py"
    path.write_text(MISTAKES)
    found = check(path, cache)
    assert 'incompatible type "str"; expected "int"' in found
    assert 'Unexpected keyword argument "reductoin"' in found and "Found 3 errors" in found, found


def test_the_wheel_tells_of_its_types(root: Path) -> None:
    assert (root / "senet_edu" / "py.typed").is_file()
