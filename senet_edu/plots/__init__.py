"""The book's plots, in one style, a file a chapter.

Every plot is a function that returns a `Picture`: a figure drawn for light and for dark pages, and its alt text. The
colors are those of `tokens.json` and mean the same everywhere: squeeze is blue, excitation orange, rescale green, a
plain network gray. Gates are always drawn on one scale from 0 to 1, with the half marked. Verdicts are tables.
"""

from __future__ import annotations

from senet_edu.extras import extra

with extra("book"):
    import matplotlib  # noqa: F401
    import PIL  # noqa: F401

from senet_edu.plots.are_gates_explanations import (
    intervention_verdicts,
    interventions_table,
    needed_channels,
    of_several,
)
from senet_edu.plots.does_it_help import published_gains
from senet_edu.plots.excitation import bottleneck, gate_histograms, jacobian, last_nonlinearities, reduction_sweep
from senet_edu.plots.gates_across_depth import (
    channels_by_class,
    gate_openers,
    gates_by_depth,
    gates_within_classes,
    observations,
)
from senet_edu.plots.in_the_wild import accuracy_by_input, added_cost, modules_with_se, warm_starts
from senet_edu.plots.inside_resnet import map_sides, placements, where_se_costs
from senet_edu.plots.learning_to_gate import sigmoid_starts
from senet_edu.plots.relatives import gate_latency, gates_side_by_side, what_gates_see
from senet_edu.plots.reproduce import apart, made_on, status_board
from senet_edu.plots.rescale import gates_and_norm, rescaled_numbers
from senet_edu.plots.shipping_se import accuracy_changes, gates_in_tiles
from senet_edu.plots.squeeze import paper_errors, seen_pixels, squeezed_maps, three_squeezes
from senet_edu.plots.style import Picture, new_figure
from senet_edu.plots.table import Table, Verdict
from senet_edu.plots.train_cifar10 import augmented, learning_rate, training_curves, training_progress
from senet_edu.plots.why_channels import influence, restored

__all__ = [
    "Picture",
    "Table",
    "Verdict",
    "accuracy_by_input",
    "accuracy_changes",
    "added_cost",
    "apart",
    "augmented",
    "bottleneck",
    "channels_by_class",
    "gate_histograms",
    "gate_latency",
    "gate_openers",
    "gates_and_norm",
    "gates_by_depth",
    "gates_in_tiles",
    "gates_side_by_side",
    "gates_within_classes",
    "influence",
    "intervention_verdicts",
    "interventions_table",
    "jacobian",
    "last_nonlinearities",
    "learning_rate",
    "made_on",
    "map_sides",
    "modules_with_se",
    "needed_channels",
    "new_figure",
    "observations",
    "of_several",
    "paper_errors",
    "placements",
    "published_gains",
    "reduction_sweep",
    "rescaled_numbers",
    "restored",
    "seen_pixels",
    "sigmoid_starts",
    "squeezed_maps",
    "status_board",
    "three_squeezes",
    "training_curves",
    "training_progress",
    "warm_starts",
    "what_gates_see",
    "where_se_costs",
]
