"""The figures' scripts, as one text that any page can carry.

A figure's script is an ES module that imports others by name: `import { figure, h } from "./lib/core.js";`. A browser
loads no module from a file on disk, and a notebook has no files to load, so each module becomes one statement that puts
what it exports into a table: `SE["lib/core.js"] = (() => { …; return { figure, h }; })();`. A page has one table, each
cell that is run in a notebook has its own: an old script and a new one never meet.

This module imports nothing of the package, so that a page can be made without PyTorch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePosixPath

FIGURES = Path(__file__).resolve().parents[1]
IMPORT = re.compile(r'^import (?P<what>\w+|\{[^}]*\}) from "(?P<path>\.[^"]*)"(?: with \{[^}]*\})?;\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|let|function|async function|class) (\w+|\{[\w\s,]*\}))", re.MULTILINE)
STORED = (
    (r"(?s)(>)\n<script data-se>.*?</script>", r"\1"),
    (r"(</?se-[a-z]+(?:-[a-z]+)*)-[0-9a-f]{8}(?=[ >])", r"\1"),
    (r'(<script type="application/json" data-se-network="[\w-]+">)[^<]+', r"\1"),
)
"""What a chapter does not store of a figure: scripts, their version, and the weights of networks, which pages get from
the package."""
LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@cache
def source(name: str) -> str:
    """A script, style sheet or JSON file by its path from this package's folder of figures, as `"lib/core.js"`.

    Raises:
        ValueError: there is none of that name, or it would end the script element that it is put into.
    """
    path = FIGURES / name
    if not path.is_file():
        raise ValueError(f"name must be that of a file of {FIGURES.name}, got {name!r}")
    text = path.read_text(encoding="utf-8")
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"{name} would end the script element that it is put into")
    return text


def imported(name: str) -> list[str]:
    """The files that a script imports itself, as paths from the folder of figures."""
    if not name.endswith(".js"):
        return []
    folder = PurePosixPath(name).parent
    return [_resolved(folder, match["path"]) for match in IMPORT.finditer(source(name))]


def _resolved(folder: PurePosixPath, path: str) -> str:
    parts: list[str] = []
    for part in (folder / path).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def needed(*names: str) -> list[str]:
    """Scripts with all that they import, each once and behind what it imports itself.

    Raises:
        ValueError: they import each other in a circle.
    """
    order: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"scripts import each other in a circle: {' → '.join((*above, name))}")
        if name not in order:
            for other in imported(name):
                visit(other, (*above, name))
            order.append(name)

    for name in names:
        visit(name, ())
    return order


@cache
def statement(name: str) -> str:
    """A file as a statement that puts it into the table `SE`: what a script exports, a style sheet as a string.

    Raises:
        ValueError: an import or export in a form that is not known here.
    """
    key, text = json.dumps(name), source(name)
    if name.endswith(".json"):
        return f"SE[{key}] = {json.dumps(json.loads(text), separators=(',', ':'))};\n"
    if name.endswith(".css"):
        return f"SE[{key}] = {json.dumps(text)};\n"
    folder = PurePosixPath(name).parent

    def constant(match: re.Match[str]) -> str:
        what = match["what"].replace(" as ", ": ")
        return f"const {what} = SE[{json.dumps(_resolved(folder, match['path']))}];\n"

    exports = [part.strip() for match in EXPORT.finditer(text) for part in match[1].strip("{} ").split(",")]
    body = EXPORT.sub("", IMPORT.sub(constant, text))
    if left := LEFT.search(body):
        raise ValueError(f'{name}: write `import {{ a }} from "./b.js";` or `export const a`, got {left[0]!r}')
    return f'SE[{key}] = (() => {{\n"use strict";\n{body}return {{ {", ".join(exports)} }};\n}})();\n'


@cache
def version(*names: str) -> str:
    """Eight digits that change with any character of the scripts."""
    return sha256("".join(map(statement, needed(*names))).encode()).hexdigest()[:8]


def in_a_cell(name: str) -> str:
    """A script element with all that a cell of a notebook needs, in a table of its own.

    The elements that it defines end in its version, so that an older script in the same notebook, whose elements a
    browser cannot forget, has not taken their names.
    """
    suffix = f'SE["lib/suffix.js"] = {{ suffix: "-{version(name)}" }};\n'
    statements = [suffix if other == "lib/suffix.js" else statement(other) for other in needed(name)]
    return f"<script data-se>(() => {{\nconst SE = {{}};\n{''.join(statements)}}})();</script>"


def in_a_page(name: str) -> str:
    """A file for a page, in the table that all of a page's files share."""
    return f"var SE = globalThis.SE ?? {{}};\n{statement(name)}"


def with_scripts(html: str, element: Callable[[str], str]) -> str:
    """The HTML of a page with what its figures need, each script once, behind the first figure that needs it.

    Args:
        html: with elements as `Explorable.element` writes them.
        element: makes the script element of a file, given its name.
    """
    there: set[str] = set()

    def behind(match: re.Match[str]) -> str:
        name = match[1].replace("-", "_") + ".js"
        new = [other for other in needed(name) if other not in there] if (FIGURES / name).is_file() else []
        there.update(new)
        return match[0] + "".join(map(element, new))

    return re.sub(r"</se-([a-z]+(?:-[a-z]+)*)>", behind, html)


def stored(html: str) -> str:
    """The HTML that a cell has shown, without what changes with every character of a script: its text and version.

    This is what chapters store. Other HTML is returned as it is.
    """
    for pattern, replacement in STORED:
        html = re.sub(pattern, replacement, html)
    return html
