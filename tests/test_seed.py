"""Ten errors of the blog post that this book grew from; each has a test here that would catch it.

1. The bottleneck's SE block is made for `planes` channels, but sees `planes * 4`: SE-ResNet-50 crashes.
2. `zero_init_residual=True` is accepted and ignored.
3. `pretrained=True` is accepted and ignored: the network has random weights.
4. Fewer than r channels give a hidden layer without units, and a gate that is one half for ever.
5. The reduction r cannot be chosen.
6. The model zoo has holes: no SE-ResNet-152.
7. The position of the stride differs from the paper's network, unsaid.
8. The linear layers have no biases, and the released weights have them, unsaid.
9. The linear layers do not get the paper's He initialization.
10. The ImageNet stem is all there is; on a CIFAR image the last SE blocks squeeze maps of one pixel.

The post also writes `expand_as` where broadcasting does the same, which is no error but an operation too many.
Where it is cheap, a test also re-creates the mistake and shows that it fails.
"""

import math

import pytest
import torch
import torchvision
from torch import nn

from senet_edu import SEBlock, create_model, list_models, record_gates
from senet_edu.resnet import Bottleneck, ResNet


def meta(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def se_blocks(model):
    return [m for m in model.modules() if isinstance(m, SEBlock)]


class MistakenBottleneck(Bottleneck):
    """Makes its SE block for the channels inside of the bottleneck."""

    def __init__(self, inplanes, planes, stride=1, **options):
        super().__init__(inplanes, planes, stride, **{**options, "make_se": lambda _: SEBlock(planes)})


def test_1_se_block_of_a_bottleneck_sees_the_output():
    torch.manual_seed(0)
    x = torch.randn(2, 64, 4, 4)
    right = Bottleneck(64, 64, make_se=SEBlock, placement="standard")
    assert right(x).shape == (2, 256, 4, 4)
    assert right.se.channels == 256

    with pytest.raises(ValueError, match=r"x must be \(N, 64, H, W\), got \(2, 256, 4, 4\)"):
        MistakenBottleneck(64, 64, placement="standard")(x)
    # The mistaken block is the paper's SE_3x3, had it stood behind the 3x3 convolution.
    with torch.device("meta"):
        mistaken = ResNet(MistakenBottleneck, (3, 4, 6, 3), (64, 128, 256, 512), make_se=SEBlock, placement="standard")
    right = meta("se_resnet50", placement="3x3")
    assert {n: p.shape for n, p in mistaken.named_parameters()} == {n: p.shape for n, p in right.named_parameters()}


def test_2_zero_init_residual_is_not_ignored():
    model = create_model("se_resnet164", zero_init_residual=True)
    assert not model.layer1[0].bn3.weight.any()
    model = create_model("se_resnet20", zero_init_residual=True)
    assert not model.layer1[0].bn2.weight.any()

    class Copied(nn.Module):  # torchvision looks for its own classes, and not for a copy of them
        expansion = 1

        def __init__(self, inplanes, planes, *args):
            super().__init__()
            self.bn2 = nn.BatchNorm2d(planes)

    mistaken = torchvision.models.ResNet(Copied, [1, 1, 1, 1], zero_init_residual=True)
    assert mistaken.layer1[0].bn2.weight.all()


@pytest.mark.parametrize("option", ["pretrained", "progress", "weights", "arch"])
def test_3_no_option_is_swallowed(option):
    for name in list_models():
        with pytest.raises(TypeError, match=option):
            meta(name, **{option: True})


def test_4_few_channels_leave_a_gate_that_learns():
    torch.manual_seed(0)
    block = SEBlock(8, 16)
    assert block.fc1.out_features == 1
    nn.init.ones_(block.fc1.weight)  # the one hidden unit is on
    x = torch.rand(4, 8, 3, 3)
    s = block.excite(block.squeeze(x))
    assert (s - 0.5).abs().max() > 0.01
    s.sum().backward()
    assert block.fc1.weight.grad.any() and block.fc2.weight.grad.any()

    with pytest.warns(UserWarning, match="zero-element"):
        mistaken = nn.Sequential(nn.Linear(8, 8 // 16, bias=False), nn.Linear(8 // 16, 8, bias=False), nn.Sigmoid())
    assert (mistaken(x.mean((2, 3))) == 0.5).all()


@pytest.mark.parametrize("name", ["se_resnet18", "se_resnet50", "se_resnet20", "se_resnet18_cifar"])
def test_5_the_reduction_can_be_chosen(name):
    blocks = se_blocks(meta(name, reduction=4))
    assert {block.reduction for block in blocks} == {4}
    assert all(block.fc1.out_features == block.channels // 4 for block in blocks)


def test_6_every_depth_is_there():
    imagenet, cifar = (18, 34, 50, 101, 152), (20, 32, 44, 56, 110, 164)
    for depth in imagenet + cifar:
        assert {f"resnet{depth}", f"se_resnet{depth}"} <= set(list_models())
    assert len(se_blocks(meta("se_resnet152"))) == 3 + 8 + 36 + 3


def test_7_the_stride_can_be_the_papers():
    for stride_in, side in (("1x1", 4), ("3x3", 8)):
        sides = []
        block = Bottleneck(16, 8, 2, stride_in=stride_in)
        block.bn1.register_forward_hook(lambda m, args, out, sides=sides: sides.append(out.shape[-1]))
        assert block(torch.randn(2, 16, 8, 8)).shape == (2, 32, 4, 4)
        assert sides == [side]


def test_8_biases_are_a_choice():
    without, with_bias = meta("se_resnet50"), meta("se_resnet50", bias=True)
    assert not any("se.fc" in name and name.endswith("bias") for name in without.state_dict())
    added = set(with_bias.state_dict()) - set(without.state_dict())
    assert len(added) == 2 * 16
    assert sum(with_bias.state_dict()[name].numel() for name in added) == 16_048


def test_9_linear_layers_have_he_initialization():
    torch.manual_seed(0)
    model = create_model("se_resnet18_cifar", reduction=2)
    layer = model.layer4[1].se.fc1  # 131,072 weights
    wanted = math.sqrt(2 / 512)
    assert layer.weight.std().item() == pytest.approx(wanted, rel=0.02)

    mistaken = nn.Linear(512, 256, bias=False)  # what PyTorch does by itself
    assert mistaken.weight.std().item() < 0.5 * wanted


def test_10_cifar_networks_keep_maps_to_squeeze():
    sides = {}
    for name in ("se_resnet20", "se_resnet18_cifar", "se_resnet18"):
        model = meta(name)
        sides[name] = []
        for block in se_blocks(model):
            block.register_forward_hook(lambda m, args, out, name=name: sides[name].append(out.shape[-1]))
        model.eval()(torch.empty(1, 3, 32, 32, device="meta"))
    assert sides["se_resnet20"] == [32] * 3 + [16] * 3 + [8] * 3
    assert sides["se_resnet18_cifar"] == [32] * 2 + [16] * 2 + [8] * 2 + [4] * 2
    assert sides["se_resnet18"][-1] == 1  # the mistake


def test_broadcasting_equals_expand_as():
    torch.manual_seed(0)
    block = SEBlock(16, 4)
    x = torch.randn(2, 16, 4, 4, requires_grad=True)
    with record_gates(block) as gates:
        ours = block(x)
    assert gates["se"].shape == (2, 16)
    s = block.excite(block.squeeze(x))
    expanded = x * s.view(2, 16, 1, 1).expand_as(x)
    assert torch.equal(ours, expanded)
    weights = torch.randn_like(x)
    inputs = (x, block.fc1.weight, block.fc2.weight)
    for a, b in zip(torch.autograd.grad(ours, inputs, weights), torch.autograd.grad(expanded, inputs, weights)):
        assert torch.equal(a, b)
