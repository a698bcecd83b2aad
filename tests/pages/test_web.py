"""What the web needs of the built book: each page says what it is and shows it, and every address leads somewhere."""

from __future__ import annotations

import json
import re
import runpy
import xml.etree.ElementTree as xml
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
SPHINX = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
BASE: str = SPHINX["html_baseurl"]
TABLE = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TABLE["root"], *(chapter["file"] for part in TABLE["parts"] for chapter in part["chapters"])]
CARD_SIZE, CARD_BYTES, ALL_CARDS, SITE_BYTES = (1200, 630), 60_000, 900_000, 10_000_000
NEEDED = ("description", "twitter:card", "twitter:title", "twitter:description", "twitter:image")
NEEDED += ("og:type", "og:title", "og:description", "og:url", "og:image", "og:image:alt")


@dataclass
class Head(HTMLParser):
    """What a page's head says."""

    text: str
    title: str = ""
    meta: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    facts: list[dict] = field(default_factory=list)
    viewports: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._inside = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self._inside = tag if tag == "title" and not self.title else given.get("type") or ""
        if tag == "meta" and (name := given.get("name") or given.get("property")):
            self.viewports += name == "viewport"
            self.meta[name] = given["content"] or ""
        if tag == "link":
            self.links[given["rel"] or ""] = given["href"] or ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside == "application/ld+json":
            self.facts.append(json.loads(data))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def wrong(folder: Path, name: str) -> list[str]:
    """What a page's head lacks or says wrongly."""
    head = Head((folder / f"{name}.html").read_text(encoding="utf-8"))
    address = BASE if name == TABLE["root"] else f"{BASE}{name}.html"
    found = [f"no {tag}" for tag in NEEDED if not head.meta.get(tag)]
    found += [f"{what} is not {address}" for what in ("canonical",) if head.links.get(what) != address]
    if head.meta.get("og:url") != address:
        found.append(f"og:url is {head.meta.get('og:url')}")
    if not 40 <= len(head.meta.get("description", "")) <= 200:
        found.append(f"a description of {len(head.meta.get('description', ''))} characters")
    if not head.title or "<" in head.title or head.viewports != 1:
        found.append(f"title {head.title!r}, {head.viewports} viewports")
    for image in {head.meta.get("og:image", ""), head.meta.get("twitter:image", "")}:
        file = folder / image.removeprefix(BASE)
        if not image.startswith(BASE) or not file.is_file() or Image.open(file).size != CARD_SIZE:
            found.append(f"the card {image} is not there, or of another size")
    for rel in ("icon", "apple-touch-icon", "stylesheet", "alternate"):
        if not (folder / head.links.get(rel, "lost").removeprefix(BASE).partition("?")[0]).is_file():
            found.append(f"{rel} leads to {head.links.get(rel)}")
    if [facts.get("url") for facts in head.facts] != [address]:
        found.append(f"structured data: {head.facts}")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_is_and_shows_it(site: Path, name: str) -> None:
    assert wrong(site, name) == []


def test_a_page_that_says_nothing_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "02_squeeze.html").write_text("<title></title><p>Text", encoding="utf-8")
    assert len(wrong(tmp_path, "02_squeeze")) > len(NEEDED)


def test_pages_have_titles_of_their_own_with_the_chapters_number(site: Path) -> None:
    titles = {name: Head((site / f"{name}.html").read_text(encoding="utf-8")).title for name in PAGES}
    assert len(set(titles.values())) == len(PAGES)
    for name, title in titles.items():
        if number := re.match(r"0?(\d+)_", name):
            assert title.startswith(f"{number[1]} · ")


def test_structured_data_makes_a_book_of_the_pages(site: Path) -> None:
    (book,) = Head((site / "index.html").read_text(encoding="utf-8")).facts
    assert book["@type"] == "Book" and book["isAccessibleForFree"]
    (chapter,) = Head((site / "02_squeeze.html").read_text(encoding="utf-8")).facts
    assert chapter["@type"] == "LearningResource" and chapter["isPartOf"]["url"] == BASE


