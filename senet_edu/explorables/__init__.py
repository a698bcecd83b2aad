"""Figures that move in a static page: no kernel, no server, no network.

Each is a custom element written in plain JavaScript over a shared `core.js`. Its Python class holds the data and writes
the HTML, with script and style in it, so that the same cell works in the rendered book, in Jupyter, in VS Code and in
Colab. The HTML depends on the data alone: re-executing an unchanged notebook leaves no diff.
"""

from senet_edu.explorables.base import Explorable
from senet_edu.explorables.squeeze import Squeeze

__all__ = ["Explorable", "Squeeze"]
