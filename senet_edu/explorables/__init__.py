"""Figures that move in a static page: no kernel, no server, no network.

Each is a custom element written in plain JavaScript over a shared `core.js`. Its Python class holds the data and writes
the HTML, with script and style in it, so that the same cell works in the rendered book, in Jupyter, in VS Code and in
Colab. The HTML depends on the data alone: re-executing an unchanged notebook leaves no diff.
"""

from senet_edu.explorables.ablations import Ablations, Prediction
from senet_edu.explorables.block import Block
from senet_edu.explorables.classes import Classes
from senet_edu.explorables.convolution import Convolution
from senet_edu.explorables.excitation import Excitation
from senet_edu.explorables.gate_map import GateMap
from senet_edu.explorables.guess import Guess, Verdict
from senet_edu.explorables.interventions import Interventions
from senet_edu.explorables.lamp import Lamp, LampHero
from senet_edu.explorables.learning import Learning
from senet_edu.explorables.lib.base import Explorable
from senet_edu.explorables.live import Live, load_samples
from senet_edu.explorables.placement import Placement
from senet_edu.explorables.provenance import Provenance
from senet_edu.explorables.reach import Reach
from senet_edu.explorables.receptive_field import ReceptiveField
from senet_edu.explorables.squeeze import Squeeze
from senet_edu.explorables.wild import Wild

__all__ = [
    "Ablations",
    "Block",
    "Classes",
    "Convolution",
    "Excitation",
    "Explorable",
    "GateMap",
    "Guess",
    "Interventions",
    "Lamp",
    "LampHero",
    "Learning",
    "Live",
    "Placement",
    "Prediction",
    "Provenance",
    "Reach",
    "ReceptiveField",
    "Squeeze",
    "Verdict",
    "Wild",
    "load_samples",
]
