"""Weights from other libraries: strict loads and equal answers; ONNX out and back."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
import torchvision
import torchvision.models as tv
from torch import nn

from senet_edu import create_model, insert_se
from senet_edu.gates import record_gates
from senet_edu.interop import compare_layers, convert_state_dict, export_onnx
from senet_edu.resnet import BasicBlock, Bottleneck, ResNet
from senet_edu.se import SEBlock


def fill(model: nn.Module) -> nn.Module:
    """Random weights, and batch norms with statistics of their own, as after training: no mix-up stays hidden."""
    generator = torch.Generator().manual_seed(1)
    ranges = {"running_var": (0.5, 2.0), "weight": (0.2, 0.8)}  # of batch norms; means and biases are around zero
    for name, tensor in model.state_dict().items():
        if tensor.ndim > 1:
            bound = math.sqrt(6 / tensor[0].numel())
            tensor.uniform_(-bound, bound, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(*ranges.get(name.rpartition(".")[2], (-0.5, 0.5)), generator=generator)
    return model.eval()


def assert_equal_answers(make_theirs, make_ours, source: str, size: int) -> None:
    """Both networks are made without the initialization of their own, which would take most of the time."""
    with torch.device("meta"):
        theirs, ours = make_theirs(), make_ours().eval()
    theirs = fill(theirs.to_empty(device="cpu"))
    weights = theirs.state_dict()
    ours.load_state_dict(convert_state_dict(weights, source=source), strict=True, assign=True)
    back = convert_state_dict(ours.state_dict(), source="senet_edu", target=source)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)

    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
            a, b = theirs.to(dtype)(x.to(dtype)), ours.to(dtype)(x.to(dtype))
            assert a.isfinite().all() and a.std() > 0
            assert (a - b).norm() <= tolerance * a.norm(), f"{dtype}: {((a - b).norm() / a.norm()).item():.1e}"


def assert_equal_names(make_theirs, make_ours, source: str) -> None:
    """Tensors have their places both ways: for depths whose blocks are those of networks that are run here."""
    with torch.device("meta"):
        theirs, ours = make_theirs(), make_ours()
    weights = theirs.state_dict()
    ours.load_state_dict(convert_state_dict(weights, source=source), strict=True, assign=True)
    back = convert_state_dict(ours.state_dict(), source="senet_edu", target=source)
    assert {name: t.shape for name, t in back.items()} == {name: t.shape for name, t in weights.items()}


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_torchvision(depth):
    assert_equal_answers(getattr(tv, f"resnet{depth}"), lambda: create_model(f"resnet{depth}"), "torchvision", 33)


@pytest.mark.parametrize("depth", [101, 152])
def test_torchvision_deeper(depth):
    assert_equal_names(getattr(tv, f"resnet{depth}"), lambda: create_model(f"resnet{depth}"), "torchvision")


def test_torchvision_resnext():
    ours = lambda: create_model("resnet50", groups=32, base_width=4)  # noqa: E731
    assert_equal_answers(tv.resnext50_32x4d, ours, "torchvision", 33)


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_timm(depth):
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")
    ours = lambda: create_model(f"se_resnet{depth}", bias=True, min_hidden=8)  # noqa: E731
    assert_equal_answers(lambda: timm.create_model(f"seresnet{depth}"), ours, "timm", 33)


def test_timm_deeper():
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")
    ours = lambda: create_model("se_resnet101", bias=True, min_hidden=8)  # noqa: E731
    assert_equal_names(lambda: timm.create_model("seresnet101"), ours, "timm")


@pytest.mark.parametrize(
    ("theirs", "ours", "options"),
    [
        ("legacy_seresnext50_32x4d", "se_resnext50_32x4d", {}),
        ("seresnext50_32x4d", "se_resnext50_32x4d", {"min_hidden": 8}),
        ("legacy_senet154", "senet154", None),
    ],
)
def test_timm_resnext_and_senet(theirs, ours, options):
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")
    source = "timm_legacy" if theirs.startswith("legacy") else "timm"

    def make():
        model = create_model(ours, **({} if options is None else {"bias": True, **options}))
        if source == "timm_legacy":
            model.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        return model

    assert_equal_answers(lambda: timm.create_model(theirs), make, source, 33)


def test_timm_legacy():
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")

    def ours():
        model = create_model("se_resnet50", bias=True, stride_in="1x1")
        model.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        return model

    assert_equal_answers(lambda: timm.create_model("legacy_seresnet50"), ours, "timm_legacy", 33)


@pytest.mark.parametrize(
    ("theirs", "ours", "options"),
    [
        ("seresnet18", "se_resnet18", {}),
        ("seresnet50", "se_resnet50", {"stride_in": "1x1"}),
        ("seresnet50b", "se_resnet50", {}),
        ("seresnet20_cifar10", "se_resnet20", {}),
        ("seresnet56_cifar10", "se_resnet56", {}),
        ("seresnet110_cifar10", "se_resnet110", {}),
        ("seresnet164bn_cifar10", "se_resnet164", {}),
    ],
)
def test_pytorchcv(theirs, ours, options):
    get_model = pytest.importorskip("pytorchcv.model_provider", reason="pytorchcv is needed to compare").get_model
    size = 32 if "cifar" in theirs else 224  # its ImageNet networks pool a fixed 7x7
    make = lambda: create_model(ours, bias=True, **options)  # noqa: E731
    assert_equal_answers(lambda: get_model(theirs, pretrained=False), make, "pytorchcv", size)


# Dialects of networks that have no library to install: their blocks as they wrote them, in torchvision's ResNet


class Blog(nn.Module):
    def __init__(self, c, r=16):
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.excitation = nn.Sequential(
            nn.Linear(c, c // r, bias=False), nn.ReLU(inplace=True), nn.Linear(c // r, c, bias=False), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.excitation(self.squeeze(x).flatten(1))[:, :, None, None]


class Moskomule(nn.Module):
    def __init__(self, c, r=16):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(c, c // r, bias=False), nn.ReLU(inplace=True), nn.Linear(c // r, c, bias=False), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class ConvModule(nn.Module):
    def __init__(self, i, o, act):
        super().__init__()
        self.conv, self.activate = nn.Conv2d(i, o, 1), act

    def forward(self, x):
        return self.activate(self.conv(x))


class Mmpretrain(nn.Module):
    def __init__(self, c, r=16):
        super().__init__()
        self.conv1, self.conv2 = ConvModule(c, c // r, nn.ReLU()), ConvModule(c // r, c, nn.Sigmoid())

    def forward(self, x):
        return x * self.conv2(self.conv1(x.mean((2, 3), keepdim=True)))


def with_blocks(make_block, name):
    """torchvision's ResNet-50 with a block called `name` behind each bn3."""

    class Bottleneck(tv.resnet.Bottleneck):
        def __init__(self, inplanes, planes, *args, **options):
            super().__init__(inplanes, planes, *args, **options)
            setattr(self, name, make_block(4 * planes))

        def forward(self, x):
            out = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
            out = getattr(self, name)(self.bn3(self.conv3(out)))
            return self.relu(out + (x if self.downsample is None else self.downsample(x)))

    return tv.ResNet(Bottleneck, [1, 2, 1, 1], num_classes=7)


