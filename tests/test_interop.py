"""Weights from other libraries: strict loads and equal answers; ONNX out and back."""

import copy
import math

import numpy as np
import pytest
import torch
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


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_torchvision(depth):
    assert_equal_answers(getattr(tv, f"resnet{depth}"), lambda: create_model(f"resnet{depth}"), "torchvision", 33)


def test_torchvision_resnext():
    ours = lambda: create_model("resnet50", groups=32, base_width=4)  # noqa: E731
    assert_equal_answers(tv.resnext50_32x4d, ours, "torchvision", 33)


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_timm(depth):
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its networks")
    ours = lambda: create_model(f"se_resnet{depth}", bias=True, min_hidden=8)  # noqa: E731
    assert_equal_answers(lambda: timm.create_model(f"seresnet{depth}"), ours, "timm", 33)


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


# What must not pass


@pytest.fixture
def weights():
    """Of an SE-ResNet-18, keys and shapes only."""
    with torch.device("meta"):
        return create_model("se_resnet18", bias=True, min_hidden=8).state_dict()


def test_unknown_families_are_refused():
    for source, target in (("keras", "senet_edu"), ("timm", "torchvision"), ("senet_edu", "senet_edu")):
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
        ("torchvision", "module.conv1.weight", (64, 3, 7, 7), "take 'module.' off all keys first"),  # DataParallel
        ("pytorchcv", "module.features.stage1.unit1.se.conv1.weight", (1, 16, 1, 1), "take 'module.' off"),
        ("senet_edu", "_orig_mod.conv1.weight", (64, 3, 7, 7), "take '_orig_mod.' off"),  # torch.compile
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
