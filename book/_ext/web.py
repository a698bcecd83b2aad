"""What the web needs of a page beside its text: a description, a card, an address, a map; no file that nobody loads.

Addresses are made from `html_baseurl`, the one place that says where the book is published. Nothing here makes a page
ask another host: the addresses stand in it for those who pass it on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx.application import Sphinx

NAME = "Squeeze-and-Excitation, the notebook book"
LICENSE = "https://creativecommons.org/licenses/by/4.0/"
LONGEST = 200  # characters of a description; search engines cut about there
CARDS = "social"  # the folder of the cards, 1200 x 630, among the assets
LINK = re.compile(r"""(?:href|src)=["']([^"'#?]+)|url\(["']?([^"')#?]+)""")
"""How a page or a style sheet names a file that it loads."""
FEED = """\
<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>{name}: releases</title>
<id>{base}</id>
<link href="{base}"/>
<link rel="self" href="{base}feed.xml"/>
<updated>{updated}T00:00:00Z</updated>
<author><name>{author}</name></author>
{entries}</feed>
"""
ENTRY = """\
<entry>
<title>{version}</title>
<id>{base}releases/{version}</id>
<link href="{repository}/releases/tag/v{version}"/>
<updated>{date}T00:00:00Z</updated>
<content type="text">{text}</content>
</entry>
"""


def description(doctree: nodes.document) -> str:
    """What a page is about: its question where it names one, else its first sentences."""
    paragraphs = [re.sub(r"\s+", " ", p.astext()).strip() for p in doctree.findall(nodes.paragraph)]
    questions = [p.removeprefix("The question.").strip() for p in paragraphs if p.startswith("The question.")]
    plain = [p for p in paragraphs if len(p) > 40 and not p.startswith(("Chapter ", "Open in Colab"))]
    text = next(iter([*questions, *plain]), "")
    if len(text) <= LONGEST:
        return text
    whole = re.match(rf".{{40,{LONGEST - 1}}}[.?!](?= )", text)
    return whole[0] if whole else text[: LONGEST - 2].rsplit(" ", 1)[0] + " …"


def card(app: Sphinx, pagename: str) -> str:
    """The picture of a page for those who pass it on; that of the first page where it has none."""
    own = Path(app.srcdir) / "assets" / CARDS / f"{pagename}.png"
    return f"_static/{CARDS}/{pagename if own.exists() else app.config.root_doc}.png"


def tags(app: Sphinx, pagename: str, title: str, about: str, icon: str) -> Iterator[str]:
    """The elements of a page's head; the icon is named relative to the page."""
    base, first = app.config.html_baseurl, pagename == app.config.root_doc
    address = base if first else f"{base}{pagename}.html"
    image, title = base + card(app, pagename), title or NAME
    for name, content in (
        ("description", about),
        ("twitter:card", "summary_large_image"),
        ("twitter:title", title),
        ("twitter:description", about),
        ("twitter:image", image),
    ):
        yield f'<meta name="{name}" content="{escape(content)}">'
    for name, content in (
        ("og:type", "website" if first else "article"),
        ("og:site_name", NAME),
        ("og:title", title),
        ("og:description", about),
        ("og:url", address),
        ("og:image", image),
        ("og:image:width", "1200"),
        ("og:image:height", "630"),
        ("og:image:alt", f"{title}: the title and a figure of the book"),
    ):
        yield f'<meta property="{name}" content="{escape(content)}">'
    yield f'<link rel="canonical" href="{address}">'
    yield f'<link rel="apple-touch-icon" sizes="180x180" href="{icon}">'
    yield f'<link rel="alternate" type="application/atom+xml" title="Releases" href="{base}feed.xml">'
    facts: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Book" if first else "LearningResource",
        "name": NAME if first else title,
        "description": about,
        "url": address,
        "image": image,
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "license": LICENSE,
        "author": {"@type": "Organization", "name": app.config.author},
    }
    if not first:
        facts |= {"learningResourceType": "notebook", "isPartOf": {"@type": "Book", "name": NAME, "url": base}}
    data = json.dumps(facts, ensure_ascii=False).replace("</", "<\\/")
    yield f'<script type="application/ld+json">{data}</script>'