class Mm(nn.Module):
    """mmpretrain's classifier: a backbone and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = with_blocks(Mmpretrain, "se_layer")
        self.head = nn.Module()
        self.head.fc, self.backbone.fc = self.backbone.fc, nn.Identity()

    def forward(self, x):
        return self.head.fc(self.backbone(x))


@pytest.mark.parametrize(
    ("source", "make_theirs", "bias"),
    [
        ("blog", lambda: with_blocks(Blog, "se"), False),
        ("moskomule", lambda: with_blocks(Moskomule, "se"), False),
        ("mmpretrain", Mm, True),
    ],
)
def test_dialects(source, make_theirs, bias):
    make_se = functools.partial(SEBlock, bias=bias)
    options = {"num_classes": 7, "make_se": make_se, "placement": "standard"}
    ours = lambda: ResNet(Bottleneck, (1, 2, 1, 1), (64, 128, 256, 512), **options)  # noqa: E731
    assert_equal_answers(make_theirs, ours, source, 33)


def caffe_answer(params: dict[str, list[torch.Tensor]], x: torch.Tensor) -> torch.Tensor:
    """An SE-ResNet of bottlenecks by Caffe's layers, as the published prototxt calls them: one after another."""
    F = nn.functional

    def conv(name: str, x: torch.Tensor, **options) -> torch.Tensor:
        x = F.conv2d(x, *params[name], **options)
        if f"{name}/bn" not in params:
            return x
        mean, variance, factor = params[f"{name}/bn"]
        weight, bias = params[f"{name}/bn/scale"]
        return F.batch_norm(x, mean / factor, variance / factor, weight, bias)

    x = F.max_pool2d(conv("conv1/7x7_s2", x, stride=2, padding=3).relu(), 3, 2, ceil_mode=True)
    for stage, depth in ((2, 1), (3, 2)):
        for unit in range(1, depth + 1):
            block, stride = f"conv{stage}_{unit}", 2 if (stage, unit) == (3, 1) else 1
            out = conv(f"{block}_1x1_reduce", x, stride=stride).relu()
            out = conv(f"{block}_1x1_increase", conv(f"{block}_3x3", out, padding=1).relu())
            gates = conv(f"{block}_1x1_down", out.mean((2, 3), keepdim=True)).relu()
            gates = conv(f"{block}_1x1_up", gates).sigmoid()
            shortcut = conv(f"{block}_1x1_proj", x, stride=stride) if f"{block}_1x1_proj" in params else x
            x = (gates * out + shortcut).relu()
    return F.linear(x.mean((2, 3)), *params["classifier"])


