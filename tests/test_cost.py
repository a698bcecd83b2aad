"""Costs against the paper, against exact counts, and against torch's own counter."""

import time

import pytest
import torch
import torchvision.models
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from senet_edu import SEBlock, create_model
from senet_edu.cost import (
    Cost,
    cost_by_module,
    cost_by_stage,
    count_parameters,
    measure_latency,
    multiply_adds,
    se_cost,
    se_parameters,
)

IMAGENET = (3, 224, 224)
STAGES = [(3, 256), (4, 512), (6, 1024), (3, 2048)]  # of SE-ResNet-50


def meta(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def test_count_parameters():
    assert count_parameters(meta("se_resnet50")) == 28_071_976
    assert count_parameters(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))) == 3 * 8 * 9 + 8 + 2 * 8


def test_equation_5():
    assert se_parameters(STAGES) == 2 * sum(n * c**2 for n, c in STAGES) // 16 == 2_514_944
    assert [se_parameters([stage]) for stage in STAGES] == [24_576, 131_072, 786_432, 1_572_864]
    assert se_parameters(STAGES, bias=True) == 2_514_944 + 16_048
    assert se_parameters(STAGES[:3]) == 942_080
    assert se_parameters([(3, 16), (3, 32), (3, 64)], 4) == 4032 * 2


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("channels", "reduction"), [(64, 4), (16, 16), (8, 16), (50, 16), (7, 1)])
def test_formula_equals_the_block(channels, reduction, bias):
    block = SEBlock(channels, reduction, bias=bias)
    assert se_parameters([(1, channels)], reduction, bias=bias) == count_parameters(block)


def test_formula_refuses_a_reduction_below_one():
    with pytest.raises(ValueError, match="reduction must be at least 1, got 0"):
        se_parameters(STAGES, 0)


@pytest.mark.parametrize(
    ("depth", "stride_in", "exact", "rounded"),  # with the stride in the 1x1, the paper's: 3.86, 7.58, 11.30 G
    [
        (50, "1x1", 3_857_973_248, 3.858),
        (50, "3x3", 4_089_184_256, 4.089),
        (101, "1x1", 7_570_194_432, 7.570),
        (101, "3x3", 7_801_405_440, 7.801),
        (152, "1x1", 11_282_415_616, 11.282),
        (152, "3x3", 11_513_626_624, 11.514),
    ],
)
def test_multiply_adds_of_the_papers_networks(depth, stride_in, exact, rounded):
    count = multiply_adds(meta(f"resnet{depth}", stride_in=stride_in), IMAGENET)
    assert count == exact
    assert count / 1e9 == pytest.approx(rounded, abs=0.0005)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_multiply_adds_equal_torchs_counter(name):
    with torch.device("meta"):
        model = getattr(torchvision.models, name)().eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, *IMAGENET))
    assert 2 * multiply_adds(model, IMAGENET) == counter.get_total_flops()


def test_what_se_adds():
    rows = se_cost(meta("se_resnet50", stride_in="1x1"), IMAGENET)
    maps = sum(n * c * side**2 for (n, c), side in zip(STAGES, (56, 28, 14, 7)))
    assert rows == [Cost("squeeze", 0, maps), Cost("excite", 2_514_944, 2_514_944), Cost("rescale", 0, maps)]
    assert maps / 1e6 == pytest.approx(5.52, abs=0.005)
    added = sum(row.multiply_adds for row in rows)
    assert added / 1e6 == pytest.approx(13.6, abs=0.05)
    assert added / 3_857_973_248 == pytest.approx(0.0035, abs=0.00005)


def test_elementwise_is_added_to_the_plain_count():
    plain, with_se = meta("resnet50"), meta("se_resnet50")
    total = multiply_adds(plain, IMAGENET)
    assert multiply_adds(plain, IMAGENET, elementwise=True) == total
    assert multiply_adds(with_se, IMAGENET) == total + 2_514_944
    assert multiply_adds(with_se, IMAGENET, elementwise=True) == total + 2_514_944 + 2 * 5_519_360


def test_by_stage():
    plain, with_se = (cost_by_stage(meta(name), IMAGENET) for name in ("resnet50", "se_resnet50"))
    assert [row.name for row in with_se] == ["stem", "layer1", "layer2", "layer3", "layer4", "fc"]
    added = [b.parameters - a.parameters for a, b in zip(plain, with_se)]
    assert added == [0, 24_576, 131_072, 786_432, 1_572_864, 0]
    assert sum(row.parameters for row in with_se) == 28_071_976
    assert with_se[0] == Cost("stem", 3 * 64 * 49 + 2 * 64, 3 * 64 * 49 * 112**2)
    assert with_se[-1] == Cost("fc", 2_049_000, 2_048_000)


