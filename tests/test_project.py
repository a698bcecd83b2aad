"""The repository as a whole: what imports what, what is required, what is tracked, what the front pages claim."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

PACKAGE = "senet_edu"

# A module, or a package of them, imports from lower floors only, wherever in it the import stands. Within a package,
# and so in the whole house, no imports form a circle.
FLOORS = (
    ("checks", "commandline", "extras", "interrupt", "modes", "trial"),
    ("se", "gates", "machine", "published", "tokens"),
    ("store", "relatives"),
    ("data", "resnet", "lamp"),
    ("surgery", "receptive", "cost"),
    ("fold", "interop", "train", "analysis"),
    ("zoo", "audit"),
    ("ablations", "compatibility", "measure"),
    ("provenance",),
    ("plots", "widgets"),
    ("explorables", "check"),
)
DISTRIBUTIONS = {"pil": "pillow"}  # where a package is not imported by its own name
HEAVY = ("torchvision", "matplotlib", "ipywidgets", "IPython", "onnx", "timm")


def imports(source: str, home: str = PACKAGE) -> Iterator[str]:
    """Absolute dotted names of what Python source imports, at any depth: `from a import b` is `a.b`.

    Args:
        home: the package that the source lies in, to which relative imports refer.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = home.split(".")[: len(home.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def climbs(module: str, source: str, home: str = PACKAGE) -> list[str]:
    """Imports of a module, or of a part of a package, that do not go down to a lower floor."""
    floor_of = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    bad = []
    for name in imports(source, home):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        # `from senet_edu import SEBlock` goes through __init__, which stands on everything below `zoo`.
        if top == PACKAGE and target != module and floor_of.get(target, floor_of["zoo"]) >= floor_of[module]:
            bad.append(name)
    return bad


@pytest.fixture(scope="module")
def sources(root: Path) -> dict[str, str]:
    """Source by dotted name below the package: `se`, `train.loop`; a package goes by its own name, `train`."""
    paths = sorted((root / PACKAGE).rglob("*.py"))
    names = [path.relative_to(root / PACKAGE).with_suffix("").parts for path in paths]
    return {
        ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts): path.read_text(encoding="utf-8")
        for parts, path in zip(names, paths)
    }


def home_of(name: str, sources: dict[str, str]) -> str:
    """The package that a module's relative imports refer to."""
    inside = name if any(other.startswith(f"{name}.") for other in sources) else name.rpartition(".")[0]
    return f"{PACKAGE}.{inside}".rstrip(".")


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Modules that reach themselves."""

    def reached(name: str, seen: set[str]) -> set[str]:
        for target in graph.get(name, set()) - seen:
            seen.add(target)
            reached(target, seen)
        return seen

    return sorted(name for name in graph if name in reached(name, set()))


def test_every_module_has_its_floor(sources: dict[str, str]) -> None:
    tops = {name.split(".")[0] for name in sources}
    assert tops - {"__init__", "__main__"} <= {name for names in FLOORS for name in names}


def test_imports_go_down(sources: dict[str, str]) -> None:
    found = {
        name: climbs(name.split(".")[0], source, home_of(name, sources))
        for name, source in sources.items()
        if not name.startswith("__")
    }
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_no_imports_form_a_circle(sources: dict[str, str]) -> None:
    """The names that a module imports, as the modules that hold them; a package's `__init__` is a module, too."""
    graph: dict[str, set[str]] = {}
    for name, source in sources.items():
        if name.startswith("__"):
            continue
        for target in imports(source, home_of(name, sources)):
            target = target.removeprefix(f"{PACKAGE}.")
            while target and target not in sources:
                target = target.rpartition(".")[0]
            if target:
                graph.setdefault(name, set()).add(target)
    assert circles(graph) == []


def test_a_circle_is_noticed() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "source",
    [
        "from senet_edu.plots import Picture",
        "import senet_edu.zoo",
        "from senet_edu import train",
        "from senet_edu import SEBlock",
        "def f():\n    from .plots import Picture",
    ],
)
def test_an_import_that_climbs_is_noticed(source: str) -> None:
    assert climbs("cost", source)


def test_a_relative_import_of_a_package_that_climbs_is_noticed() -> None:
    assert climbs("train", "from ..plots import Picture", "senet_edu.train")
    assert not climbs("train", "from .step import Step", "senet_edu.train")


def test_an_import_that_goes_down_is_allowed() -> None:
    assert not climbs("cost", "import torch\nfrom senet_edu.se import SEBlock\nfrom senet_edu import resnet")


def test_modules_and_functions_fit_in_the_head(root: Path) -> None:
    long = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        long += too_long(source, path.relative_to(root).as_posix())
    assert not long


def too_long(source: str, name: str) -> list[str]:
    """A module of over 500 lines, and functions of over 80, docstring and decorators counted."""
    lines = len(source.splitlines())
    found = [f"{name}: {lines} lines"] if lines > 500 else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines = node.end_lineno - first + 1
            found += [f"{name}, {node.name}: {lines} lines"] if lines > 80 else []
    return found