def test_caffe():
    make_se = functools.partial(SEBlock, reduction=4, bias=True)
    options = {"num_classes": 5, "make_se": make_se, "placement": "standard", "stride_in": "1x1"}
    model = fill(ResNet(Bottleneck, (1, 2), (8, 16), **options)).double()
    model.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    params = convert_state_dict(model.state_dict(), source="senet_edu", target="caffe")
    assert [len(params[name]) for name in ("conv1/7x7_s2", "conv1/7x7_s2/bn", "conv2_1_1x1_down")] == [1, 3, 2]
    x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(caffe_answer(params, x), model(x))

    for layer, blobs in params.items():  # as Caffe stores sums, with their count behind them
        if layer.endswith("/bn"):
            params[layer] = [3.0 * blob for blob in blobs]
    arrays = {layer: [blob.numpy() for blob in blobs] for layer, blobs in params.items()}
    twin = ResNet(Bottleneck, (1, 2), (8, 16), **options).double().eval()
    twin.maxpool = model.maxpool
    converted = convert_state_dict(arrays, source="caffe")
    missing, unexpected = twin.load_state_dict(converted, strict=False)
    assert unexpected == [] and all(name.endswith("num_batches_tracked") for name in missing)
    with torch.no_grad():
        torch.testing.assert_close(twin(x), model(x))


@pytest.mark.parametrize(
    ("source", "make"),
    [
        ("blog", lambda: Blog(16, 4)),
        ("moskomule", lambda: Moskomule(16, 4)),
        ("mmpretrain", lambda: Mmpretrain(16, 4)),
        ("torchvision", lambda: torchvision.ops.SqueezeExcitation(16, 4)),
        ("timm", lambda: pytest.importorskip("timm.layers").SEModule(16, rd_channels=4)),
        ("timm_legacy", lambda: pytest.importorskip("timm.models.senet").SEModule(16, 4)),
        ("pytorchcv", lambda: pytest.importorskip("pytorchcv.models.common.att").SEBlock(16, reduction=4)),
    ],
)
def test_single_blocks(source, make):
    theirs = fill(make())
    weights = theirs.state_dict()
    ours = SEBlock(16, 4, bias=any(key.endswith("bias") for key in weights))
    ours.load_state_dict(convert_state_dict(weights, source=source))
    x = torch.randn(2, 16, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x))
    back = convert_state_dict(ours.state_dict(), source="senet_edu", target=source)
    assert back.keys() == weights.keys() and all(torch.equal(back[key], weights[key]) for key in weights)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: {"epoch": 3, "state_dict": w, "optimizer": {}},
        lambda w: {"model": {"state_dict": w}},
        lambda w: {f"module.{key}": value for key, value in w.items()},
        lambda w: {"state_dict": {f"_orig_mod.module.{key}": value for key, value in w.items()}},
    ],
)
def test_wrapped_checkpoints_are_unwrapped(wrap):
    weights = create_model("se_resnet8", bias=True).state_dict()
    timm = convert_state_dict(weights, source="senet_edu", target="timm")
    back = convert_state_dict(wrap(timm), source="timm")
    assert back.keys() == weights.keys() and all(torch.equal(back[key], weights[key]) for key in weights)


