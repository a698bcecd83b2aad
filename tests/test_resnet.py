"""The networks against torchvision's, against exact parameter counts, and against the paper."""

import functools
import inspect
import itertools
import re

import pytest
import torch
import torchvision.models
from torch import nn
from torch.nn import functional as F

import senet_edu
from senet_edu import SEBlock, create_model, list_models, se_resnet20
from senet_edu.resnet import PLACEMENTS, BasicBlock, Bottleneck, ResNet, conv3x3

IMAGENET_DEPTHS = (18, 34, 50, 101, 152)
CIFAR_DEPTHS = (8, 20, 32, 44, 56, 110, 164)
BLOCK_AND_PLACE = [(b, p) for b in (BasicBlock, Bottleneck) for p in PLACEMENTS if (b, p) != (BasicBlock, "3x3")]


@functools.cache
def build(name, **options):
    """A model without memory or numbers, for counting and shapes; shared between tests, which leave it as it was."""
    with torch.device("meta"):
        return create_model(name, **options)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def stage_shapes(model, size):
    """Output shapes of the stages, without the batch, for `size` x `size` images on the meta device."""
    shapes = []
    hooks = [
        getattr(model, name).register_forward_hook(lambda m, args, out: shapes.append(tuple(out.shape[1:])))
        for name in model.stage_names
    ]
    out = model(torch.empty(2, 3, size, size, device="meta"))
    for hook in hooks:
        hook.remove()
    return [*shapes, tuple(out.shape[1:])]


def small(block, **options):
    """A network of three residual blocks; the second has an identity shortcut, the third a projection."""
    torch.manual_seed(0)
    make_se = functools.partial(SEBlock, reduction=2)
    return ResNet(block, (2, 1), (8, 16), stem="cifar", num_classes=10, make_se=make_se, **options)


# Against torchvision


@pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("resnet18", {}, "resnet18"),
        ("resnet50", {}, "resnet50"),
        ("resnet50", {"groups": 32, "base_width": 4}, "resnext50_32x4d"),
    ],
)
def test_plain_networks_equal_torchvision(name, options, theirs):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, theirs)(num_classes=10).double().eval()
    for module in theirs.modules():  # batch norms that do something
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    with torch.device("meta"):
        ours = create_model(name, num_classes=10, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    ours.eval()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected, got = theirs(x), ours(x)
    assert expected.abs().max() > 1e-3
    assert (got - expected).abs().max() <= 1e-10


def test_gradients_equal_torchvision():
    torch.manual_seed(0)
    theirs = torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], num_classes=10).double()
    ours = ResNet(Bottleneck, (1, 2, 1, 1), (64, 128, 256, 512), num_classes=10).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for model in (ours, theirs):
        F.cross_entropy(model(x), torch.tensor([3, 7])).backward()
    wanted = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        torch.testing.assert_close(p.grad, wanted[name].grad, rtol=1e-8, atol=1e-10, msg=name)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())  # the running statistics


def test_a_convolution_is_equation_1():
    torch.manual_seed(0)
    conv, X = conv3x3(3, 2), torch.randn(1, 3, 5, 6)
    U, padded = conv(X), F.pad(X, (1, 1, 1, 1))
    for c in range(2):
        for i, j in ((0, 0), (2, 3), (4, 5)):
            total = torch.zeros(())
            for s in range(3):  # over the input channels, and over the nine places of the kernel
                for k, m in itertools.product(range(3), repeat=2):
                    total += conv.weight[c, s, k, m] * padded[0, s, i + k, j + m]
            torch.testing.assert_close(U[0, c, i, j], total)


# Parameters


@pytest.mark.parametrize(
    ("depth", "plain", "without_bias", "with_bias"),
    [
        (18, 11_689_512, 11_776_552, 11_778_592),
        (34, 21_797_672, 21_954_856, 21_958_868),
        (50, 25_557_032, 28_071_976, 28_088_024),
        (101, 44_549_160, 49_292_328, 49_326_872),
        (152, 60_192_808, 66_770_984, 66_821_848),
    ],
)
def test_imagenet_parameters(depth, plain, without_bias, with_bias):
    assert parameters(build(f"resnet{depth}")) == plain
    assert parameters(build(f"se_resnet{depth}")) == without_bias
    assert parameters(build(f"se_resnet{depth}", bias=True)) == with_bias