def test_by_module():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, groups=1, padding=1, bias=True), SEBlock(8, 4), nn.BatchNorm2d(8))
    rows = cost_by_module(model, (3, 5, 4), elementwise=True)
    assert rows == [
        Cost("0", 3 * 8 * 9 + 8, 3 * 8 * 9 * 20),
        Cost("1.squeeze", 0, 8 * 20),
        Cost("1.fc1", 16, 16),
        Cost("1.fc2", 16, 16),
        Cost("1.rescale", 0, 8 * 20),
        Cost("2", 16, 0),
    ]
    assert [row.name for row in cost_by_module(model, (3, 5, 4))] == ["0", "1.fc1", "1.fc2", "2"]
    assert [row.name for row in cost_by_module(model[1], (8, 5, 4), elementwise=True)] == [
        "squeeze",
        "fc1",
        "fc2",
        "rescale",
    ]


def test_a_module_called_twice_costs_twice():
    conv = nn.Conv2d(4, 4, 1, bias=False)
    assert cost_by_module(nn.Sequential(conv, conv), (4, 3, 3)) == [Cost("0", 16, 2 * 16 * 9)]


def test_parts_that_are_not_called_keep_their_parameters():
    class Auxiliary(nn.Sequential):  # as Inception's classifier, which only training calls
        def __init__(self):
            super().__init__(nn.Conv2d(3, 2, 1))
            self.auxiliary = nn.Linear(2, 14)

        def forward(self, x):
            x = self[0](x)
            return (x, self.auxiliary(x.mean((2, 3)))) if self.training else x

    assert cost_by_module(Auxiliary(), (3, 2, 2)) == [Cost("0", 8, 24), Cost("auxiliary", 42, 0)]


def test_model_is_not_touched():
    torch.manual_seed(0)
    model = create_model("se_resnet20").double()
    model.layer1.eval()  # a mixture of modes stays
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    assert multiply_adds(model, (3, 32, 32)) > 40e6
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_compiled_model():
    model = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), SEBlock(8, 4))
    compiled = torch.compile(model, backend="eager")
    for function in (cost_by_module, se_cost):
        assert function(compiled, (3, 4, 4)) == function(model, (3, 4, 4))


@pytest.mark.parametrize(
    "size", [(224, 224), (1, 3, 224, 224), (3, 0, 224), (3, 32.0, 32), (3, "32", 32), (), None, 32]
)
def test_wrong_input_size(size):
    with pytest.raises(ValueError, match=r"input_size must be \(channels, height, width\).*got "):
        multiply_adds(meta("resnet18"), size)


def test_no_se_block():
    with pytest.raises(ValueError, match="ResNet has no SE block"):
        se_cost(meta("resnet18"), IMAGENET)


def test_latency():
    calls = []  # by name; the third passes are slow, and so are the first, which warm up

    class Sleep(nn.Module):
        def __init__(self, name, seconds):
            super().__init__()
            self.name, self.seconds = name, seconds

        def forward(self, x):
            assert not self.training and torch.is_inference_mode_enabled()
            calls.append(self.name)
            time.sleep(0.3 if calls.count(self.name) in (1, 3) else self.seconds)
            return x

    models = {"short": Sleep("short", 0.002), "long": Sleep("long", 0.05)}
    models["long"].eval()
    result = measure_latency(models, torch.zeros(1), repeats=3)
    assert calls == ["short", "long"] * 4  # in turns, after one pass each to warm up
    assert 2 <= result["short"].milliseconds < 50 <= result["long"].milliseconds < 250
    assert models["short"].training and not models["long"].training


def test_latency_refuses_no_repeats():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        measure_latency({}, torch.zeros(1), repeats=0)


def test_blocks_of_other_libraries_cost_what_their_layers_cost():
    """timm's SE-ResNet-18, counted by hand: each map is read twice, and two layers see its means."""
    timm = pytest.importorskip("timm", reason="timm is needed to count in its networks")
    with torch.device("meta"):
        model = timm.create_model("seresnet18")
    stages = [(64, 8, 56), (128, 8, 28), (256, 16, 14), (512, 32, 7)]  # channels, hidden, side; two blocks each
    maps = sum(2 * c * side**2 for c, _, side in stages)
    layers = sum(2 * 2 * c * hidden for c, hidden, _ in stages)
    biases = sum(2 * (c + hidden) for c, hidden, _ in stages)
    squeeze, excite, rescale = se_cost(model, IMAGENET)
    assert (squeeze.multiply_adds, excite.multiply_adds, rescale.multiply_adds) == (maps, layers, maps)
    assert excite.parameters == layers + biases


def test_gates_for_each_pixel_have_no_squeeze():
    names = [
        row.name
        for row in cost_by_module(create_model("se_resnet8", attention="no_squeeze"), (3, 32, 32), elementwise=True)
    ]
    assert not any("squeeze" in name or "rescale" in name for name in names)
    assert [row.multiply_adds for row in se_cost(create_model("se_resnet8", attention="eca"), (3, 32, 32))][0] > 0


def test_a_model_that_does_not_take_the_size():
    with pytest.raises(ValueError, match=r"input_size=\(5, 32, 32\) does not suit the model ResNet: "):
        multiply_adds(create_model("resnet8"), (5, 32, 32))
    with pytest.raises(ValueError, match="model must be a module, got None"):
        multiply_adds(None, (3, 32, 32))