@pytest.mark.parametrize(
    ("state_dict", "message"),
    [
        ({}, "state_dict is empty"),
        (None, "state_dict must be a dictionary of tensors, got NoneType"),
        ({"conv1.weight": [1.0]}, "must hold tensors only; 'conv1.weight' is a list"),
        ({0: torch.zeros(1)}, "must hold tensors only; 0 is a Tensor"),
    ],
)
def test_what_is_no_state_dict(state_dict, message):
    with pytest.raises(ValueError, match=message):
        convert_state_dict(state_dict, source="timm")
    with pytest.raises(ValueError, match="of caffe must be a list of arrays|must be Caffe's layers"):
        convert_state_dict({"conv1": 3} if state_dict else {}, source="caffe")


# What must not pass


@pytest.fixture
def weights():
    """Of an SE-ResNet-18, keys and shapes only."""
    with torch.device("meta"):
        return create_model("se_resnet18", bias=True, min_hidden=8).state_dict()


def test_unknown_families_are_refused():
    with pytest.raises(ValueError, match="source must be one of senet_edu, .*; got 'keras'"):
        convert_state_dict({}, source="keras")
    for source, target in (("timm", "torchvision"), ("senet_edu", "senet_edu")):
        with pytest.raises(ValueError, match=f"got source='{source}', target='{target}'"):
            convert_state_dict({}, source=source, target=target)


@pytest.mark.parametrize(
    ("source", "key", "shape", "message"),
    [
        ("timm", "conv1.0.weight", (32, 3, 3, 3), "'conv1.0.weight' of timm has no counterpart"),  # seresnet152d
        ("timm", "layer1.0.se.conv.weight", (1, 1, 3), "no counterpart"),  # ecaresnet50t
        ("timm", "layer1.0.se.fc1.weight", (16, 64, 3, 3), r"must be a 1x1 convolution .* got \(16, 64, 3, 3\)"),
        ("timm_legacy", "layer0.conv3.weight", (128, 64, 3, 3), "no counterpart|ReLU"),  # legacy_senet154
        ("pytorchcv", "features.post_activ.bn.weight", (64,), "no counterpart"),  # sepreresnet20_cifar10
        ("pytorchcv", "features.stage1.unit0.body.conv1.bn.weight", (16,), "no counterpart"),  # units count from 1
        ("torchvision", "layer1.0.se.fc1.weight", (4, 64, 1, 1), "torchvision's ResNets have no SE"),
        ("torchvision", "state_dict", (1,), "'state_dict' of torchvision has no counterpart"),  # a whole checkpoint
        ("torchvision", "netG.conv1.weight", (64, 3, 7, 7), "take 'netG.' off all keys first"),
        ("pytorchcv", "netG.features.stage1.unit1.se.conv1.weight", (1, 16, 1, 1), "take 'netG.' off"),
        ("senet_edu", "netG.conv1.weight", (64, 3, 7, 7), "take 'netG.' off"),
        ("moskomule", "layer1.0.se.fc.0.weight", (4, 64, 1, 1), r"must be a linear layer \(o, i\), got"),
        ("senet_edu", "layer1.0.bn2.body.weight", (64,), "no counterpart"),  # SE put in by insert_se
    ],
)
def test_a_key_without_counterpart_is_refused(source, key, shape, message):
    target = "timm" if source == "senet_edu" else "senet_edu"
    with pytest.raises(ValueError, match=message):
        convert_state_dict({key: torch.zeros(shape)}, source=source, target=target)


def test_two_keys_that_mean_the_same_are_refused(weights):
    legacy = {"layer1.0.conv3.weight": torch.zeros(1), "layer0.conv1.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match="two keys of timm_legacy mean 'conv1.weight' of senet_edu"):
        convert_state_dict(legacy | {"conv1.weight": torch.zeros(1)}, source="timm_legacy")


def test_legacy_basic_blocks_are_refused(weights):
    legacy = {key.replace(".se.", ".se_module."): value for key, value in weights.items()}
    with pytest.raises(ValueError, match="ReLU between bn2 and the SE block"):
        convert_state_dict(legacy, source="timm_legacy")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"min_hidden": 8}, "Unexpected key.*se.fc1.bias"), ({"bias": True}, "size mismatch for layer1.0.se.fc1.weight")],
)
def test_timm_weights_do_not_load_with_the_options_of_another_family(weights, options, message):
    timm = convert_state_dict(weights, source="senet_edu", target="timm")
    with torch.device("meta"):
        model = create_model("se_resnet18", **options)
    with pytest.raises(RuntimeError, match=f"(?s){message}"):
        model.load_state_dict(convert_state_dict(timm, source="timm"), strict=True)


