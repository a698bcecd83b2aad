"""SE in networks that were written without it."""

import copy

import pytest
import torch
import torchvision.models as tv
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual

from senet_edu import create_model
from senet_edu.gates import override_gates, record_gates
from senet_edu.resnet import BasicBlock
from senet_edu.se import SEBlock
from senet_edu.surgery import WithSE, insert_se, remove_se, se_inception_v3

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
        (small(), [], r"after must name at least one submodule, got \[\]"),
        (small(), [7], "after must hold names, types, modules or functions, got 7"),
        (small(), lambda name, module: False, "matches no submodule"),
        (None, "0", "model must be a module, got None"),
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


# Targets


@pytest.mark.parametrize(
    "after",
    [
        lambda model: model.layer2[1].bn2,
        lambda model: lambda name, module: name == "layer2.1.bn2",
        lambda model: [model.layer2[1].bn2],
        lambda model: "layer2.**.1.bn2",
        lambda model: "**.1.bn2",
        lambda model: "layer2.1.bn2.**",  # also no part at all
    ],
)
def test_ways_to_say_where(after):
    model = create_model("resnet8", planes=(4, 8, 16))
    model.layer2.append(BasicBlock(8, 8))
    insert_se(model, after(model), input_size=(3, 16, 16), reduction=2)
    assert [name for name, m in model.named_modules() if isinstance(m, WithSE)] == ["layer2.1.bn2"]


def test_a_compiled_model_by_the_names_of_its_reader():
    torch._dynamo.reset()
    model = create_model("resnet8").eval()
    compiled = torch.compile(model, backend="eager")
    x = torch.randn(2, 3, 32, 32)
    before = compiled(x)
    insert_se(compiled, "layer*.0.bn2", input_size=(3, 32, 32), reduction=2)
    assert sum(isinstance(m, WithSE) for m in model.modules()) == 3
    assert not torch.allclose(compiled(x), before)
    torch.testing.assert_close(compiled(x), model(x))


# Inputs


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1)

    def forward(self, image, depth):
        return {"sum": self.a(image) + self.b(depth)}


@pytest.mark.parametrize("kind", [tuple, dict])
def test_examples_of_any_kind(kind):
    example = {"image": torch.zeros(1, 3, 8, 8), "depth": torch.zeros(1, 1, 8, 8)}
    model = insert_se(TwoInputs(), ["a", "b"], example=kind(example.values()) if kind is tuple else example)
    assert model.a.se.channels == model.b.se.channels == 8


def test_an_input_that_does_not_suit():
    with pytest.raises(ValueError, match=r"input_size=\(5, 8, 8\) does not suit Sequential: "):
        insert_se(small(), "0", input_size=(5, 8, 8))
    with pytest.raises(ValueError, match="example=tuple does not suit TwoInputs"):
        insert_se(TwoInputs(), "a", example=(torch.zeros(1, 3, 8, 8),))
    for size in (None, (), (3, 0, 8), "large", (3, 8.0, 8)):
        with pytest.raises(ValueError, match="input_size must be the shape of one input"):
            insert_se(small(), "0", input_size=size)


# Which axis has the channels


@pytest.mark.parametrize(
    ("build", "after", "channels", "dim"),
    [
        (tv.swin_t, "features.1", 96, -1),  # the axes are (N, H, W, C)
        (tv.swin_t, "features.7.0", 768, -1),
        (tv.convnext_tiny, "features.1.0.block.5", 96, -1),  # a linear layer on (N, H, W, C)
        (tv.convnext_tiny, "features.1", 96, 1),
        (tv.mobilenet_v2, "features.3", 24, 1),
        (tv.vit_b_16, "encoder.layers.encoder_layer_1", 768, -1),  # takes one size only, tokens (N, L, C)
        (tv.resnet18, "avgpool", 512, 1),  # (N, C, 1, 1) grows nowhere
    ],
)
def test_channels_are_found(build, after, channels, dim):
    with torch.device("meta"):
        model = insert_se(build(), after, input_size=(3, 224, 224), reduction=4)
        (block,) = [m.se for m in model.modules() if isinstance(m, WithSE)]
        assert (block.channels, block.channel_dim) == (channels, dim)
        size = 224 if build is tv.vit_b_16 else 256  # a block for another axis would break at another size
        assert model.eval()(torch.empty(1, 3, size, size)).shape == (1, 1000)


def test_channels_where_nothing_tells():
    model = nn.Sequential(nn.Unflatten(1, (4, 4)), nn.Identity())
    with pytest.raises(ValueError, match="say so with channel_dim=1 or -1"):
        insert_se(model, "1", example=torch.zeros(2, 16), attention="se")
    insert_se(model, "1", example=torch.zeros(2, 16), channel_dim=-1)
    assert model[1].se.channel_dim == -1
    with pytest.raises(ValueError, match="channel_dim must be 1, -1 or None, got 2"):
        insert_se(small(), "0", input_size=(3, 8, 8), channel_dim=2)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Conv1d(3, 8, 1), (2, 3, 20)), (nn.Conv3d(3, 8, 1), (2, 3, 4, 4, 4)), (nn.Linear(3, 8), (2, 5, 3))],
)
def test_signals_volumes_and_tokens(layer, shape):
    model = insert_se(nn.Sequential(layer), "0", example=torch.zeros(shape), reduction=2)
    assert model[0].se.channels == 8 and model(torch.randn(shape)).shape[0] == 2


