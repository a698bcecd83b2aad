"""Run chapters as a reader in Colab does: each notebook alone in an empty folder, its own install cell first.

    python scripts/run_as_colab.py                          # all chapters
    python scripts/run_as_colab.py book/02_squeeze.ipynb

A fresh environment gets the versions that Colab lists (.github/constraints/colab.txt) and no `senet_edu`; the address
of the repository leads to this checkout's last commit. So what is tried is the notebook, its install cell, and the
package as it would be fetched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ROOT / ".github" / "constraints" / "colab.txt"
COLAB_HAS = ("torch", "torchvision", "numpy", "matplotlib", "ipython", "ipykernel", "ipywidgets", "safetensors", "tqdm")
NEEDED_TO_RUN = ("nbclient", "nbformat")
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, startup_timeout=180, kernel_name="python3").execute()
"""


def make_environment(folder: Path) -> Path:
    """A virtual environment with Colab's versions of what chapters need; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    env = os.environ | {"PIP_CONSTRAINT": str(VERSIONS)}
    subprocess.run([python, "-m", "pip", "install", "-q", *COLAB_HAS, *NEEDED_TO_RUN], env=env, check=True)
    return python


def redirect(home: Path) -> dict[str, str]:
    """An environment in which git finds this checkout under the repository's address."""
    address = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    copy = home / "repository"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, copy], check=True)
    (home / ".gitconfig").write_text(
        f'[url "file://{copy}"]\n\tinsteadOf = {address}\n', encoding="utf-8", newline="\n"
    )
    return os.environ | {"GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "PIP_CONSTRAINT": str(VERSIONS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of book/ when left out")
    notebooks = parser.parse_args().notebooks or sorted((ROOT / "book").glob("*.ipynb"))
    failed = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        python = make_environment(home / "environment")
        env = redirect(home)
        for path in notebooks:
            # The next reader starts without the package, too.
            subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "senet-edu"], env=env, check=True)
            empty = home / path.stem
            empty.mkdir()
            shutil.copy(path, empty)
            started = time.perf_counter()
            run = subprocess.run([python, "-c", RUN, path.name], cwd=empty, env=env, capture_output=True, text=True)
            print(
                f"{path.stem}: {'failed' if run.returncode else 'ran'}, {time.perf_counter() - started:.0f} s",
                flush=True,
            )
            if run.returncode:
                failed.append(path.stem)
                print(run.stderr[-3000:])
    if failed:
        sys.exit(f"{len(failed)} failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
