"""The furniture of a page: contents in groups with numbers, titles with the chapter's, the links of the bar, one sheet.

The theme's own layout, styles and scripts, for 700 KB of which a page would wait, are not used:
`_templates/layout.html` is the whole page.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from docutils import nodes
from pydata_sphinx_theme.pygments import get_pygments_stylesheet
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

BRAND = "Squeeze & Excitation"
COLAB = "https://colab.research.google.com/github"
SHEET = "book.css"
OWN = ("page.js", "math.js", "katex")
"""Of the scripts and styles that extensions ask for, those that a page gets."""


def number(name: str) -> str:
    """A chapter's number, from the name of its file: `02_squeeze` is 2; nothing for other pages."""
    found = re.match(r"(\d+)_", name)
    return str(int(found[1])) if found else ""


def titles(app: Sphinx) -> dict[str, str]:
    return {name: title.astext() for name, title in app.env.titles.items()}


def groups(app: Sphinx) -> list[dict[str, Any]]:
    """The contents as _toc.yml has them: captions, and of each page name, number and title."""
    table = yaml.safe_load((Path(app.srcdir) / "_toc.yml").read_text(encoding="utf-8"))
    known = titles(app)
    return [
        {
            "caption": part["caption"],
            "pages": [
                {"name": name, "number": number(name), "title": known[name]}
                for name in (chapter["file"] for chapter in part["chapters"])
            ],
        }
        for part in table["parts"]
    ]


def drop_badges(app: Sphinx, doctree: nodes.document) -> None:
    """Colab's badge stands in a notebook for those who read it elsewhere. In the page, the bar has it."""
    for image in list(doctree.findall(nodes.image)):
        link = image.parent
        if isinstance(link, nodes.reference) and link.get("refuri", "").startswith(COLAB):
            paragraph = link.parent
            (paragraph if len(paragraph.children) == 1 else link).replace_self([])


def own_pages(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Notebooks name other chapters by the address of the published book. A page leads to the page beside it."""
    base = app.config.html_baseurl
    for link in doctree.findall(nodes.reference):
        address, _, fragment = link.get("refuri", "").partition("#")
        if not address.startswith(base) or not address.endswith(".html"):
            continue
        name = address.removeprefix(base).removesuffix(".html")
        if name not in app.env.found_docs:
            logger.warning("no page of the book is called %s", name, location=link)
            continue
        link["refuri"] = app.builder.get_relative_uri(docname, name) + (f"#{fragment}" if fragment else "")
        link["internal"] = True


def sheet(app: Sphinx) -> str:
    """Everything that every page needs: the tokens, the colors of code, and our own sheets; without their comments."""
    options = app.config.html_theme_options
    code = get_pygments_stylesheet(options["pygments_light_style"], options["pygments_dark_style"])
    parts = [
        (Path(app.outdir) / "_static" / "tokens.css").read_text(encoding="utf-8"),
        re.sub(r'^html\[data-theme="light"\] ', "", code, flags=re.MULTILINE),
        *((Path(app.srcdir) / "assets" / name).read_text(encoding="utf-8") for name in ("custom.css", "front.css")),
    ]
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"/\*.*?\*/", "", "\n".join(parts), flags=re.DOTALL)).strip() + "\n"


def write_sheet(app: Sphinx) -> None:
    if app.builder.format == "html":
        path = Path(app.outdir) / "_static" / SHEET
        path.write_text(sheet(app), encoding="utf-8", newline="\n")
        app.sheet_version = sha256(path.read_bytes()).hexdigest()[:8]


def loaded(context: dict[str, Any], files: list[Any]) -> list[str]:
    """Addresses of the files that a page loads, of those that were added to it."""
    names = [str(file.filename) for file in files if getattr(file, "filename", None)]
    return [context["pathto"](name, 1) for name in names if any(f"/{own}" in f"/{name}" for own in OWN)]


def with_number(body: str, which: str) -> str:
    """A page whose title begins with its chapter's number."""
    return body.replace("<h1>", f'<h1><span class="number">{which}</span> ', 1) if which else body


def furnish(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """`book`, what the layout shows beside the text."""
    repository, which = app.config.html_theme_options["repository_url"], number(pagename)
    title = titles(app).get(pagename) or re.sub(r"<[^>]+>", "", context.get("title", "")) or "Search"
    front = pagename == app.config.root_doc
    source = Path(app.env.doc2path(pagename, base=False)) if pagename in app.env.found_docs else None
    notebook = source is not None and source.suffix == ".ipynb"
    path = f"blob/main/book/{source}" if source else ""
    report = {"template": "sentence.yml", "title": f"{which or title}: "}
    context["book"] = {
        "front": front,
        "groups": groups(app),
        "tab": BRAND if front else f"{f'{which} · ' if which else ''}{title} · {BRAND}",
        "where": f"Chapter {which} · {title}" if which else title,
        "sections": "</ul>" in (context.get("toc") or "").partition("<ul>")[2].partition("<ul>")[2],
        "colab": f"{COLAB}/{repository.removeprefix('https://github.com/')}/{path}" if notebook else "",
        "source": f"{repository}/{path}",
        "mistake": f"{repository}/issues/new?{urlencode(report)}",
        "style": f"{context['pathto'](f'_static/{SHEET}', 1)}?v={app.sheet_version}",
        "styles": loaded(context, context["css_files"]),
        "scripts": [context["pathto"]("_static/page.js", 1), *loaded(context, context["script_files"])],
    }
    context["metatags"] = re.sub(r'<meta name="viewport"[^>]*>\s*', "", context.get("metatags", ""))
    if "body" in context:
        context["body"] = with_number(context["body"], which)
    for side in ("prev", "next"):
        if page := context.get(side):
            name = page["link"].partition("#")[0].removesuffix(".html")
            context[side] = page | {"title": f"{number(name)} {page['title']}".strip()}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", drop_badges, priority=90)  # before Sphinx collects a page's images
    app.connect("doctree-resolved", own_pages)
    app.connect("builder-inited", write_sheet, priority=900)  # behind the tokens
    app.connect("html-page-context", furnish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
