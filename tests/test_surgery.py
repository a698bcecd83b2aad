"""SE in networks that were written without it."""

import copy

import pytest
import torch
import torchvision.models as tv
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual

from senet_edu.gates import override_gates, record_gates
from senet_edu.se import SEBlock
from senet_edu.surgery import WithSE, insert_se, se_inception_v3

INCEPTION = {
    "Mixed_5b": 256,
    "Mixed_5c": 288,
    "Mixed_5d": 288,
    "Mixed_6a": 768,
    "Mixed_6b": 768,
    "Mixed_6c": 768,
    "Mixed_6d": 768,
    "Mixed_6e": 768,
    "Mixed_7a": 1280,
    "Mixed_7b": 2048,
    "Mixed_7c": 2048,
}


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 2))


@pytest.fixture(scope="module")
def inception():
    torch.manual_seed(0)
    return se_inception_v3(num_classes=10, aux_logits=False, init_weights=False)


def test_se_inception_has_eleven_blocks_of_the_right_width_and_calls_each(inception):
    with record_gates(inception.eval()) as gates, torch.no_grad():
        inception(torch.randn(1, 3, 75, 75))
    assert {name.removesuffix(".se"): gate.shape[1] for name, gate in gates.items()} == INCEPTION


def test_every_block_of_se_inception_gets_a_gradient_and_changes_the_answer(inception):
    x = torch.randn(4, 3, 75, 75)
    for module in inception.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1  # statistics of this batch: with those of no batch, an untrained network's signals fade
    inception.train()(x).square().sum().backward()
    for name in INCEPTION:
        block = inception.get_submodule(f"{name}.se")
        assert block.fc1.weight.grad.abs().sum() > 0 and block.fc2.weight.grad.abs().sum() > 0, name
    inception.eval()
    with torch.no_grad():
        whole = inception(x)
        for name in INCEPTION:
            with override_gates(inception, {f"{name}.se": 0.0}):
                assert (inception(x) - whole).norm() > 0.01 * whole.norm(), name


@pytest.mark.parametrize(
    ("build", "after", "size", "channels"),
    [
        (tv.vgg11_bn, "features.28", 32, [512]),
        (tv.mobilenet_v2, InvertedResidual, 32, [16, 24, 24, 32, 32, 32] + [64] * 4 + [96] * 3 + [160] * 3 + [320]),
        (tv.resnext50_32x4d, "layer4.*.bn3", 64, [2048] * 3),
        (tv.densenet121, "features.transition?", 64, [128, 256, 512]),
        (tv.shufflenet_v2_x0_5, "stage4.*", 64, [192] * 4),
    ],
)
def test_torchvision_models_get_se_and_keep_their_output_shape(build, after, size, channels):
    with torch.device("meta"):  # shapes without numbers: these networks are large
        model = build(num_classes=7)
        insert_se(model, after, input_size=(3, size, size), reduction=4)
        with record_gates(model) as gates:
            assert model.eval()(torch.empty(2, 3, size, size)).shape == (2, 7)
    assert [m.se.channels for m in model.modules() if isinstance(m, WithSE)] == channels
    assert [s.shape for s in gates.values()] == [(2, c) for c in channels]


def test_the_block_stands_behind_the_module_it_was_put_after():
    model = small()
    plain = copy.deepcopy(model)
    insert_se(model, "0", input_size=(3, 8, 8), reduction=2)
    x = torch.randn(2, 3, 8, 8)
    expected = plain[1:](model[0].se(plain[0](x)))
    assert torch.equal(model(x), expected)


def test_names_types_and_several_targets_reach_the_same_modules():
    by_type = insert_se(small(), nn.Conv2d, input_size=(3, 8, 8))
    by_names = insert_se(small(), ["0", "2"], input_size=(3, 8, 8))
    assert by_type.state_dict().keys() == by_names.state_dict().keys()


def test_nested_targets_both_get_their_block():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Flatten())
    insert_se(model, ["0", "0.0"], input_size=(3, 2, 2))
    assert isinstance(model[0], WithSE) and isinstance(model[0].body[0], WithSE)


def test_state_dict_round_trip_and_deepcopy():
    model = insert_se(small(), "0", input_size=(3, 8, 8), reduction=2)
    twin = insert_se(small(), "0", input_size=(3, 8, 8), reduction=2)
    twin.load_state_dict(model.state_dict(), strict=True)
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(twin(x), model(x))
    clone = copy.deepcopy(model)
    with torch.no_grad():
        clone[0].se.fc2.weight.zero_()
    assert not torch.equal(clone(x), model(x)), "the copy has a block of its own"


def test_compile_and_export():
    model = insert_se(small(), "0", input_size=(3, 8, 8), reduction=2).eval()
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(torch.compile(model, backend="aot_eager")(x), model(x))
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))


def test_modes_and_statistics_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU().eval())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    insert_se(model, "1", input_size=(3, 4, 4))
    assert model.training and model[1].body.training and model[1].se.training and not model[2].training
    assert all(torch.equal(value, model.state_dict()[name.replace("1.", "1.body.")]) for name, value in before.items())


def test_the_block_has_the_dtype_of_its_module():
    model = insert_se(small().double(), "0", input_size=(3, 8, 8))
    assert model[0].se.fc1.weight.dtype == torch.float64


def test_any_attention_by_callable():
    model = insert_se(small(), "0", attention=lambda c: SEBlock(c, 2, gate="tanh"), input_size=(3, 8, 8))
    assert isinstance(model[0].se.gate, nn.Tanh)


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.never = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.used(x)


def shared():
    layer = nn.Conv2d(3, 3, 1)
    return nn.Sequential(layer, layer)


@pytest.mark.parametrize(
    ("model", "after", "message"),
    [
        (small(), "7", "'7' matches no submodule"),
        (small(), nn.BatchNorm2d, "matches no submodule"),
        (small(), "4", r"\(1, 2\)"),
        (nn.Sequential(TwoOutputs()), "0", "a tuple"),
        (Unused(), "never", "'never': it is never called"),
        (shared(), nn.Conv2d, "several names, 0, 1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(model, after, message):
    before = repr(model)
    with pytest.raises(ValueError, match=message):
        insert_se(model, after, input_size=(3, 8, 8))
    assert repr(model) == before


def test_a_second_insertion_is_refused():
    model = insert_se(small(), nn.Conv2d, input_size=(3, 8, 8))
    for target in (nn.Conv2d, "0", "0.body"):
        with pytest.raises(ValueError, match="'0' already has an SE block"):
            insert_se(model, target, input_size=(3, 8, 8))