@pytest.mark.parametrize(
    ("reduction", "count", "table_10"),
    [
        (2, 45_676_584, 45.7),
        (4, 35_616_808, 35.7),
        (8, 30_586_920, 30.7),
        (16, 28_071_976, 28.1),
        (32, 26_814_504, 26.9),
    ],
)
def test_parameters_by_reduction(reduction, count, table_10):
    model = build("se_resnet50", reduction=reduction)
    assert parameters(model) == count
    assert count / 1e6 == pytest.approx(table_10, abs=0.15)


@pytest.mark.parametrize(
    ("depth", "plain", "with_bias"),  # with biases: the published counts of another implementation, pytorchcv
    [(20, 272_474, 274_847), (56, 855_770, 862_889), (110, 1_730_714, 1_744_952), (164, 1_704_154, 1_906_258)],
)
def test_cifar_parameters(depth, plain, with_bias):
    assert parameters(build(f"resnet{depth}")) == plain
    assert parameters(build(f"se_resnet{depth}", bias=True)) == with_bias


def test_se_resnet20_parameters_by_hand():
    for r in (4, 16):
        se = sum(3 * 2 * channels * (channels // r) for channels in (16, 32, 64))
        assert parameters(build("se_resnet20", reduction=r)) == 272_474 + se


def test_widths_of_the_stages_by_hand():
    """Each 3x3 convolution has 9 · in · out weights, a batch norm two a channel, a projection in · out and a norm."""
    a, b, c = planes = (4, 6, 10)
    convolutions = 9 * (3 * a + 2 * a * a + a * b + b * b + b * c + c * c) + a * b + b * c
    norms = 2 * (3 * a + 3 * b + 3 * c)
    assert parameters(build("resnet8", planes=planes)) == convolutions + norms + 10 * c + 10


@pytest.mark.parametrize("option", [{"squeeze": "max"}, {"gate": "tanh"}])
def test_squeeze_and_gate_reach_every_block(option):
    for block in (m for m in create_model("se_resnet8", **option).modules() if isinstance(m, SEBlock)):
        assert block.squeeze_by == option.get("squeeze", "avg")
        assert isinstance(block.gate, nn.Tanh if "gate" in option else nn.Sigmoid)


def test_se_resnet18_cifar_parameters():
    assert parameters(build("se_resnet18_cifar")) == 11_261_002


@pytest.mark.parametrize(
    ("stages", "table_13"),  # the paper's SE_Stage_2, SE_Stage_3, SE_Stage_4; its stage 2 is layer1
    [((1,), 25.6), ((2,), 25.7), ((3,), 26.4), ((1, 2, 3, 4), 28.1), (None, 28.1)],
)
def test_parameters_by_stage(stages, table_13):
    model = build("se_resnet50", stages=stages)
    with_se = {name.split(".")[0] for name, m in model.named_modules() if isinstance(m, SEBlock)}
    assert with_se == {f"layer{i}" for i in stages or (1, 2, 3, 4)}
    assert parameters(model) / 1e6 == pytest.approx(table_13, abs=0.15)


def test_se_3x3_parameters():
    assert parameters(build("se_resnet50", placement="3x3")) == 25_714_216  # the paper's Table 15: 25.8 M


def test_hidden_widths_of_table_1():
    model = build("se_resnet50")
    widths = [[*getattr(model, f"layer{i}")[0].se.fc2.weight.T.shape] for i in (1, 2, 3, 4)]
    assert widths == [[16, 256], [32, 512], [64, 1024], [128, 2048]]


def test_no_se_block_without_placement():
    with_none, plain = build("se_resnet50", placement="none"), build("resnet50")
    assert with_none.state_dict().keys() == plain.state_dict().keys()


def test_state_dict_adds_only_se_keys():
    plain, with_se = (set(build(name).state_dict()) for name in ("resnet50", "se_resnet50"))
    assert plain < with_se
    pattern = re.compile(r"layer\d\.\d\.se\.fc[12]\.weight")
    assert all(pattern.fullmatch(name) for name in with_se - plain) and len(with_se - plain) == 32


# Shapes


@pytest.mark.parametrize(
    ("name", "options", "expansion"),
    [
        ("resnet18", {}, 1),
        ("se_resnet34", {}, 1),
        ("resnet50", {}, 4),
        ("se_resnet50", {}, 4),
        ("se_resnet50", {"stride_in": "1x1"}, 4),
    ],
)
def test_imagenet_stage_shapes(name, options, expansion):
    channels = [c * expansion for c in (64, 128, 256, 512)]
    expected = [(c, size, size) for c, size in zip(channels, (56, 28, 14, 7))]
    assert stage_shapes(build(name, **options), 224) == [*expected, (1000,)]


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet20", (16, 32, 64)),
        ("se_resnet56", (16, 32, 64)),
        ("se_resnet164", (64, 128, 256)),
        ("se_resnet18_cifar", (64, 128, 256, 512)),
        ("resnet10_cifar", (64, 128, 256, 512)),
    ],
)
def test_cifar_stage_shapes(name, channels):
    expected = [(c, size, size) for c, size in zip(channels, (32, 16, 8, 4))]
    assert stage_shapes(build(name), 32) == [*expected, (10,)]