def finish_page(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the elements into the page's head, with links that also hold where the book is read from a disk."""
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))
    about = description(doctree) if doctree is not None else f"A page of {NAME}."
    icon = context["pathto"]("_static/touch-icon.png", 1)
    context["metatags"] = context.get("metatags", "") + "\n".join(tags(app, pagename, title, about, icon))
    if pagename == "404":  # it is shown at any address, so that links from it start at the book's own
        context["metatags"] += f'<base href="{app.config.html_baseurl}">'


def more_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page for addresses that do not exist."""
    body = (
        "<h1>There is no such page</h1><p>The address may be old or have a typing error. The list of contents leads "
        f'everywhere, and so does the <a href="{app.config.root_doc}.html">first page</a>.</p>'
    )
    yield "404", {"title": "There is no such page", "body": body}, "page.html"


def releases(text: str) -> Iterator[tuple[str, str, str]]:
    """Version, date and text of each release in a change log: `## 1.2.0 (2026-11-26)`."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        if found := re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", head.strip()):
            yield found[1], found[2], body.strip()


def moved(app: Sphinx) -> dict[str, str]:
    """Old names of pages and what they are called now; `redirects` in the configuration."""
    return dict(app.config.redirects)


def finish_site(app: Sphinx, error: Exception | None) -> None:
    """Map, feed, addresses of pages that have moved; and away with what no page loads."""
    if error or app.builder.name != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    pages = [base if name == app.config.root_doc else f"{base}{name}.html" for name in sorted(app.env.found_docs)]
    urls = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    write(out / "sitemap.xml", f"{head}{urls}</urlset>\n")
    known = list(releases((Path(app.srcdir).parent / "CHANGELOG.md").read_text(encoding="utf-8")))
    repository = app.config.html_theme_options["repository_url"]
    entries = [
        ENTRY.format(base=base, repository=repository, version=version, date=date, text=escape(text))
        for version, date, text in known
    ]
    updated = max((date for _, date, _ in known), default="2026-01-01")
    feed = {"name": NAME, "base": base, "updated": updated, "author": app.config.author, "entries": "".join(entries)}
    write(out / "feed.xml", FEED.format(**feed))
    for old, new in moved(app).items():
        address = f"{new}.html"
        write(
            out / f"{old}.html",
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>This page has moved</title>'
            f'<link rel="canonical" href="{base}{address}"><meta name="robots" content="noindex">'
            f'<script>location.replace("{address}" + location.search + location.hash)</script>'
            f'<noscript><meta http-equiv="refresh" content="0; url={address}"></noscript>'
            f'<p>This page has moved: <a href="{address}">{address}</a>.</p></html>\n',
        )
    sweep(out)


def sweep(out: Path) -> None:
    """Remove what no page names, nor a style sheet that a page names, from the folders of files that pages load."""
    pages = sorted(out.rglob("*.html"))
    named, ahead = set(), list(pages)
    while ahead:
        file = ahead.pop()
        text = file.read_text(encoding="utf-8")
        for link in (match[1] or match[2] for match in LINK.finditer(text)):
            target = (file.parent / unquote(unescape(link))).resolve()
            if target.is_file() and target not in named:
                named.add(target)
                if target.suffix == ".css":
                    ahead.append(target)
    homes = {file.parent for file in named}
    cards = (out / "_static" / CARDS).resolve()  # named by their full address
    for folder in (out / "_static", out / "_images"):
        for path in sorted((path for path in folder.rglob("*") if path.is_file()), reverse=True):
            license = "LICENSE" in path.name and path.parent.resolve() in homes
            if path.resolve() not in named and cards not in path.resolve().parents and not license:
                path.unlink()
        for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(path.iterdir()):
                path.rmdir()


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("redirects", {}, "html", types=[dict])
    app.connect("html-page-context", finish_page, priority=600)
    app.connect("html-collect-pages", more_pages)
    app.connect("build-finished", finish_site, priority=900)  # behind the theme
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