def test_what_is_too_long_is_noticed() -> None:
    body = "    pass\n"
    assert not too_long("@cache\ndef f():\n" + 78 * body, "m")
    assert too_long("@cache\ndef f():\n" + 79 * body, "m") == ["m, f: 81 lines"]
    assert too_long("class A:\n  def f(self):\n" + 80 * body, "m") == ["m, f: 81 lines"]
    assert not too_long(500 * "x = 1\n", "m") and too_long(501 * "x = 1\n", "m") == ["m: 501 lines"]


# Chapters

NO_PLOT = {"one_minute"}


def test_a_chapter_has_one_name_everywhere(root: Path) -> None:
    """Its notebook, its judges and their tests, its plots and theirs."""

    def slugs(folder: str, but: str = "", prefix: str = "") -> set[str]:
        return {path.stem.removeprefix(prefix) for path in (root / folder).glob(f"{prefix}*.py")} - set(but.split())

    book = {path.stem.partition("_")[2] for path in (root / "book").glob("*.ipynb")}
    judges = slugs("senet_edu/check", "__init__ judge")
    assert judges == book
    assert slugs("tests/check", "judge solutions", "test_") == judges
    plots = slugs("senet_edu/plots", "__init__ description style table")
    assert plots == book - NO_PLOT
    assert slugs("tests/plots", "description style table", "test_") == plots


def test_import_is_light() -> None:
    """Neither the package nor what trains without a notebook loads the libraries of figures and comparisons."""
    modules = ", ".join(f"{PACKAGE}.{name}" for name in ("train", "cost", "surgery", "interop", "zoo"))
    code = f"import sys, torch; before = set(sys.modules); import {modules}; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert PACKAGE in loaded
    assert [name for name in HEAVY if name in loaded] == []


# Requirements


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(root: Path) -> list[Requirement]:
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def closed(required: list[Requirement]) -> list[str]:
    """Requirements with anything but lower bounds."""
    return [str(one) for one in required if any(bound.operator not in (">=", ">") for bound in one.specifier)]