def test_a_relative_that_cannot_take_the_axis_is_refused():
    with pytest.raises(ValueError, match="attention 'eca' does not take channel_dim=-1"):
        insert_se(nn.Sequential(nn.Linear(3, 8)), "0", example=torch.zeros(2, 5, 3), attention="eca")
    with pytest.raises(ValueError, match=r"x must be \(N, 8, H, W\), got \(2, 8, 20\)"):
        insert_se(nn.Sequential(nn.Conv1d(3, 8, 1)), "0", example=torch.zeros(2, 3, 20), attention="eca")


# There and back


@pytest.mark.parametrize(
    ("build", "after"),
    [(tv.resnet50, "layer*.*.bn3"), (tv.mobilenet_v2, InvertedResidual), (tv.swin_t, "features.[1357].*")],
)
def test_a_start_as_the_identity_and_the_way_back(build, after):
    torch.manual_seed(0)
    model = build().eval()
    x = torch.randn(2, 3, 64, 64)
    names = list(model.state_dict())
    with torch.no_grad():
        before = model(x)
        insert_se(model, after, input_size=(3, 64, 64), start="identity")
        assert (model(x) - before).abs().max() <= 1e-5 * before.abs().max()
        count = sum(isinstance(m, WithSE) for m in model.modules())
        assert count == {tv.resnet50: 16, tv.mobilenet_v2: 17, tv.swin_t: 12}[build]
        with record_gates(model) as gates:
            model(x)
        assert len(gates) == count and all((s == 1).all() for s in gates.values())
        remove_se(model)
        assert torch.equal(model(x), before)
    assert list(model.state_dict()) == names


def test_the_identity_learns():
    torch.manual_seed(0)
    model = insert_se(small(), "0", input_size=(3, 8, 8), reduction=2, start="identity")
    optimizer = torch.optim.SGD(model[0].se.parameters(), lr=0.5)
    x = torch.randn(8, 3, 8, 8)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    assert model[0].se.fc1.weight.grad.any() and model[0].se.fc2.weight.any()


@pytest.mark.parametrize("options", [{"attention": "eca"}, {"gate": "tanh"}, {"attention": "simam"}])
def test_what_cannot_start_as_the_identity(options):
    with pytest.raises(ValueError, match="start='identity' needs an SEBlock with a sigmoid or a hardsigmoid, got "):
        insert_se(small(), "0", input_size=(3, 8, 8), start="identity", **options)
    with pytest.raises(ValueError, match="start must be 'identity' or None, got 'open'"):
        insert_se(small(), "0", input_size=(3, 8, 8), start="open")


def test_some_blocks_are_removed():
    model = insert_se(small(), nn.Conv2d, input_size=(3, 8, 8))
    conv = model[0].body
    assert remove_se(model, "0") is model and model[0] is conv and isinstance(model[2], WithSE)
    with pytest.raises(ValueError, match="names='0' matches no block that insert_se put into Sequential"):
        remove_se(model, "0")
    several = insert_se(small(), nn.Conv2d, input_size=(3, 8, 8))
    remove_se(several, ["0", "2"])
    assert not any(isinstance(module, WithSE) for module in several.modules())
    nested = insert_se(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1))), ["0", "0.0"], input_size=(3, 2, 2))
    remove_se(nested)
    assert not any(isinstance(m, WithSE) for m in nested.modules()) and isinstance(nested[0][0], nn.Conv2d)


@pytest.mark.parametrize("names", [3, None, nn.Conv2d, [], [nn.Conv2d], ["0", 2]])
def test_what_names_no_block_to_remove(names):
    model = insert_se(small(), "0", input_size=(3, 8, 8))
    with pytest.raises(ValueError, match="names must be a name, a pattern or several, got "):
        remove_se(model, names)
    assert isinstance(model[0], WithSE)


def test_attributes_of_the_wrapped_module_are_visible():
    model = insert_se(small(), "0", input_size=(3, 8, 8))
    assert model[0].out_channels == 8 and model[0].weight is model[0].body.weight
    with pytest.raises(AttributeError, match="'Conv2d' object has no attribute 'zebra'"):
        _ = model[0].zebra
    copy.deepcopy(model[0])


def test_weights_from_before_the_insertion_fit():
    plain = small()
    model = insert_se(small(), nn.Conv2d, input_size=(3, 8, 8))
    missing, unexpected = model.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == [] and all(".se." in name for name in missing) and missing
    assert torch.equal(model[2].body.weight, plain[2].weight)
    with pytest.raises(RuntimeError, match="Missing key.*0.se.fc1.weight"):
        model.load_state_dict(plain.state_dict())
