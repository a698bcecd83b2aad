"""Chapter 2: how a map becomes a number."""

from __future__ import annotations

from senet_edu.explorables.lib.base import Explorable

SIDE = 12


class Squeeze(Explorable):
    """Paint a map; see its mean, maximum and standard deviation, and another map with the same mean."""

    name = "squeeze"

    def __init__(self) -> None:
        square = [float(2 <= row < 6 and 2 <= column < 6) for row in range(SIDE) for column in range(SIDE)]
        super().__init__(
            {"side": SIDE, "brushes": [["1", "1"], ["0.5", "½"], ["0", "0"]], "map": square},
            "Two maps with the same mean. Paint the first one: its mean, maximum and standard deviation follow, and so "
            "does the second, which keeps the mean but is arranged in another way.",
        )