def test_the_map_has_all_pages_and_no_other(site: Path) -> None:
    tree = xml.parse(site / "sitemap.xml")
    found = {element.text for element in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    assert found == {BASE if name == TABLE["root"] else f"{BASE}{name}.html" for name in PAGES}


def test_the_feed_is_one_of_the_releases(site: Path) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    feed = xml.parse(site / "feed.xml").getroot()
    assert feed.tag == f"{atom}feed"
    for element in (feed, *feed.iter(f"{atom}entry")):
        for need in ("title", "id", "updated", "link"):
            assert element.find(f"{atom}{need}") is not None
    versions = [entry.findtext(f"{atom}title") for entry in feed.iter(f"{atom}entry")]
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert versions == re.findall(r"^## (\d+\.\d+\.\d+) \(", log, re.MULTILINE)


def test_releases_are_read_from_the_log() -> None:
    releases = runpy.run_path(str(ROOT / "book" / "_ext" / "web.py"))["releases"]
    log = "# Changes\n\n## Unreleased\n\nx\n\n## 1.2.0 (2026-11-26)\n\nNew.\n\n## 1.1.0 (2026-10-01)\n\nOld.\n"
    assert list(releases(log)) == [("1.2.0", "2026-11-26", "New."), ("1.1.0", "2026-10-01", "Old.")]


def test_the_page_of_lost_readers_leads_back_from_any_depth(site: Path) -> None:
    text = (site / "404.html").read_text(encoding="utf-8")
    assert f'<base href="{BASE}">' in text and "There is no such page" in text


def test_links_to_chapters_stay_in_the_site(site: Path) -> None:
    """Notebooks name chapters by their published address; pages lead to the pages beside them."""
    for name in PAGES:
        body = (site / f"{name}.html").read_text(encoding="utf-8").partition("<main")[2]
        assert f'href="{BASE}' not in body, name
        assert re.findall(r'href="(?!https:)[^"]*\.ipynb', body) == [], name


@pytest.mark.parametrize(("old", "new"), SPHINX["redirects"].items())
def test_an_old_address_leads_on_with_its_hash(
    site: Path,
    page_factory: Callable[..., Page],
    serve: Callable[[Path], AbstractContextManager[str]],
    old: str,
    new: str,
) -> None:
    page = page_factory()
    with serve(site) as address:
        page.goto(f"{address}{old}.html?a=1#recap")
        page.wait_for_url(f"{address}{new}.html?a=1#recap")
    assert f"url={new}.html" in (site / f"{old}.html").read_text(encoding="utf-8")  # without scripts, too


def test_cards_and_site_are_small(site: Path) -> None:
    cards = sorted((ROOT / "book" / "assets" / "social").glob("*.png"))
    assert {path.stem for path in cards} <= set(PAGES) and len(cards) > 10
    assert max(path.stat().st_size for path in cards) <= CARD_BYTES
    assert sum(path.stat().st_size for path in cards) <= ALL_CARDS
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= SITE_BYTES


def test_what_no_page_names_is_swept_away(tmp_path: Path) -> None:
    sweep = runpy.run_path(str(ROOT / "book" / "_ext" / "web.py"))["sweep"]
    static = tmp_path / "_static"
    for name in ("a.css", "b.css", "font.woff2", "lost.js", "theme/lost.css", "fonts/LICENSE", "social/x.png"):
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_text('src: url("font.woff2")' if name == "a.css" else "", encoding="utf-8")
    (tmp_path / "page.html").write_text('<link href="_static/a.css?v=1">', encoding="utf-8")
    sweep(tmp_path)
    left = {str(path.relative_to(static)) for path in static.rglob("*") if path.is_file()}
    assert left == {"a.css", "font.woff2", "social/x.png"}
