"""The book's colors: one file, `tokens.json`, read by plots, moving figures and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from senet_edu import checks

THEMES = ("light", "dark")
TOKENS: Mapping[str, Any] = json.loads(Path(__file__).with_name("tokens.json").read_text(encoding="utf-8"))
"""`TOKENS[theme][name]` is a color; `TOKENS["gate"]` holds the stops of the scale of gates, from 0 to 1, and
`TOKENS["signed"][theme]` those of the scale of signed maps, from -1 to 1."""


def css(theme: str, prefix: str = "") -> str:
    """The custom properties of a theme, one a line: every color, and the two scales as lists of stops.

    `--ink: #1c1f24;` is a color; `--gate` and `--signed` fit into `linear-gradient(90deg, var(--gate))`.

    Args:
        theme: "light" or "dark".
        prefix: stands before each name, such as "se-".

    Raises:
        ValueError: for another theme.
    """
    checks.choice("theme", theme, THEMES)
    scales = {"gate": ", ".join(TOKENS["gate"]), "signed": ", ".join(TOKENS["signed"][theme])}
    return "\n".join(f"--{prefix}{name}: {value};" for name, value in {**TOKENS[theme], **scales}.items())
