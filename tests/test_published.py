"""What others printed, compared with what they printed about it, and with our own networks."""

import math

import pytest
import torch

from senet_edu.cost import count_parameters
from senet_edu.published import PAIRS, PAPER_ABLATIONS, PAPER_PLAIN, PAPER_STANDARD, SPEEDS
from senet_edu.resnet import create_model

# The gains in brackets of the paper's Tables 2 and 3.
PRINTED = {
    ("paper, Table 2", "ResNet-50"): 1.51,
    ("paper, Table 2", "ResNet-101"): 0.79,
    ("paper, Table 2", "ResNet-152"): 0.85,
    ("paper, Table 2", "ResNeXt-50"): 1.01,
    ("paper, Table 2", "ResNeXt-101"): 0.48,
    ("paper, Table 2", "VGG-16"): 1.80,
    ("paper, Table 2", "BN-Inception"): 1.15,
    ("paper, Table 2", "Inception-ResNet-v2"): 0.57,
    ("paper, Table 3", "MobileNet"): 3.1,
    ("paper, Table 3", "ShuffleNet"): 1.6,
    # top-1 accuracies of timm's results-imagenet.csv: SE - plain
    ("timm, 224 px", "ResNet-50, a1"): 80.012 - 80.382,
    ("timm, 224 px", "ResNet-50, a2"): 80.102 - 79.828,
    ("timm, 224 px", "ResNet-50, a3"): 77.036 - 78.052,
    ("timm, 288 px", "ResNet-50, a1"): 81.114 - 81.240,
    ("timm, 288 px", "ResNet-50, a2"): 81.094 - 80.774,
}


def test_gains_are_those_that_the_sources_print():
    gains = {(pair.source.title, pair.network): pair.gain for pair in PAIRS}
    assert {key: gains[key] for key in PRINTED} == pytest.approx(PRINTED, abs=1e-6)


def test_pairs_are_errors_in_percent_and_none_stands_twice():
    assert len({(pair.source, pair.network) for pair in PAIRS}) == len(PAIRS)
    for pair in PAIRS:
        assert 1 < pair.se < 40 and 1 < pair.plain < 40 and abs(pair.gain) < 5
        assert pair.source.link.startswith("https://")
    assert min(pair.gain for pair in PAIRS) < 0 < max(pair.gain for pair in PAIRS)


@pytest.mark.parametrize(
    ("row", "model", "options"),
    [
        (PAPER_PLAIN, "resnet50", {}),
        (PAPER_STANDARD, "se_resnet50", {}),
        *(
            (row, "se_resnet50", {"reduction": int(row.title.removeprefix("r = "))})
            for row in PAPER_ABLATIONS
            if row.group == "reduction" and row is not PAPER_STANDARD
        ),
        *((row, "se_resnet50", {"placement": "3x3"}) for row in PAPER_ABLATIONS if "3×3" in row.title),
        *(
            (row, "se_resnet50", {"stages": [int(row.title[6]) - 1]})  # the paper counts from 2
            for row in PAPER_ABLATIONS
            if row.group == "stage"
        ),
    ],
    ids=lambda value: getattr(value, "title", None),
)
def test_the_papers_parameters_are_those_of_our_networks(row, model, options):
    with torch.device("meta"):
        network = create_model(model, **options)
    assert count_parameters(network) / 1e6 == pytest.approx(row.parameters, abs=0.15)


def test_speeds_are_given_as_the_time_of_one_image():
    assert SPEEDS[0].longer == pytest.approx(0.10, abs=0.001)  # as the paper says: 190 to 209 ms
    assert all(speed.se < speed.plain for speed in SPEEDS if speed.per_second)
    assert all(0 < speed.longer < 0.4 for speed in SPEEDS)
    assert math.isclose(SPEEDS[9].longer, 1024 / 759 - 1)
