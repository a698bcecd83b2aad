"""The package as others get it: the wheel and what an index shows of it, a clone on Windows, and the install cell of a
notebook that meets an older package. Nothing is fetched: git finds a copy of this tree under the repository's address.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from email import message_from_string
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from importlib.metadata import metadata as metadata_of
from pathlib import Path

import matplotlib
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import senet_edu
from senet_edu.extras import extra

ROOT = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
PUBLISHED = CONFIG["sphinx"]["config"]["html_baseurl"]
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}  # 0: none, indeed
GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.org"}
GIT |= {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@example.org"}
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="no git here")


def run(*command: str | Path, **options: object) -> str:
    """What a command prints. Fails the test with all that it said where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, encoding="utf-8", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The wheel


def copy_sources(folder: Path) -> Path:
    """What a build takes, in a folder of its own, so that it leaves nothing in the repository."""
    folder.mkdir()
    for name in PACKAGED:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "senet_edu", folder / "senet_edu", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def build(sources: Path, out: Path) -> Path:
    """The wheel of a folder of sources."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, sources, env=os.environ | OFFLINE)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return build(copy_sources(folder / "sources"), folder / "out")


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return message_from_string(archive.read(name).decode("utf-8"))


def test_the_wheel_has_all_that_the_package_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("senet_edu/")}
    files = (path for path in (ROOT / "senet_edu").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert packed == {path.relative_to(ROOT).as_posix() for path in files}


def other_than_addresses(markdown: str) -> list[str]:
    """Targets of links and images that lead somewhere only beside the file, or only where headings are anchors."""
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:href|src)=\"([^\"]+)", prose, re.MULTILINE)
    return [target for found in targets if not (target := "".join(found)).startswith("https://")]


def test_an_index_shows_no_dead_link(metadata: Message) -> None:
    text = metadata.get_payload()
    assert "# Squeeze-and-Excitation" in text and text.count("](https://") > 20
    assert other_than_addresses(text) == []
    for name in re.findall(rf"{re.escape(PUBLISHED)}(\w+)\.html", text):
        assert any((ROOT / "book" / f"{name}{suffix}").is_file() for suffix in (".ipynb", ".md")), name
    for path in re.findall(rf"{re.escape(CONFIG['repository']['url'])}/(?:blob|tree)/main/([^)\s#]+)", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("link", ["[x](LICENSE)", "[x](#use)", "![x](a.png 'y')", "[x]: book/", '<img src="a.png">'])
def test_a_dead_link_is_noticed(link: str) -> None:
    assert other_than_addresses(f"# A\n\n[y](https://example.org)\n\n{link}\n") != []


def test_an_index_says_what_it_is(metadata: Message) -> None:
    assert metadata["Version"] == senet_edu.__version__
    links = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL"))
    assert links["Documentation"] == PUBLISHED and links["Repository"] == CONFIG["repository"]["url"]
    classifiers = metadata.get_all("Classifier")
    assert any(one.startswith("Programming Language :: Python :: 3.") for one in classifiers)
    assert metadata["Keywords"] and not any(one.startswith("License ::") for one in classifiers)  # License-Expression


# The wheel without extras


def required(*names: str) -> set[str]:
    """Distributions that these need, and they themselves, as far as they are installed here."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = canonicalize_name(left.pop())
        try:
            needs = [Requirement(line) for line in metadata_of(name).get_all("Requires-Dist") or []]
        except PackageNotFoundError:  # for another platform
            continue
        if name not in found:
            found.add(name)
            left += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def bare(wheel: Path, metadata: Message, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and what the wheel requires, linked from here, and no other library."""
    if os.name == "nt":
        pytest.skip("links need rights on Windows")
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    direct = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    for name in required(*(one.name for one in direct if one.marker is None)):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__", "bin"}:
            here = Path(str(distribution(name).locate_file(top)))
            if here.exists() and not (site / top).exists():
                (site / top).symlink_to(here)
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", "--no-deps", wheel)
    return folder / "bin" / "python"


BARE = """
import importlib, json, pkgutil, sys
import senet_edu, torch
from senet_edu import SEBlock, create_model, fold_gates, insert_se, load_pretrained, override_gates, record_gates
from senet_edu.audit import audit

model, x = load_pretrained("se_resnet20"), torch.zeros(2, 3, 32, 32)
with record_gates(model) as gates, override_gates(model, {"layer1.0.se": 1.0}):
    model(x)
insert_se(create_model("resnet8"), "layer1", input_size=(3, 32, 32))
assert len(gates) == 9 and audit(model, x).healthy and fold_gates(model, x).folded and SEBlock(16)
failed = {}
def tried(what, call, *args):
    try:
        call(*args)
    except ImportError as error:
        failed[what] = str(error)
for name in senet_edu.__all__:
    tried(name, getattr, senet_edu, name)
for module in pkgutil.iter_modules(senet_edu.__path__):
    if module.name != "__main__":
        tried(f"import {module.name}", importlib.import_module, f"senet_edu.{module.name}")
tried("se_inception_v3()", senet_edu.se_inception_v3)
tried("export_onnx()", senet_edu.export_onnx, create_model("se_resnet8"), sys.argv[1])
print(json.dumps(failed))
"""
WITHOUT_EXTRAS = {
    **dict.fromkeys(("load_cifar10", "load_cifar100"), "train"),
    **{f"import {name}": "train" for name in ("analysis", "compatibility", "data", "explorables", "train")},
    **{f"import {name}": "book" for name in ("check", "plots", "widgets")},
    "se_inception_v3()": "book",
    "export_onnx()": "onnx",
}


def test_networks_need_no_extra_and_an_error_names_the_one_that_is_missing(bare: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    failed = json.loads(run(bare, "-c", BARE, tmp_path / "x.onnx", cwd=tmp_path, env=env))
    assert {what: re.findall(r'pip install "senet-edu\[(\w+)\]"', error) for what, error in failed.items()} == {
        what: [name] for what, name in WITHOUT_EXTRAS.items()
    }
    assert f"senet_edu {senet_edu.__version__}" in run(bare, "-m", "senet_edu", cwd=tmp_path, env=env)


def test_only_a_missing_library_is_blamed_on_an_extra() -> None:
    for statement, message in (
        ("import no_such_library.part", "no_such_library is not installed"),
        ("import senet_edu.no", "No module"),
    ):
        with pytest.raises(ModuleNotFoundError, match=message), extra("book"):
            exec(statement)


# The install cell


def cells(name: str) -> list[str]:
    """The code of a chapter."""
    notebook = json.loads((ROOT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


INSTALL, *REST = cells("02_squeeze")
RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell).raise_error()
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A reader's Python, with the libraries of this one and an older senet_edu, and with git that finds a copy of this
    tree under the repository's address: reader(cells, online=True) runs cells in a fresh session and gives what they
    print.
    """
    folder = tmp_path_factory.mktemp("reader")
    venv.create(folder / "environment", symlinks=os.name != "nt")
    python = folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    libraries = Path(matplotlib.__file__).parents[1]
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (own / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")

    older = copy_sources(folder / "older")
    start = older / "senet_edu" / "__init__.py"
    text = re.sub(r'__version__ = "[^"]+"', '__version__ = "0.9.0"', start.read_text(encoding="utf-8"))
    assert "find_gates" in text
    start.write_text(re.sub(r'\bfind_gates\b,?|"find_gates",?', "", text), encoding="utf-8")
    old = build(older, folder / "old")

    here = copy_sources(folder / "repository")
    (folder / "gitconfig").write_text(
        f'[url "{here.as_uri()}"]\n\tinsteadOf = {CONFIG["repository"]["url"]}\n', encoding="utf-8"
    )
    env = os.environ | OFFLINE | GIT | {"GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
    env |= {"IPYTHONDIR": str(folder / "ipython"), "MPLBACKEND": "agg"}
    env.pop("PYTHONPATH", None)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Today"]):
        run("git", *command, cwd=here, env=env)
    elsewhere = env | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_ALLOW_PROTOCOL": "none"}

    def session(code: list[str], online: bool = True) -> str:
        run(python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", old, env=env)
        return run(python, "-c", RUN, input=json.dumps(code), cwd=folder, env=env if online else elsewhere)

    return session


VERSION = "import senet_edu; print('it is', senet_edu.__version__, hasattr(senet_edu, 'find_gates'))"


@needs_git
def test_an_older_package_is_renewed_and_the_new_code_runs(reader: Callable[..., str]) -> None:
    assert "it is 0.9.0 False" in reader([VERSION])
    said = reader([INSTALL, REST[0], VERSION])
    assert f"it is {senet_edu.__version__} True" in said
    assert "Restart" not in said and "could not" not in said


@needs_git
def test_where_the_older_one_is_imported_already_it_says_what_to_do(reader: Callable[..., str]) -> None:
    assert "The package was renewed. Choose Runtime, Restart session" in reader([VERSION, INSTALL])


@needs_git
def test_without_a_network_it_says_so(reader: Callable[..., str]) -> None:
    said = reader([INSTALL, VERSION], online=False)
    assert "The package could not be fetched. Is there a network?" in said and "it is 0.9.0" in said


# A clone on Windows, whose git writes CRLF


def endings(folder: Path) -> list[str]:
    """Text files of a checkout that do not lie in it with the line ends that they were committed with."""
    lines = run("git", "ls-files", "--eol", cwd=folder).splitlines()
    found = [re.match(r"i/(\S*)\s+w/(\S*)\s+attr/.*?\t(.*)", line) for line in lines]
    return [match[3] for match in found if match[1] != match[2]]


@needs_git
def test_a_clone_with_autocrlf_has_the_bytes_that_were_committed(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    run("git", "-c", "core.autocrlf=true", "clone", "-q", "--no-hardlinks", ROOT, tmp_path / "clone")
    run("git", "config", "core.autocrlf", "true", cwd=tmp_path / "clone")
    assert endings(tmp_path / "clone") == []
    assert run("git", "status", "--porcelain", cwd=tmp_path / "clone") == ""
    command = (tmp_path / "clone" / ".ci" / "run").read_bytes()
    assert command.startswith(b"#!") and b"\r" not in command


@needs_git
def test_without_attributes_the_bytes_would_differ(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_bytes(b"one\ntwo\n")
    env = os.environ | GIT
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        run("git", "-c", "core.autocrlf=false", *command, cwd=tmp_path / "a", env=env)
    run("git", "-c", "core.autocrlf=true", "clone", "-q", tmp_path / "a", tmp_path / "b")
    assert endings(tmp_path / "b") == ["x.txt"]
