"""The still pictures of moving figures, for readers without scripts."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import FIGURE_PAGE
from stored import FIGURES

from senet_edu.explorables.lib.scripts import in_a_page, with_scripts

FORMS = {"guess", "prediction", "verdict"}  # they only ask: their words say it all
MOVING = sorted(set(FIGURES) - FORMS | {"lamp-hero"})


@pytest.fixture(scope="module")
def posters(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "book" / "_ext" / "posters.py"))


def test_every_moving_figure_has_one_and_all_are_small(root: Path) -> None:
    files = {path.stem: path.stat().st_size for path in (root / "book" / "assets" / "posters").iterdir()}
    assert sorted(files) == MOVING
    assert max(files.values()) <= 12_000 and sum(files.values()) <= 190_000


@pytest.mark.parametrize("name", FIGURES)
def test_it_stands_beside_the_words(posters: dict[str, Any], name: str) -> None:
    body = posters["with_posters"](f"<p>Text.</p>{FIGURES[name]}", "_static/posters")
    if name in FORMS:
        assert "<noscript>" not in body
        return
    picture = body[body.index("<noscript>") : body.index("</noscript>")]
    width, height = posters["size"](name)
    assert f'src="_static/posters/{name}.webp" width="{width}" height="{height}"' in picture
    assert body.replace(f"{picture}</noscript>", "") == f"<p>Text.</p>{FIGURES[name]}"
    assert 'alt=""' in picture  # a screen reader hears the words below, once


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_it_is_seen_and_loaded_without_scripts_alone(
    root: Path, posters: dict[str, Any], page_factory: Callable, tmp_path: Path, scripts: bool
) -> None:
    body = posters["with_posters"](FIGURES["squeeze"], (root / "book" / "assets" / "posters").as_uri())
    body = with_scripts(body, lambda name: f"<script>{in_a_page(name)}</script>")
    path = tmp_path / "page.html"
    css = (root / "book" / "assets" / "custom.css").as_uri()
    path.write_text(FIGURE_PAGE.format(theme="dark", css=css, html=body), encoding="utf-8")
    page = page_factory(360, 800, dark=True, java_script_enabled=scripts)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    assert any(url.endswith("squeeze.webp") for url in loaded) is not scripts
    if not scripts:
        box = page.locator("se-squeeze noscript img").bounding_box()
        assert box["width"] > 200 and box["height"] > 100 and 0 <= box["x"] <= 360 - box["width"]
