"""A picture that the project has drawn itself: a house, which is red where one cannot see that it is a house."""

from __future__ import annotations

import numpy as np

Shape = dict[str, str | list]


def _box(color: str, left: float, top: float, right: float, bottom: float) -> Shape:
    return {"color": color, "polygon": [[left, top], [right, top], [right, bottom], [left, bottom]]}


def _ellipse(color: str, x: float, y: float, across: float, down: float) -> Shape:
    return {"color": color, "ellipse": [x, y, across, down]}


# From the back to the front, in a unit square whose y goes down. Polygons are convex and go clockwise.
SCENE: list[Shape] = [
    _box("#7fb8ee", 0, 0, 1, 0.25),
    _box("#9accf2", 0, 0.25, 1, 0.45),
    _box("#bfe1f6", 0, 0.45, 1, 1),
    _ellipse("#ffd83a", 0.87, 0.13, 0.08, 0.08),
    *(_ellipse("#ffffff", *cloud) for cloud in ([0.14, 0.16, 0.09, 0.045], [0.22, 0.13, 0.08, 0.06])),
    _ellipse("#7cc062", 0.12, 0.86, 0.5, 0.3),
    _ellipse("#5fa84e", 0.9, 0.92, 0.6, 0.3),
    _box("#68b04f", 0, 0.76, 1, 1),
    _box("#6b4a2f", 0.865, 0.5, 0.9, 0.8),
    _ellipse("#2f7340", 0.883, 0.49, 0.09, 0.14),
    _box("#cf3a2d", 0.25, 0.38, 0.75, 0.8125),
    {"color": "#80392c", "polygon": [[0.5, 0.17], [0.81, 0.4], [0.19, 0.4]]},
    _box("#fff3c4", 0.3, 0.47, 0.385, 0.57),
    _box("#2f4f9e", 0.64, 0.62, 0.715, 0.8125),
]


def draw(side: int, fine: int = 8) -> np.ndarray:
    """The scene as uint8 `(side, side, 3)`; each pixel is the mean of `fine` x `fine` points."""
    middle = (np.arange(side * fine) + 0.5) / (side * fine)
    x, y = np.meshgrid(middle, middle)
    points = np.zeros((*x.shape, 3))
    for shape in SCENE:
        if "ellipse" in shape:
            cx, cy, across, down = shape["ellipse"]
            inside = ((x - cx) / across) ** 2 + ((y - cy) / down) ** 2 <= 1
        else:
            corners = shape["polygon"]
            inside = np.ones(x.shape, dtype=bool)
            for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1]):
                inside &= (bx - ax) * (y - ay) >= (by - ay) * (x - ax)
        points[inside] = [int(shape["color"][i : i + 2], 16) for i in (1, 3, 5)]
    pixels = points.reshape(side, fine, side, fine, 3).mean((1, 3))
    return np.floor(pixels + 0.5).astype(np.uint8)