def test_old_checkpoints_have_no_count_of_batches(weights):
    """PyTorch before 0.4.1 did not count batches; batch norms load without."""
    old = {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    with torch.device("meta"):
        model = create_model("se_resnet18", bias=True, min_hidden=8)
    timm = convert_state_dict(old, source="senet_edu", target="timm")
    model.load_state_dict(convert_state_dict(timm, source="timm"), strict=True, assign=True)


# Layer by layer


def bottlenecks(stride_in: str) -> ResNet:
    torch.manual_seed(0)
    return ResNet(Bottleneck, (1, 1, 1), (4, 8, 16), make_se=SEBlock, placement="standard", stride_in=stride_in)


def test_the_first_layer_that_differs_is_named():
    model, other = fill(bottlenecks("3x3")), fill(bottlenecks("1x1"))
    other.load_state_dict(model.state_dict(), strict=True)  # a state dict has no strides: nobody complains
    x = torch.randn(2, 3, 32, 32)
    differences = compare_layers(model, other, x)
    names = [name for name, difference in differences.items() if difference > 0]
    assert names[0] == "layer2.0.conv1" and differences["layer2.0.conv1"] == math.inf  # 16 x 16 for 8 x 8
    assert names[-1] == "fc" and 0 < differences["fc"] < math.inf
    assert set(compare_layers(model, copy.deepcopy(model), x).values()) == {0.0}
    assert not any(module._forward_hooks for module in (*model.modules(), *other.modules()))


def test_layers_are_compared_by_value_and_as_they_left_the_layer():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Flatten())
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].bias += 1
        x = torch.randn(2, 3, 5, 5)
        a, b = model[0](x), other[0](x)
    differences = compare_layers(model, other, x)
    assert list(differences) == ["0", "1", "2"]
    assert differences["0"] == pytest.approx(((a - b).norm() / a.norm()).item())


def test_inputs_of_other_kinds_are_compared():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x, scale=1.0):
            return scale * self.conv(x)

    model, x = Scaled(), torch.randn(2, 3, 5, 5)
    for example in ((x, 2.0), {"x": x, "scale": 2.0}):
        assert compare_layers(model, copy.deepcopy(model), example) == {"conv": 0.0}


def test_what_cannot_be_compared():
    x = torch.randn(2, 3, 5, 5)
    with pytest.raises(ValueError, match="model must be a module, got 'resnet18'"):
        compare_layers("resnet18", nn.ReLU(), x)
    with pytest.raises(ValueError, match="other must be a module, got None"):
        compare_layers(nn.ReLU(), None, x)
    with pytest.raises(ValueError, match="Sequential and Conv2d call no module of the same name"):
        compare_layers(nn.Sequential(nn.Conv2d(3, 4, 1)), nn.Conv2d(3, 4, 1), x)


def test_a_block_of_convolutions_compares_with_one_of_linear_layers():
    se = nn.Sequential()
    se.add_module("se", SEBlock(8, 2, bias=True))
    theirs = nn.Sequential()
    theirs.add_module("se", pytest.importorskip("timm.layers").SEModule(8, rd_channels=4))
    theirs.load_state_dict({k: v if v.ndim == 1 else v[:, :, None, None] for k, v in se.state_dict().items()})
    differences = compare_layers(se, theirs, torch.randn(2, 8, 5, 5))
    assert list(differences) == ["se.fc1", "se.fc2", "se.gate", "se"]
    assert max(differences.values()) < 1e-6


# ONNX


def run_onnx(path, names: list[str], x: torch.Tensor) -> dict[str, np.ndarray]:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is needed to run an ONNX file")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {"images": x.numpy()}), strict=True))


def small(placement: str = "standard") -> ResNet:
    make_se = None if placement == "none" else lambda c: SEBlock(c, 4)
    return ResNet(BasicBlock, (1, 1), (8, 16), stem="cifar", num_classes=5, make_se=make_se, placement=placement)