@pytest.mark.parametrize("name", list_models())
def test_depth_is_in_the_name(name):
    """The 50 of ResNet-50 counts the convolutions outside of shortcuts, and the classifier."""
    model = build(name)
    layers = [m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and "downsample" not in n]
    assert len(layers) + 1 == int(re.search(r"ne(?:t|xt)(\d+)", name)[1])
    assert any(isinstance(m, SEBlock) for m in model.modules()) == name.startswith("se")


def test_list_of_models_is_complete():
    plain = {f"resnet{depth}" for depth in IMAGENET_DEPTHS + CIFAR_DEPTHS} | {"resnet10_cifar", "resnet18_cifar"}
    plain |= {"resnext50_32x4d", "resnext101_32x4d"}
    assert set(list_models()) == plain | {f"se_{name}" for name in plain} | {"senet154"}
    assert set(list_models("se_*")) == {f"se_{name}" for name in plain}
    assert list_models("*20") == ["resnet20", "se_resnet20"] and list_models("vgg*") == []


def test_stride_in():
    for options, strides in (({"stride_in": "1x1"}, (2, 1)), ({}, (1, 2))):
        block = build("se_resnet50", **options).layer2[0]
        assert (block.conv1.stride[0], block.conv2.stride[0]) == strides
        assert block.downsample[0].stride == (2, 2)


# Placement


def expected_block(block, x):
    """Fig. 5 of the paper, from the block's parts; a plain SE block where there is one."""
    se, place = getattr(block, "se", None), block.placement
    out = se(x) if place == "pre" else x
    out = F.relu(block.bn1(block.conv1(out)))
    out = block.bn2(block.conv2(out))
    if isinstance(block, Bottleneck):
        out = F.relu(out)
        out = block.bn3(block.conv3(se(out) if place == "3x3" else out))
    shortcut = x if block.downsample is None else block.downsample(x)
    if place == "standard":
        out = se(out)
    if place == "identity":
        shortcut = se(shortcut)
    out = F.relu(out + shortcut)
    return se(out) if place == "post" else out


@pytest.mark.parametrize(("block", "placement"), BLOCK_AND_PLACE)
@pytest.mark.parametrize("stride", [1, 2])
def test_placement_in_a_block(block, placement, stride):
    torch.manual_seed(0)
    inplanes = 8 * block.expansion  # with stride 1 the shortcut is the identity
    module = block(inplanes, 8, stride, make_se=functools.partial(SEBlock, reduction=2), placement=placement).eval()
    x = torch.randn(2, inplanes, 6, 6)
    before = x.clone()
    torch.testing.assert_close(module(x), expected_block(module, x))
    assert torch.equal(x, before)
    assert (module.downsample is None) == (stride == 1)


@pytest.mark.parametrize(("block", "placement"), BLOCK_AND_PLACE)
def test_every_se_block_is_called_once(block, placement):
    model = small(block, placement=placement)
    calls = {}
    for name, module in model.named_modules():
        if isinstance(module, SEBlock):
            calls[name] = 0
            module.register_forward_hook(lambda *_, name=name: calls.update({name: calls[name] + 1}))
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)
    places = [] if placement == "none" else ["layer1.0.se", "layer1.1.se", "layer2.0.se"]
    assert calls == dict.fromkeys(places, 1)


# Initialization, options, gradients


def test_convolutions_have_he_initialization():
    torch.manual_seed(0)
    conv = se_resnet20().layer3[0].conv1  # 32 to 64 channels, and the fan out counts
    assert conv.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.03)


@pytest.mark.parametrize(("block", "last"), [(BasicBlock, "bn2"), (Bottleneck, "bn3")])
def test_zero_init_residual(block, last):
    for zero in (False, True):
        model = small(block, placement="standard", zero_init_residual=zero)
        for path, module in model.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                is_last = path.startswith("layer") and path.endswith(last)
                wanted = 0 if zero and is_last else 1
                assert (module.weight == wanted).all(), path


