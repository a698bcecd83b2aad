"""Chapter 1: what a convolution does with the channels of its input."""

from __future__ import annotations

from senet_edu.explorables.lib.base import Explorable, pack
from senet_edu.explorables.lib.scene import draw

SIDE = 32

_BLUR = [1 / 27] * 9
_EDGE = [-0.1, 0, 0.1, -0.2, 0, 0.2, -0.1, 0, 0.1]
_LEFT, _RIGHT, _BOTH = [0.2, 0, 0] * 3, [0, 0, 0.2] * 3, [-0.2, 0, -0.2] * 3
_MIDDLE = [0, 0, 0, 0, 1, 0, 0, 0, 0]
_NOTHING = [0] * 9

KERNELS: dict[str, list[list[float]]] = {
    "edge": [_EDGE, _EDGE, _EDGE],
    "blur": [_BLUR, _BLUR, _BLUR],
    "red \N{MINUS SIGN} green": [_MIDDLE, [-weight for weight in _MIDDLE], _NOTHING],
    "red left of green": [_LEFT, _RIGHT, _BOTH],
    "copy of red": [_MIDDLE, _NOTHING, _NOTHING],
}
"""Kernels to begin with: for red, green and blue nine weights each, row by row."""


class Convolution(Explorable):
    """One kernel of an RGB convolution at work, channel by channel (equation 1); every weight can be changed."""

    name = "convolution"

    def __init__(self) -> None:
        super().__init__(
            {
                "side": SIDE,
                "image": pack(draw(SIDE).flatten()),  # rows of r, g, b
                "kernels": [[name, [round(w, 6) for v in kernel for w in v]] for name, kernel in KERNELS.items()],
            },
            "A convolution, channel by channel. Each color of a small picture of a house has a 3 by 3 kernel of its "
            "own; the three results are added up to one map. Change the weights, and point at a place to see the 27 "
            "products behind its value.",
        )
