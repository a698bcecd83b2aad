"""Judges of the exercises, a module a chapter: a reader's answer in, a tick or a hint out.

Every judge prints one line and returns nothing. It tests what the answer *does*; there is more than one right answer.
An exercise that nobody has answered yet (`...`) gets an invitation, so a fresh notebook runs from top to bottom.
"""

from senet_edu.extras import extra

with extra("book"):
    import torchvision  # noqa: F401

from senet_edu.check.are_gates_explanations import frozen_gates, paired_interval
from senet_edu.check.does_it_help import seed_interval, what_follows
from senet_edu.check.excitation import both_open, excite, hidden_width
from senet_edu.check.gates_across_depth import class_selectivity, most_class_specific
from senet_edu.check.in_the_wild import key_map, own_model, uncalled
from senet_edu.check.inside_resnet import fixed_bottleneck, make_stage, se34_parameters
from senet_edu.check.judge import CROSS, OPEN, TICK
from senet_edu.check.learning_to_gate import leaves_half, revive, starting_bias
from senet_edu.check.one_minute import falling_class
from senet_edu.check.relatives import eca, whose_gate
from senet_edu.check.reproduce import changed_files, rerun, what_it_shows
from senet_edu.check.rescale import copy_weights, my_se
from senet_edu.check.shipping_se import folded, overflows
from senet_edu.check.squeeze import center, same_mean
from senet_edu.check.train_cifar10 import one_cycle, random_flip, reach_target
from senet_edu.check.why_channels import receptive_field, stage_fields

__all__ = [
    "CROSS",
    "OPEN",
    "TICK",
    "both_open",
    "center",
    "changed_files",
    "class_selectivity",
    "copy_weights",
    "eca",
    "excite",
    "falling_class",
    "fixed_bottleneck",
    "folded",
    "frozen_gates",
    "hidden_width",
    "key_map",
    "leaves_half",
    "make_stage",
    "most_class_specific",
    "my_se",
    "one_cycle",
    "overflows",
    "own_model",
    "paired_interval",
    "random_flip",
    "reach_target",
    "receptive_field",
    "rerun",
    "revive",
    "same_mean",
    "se34_parameters",
    "seed_interval",
    "stage_fields",
    "starting_bias",
    "uncalled",
    "what_follows",
    "what_it_shows",
    "whose_gate",
]
