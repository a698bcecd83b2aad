"""The bibliography holds what the book and the package cite, all of it and no more, and says how to reach it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
BIB = (BOOK / "references.bib").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(BOOK.glob("*.md"))}
CHAPTERS = {
    path.stem: "\n".join(cell.source for cell in nbformat.read(path, 4).cells) for path in sorted(BOOK.glob("*.ipynb"))
}
SOURCES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "senet_edu").rglob("*.py")}
ELSEWHERE = {
    "krizhevsky2009": "a technical report of a university",
    "yang2021": "its proceedings give no DOI, and there is no preprint",
}
"""Entries that have an address, and neither a DOI nor a number of arXiv."""

NAMES = {
    "devries2017": "utout",
    "dunn1961": "Bonferroni",
    "hu2018": "the paper",
    "krizhevsky2009": "CIFAR-10",
    "szegedy2016": "Inception",
    "xie2017": "ResNeXt",
}
"""What a chapter calls what it does not link."""


def entries(text: str) -> dict[str, dict[str, str]]:
    """Key to fields, as BibTeX has them."""
    return {
        key: dict(re.findall(r"^ +(\w+) *= \{(.*)\},?$", body, re.MULTILINE))
        for key, body in re.findall(r"^@\w+\{([\w:-]+),\n(.*?)^\}", text, re.DOTALL | re.MULTILINE)
    }


def ids(text: str) -> set[str]:
    """What a text names: numbers of arXiv without their version, DOIs in small letters, other proceedings."""
    found = {f"arxiv:{number}" for number in re.findall(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})", text)}
    found |= {f"doi:{unquote(doi).lower()}" for doi in re.findall(r"doi\.org/([^\s)\"'>\]]+)", text)}
    return found | {
        f"https://{page}" for page in re.findall(r"https?://(proceedings\.mlr\.press/v\d+/\w+\.html)", text)
    }


def ids_of(entry: dict[str, str]) -> set[str]:
    found = {f"arxiv:{entry['eprint'].partition('v')[0]}"} if "eprint" in entry else set()
    return found | ({f"doi:{entry['doi'].lower()}"} if "doi" in entry else set()) | ids(entry.get("url", ""))


def cited(text: str) -> set[str]:
    return {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")}


ENTRIES = entries(BIB)
KNOWN = {one: key for key, entry in ENTRIES.items() for one in ids_of(entry)}


def rows() -> Iterator[tuple[str, set[str]]]:
    """Number and keys of each row of the page's table."""
    for number, keys in re.findall(r"^\| Chapter\s(\d+) \| (\{cite\}`[^`]+`) \|$", PAGES["references"], re.MULTILINE):
        yield number, cited(keys)


def test_the_file_is_read_whole() -> None:
    assert len(ENTRIES) == BIB.count("\n@") + 1 > 25
    assert all({"author", "title", "year"} <= entry.keys() for entry in ENTRIES.values())
    assert sum(len(ids_of(entry)) for entry in ENTRIES.values()) == len(KNOWN), "an address stands in two entries"


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_has_a_doi_or_a_number_of_arxiv(key: str) -> None:
    entry = ENTRIES[key]
    assert ("doi" in entry or "eprint" in entry) != (key in ELSEWHERE)
    if key in ELSEWHERE:
        assert entry["url"].startswith("https://")
    if "doi" in entry:
        assert re.fullmatch(r"10\.\d{4,5}/\S+", entry["doi"])
    if "eprint" in entry:
        assert entry["archiveprefix"] == "arXiv" and re.fullmatch(r"\d{4}\.\d{4,5}(v\d+)?", entry["eprint"])
        assert int(entry["year"]) >= 1999 + int(entry["eprint"][:2]), "printed long before it was written?"


def test_no_entry_is_uncited_and_no_citation_is_missing() -> None:
    assert set().union(*map(cited, PAGES.values())) == set(ENTRIES)


@pytest.mark.parametrize("where", [*PAGES, *CHAPTERS, *SOURCES])
def test_papers_that_are_linked_are_in_the_bibliography(where: str) -> None:
    assert ids({**PAGES, **CHAPTERS, **SOURCES}[where]) - KNOWN.keys() == set()


def test_the_table_has_each_chapters_papers() -> None:
    """All that a chapter links, and what it speaks of without a link."""
    table = dict(rows())
    for name, text in CHAPTERS.items():
        number = str(int(name[:2]))
        assert {KNOWN[one] for one in ids(text) if one in KNOWN} <= table.get(number, set()), f"chapter {number}"
    for number, keys in table.items():
        (text,) = (text for name, text in CHAPTERS.items() if int(name[:2]) == int(number))
        for key in keys:
            assert ids_of(ENTRIES[key]) & ids(text) or NAMES.get(key, "a link") in text, f"chapter {number}: {key}"


def test_one_place_says_which_version_the_book_follows() -> None:
    """The preprint's fourth, whose tables the numbers in `senet_edu.published` were read from."""
    assert ENTRIES["hu2018"]["eprint"] == "1709.01507v4"
    assert [name for name, text in PAGES.items() if "1709.01507v4" in text] == ["notation"]
    assert "1709.01507v4" in SOURCES["senet_edu/published.py"]


def test_what_is_missing_would_be_noticed() -> None:
    text = "https://arxiv.org/abs/1709.01507v4, [a](https://doi.org/10.1016/0016-0032%2880%2990058-7), {cite}`a, b`."
    assert ids(text) == {"arxiv:1709.01507", "doi:10.1016/0016-0032(80)90058-7"}
    assert ids(text) <= KNOWN.keys() and cited(text) == {"a", "b"}
    assert not ids("https://arxiv.org/abs/2001.00001") <= KNOWN.keys()