def test_only_lower_bounds(root: Path, project: dict) -> None:
    """torchvision pins its torch: another bound would replace the torch of an environment that works."""
    mine = [one for one in requirements(root) if one.name != "jupyter-book"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    assert closed(mine) == []
    assert closed([Requirement(line) for line in (*project["dependencies"], *extras)]) == []
    assert Requirement(f"python{project['requires-python']}").specifier.contains("3.14")


@pytest.mark.parametrize("line", ["torch==2.11", "torch>=2.6,<3", "torch~=2.6", "torchvision<1", "torch!=2.7"])
def test_a_closed_bound_is_noticed(line: str) -> None:
    assert closed([Requirement(line)]) == [str(Requirement(line))]


def test_the_book_is_built_by_jupyter_book_1(root: Path) -> None:
    (book,) = (one for one in requirements(root) if one.name == "jupyter-book")
    assert Version("2.0") not in book.specifier and Version("1.0.4.post1") in book.specifier


CORE = (
    "__init__",
    "__main__",
    "audit",
    "checks",
    "cost",
    "fold",
    "gates",
    "interop",
    "modes",
    "receptive",
    "relatives",
)
CORE += ("resnet", "se", "store", "surgery", "zoo")


def required(project: dict, extra: str = "") -> set[str]:
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {one.name for one in map(Requirement, lines) if one.name != project["name"]}
    return names | (required(project, "train") if extra == "book" else set())


def third_parties(sources: dict[str, str], modules: Callable[[str], bool]) -> set[str]:
    """Libraries that modules import when they are imported: at the top, or in a class."""
    found = set()
    for name, source in sources.items():
        if modules(name):
            tree = ast.parse(source)
            top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
            found |= {one.partition(".")[0].lower() for one in imports(ast.unparse(ast.Module(top, [])))}
    return found - {name.lower() for name in sys.stdlib_module_names} - {PACKAGE}


def test_the_package_requires_what_it_imports(sources: dict[str, str], project: dict) -> None:
    """Networks need torch, numpy and safetensors; all else is in an extra, and nothing is in one in vain."""
    assert third_parties(sources, lambda name: name in CORE) <= required(project) == {"numpy", "safetensors", "torch"}
    everything = {name.partition(".")[0].lower() for source in sources.values() for name in imports(source)}
    everything = {DISTRIBUTIONS.get(name, name) for name in everything}
    everything -= {name.lower() for name in sys.stdlib_module_names} | {PACKAGE, "timm", "pytorchcv"}
    assert everything == required(project) | required(project, "book") | (required(project, "onnx") & everything)


def test_the_core_imports_without_the_extras(root: Path) -> None:
    """In a process in which nothing but torch, numpy and safetensors can be imported."""
    code = """
import sys
extras = "torchvision filelock tqdm matplotlib ipywidgets IPython onnx onnxruntime onnxscript"
for name in extras.split():
    sys.modules[name] = None
import torch
from senet_edu import SEBlock, create_model, insert_se, load_pretrained, record_gates
model = load_pretrained("se_resnet20")
with record_gates(model) as gates:
    model(torch.randn(2, 3, 32, 32))
print(len(gates), create_model("se_resnet50", num_classes=0).num_features)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.split() == ["9", "2048"], done.stderr


def test_one_lower_bound_for_each_package(root: Path, project: dict) -> None:
    """requirements.txt asks for at least what the package asks for."""
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lowest = {one.name: one for one in map(Requirement, [*project["dependencies"], *extras])}
    for one in requirements(root):
        if one.name in lowest:
            for bound in lowest[one.name].specifier:
                assert all(Version(mine.version) >= Version(bound.version) for mine in one.specifier), str(one)


# What is tracked


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    if not shutil.which("git"):
        pytest.skip("no git here")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listing.returncode or not listing.stdout:
        pytest.skip("not a git checkout")
    return [path for name in listing.stdout.split("\0") if name and (path := root / name).is_file()]


def test_the_tree_is_small(tracked: list[Path]) -> None:
    assert sum(path.stat().st_size for path in tracked) < 10 * 2**20


def test_no_data_set_is_tracked(tracked: list[Path]) -> None:
    suffixes = {".npz", ".npy", ".bin", ".gz", ".tgz", ".zip", ".pkl", ".pickle", ".pt", ".pth", ".webp"}
    others = [path for path in tracked if path.parent.name != "posters"]  # still pictures of the book's figures
    assert [path for path in others if path.suffix in suffixes or "cifar-10-" in str(path)] == []
    assert [path for path in tracked if path.suffix == ".safetensors" and path.stat().st_size > 10**6] == []


def platform_text(source: str) -> list[int]:
    """Lines that write or read text in what this system takes for text: its encoding, its ends of lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            needed = {"write_text": {"encoding", "newline"}, "read_text": {"encoding"}}.get(node.func.attr, set())
            if not needed <= given:
                found.append(node.lineno)
    return found


def test_files_are_the_same_bytes_on_every_system(root: Path) -> None:
    """What the package, the scripts and the book's extensions write is tracked or hashed; Windows would write CRLF."""
    paths = [path for folder in (PACKAGE, "scripts", "book/_ext") for path in sorted((root / folder).rglob("*.py"))]
    found = {path.name: platform_text(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_text_of_one_system_is_noticed() -> None:
    source = "p.write_text(x)\np.write_text(x, encoding='utf-8')\np.read_text()\np.read_text(encoding='utf-8')"
    assert platform_text(source) == [1, 2, 3]


# The address of the repository


def other_addresses(text: str, repository: str) -> list[str]:
    """Addresses of repositories called as this one that are not it, in any of the ways in which they are written."""
    owner_and_name = repository.removeprefix("https://github.com/")
    name = owner_and_name.partition("/")[2]
    pattern = rf"(?:github\.com|colab\.research\.google\.com/github|github)[/:]([\w.-]+/{re.escape(name)})\b"
    return [found for found in re.findall(pattern, text) if found != owner_and_name]


def test_the_address_is_the_one_of_config(tracked: list[Path], repository: str) -> None:
    text_suffixes = {".md", ".toml", ".cff", ".py", ".ipynb", ".yml", ".txt", ".html", ".css", ".js", ".bib", ""}
    bad = {}
    for path in tracked:
        if path.suffix in text_suffixes and (found := other_addresses(path.read_text(encoding="utf-8"), repository)):
            bad[path.name] = found
    assert bad == {}


def test_the_front_pages_name_the_repository(root: Path, repository: str, project: dict) -> None:
    assert project["urls"]["Repository"] == repository
    assert yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["repository-code"] == repository
    for page in ("README.md", "book/index.md"):
        assert f"pip install git+{repository}" in (root / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "pip install git+https://github.com/{other}",
        "git clone git@github.com:{other}.git",
        "https://colab.research.google.com/github/{other}/blob/main/book/02_squeeze.ipynb",
    ],
)
def test_another_address_is_noticed(text: str, repository: str) -> None:
    mine = repository.removeprefix("https://github.com/")
    other = "somebody/" + mine.partition("/")[2]
    assert other_addresses(text.format(other=other), repository) == [other]
    assert other_addresses(text.format(other=mine), repository) == []


# What the front pages claim


@pytest.mark.parametrize("page", ["README.md", "book/index.md"])
def test_code_on_the_front_pages_runs(root: Path, page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (root / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    names: dict = {}
    for block in blocks:  # one after another, as a reader would run them
        exec(compile(block, page, "exec"), names)
    assert names["y"].shape == names["x"].shape


def test_citation_and_package_have_one_version(root: Path, sources: dict[str, str]) -> None:
    version = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert f'__version__ = "{version}"' in sources["__init__"]
