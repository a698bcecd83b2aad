"""Pages that carry everything: equations by the vendored KaTeX, the scripts of the figures that
stand on them.

And nothing that trips a screen reader: no empty headings of tables, no roles that are no more.
"""

from __future__ import annotations

import importlib.util
import re
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

PACKAGE = Path(__file__).resolve().parents[2] / "senet_edu"
FIGURES = "explorables"  # the folder of their scripts, in _static
SHARED = "lib/core.js"  # with what it imports, what every figure needs
MARK = re.compile(r"\0([^\0]+)\0")
"""Where a script of a figure belongs, until its file is known."""


def visit_inline_math(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(translator.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    translator.body.append(f"{translator.encode(node.astext())}</span>")
    raise nodes.SkipNode


def visit_display_math(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", "", CLASS="math notranslate nohighlight"))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    tex = node.astext().strip()
    if r"\\" in tex and not node.get("nowrap"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    translator.body.append(f'<span class="tex">{translator.encode(tex)}</span></div>\n')
    raise nodes.SkipNode


def visit_entry(translator: HTML5Translator, node: nodes.entry) -> None:
    """The corner above row names heads nothing: an ordinary cell."""
    HTML5Translator.visit_entry(translator, node)
    if not node.astext().strip() and translator.body[-1].startswith("<th"):
        translator.body[-1] = translator.body[-1].replace("<th", "<td", 1)
        translator.context[-1] = translator.context[-1].replace("</th", "</td")


def depart_entry(translator: HTML5Translator, node: nodes.entry) -> None:
    HTML5Translator.depart_entry(translator, node)


def visit_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    """Without docutils' roles, of which doc-biblioentry is deprecated and list does not allow what is within."""
    start = len(translator.body)
    HTML5Translator.visit_citation(translator, node)
    translator.body[start:] = [re.sub(r' role="[\w-]+"', "", part) for part in translator.body[start:]]


def depart_citation(translator: HTML5Translator, node: nodes.citation) -> None:
    HTML5Translator.depart_citation(translator, node)


def drop_empty_heads(app: Sphinx, doctree: nodes.document) -> None:
    """Markdown has no table without a head; an empty one is none."""
    for head in list(doctree.findall(nodes.thead)):
        if not head.astext().strip():
            head.parent.remove(head)


def load_scripts() -> ModuleType:
    """The package's module of that name, without the package, which would load PyTorch."""
    path = PACKAGE / "explorables" / "lib" / "scripts.py"
    spec = importlib.util.spec_from_file_location("figure_scripts", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def all_scripts(scripts: ModuleType) -> list[str]:
    """What the figures need, all of them together."""
    names = sorted(path.name for path in scripts.FIGURES.glob("*.js"))
    return scripts.needed(*names)


def add_figures(app: Sphinx, context: dict[str, Any]) -> None:
    """Behind the first figure that needs them, each script once a page, in two files.

    The first figure's brings what all of them share, which is the same file on every page. A file for each script would
    be some twenty requests before the first figure moves.
    """
    scripts = app.figure_scripts
    shared = set(scripts.needed(SHARED))

    def element(names: list[str]) -> str:
        if not names:
            return ""
        text = "".join(map(scripts.in_a_page, names))
        name = f"{FIGURES}/{Path(names[-1]).stem}.{sha256(text.encode()).hexdigest()[:8]}.js"
        path = Path(app.outdir) / "_static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return f'<script src="{context["pathto"](f"_static/{name}", True)}"></script>'

    def files(match: re.Match[str]) -> str:
        names = MARK.findall(match[0])
        return element([n for n in names if n in shared]) + element([n for n in names if n not in shared])

    marked = scripts.with_scripts(context["body"], "\0{}\0".format)
    context["body"] = re.sub(f"(?:{MARK.pattern})+", files, marked)


def finish_page(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """KaTeX only where there is an equation, figures' scripts where there is one."""
    if doctree is not None and any(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        app.add_css_file("katex/katex.min.css")
        app.add_js_file("katex/katex.min.js", loading_method="defer")
        app.add_js_file("math.js", loading_method="defer")
    if "body" in context:
        add_figures(app, context)
        # the label of folded cells hides the words that they show
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def setup(app: Sphinx) -> dict[str, Any]:
    app.figure_scripts = load_scripts()
    version = app.figure_scripts.version(*all_scripts(app.figure_scripts))
    app.add_config_value("figures_version", version, "html")  # where it changes, pages are written again
    app.add_html_math_renderer("katex", (visit_inline_math, None), (visit_display_math, None))
    app.add_node(nodes.entry, override=True, html=(visit_entry, depart_entry))
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    app.connect("doctree-read", drop_empty_heads)
    app.connect("html-page-context", finish_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
