"""What gates do: recorded for many images, summed up by channel, class and depth, and replaced.

The gates of one block are a matrix `(N, C)`: a row an image, a column a channel, values in 0..1. `gates_of` records
them for every block of a network. Statistics watch: they take such a matrix and the labels `(N,)` of the images.
Interventions act: `replace_gates` makes other gates, `answers` runs a network under them, and `effect` compares its
answers with those of the untouched network.
"""

from senet_edu.analysis.interventions import (
    BY_CHANCE,
    BY_PREDICTION,
    INTERVENTIONS,
    Effect,
    answers,
    donors,
    effect,
    replace_gates,
    toward_donor,
)
from senet_edu.analysis.observations import Observation, observations
from senet_edu.analysis.recording import calibrate_batch_norm, gates_of
from senet_edu.analysis.statistics import (
    Openers,
    Summary,
    class_means,
    class_share,
    openers,
    pattern_similarity,
    summarize,
    within_class_spread,
)

__all__ = [
    "BY_CHANCE",
    "BY_PREDICTION",
    "INTERVENTIONS",
    "Effect",
    "Observation",
    "Openers",
    "Summary",
    "answers",
    "calibrate_batch_norm",
    "class_means",
    "class_share",
    "donors",
    "effect",
    "gates_of",
    "observations",
    "openers",
    "pattern_similarity",
    "replace_gates",
    "summarize",
    "toward_donor",
    "within_class_spread",
]
