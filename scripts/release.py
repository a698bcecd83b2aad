"""Put everything that a release has into dist/: wheel, sdist, the site, the executed notebooks, the PDF, the weights.

    python scripts/release.py v1.0.0

Run `make book` and `make pdf` first (`make release TAG=v1.0.0` does all of it). The tag must be the version of the
package and that of CITATION.cff, and every file gets its line in SHA256SUMS. The notebooks and pages of a release name
its tag where those of the branch name the branch: a copy that is opened in a year fetches the package that it was
written for.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml

import senet_edu

ROOT = Path(__file__).resolve().parents[1]
DIST, SITE = ROOT / "dist", ROOT / "_build" / "html"
LEFT_OUT = {".buildinfo", ".doctrees"}
NAMES_THE_BRANCH = (".ipynb", ".html")
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]


def check_version(tag: str) -> None:
    """Raises:
    ValueError: the tag is not that of the package's and the citation's version.
    """
    cited = str(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"])
    for what, version in (("the package", senet_edu.__version__), ("CITATION.cff", cited)):
        if tag != f"v{version}":
            raise ValueError(f"the tag is {tag!r}, but {what} has version {version}: it must be v{version}")


def at_tag(text: str, tag: str) -> str:
    """A notebook or page whose badge, install cell and links to sources lead to a tag in place of the branch."""
    url, branch = REPOSITORY["url"], REPOSITORY["branch"]
    place = re.escape(url.removeprefix("https://github.com/"))
    text = re.sub(rf"(github(?:\.com)?/{place}/(?:blob|tree))/{branch}/", rf"\1/{tag}/", text)
    return re.sub(rf"(git\+{re.escape(url)})(?![\w@./-])", rf"\1@{tag}", text)


def pack(path: Path, files: dict[str, Path], tag: str) -> None:
    """Write a ZIP of files under the given names; equal files give an equal archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            content = files[name].read_bytes()
            if name.endswith(NAMES_THE_BRANCH):
                content = at_tag(content.decode("utf-8"), tag).encode("utf-8")
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def below(folder: Path, pattern: str = "*") -> dict[str, Path]:
    """Files by their path from the folder, without what only a later build would need."""
    paths = (path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths if not LEFT_OUT & set(path.parts)}


def release(tag: str) -> list[Path]:
    """Fill dist/ anew; returns its files.

    Raises:
        ValueError: a version does not fit the tag, or the book was not built.
    """
    check_version(tag)
    pdf = ROOT / "_build" / "pdf" / "senet-edu.pdf"
    for made, how in ((SITE / "index.html", "make book"), (pdf, "make pdf")):
        if not made.is_file():
            raise ValueError(f"{made.relative_to(ROOT)} is missing: run {how} first")
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--outdir", DIST, ROOT], check=True)
    built = sorted(DIST.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *built], check=True)
    pack(DIST / f"senet-edu-{tag}-site.zip", below(SITE), tag)
    pack(DIST / f"senet-edu-{tag}-notebooks.zip", below(ROOT / "book", "*.ipynb"), tag)
    shutil.copy(pdf, DIST / f"senet-edu-{tag}.pdf")
    for path in sorted((ROOT / "senet_edu" / "weights").glob("*.safetensors")):
        shutil.copy(path, DIST)
    files = sorted(DIST.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")
    return [*files, DIST / "SHA256SUMS"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tag", help="v and the version, as in v1.0.0")
    try:
        for path in release(parser.parse_args().tag):
            print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"Error: {error}") from None
