"""Fetch the files of other projects that the book carries, so that its pages and tests ask no other host for anything.

    python scripts/vendor.py            # fetch them again, from npm; stops where a hash is not that of vendor.sha256
    python scripts/vendor.py --renew    # after changing a version or a list below: write the new files and hashes

KaTeX draws the equations, in a third of MathJax's bytes. axe-core looks for what a screen reader trips over.
What is fetched is committed, each beside its license. The hashes can also be checked by `sha256sum -c vendor.sha256`.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HASHES = ROOT / "scripts" / "vendor.sha256"

# npm package and version: what is copied from it (a glob), and into which folder
COPIED = {
    "katex@0.19.1": {
        "LICENSE": "book/assets/katex",
        "dist/katex.min.js": "book/assets/katex",
        "dist/katex.min.css": "book/assets/katex",
        "dist/fonts/*.woff2": "book/assets/katex/fonts",
    },
    "axe-core@4.14.1": {
        "LICENSE": "tests/axe",
        "LICENSE-3RD-PARTY.txt": "tests/axe",
        "axe.min.js": "tests/axe",
    },
}


def fetch(package: str, folder: Path) -> Path:
    """The unpacked folder of an npm package; npm itself compares the archive with the registry's hash."""
    command = ["npm", "pack", "--silent", package]
    archive = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]
    unpacked = folder / re.sub(r"\W+", "-", package)
    with tarfile.open(folder / archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package"


def fetch_all(folder: Path) -> dict[str, bytes]:
    """Contents of all vendored files, by path in the repository."""
    files = {}
    for name, wanted in COPIED.items():
        package = fetch(name, folder)
        for pattern, target in wanted.items():
            found = sorted(package.glob(pattern))
            if not found:
                raise SystemExit(f"{name} has no {pattern}")
            files |= {f"{target}/{path.name}": path.read_bytes() for path in found}
    return files


def sums(files: dict[str, bytes]) -> str:
    """The hashes of files, in the form of sha256sum, with paths relative to the repository."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items()))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="accept other hashes than those of vendor.sha256")
    renew = parser.parse_args(arguments).renew
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_all(Path(folder))
    if not renew and sums(files) != HASHES.read_text(encoding="utf-8"):
        raise SystemExit("what npm gave is not what vendor.sha256 expects; nothing was written")
    for path, data in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_bytes(data)
    HASHES.write_text(sums(files), encoding="utf-8", newline="\n")
    print(f"{len(files)} files, {sum(map(len, files.values())) / 1024:.0f} KB")


if __name__ == "__main__":
    main()