@pytest.mark.parametrize("se", ["built", "inserted", "none"])
def test_onnx_has_the_gates_as_outputs(tmp_path, se):
    pytest.importorskip("onnxscript", reason="onnxscript is needed to export ONNX")
    model = fill(small("standard" if se == "built" else "none")).train()
    if se == "inserted":
        insert_se(model, "layer*.*.bn2", input_size=(3, 16, 16), reduction=2)
    expected_names = {"built": ["layer1.0.se", "layer2.0.se"], "inserted": ["layer1.0.bn2.se", "layer2.0.bn2.se"]}
    names = export_onnx(model, tmp_path / "model.onnx", input_size=(3, 16, 16))
    assert names == ["logits", *expected_names.get(se, [])]
    assert model.training and all(module.training for module in model.modules())

    x = torch.randn(3, 3, 16, 16)  # another batch size than that of the export
    values = run_onnx(tmp_path / "model.onnx", names, x)
    model.eval()
    with torch.no_grad():
        expected = {"logits": model(x)}
        if se != "none":
            with record_gates(model) as gates:
                model(x)
            expected |= gates
    for name, value in values.items():
        np.testing.assert_allclose(value, expected[name].numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


class Backwards(nn.Module):
    """Calls its blocks in another order than it registers them, one of them `times` times."""

    def __init__(self, times: int = 1) -> None:
        super().__init__()
        self.second, self.first, self.times = SEBlock(6, 2), SEBlock(6, 3), times

    def forward(self, x):
        for _ in range(self.times):
            x = self.first(x)
        return self.second(x).mean((2, 3))


def test_onnx_outputs_have_the_names_of_their_blocks(tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is needed to export ONNX")
    model, x = Backwards(), torch.rand(3, 6, 4, 4)
    names = export_onnx(model, tmp_path / "model.onnx", input_size=(6, 4, 4))
    values = run_onnx(tmp_path / "model.onnx", names, x)
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    for name in ("first", "second"):
        np.testing.assert_allclose(values[name], gates[name].numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("times", [0, 2])
def test_onnx_refuses_a_block_that_is_not_called_once(tmp_path, times):
    with pytest.raises(ValueError, match=f"its block 'first' {times} times"):
        export_onnx(Backwards(times), tmp_path / "model.onnx", input_size=(6, 4, 4))


def test_onnx_with_free_sizes_and_gates_of_another_library(tmp_path):
    pytest.importorskip("onnxscript", reason="onnxscript is needed to export ONNX")
    model = fill(tv.mobilenet_v3_small(num_classes=5))
    names = export_onnx(model, tmp_path / "model.onnx", input_size=(3, 64, 64), free_size=True)
    assert len(names) == 10
    x = torch.randn(3, 3, 96, 64)
    values = run_onnx(tmp_path / "model.onnx", names, x)
    with torch.no_grad(), record_gates(model) as gates:
        expected = model(x)
    np.testing.assert_allclose(values["logits"], expected.numpy(), rtol=1e-3, atol=1e-4 * expected.abs().max().item())
    for name, s in gates.items():
        assert values[name].shape == s.shape == (3, s.shape[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": None}, "path must be a path, got None"),
        ({"path": 7}, "path must be a path, got 7"),
        ({"input_size": (5, 16, 16)}, r"input_size=\(5, 16, 16\) does not suit ResNet"),
        ({"input_size": (3, 16)}, "input_size must be .channels, height, width., each at least 1; got"),
        ({"example": "image"}, "example must be tensors with at least two samples each, got 'image'"),
        ({"model": None}, "model must be a module, got None"),
    ],
)
def test_onnx_refuses(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export_onnx(**{"model": small(), "path": tmp_path / "model.onnx", "input_size": (3, 16, 16), **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [["timm"], None, 3, {}])
def test_a_family_is_a_name(bad):
    with pytest.raises(ValueError, match="source must be one of senet_edu, torchvision"):
        convert_state_dict({"fc.weight": torch.ones(2, 2)}, source=bad)


@pytest.mark.parametrize("bad", ["18", 0, 17.5, True])
def test_the_opset_is_a_number(bad, tmp_path):
    with pytest.raises(ValueError, match="opset_version must be "):
        export_onnx(create_model("se_resnet8"), tmp_path / "model.onnx", opset_version=bad)


def test_the_error_of_an_export_speaks_of_what_was_given(tmp_path):
    model, path = create_model("se_resnet8"), tmp_path / "model.onnx"
    with pytest.raises(ValueError, match=r"^example=\(1, 32, 32\) does not suit ResNet"):
        export_onnx(model, path, example=torch.randn(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r"two samples each, got \(1, 3, 32, 32\)$"):
        export_onnx(model, path, example=torch.randn(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"two samples each, got \(2, 3, 32, 32\), 'x'$"):
        export_onnx(model, path, example=(torch.randn(2, 3, 32, 32), "x"))
