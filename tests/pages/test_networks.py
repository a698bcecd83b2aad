"""The network of chapter 0 comes from a file beside the page, the plain one only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import bench_pages
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHAPTER = "00_one_minute"
ANSWERED = "performance.getEntriesByName('se-answer').length"


def test_the_page_has_no_weights_in_it(site: Path) -> None:
    text = (site / f"{CHAPTER}.html").read_text(encoding="utf-8")
    assert text.count("data-se-network=") == 2 and len(text) < 200_000
    assert text.count('rel="preload"') == 1  # the one that answers at once


@pytest.mark.parametrize("served", [True, False], ids=["from a server", "as a file"])
def test_the_network_answers(
    site: Path, page_factory: Callable[..., Page], serve: Callable[[Path], AbstractContextManager[str]], served: bool
) -> None:
    page = page_factory()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("?")[0]))
    with serve(site) as address:
        page.goto(f"{address}{CHAPTER}.html" if served else (site / f"{CHAPTER}.html").as_uri())
        page.wait_for_function(ANSWERED)
    networks = {url.rpartition("/")[2] for url in asked if "/networks/" in url}
    assert networks == {"se_resnet20.js"}


def test_a_bench_of_pages_that_are_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got nothing: run make book first"):
        bench_pages.bench(tmp_path, ["nothing"], 1)
    with pytest.raises(ValueError, match="repeats must be positive, got 0"):
        bench_pages.bench(tmp_path, [], 0)
