"""Pages that carry everything: equations by the vendored KaTeX, badges from this book, and no script without a use.

And nothing that trips a screen reader: no empty headings of tables, no roles that are no more.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


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


def own_badges(app: Sphinx, doctree: nodes.document) -> None:
    """Colab's badge in a notebook comes from Colab's host. The page shows the same words from a file of its own."""
    for image in doctree.findall(nodes.image):
        if image["uri"] == BADGE:
            image["uri"] = "/assets/colab-badge.svg"


def finish_page(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """KaTeX only where there is an equation; Thebe, which starts kernels on other hosts, nowhere."""
    if doctree is not None and any(doctree.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
        app.add_css_file("katex/katex.min.css")
        app.add_js_file("katex/katex.min.js", loading_method="defer")
        app.add_js_file("math.js", loading_method="defer")
    if "body" in context:  # the label of folded cells hides the words that they show
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")
    scripts = context["script_files"]
    scripts[:] = [file for file in scripts if "thebe" not in f"{file.filename} {file.attributes}".lower()]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("katex", (visit_inline_math, None), (visit_display_math, None))
    app.add_node(nodes.entry, override=True, html=(visit_entry, depart_entry))
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    app.connect("doctree-read", drop_empty_heads)
    app.connect("doctree-read", own_badges, priority=100)  # before Sphinx collects a page's images
    app.connect("html-page-context", finish_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
