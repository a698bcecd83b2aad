"""Fetch the files of other projects that the book carries, so that its pages and tests ask no other host for anything.

    python scripts/vendor.py            # fetch them again, from npm; stops where a hash is not that of vendor.sha256
    python scripts/vendor.py --renew    # after changing a version or a list below: write the new files and hashes

KaTeX draws the equations, in a third of MathJax's bytes. Font Awesome's icons are those of the theme, which would load
all 2,000 (540 KB compressed) for the 17 that its pages show. axe-core looks for what a screen reader trips over.
What is fetched is committed, each beside its license. The hashes can also be checked by `sha256sum -c vendor.sha256`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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

FONT_AWESOME = "@fortawesome/fontawesome-free@6.7.2"  # as in the theme
ICONS = (
    *("angle-left", "angle-right", "arrow-up", "bars", "circle-half-stroke", "download", "expand", "file", "file-pdf"),
    *("lightbulb", "list", "magnifying-glass", "moon", "rocket", "sun", "xmark", "github"),
)
# The theme loads its icons from this path; a file of ours at the same path takes its place.
ICON_SCRIPT = "book/assets/scripts/fontawesome.js"
ICON_TEMPLATE = """\
/* The icons that the theme shows, in place of its script that holds all of them. Written by scripts/vendor.py.
   Font Awesome Free {version}, https://fontawesome.com, CC BY 4.0, https://creativecommons.org/licenses/by/4.0/ */
(() => {{
  const icons = {icons};
  for (const element of document.querySelectorAll('i[class*="fa-"], span[class*="fa-"]')) {{
    const name = [...element.classList].map((c) => c.replace("fa-", "")).find((c) => c in icons);
    if (!name) continue;
    const [width, height, path] = icons[name];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const attributes = {{ viewBox: `0 0 ${{width}} ${{height}}`, "aria-hidden": true, fill: "currentColor" }};
    for (const {{ name, value }} of element.attributes) attributes[name] = value;
    attributes.class = `${{element.className}} svg-inline--fa`;
    for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
    svg.appendChild(document.createElementNS(svg.namespaceURI, "path")).setAttribute("d", path);
    element.replaceWith(svg);
  }}
}})();
"""


def fetch(package: str, folder: Path) -> Path:
    """The unpacked folder of an npm package; npm itself compares the archive with the registry's hash."""
    command = ["npm", "pack", "--silent", package]
    archive = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]
    unpacked = folder / re.sub(r"\W+", "-", package)
    with tarfile.open(folder / archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package"


def icon_script(package: Path) -> str:
    icons = {}
    for name in ICONS:
        (path,) = (p for style in ("solid", "brands") if (p := package / "svgs" / style / f"{name}.svg").exists())
        width, height, drawing = re.search(r'viewBox="0 0 (\d+) (\d+)".*<path d="([^"]+)"', path.read_text()).groups()
        icons[name] = [int(width), int(height), drawing]
    return ICON_TEMPLATE.format(version=FONT_AWESOME.rpartition("@")[2], icons=json.dumps(icons, indent=0))


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
    package = fetch(FONT_AWESOME, folder)
    files[ICON_SCRIPT] = icon_script(package).encode()
    files[str(Path(ICON_SCRIPT).parent / "LICENSE")] = (package / "LICENSE.txt").read_bytes()
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
    HASHES.write_text(sums(files), encoding="utf-8")
    print(f"{len(files)} files, {sum(map(len, files.values())) / 1024:.0f} KB")


if __name__ == "__main__":
    main()
