"""A figure in words: whatever is falsified in a figure changes the text that nbval compares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from senet_edu import plots
from senet_edu.plots import Picture
from senet_edu.plots.description import describe


@pytest.mark.parametrize(
    ("draw", "lines"),
    [
        (
            lambda: plots.jacobian(torch.eye(16)),
            [
                '1: x "moving $z_k$, channel k"; y "moves gate $s_c$, channel c"; image 16 × 16',
                '2: y "$\\partial s_c/\\partial z_k$"; 1 band',
            ],
        ),
        (
            lambda: plots.gate_histograms({"before": torch.rand(100), "after": torch.rand(100)}),
            [
                '1: title "before"; x ticks "0 (shut)", "½", "1 (open)"; y "% of gates"; 1 line, 50 bars',
                '2: title "after"; x ticks "0 (shut)", "½", "1 (open)"; y "% of gates"; 1 line, 50 bars',
            ],
        ),
        (
            lambda: plots.reduction_sweep({2: 22.29, 16: 22.28}, {2: 45_676_584, 16: 28_071_976}, (25e6, 23.3)),
            [
                '1: x "parameters, millions"; y "top-1 error, %"; text "r = 2", "r = 16", "plain ResNet-50"; 3 points',
            ],
        ),
        (
            lambda: plots.gate_latency({"multiply": 0.5, "SE": 1.2}, (4, 64, 8, 8)),
            [
                '1: x "milliseconds for 4 × 64 × 8 × 8, on this CPU", log; y ticks "multiply", "SE"; 3 lines, 2 points',
            ],
        ),
    ],
)  # fmt: skip
def test_a_figure_in_words(draw: Callable[[], Picture], lines: list[str]) -> None:
    assert [line.strip() for line in describe(draw().figure).splitlines()] == lines


def a_figure() -> Figure:
    figure = plots.new_figure(2.0)
    left, right = figure.subplots(1, 2)
    for ax in (left, right):
        ax.plot([0, 1, 2], [0, 1, 4], label="squares")
        ax.scatter([0, 1], [0, 1])
        ax.set(title="powers", xlabel="n", ylabel="n²")
    right.legend()
    figure.suptitle("numbers")
    return figure


@pytest.mark.parametrize(
    "falsify",
    [
        lambda figure: figure.axes[0].set_title("roots"),
        lambda figure: figure.axes[0].set_xlabel("n²"),
        lambda figure: figure.axes[1].set_ylabel("thousands"),
        lambda figure: figure.axes[0].set_yscale("log"),
        lambda figure: figure.axes[0].set_xticks([0, 1], ["shut", "open"]),
        lambda figure: figure.axes[0].plot([0, 1], [1, 0]),
        lambda figure: figure.axes[0].bar([0], [1]),
        lambda figure: figure.axes[0].scatter([0], [1]),
        lambda figure: figure.axes[0].imshow(np.eye(3)),
        lambda figure: figure.axes[0].annotate("best", (0, 0)),
        lambda figure: figure.axes[0].legend(),
        lambda figure: figure.axes[1].legend(["cubes"]),
        lambda figure: figure.axes[1].get_legend().remove(),
        lambda figure: figure.suptitle("letters"),
        lambda figure: figure.axes[1].remove(),
    ],
)
def test_what_is_falsified_is_told(falsify: Callable[[Figure], object]) -> None:
    figure = a_figure()
    assert describe(figure) == describe(a_figure())
    falsify(figure)
    assert describe(figure) != describe(a_figure())


def test_whole_numbers_can_be_measured_too() -> None:
    figure = plots.new_figure(2.0)
    figure.subplots().set(title="channel 33 of layer3.2", xlabel="half in 3 × 3")
    assert describe(figure, measured=True) == '  1: title "channel # of layer3.2"; x "half in # × #"; empty'


def test_names_can_come_with_the_data() -> None:
    figure = plots.new_figure(2.0)
    figure.subplots().set(title="cats, 2 of 3", xlabel="gates of a cat")
    assert describe(figure, names=["cat"]) == '  1: title "#s, 2 of 3"; x "gates of a #"; empty'


def test_axes_that_are_alike_share_a_line() -> None:
    figure = plots.new_figure(2.0)
    for k, ax in enumerate(figure.subplots(1, 5)):
        ax.set_title("odd" if k == 1 else "even")
    assert describe(figure).splitlines() == ['  1, 3-5: title "even"; empty', '  2: title "odd"; empty']


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("off by 0.128", "off by #"),
        ("\N{MINUS SIGN}0.4 points", "# points"),
        ("plain ResNet-50 23.30", "plain ResNet-50 #"),
        ("49 of 1,024 pixels", "49 of 1,024 pixels"),
        ("block layer1.0", "block layer1.0"),
    ],
)
def test_what_was_measured_is_left_out(label: str, told: str) -> None:
    figure = plots.new_figure(2.0)
    figure.subplots().set_xlabel(label)
    assert f'x "{told}"' in describe(figure)
