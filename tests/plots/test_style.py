"""What plots share: themes, scales, the files that they become, and what a notebook and a page keep of them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from matplotlib.colors import to_hex
from pictures import texts
from PIL import Image

from senet_edu import plots
from senet_edu.plots import Picture, style
from senet_edu.tokens import THEMES, TOKENS


def pixels(picture: Picture, theme: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png(theme))).convert("RGB"))


def color(hexadecimal: str) -> list[int]:
    return [int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.fixture(scope="module")
def picture() -> Picture:
    return plots.bottleneck(256, 16)


@pytest.mark.parametrize("theme", THEMES)
def test_a_plot_has_the_colors_of_its_theme(picture: Picture, theme: str) -> None:
    drawn = pixels(picture, theme)
    np.testing.assert_allclose(drawn[0, 0], color(TOKENS[theme]["card"]), atol=4)
    for token in ("plain", "excitation"):
        assert (np.abs(drawn - np.array(color(TOKENS[theme][token]))).max(-1) <= 4).mean() > 0.005, token


def test_colors_are_those_of_the_theme_that_is_drawn() -> None:
    assert style.theme.ink == TOKENS["light"]["ink"]
    with style.drawing("dark"):
        assert style.theme.ink == TOKENS["dark"]["ink"] and style.theme.signed is style.SIGNED["dark"]
    assert style.theme.excitation_text == TOKENS["light"]["excitation-text"]
    with pytest.raises(AttributeError, match="no color token is called 'cividis'"):
        _ = style.theme.cividis


def test_the_scales_go_through_the_stops_of_the_tokens() -> None:
    for k, stop in enumerate(TOKENS["gate"]):
        np.testing.assert_allclose(color(to_hex(style.GATES(k / 8))), color(stop), atol=3)
    for theme in THEMES:
        for k, stop in enumerate(TOKENS["signed"][theme]):
            np.testing.assert_allclose(color(to_hex(style.SIGNED[theme](k / 4))), color(stop), atol=3)


def test_png_of_a_theme_that_was_not_drawn() -> None:
    figure = plots.new_figure(1.0)
    figure.subplots()
    with pytest.raises(ValueError, match="name must be a theme that the picture was drawn for, got 'dark'"):
        Picture(figure, "Nothing.").png("dark")


def test_a_palette_is_taken_where_nobody_sees_it(picture: Picture) -> None:
    assert Image.open(io.BytesIO(picture.png())).mode == "P"
    photograph = torch.randint(256, (3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
    shown = plots.seen_pixels(photograph, {"all": torch.ones(32, 32) == 1})
    assert Image.open(io.BytesIO(shown.png())).mode == "RGB"
    drawn = {tuple(value) for value in pixels(shown, "light").reshape(-1, 3)}
    assert sum(tuple(value) in drawn for value in photograph.flatten(1).T.tolist()) > 1000


def test_a_notebook_keeps_both_themes_and_the_size(picture: Picture) -> None:
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"] == picture.png() and data["text/plain"] == repr(picture)
    assert base64.b64decode(metadata["dark"]) == picture.png("dark")
    width, height = Image.open(io.BytesIO(data["image/png"])).size
    assert metadata["image/png"]["width"] == pytest.approx(width / 1.6, abs=1)
    assert metadata["image/png"]["height"] == pytest.approx(height / 1.6, abs=1)


def test_a_picture_without_a_dark_twin_shows_itself() -> None:
    figure = plots.new_figure(1.0)
    figure.subplots()
    data, metadata = Picture(figure, "Nothing.")._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and "dark" not in metadata


def test_marks_of_gates() -> None:
    """The half is marked on a strip, and its value stands below."""
    figure = plots.new_figure(1.0)
    ax = figure.subplots()
    style.gate_strip(ax, 0.3)
    assert to_hex(ax.patches[1].get_facecolor()) == to_hex(style.GATES(0.3)) and ax.patches[1].get_width() == 0.3
    assert [list(line.get_xdata()) for line in ax.lines if line.get_linestyle() == "--"] == [[0.5, 0.5]]
    assert "0.30" in texts(Picture(figure, ""))


# One slug a chapter


def slugs(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def test_files_are_called_as_their_chapters(root: Path) -> None:
    contents = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    chapters = {file.partition("_")[2] for file in files}
    shared = {"style", "description", "table"}
    assert slugs(root / "senet_edu" / "plots") - shared <= chapters
    assert {name.removeprefix("test_") for name in slugs(root / "tests" / "plots")} == slugs(
        root / "senet_edu" / "plots"
    )


# No color without a token


def colors(text: str) -> Iterator[str]:
    for found in re.findall(r"#[0-9a-fA-F]{3,8}\b", text):
        yield found.lower()


def test_plots_and_the_style_of_pages_name_no_color(root: Path) -> None:
    files = [*(root / "senet_edu" / "plots").glob("*.py"), root / "book" / "assets" / "custom.css"]
    assert {path.name: found for path in files if (found := [*colors(path.read_text(encoding="utf-8"))])} == {}


def test_custom_properties_of_pages_are_tokens(root: Path) -> None:
    css = (root / "book" / "assets" / "custom.css").read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--se-([\w-]+)\)", css))
    assert used and used <= TOKENS["light"].keys()


def test_the_icon_has_the_colors_of_the_dark_theme(root: Path) -> None:
    icon = (root / "book" / "assets" / "favicon.svg").read_text(encoding="utf-8")
    assert [*colors(icon)] == [TOKENS["dark"][name] for name in ("paper", "squeeze", "excitation", "rescale")]
