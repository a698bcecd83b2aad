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


def file_of(name: str) -> str:
    """The file in _static of a figure's script, style or data: each becomes a script."""
    return f"{FIGURES}/{name.replace('../', '')}" + ("" if name.endswith(".js") else ".js")


def all_scripts(scripts: ModuleType) -> list[str]:
    """What the figures need, all of them together."""
    names = sorted(path.name for path in scripts.FIGURES.glob("*.js"))
    return scripts.needed(*names)


def add_figures(app: Sphinx, context: dict[str, Any]) -> None:
    """Behind the first figure that needs it, each script once a page, as a file that all pages share."""
    scripts = app.figure_scripts

    def element(name: str) -> str:
        version = sha256(scripts.in_a_page(name).encode()).hexdigest()[:8]
        return f'<script src="{context["pathto"](f"_static/{file_of(name)}", True)}?v={version}"></script>'

    context["body"] = scripts.with_scripts(context["body"], element)


def write_figures(app: Sphinx) -> None:
    """Before the pages, which name the files with a checksum."""
    if app.builder.format == "html":
        for name in all_scripts(app.figure_scripts):
            path = Path(app.outdir) / "_static" / file_of(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(app.figure_scripts.in_a_page(name), encoding="utf-8", newline="\n")


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
    app.connect("builder-inited", write_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