@pytest.mark.parametrize("reduction", [1, 8])
def test_options_reach_the_blocks(reduction):
    model = build("se_resnet18", reduction=reduction, min_hidden=24, bias=True)
    blocks = [m for m in model.modules() if isinstance(m, SEBlock)]
    assert len(blocks) == 8
    for block in blocks:
        assert block.reduction == reduction
        assert block.fc1.out_features == max(24, block.channels // reduction)
        assert block.fc1.bias is not None and block.fc2.bias is not None


def test_num_classes():
    assert build("se_resnet20", num_classes=100)(torch.empty(4, 3, 32, 32, device="meta")).shape == (4, 100)


def test_deterministic_with_a_seed():
    def fresh(seed):
        torch.manual_seed(seed)
        return se_resnet20().state_dict()

    first, again, other = fresh(3), fresh(3), fresh(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["layer1.0.se.fc1.weight"], other["layer1.0.se.fc1.weight"])


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    model = se_resnet20(reduction=2)
    F.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.arange(8)).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_zero_init_residual_reaches_the_builders():
    model = se_resnet20(zero_init_residual=True)
    assert not model.layer3[2].bn2.weight.any() and model.layer3[2].bn1.weight.all()


def test_runs_on_other_sizes():
    model = se_resnet20().eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 40, 24)).shape == (1, 10)


# Errors


def test_unknown_name():
    with pytest.raises(ValueError, match="'se_resnet5O' is not a model: did you mean .*se_resnet50"):
        create_model("se_resnet5O")
    with pytest.raises(ValueError, match="'zebra' is not a model.*known are resnet18, "):
        create_model("zebra")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("se_resnet50", {"placement": "middle"}, "placement must be one of .*; got 'middle'"),
        ("se_resnet50", {"stride_in": "5x5"}, "stride_in must be one of 3x3, 1x1; got '5x5'"),
        ("se_resnet50", {"stages": (0, 1)}, r"stages must be among \[1, 2, 3, 4\], got \(0, 1\)"),
        ("se_resnet20", {"stages": (4,)}, r"stages must be among \[1, 2, 3\], got \(4,\)"),
        ("se_resnet20", {"reduction": 0}, "reduction must be at least 1, got 0"),
        ("se_resnet20", {"placement": "3x3"}, "BasicBlock.*placement='3x3'"),
        ("resnet18", {"stride_in": "1x1"}, "BasicBlock.*stride_in='1x1'"),
        ("resnet18", {"groups": 32, "base_width": 4}, "BasicBlock.*groups=32"),
        ("resnet18", {"num_classes": -1}, "num_classes must be at least 0, got -1"),
        ("resnet18", {"stem": "mnist"}, "stem must be one of imagenet, deep, cifar; got 'mnist'"),
        ("resnet50", {"base_width": 0}, "base_width must be at least 1, got 0"),
        ("resnet50", {"groups": "32"}, "groups must be a whole number, at least 1, got '32'"),
        ("resnet20", {"planes": (16, 32)}, r"planes must have a width for each of 3 stages, got \(16, 32\)"),
        ("resnet20", {"planes": 16}, "planes must be one or more whole numbers, got 16"),
        ("resnet20", {"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ("resnet20", {"drop_rate": 1}, "drop_rate must be at least 0 and less than 1, got 1"),
        ("se_resnet20", {"stages": 2}, r"stages must be among \[1, 2, 3\], got 2"),
        ("se_resnet20", {"attention": lambda channels: None}, "must make a module, got None"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, **options)


def test_a_network_of_its_own_needs_the_parts_that_its_options_speak_of():
    with pytest.raises(ValueError, match="placement='standard' needs make_se"):
        ResNet(BasicBlock, (1, 1), (4, 8), placement="standard")
    with pytest.raises(ValueError, match=r"stages=\(1,\) chooses among SE blocks"):
        ResNet(BasicBlock, (1, 1), (4, 8), stages=(1,))


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("resnet20", "reduction", r"resnet20\(\) takes no option 'reduction': se_resnet20 does"),
        ("se_resnet20", "reducton", "'reducton'; did you mean 'reduction'"),
        ("se_resnet50", "pretrained", "'pretrained': load_pretrained loads trained weights"),
        ("resnet50", "dilation", "'dilation'; its options: planes, stem, in_channels, "),
    ],
)
def test_an_option_that_a_network_does_not_have(name, option, message):
    with pytest.raises(TypeError, match=message):
        create_model(name, **{option: 4})


