"""The two themes of a page: its colors, and a plot for each."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from senet_edu.tokens import TOKENS

LIGHT, DARK = b"\x89PNG light", b"\x89PNG dark"
NAME = hashlib.sha256(LIGHT).hexdigest()
IMAGE = f'<img alt="Bars." class="x" style="width: 3px" src="../_images/{NAME}.png" />'
LINK = (
    f'<a class="reference internal image-reference" href="../_images/{NAME}.png">{IMAGE}</a>'  # around one with a size
)


@pytest.fixture(scope="module")
def themed(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / "book" / "_ext" / "themed.py"))


@pytest.fixture
def app(tmp_path: Path) -> SimpleNamespace:
    """As much of a Sphinx as the functions use, with a chapter that has one plot."""
    metadata = {"dark": base64.b64encode(DARK).decode(), "image/png": {"width": 640, "height": 300}}
    output = {"data": {"image/png": base64.b64encode(LIGHT).decode()}, "metadata": metadata}
    cells = [{"source": "1 + 1"}, {"outputs": [{"text": "2"}, output]}]
    (tmp_path / "chapter.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    sheets: list[str] = []
    return SimpleNamespace(
        outdir=tmp_path / "html",
        env=SimpleNamespace(doc2path=lambda name: str(tmp_path / name)),
        add_css_file=lambda name, priority: sheets.append(name),
        sheets=sheets,
    )


def shown(themed: dict[str, Any], app: SimpleNamespace, body: str, page: str = "chapter.ipynb") -> str:
    (app.outdir).mkdir(exist_ok=True)
    context = {"body": body}
    themed["show_both"](app, page, "page.html", context, object())
    return context["body"]


@pytest.mark.parametrize("image", [IMAGE, LINK])
def test_a_plot_is_there_for_both_themes(themed: dict[str, Any], app: SimpleNamespace, image: str) -> None:
    body = shown(themed, app, f"<p>{image}</p>")
    assert body.startswith('<p><div class="output se-card"><img') and body.endswith("></div></p>")
    light, dark = re.findall(r"<img[^>]*>", body)
    for image, theme, file in ((light, "only-light", f"{NAME}.png"), (dark, "only-dark", f"{NAME}-dark.png")):
        assert f'class="{theme}"' in image and image.count("class=") == 1
        assert f'src="../_images/{file}"' in image and 'alt="Bars."' in image
        assert 'width="640" height="300" style="--width: 640px"' in image and image.count("style=") == 1
        assert ('loading="lazy"' in image) == (theme == "only-dark")
    assert (app.outdir / "_images" / f"{NAME}-dark.png").read_bytes() == DARK


@pytest.mark.parametrize(
    "body",
    ["<p>No image.</p>", '<img alt="Badge." src="_static/colab-badge.svg" />', f'<img src="_images/{"0" * 64}.png" />'],
)
def test_other_images_stay_as_they_are(themed: dict[str, Any], app: SimpleNamespace, body: str) -> None:
    assert shown(themed, app, body) == body


def test_pages_that_are_no_notebooks_stay_as_they_are(themed: dict[str, Any], app: SimpleNamespace) -> None:
    assert shown(themed, app, IMAGE, "intro.md") == IMAGE


def test_colors_of_both_themes_and_of_print(themed: dict[str, Any], app: SimpleNamespace) -> None:
    themed["write_colors"](app)
    css = (app.outdir / "_static" / "tokens.css").read_text(encoding="utf-8")
    light, dark, printed = re.findall(r"\{([^{}]*)\}", css)
    for rules, theme in ((light, "light"), (dark, "dark"), (printed, "light")):
        for name, value in TOKENS[theme].items():
            assert f"--se-{name}: {value};" in rules
    assert css.index("@media print") > css.index('html[data-theme="dark"]')
    assert app.sheets == ["tokens.css"]
