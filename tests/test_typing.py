"""The public names as `mypy --strict` sees them, and mistakes that it must find."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
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


def documented(root: Path) -> Iterator[tuple[str, object]]:
    """Names of the reference in the book and what they are: members of its modules, and classes by themselves."""
    text = (root / "book" / "api.md").read_text(encoding="utf-8")
    for path in re.findall(r"autoclass:: (\S+)", text):
        module, _, name = path.rpartition(".")
        yield name, getattr(import_module(module), name)
    for path, options in re.findall(r"automodule:: (\S+)\n((?:   :.*\n)*)", text):
        module = import_module(path)
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == path]
        hidden = re.findall(r"\w+", "".join(re.findall(r"exclude-members: (.*)", options)))
        for name in getattr(module, "__all__", own):
            if not name.startswith("_") and name not in hidden:
                yield name, getattr(module, name)


def functions(value: object) -> Iterator[Callable[..., object]]:
    """A function, or the public methods of a class."""
    if inspect.isclass(value):
        yield from (one for name, one in vars(value).items() if inspect.isfunction(one) and not name.startswith("_"))
    elif inspect.isfunction(value):
        yield value


def test_every_public_name_is_typed(root: Path, cache: Path) -> None:
    path = root / "tests" / "strict_use.py"
    names = [*senet_edu.__all__, *(name for name, _ in documented(root))]
    assert len(names) > 250
    words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    assert [name for name in names if name not in words] == []
    assert check(path, cache).startswith("Success")


def test_every_documented_function_has_types_for_all_that_it_takes_and_returns(root: Path) -> None:
    bare = []
    for name, value in documented(root):
        for function in functions(value):
            signature = inspect.signature(function)
            given = [one.annotation for one in signature.parameters.values() if one.name != "self"]
            if signature.empty in (*given, signature.return_annotation):
                bare.append(f"{name}: {function.__name__}")
    assert bare == []


def test_mistakes_are_found(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "mistakes.py"
    path.write_text(MISTAKES)
    found = check(path, cache)
    assert 'incompatible type "str"; expected "int"' in found
    assert 'Unexpected keyword argument "reductoin"' in found and "Found 3 errors" in found, found


def test_the_wheel_tells_of_its_types(root: Path) -> None:
    assert (root / "senet_edu" / "py.typed").is_file()