def test_signatures_are_those_of_the_builders():
    """What an editor shows, and what `create_model` takes, is what the network takes."""
    signature = inspect.signature(senet_edu.se_resnet20).parameters
    assert signature["num_classes"].default == 10 and signature["planes"].default == (16, 32, 64)
    assert inspect.signature(senet_edu.senet154).parameters["bias"].default is True
    assert "reduction" not in inspect.signature(senet_edu.resnet20).parameters
    for name in list_models():
        builder = getattr(senet_edu, name)
        assert builder.__name__ == name and builder.__module__ == "senet_edu.resnet" and builder.__doc__
        assert all(p.annotation is not p.empty for p in inspect.signature(builder).parameters.values())


# What users of other libraries expect


def test_images_with_other_channels():
    assert build("se_resnet20", in_channels=1)(torch.empty(2, 1, 32, 32, device="meta")).shape == (2, 10)
    assert build("senet154", in_channels=5).conv1[0].weight.shape == (64, 5, 3, 3)


def test_without_classifier_a_network_returns_its_features():
    torch.manual_seed(0)
    model = create_model("se_resnet20").eval()
    bare = create_model("se_resnet20", num_classes=0).eval()
    bare.load_state_dict({name: w for name, w in model.state_dict().items() if not name.startswith("fc.")})
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = bare(x)
        assert features.shape == (2, bare.num_features) == (2, 64)
        assert torch.equal(model.fc(features), model(x))
        assert torch.equal(model.forward_features(x).mean((2, 3)), features)


def test_reset_classifier():
    model = create_model("resnet8").double()
    model.reset_classifier(7)
    assert model.num_classes == 7 and model(torch.randn(2, 3, 32, 32, dtype=torch.float64)).shape == (2, 7)
    model.reset_classifier(0)
    assert model(torch.randn(2, 3, 32, 32, dtype=torch.float64)).shape == (2, 64)
    with pytest.raises(ValueError, match="num_classes must be a whole number, at least 0, got 'ten'"):
        model.reset_classifier("ten")


@pytest.mark.parametrize(
    ("name", "size", "theirs"),
    [("resnet50", 64, "resnet50"), ("se_resnet20", 32, None), ("se_resnext50_32x4d", 64, "seresnext50_32x4d")],
)
def test_feature_maps(name, size, theirs):
    model = create_model(name, features_only=True).eval()
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        maps = model(x)
        assert torch.equal(maps[-1], model.forward_features(x))
    for info, u in zip(model.feature_info, maps, strict=True):
        assert u.shape == (2, info["num_chs"], size // info["reduction"], size // info["reduction"])
    if theirs:  # the same channels and strides as timm's
        timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")
        other = timm.create_model(theirs, features_only=True).feature_info
        assert [info["num_chs"] for info in model.feature_info] == other.channels()
        assert [info["reduction"] for info in model.feature_info] == other.reduction()


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model = create_model("resnet8", drop_rate=0.5)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model.eval()(x), model(x))
    assert not torch.equal(model.train()(x), model(x))


@pytest.mark.parametrize("name", ["resnet18", "se_resnet50", "senet154"])
def test_children_stand_in_the_order_of_their_calls(name):
    """So that a network cut by its children, as many do, computes the same features. A norm has a negative scale."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=3).eval()
    nn.init.normal_(model.bn1.weight)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        cut = nn.Sequential(*list(model.children())[:-2])
        assert torch.equal(cut(x), model.forward_features(x))
        layers = torchvision.models._utils.IntermediateLayerGetter(model, {"layer4": "out"})
        assert torch.equal(layers(x)["out"], model.forward_features(x))


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("se_resnext50_32x4d", {"bias": True}, 27_559_896),  # Cadene's pretrained-models, from the Caffe release
        ("se_resnext101_32x4d", {"bias": True}, 48_955_416),
        ("senet154", {}, 115_088_984),
        ("resnext50_32x4d", {}, 25_028_904),  # torchvision's
    ],
)
def test_published_parameters(name, options, count):
    assert parameters(build(name, **options)) == count


def test_resnet_takes_any_depths():
    with torch.device("meta"):
        model = ResNet(BasicBlock, (1, 2), (8, 16), stem="cifar", num_classes=3)
    assert stage_shapes(model, 32) == [(8, 32, 32), (16, 16, 16), (3,)]
