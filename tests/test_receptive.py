"""Receptive fields against autograd: which pixels do reach a value?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from senet_edu import create_model
from senet_edu.receptive import Field, receptive_fields
from senet_edu.relatives import make_attention
from senet_edu.resnet import BasicBlock, Bottleneck, ResNet


def open_up(model: ResNet) -> ResNet:
    """Let every pixel in a window count: positive weights, so that nothing cancels, and no maximum that picks one."""
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1 / max(1, parameter[0].numel()))
    if isinstance(model.maxpool, nn.MaxPool2d):
        model.maxpool = nn.AvgPool2d(3, stride=2, padding=1)
    return model.double().eval()


def thin(block: type[BasicBlock] | type[Bottleneck], depths: tuple[int, ...], **options: object) -> ResNet:
    """A network with as few channels as there can be; kernels and strides are what matters here."""
    return open_up(ResNet(block, depths, (1,) * len(depths), num_classes=2, **options))


def maps(model: ResNet, x: Tensor) -> list[tuple[str, Tensor]]:
    """What leaves the stem and every block."""
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    result = [("stem", x)]
    for stage in model.stage_names:
        for number, block in enumerate(getattr(model, stage)):
            x = block(x)
            result.append((f"{stage}.{number}", x))
    return result


def reached(model: ResNet, side: int, places: list[tuple[float, float]]) -> dict[str, list[tuple[tuple, Tensor]]]:
    """By part of the network, for places (shares of height and width) the position and the pixels that reach it."""
    x = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    found: dict[str, list] = {}
    for name, u in maps(model, x):
        for share in places:
            i, j = (int(share[axis] * u.shape[2 + axis]) for axis in (0, 1))
            (gradient,) = torch.autograd.grad(u[0, :, i, j].sum(), x, retain_graph=True)
            found.setdefault(name, []).append(((i, j), gradient[0].abs().sum(0) > 0))
    return found


def window(field: Field, place: tuple[int, int], side: int) -> Tensor:
    """The pixels that the recursion says."""
    reach = (field.size - 1) // 2
    mask = torch.zeros(side, side, dtype=torch.bool)
    (top, bottom), (left, right) = ((max(0, n * field.jump - reach), n * field.jump + reach + 1) for n in place)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("model", "side"),
    [
        (lambda: thin(BasicBlock, (3, 3, 3), stem="cifar"), 32),
        (lambda: thin(Bottleneck, (3, 4, 6, 3)), 224),
        (lambda: thin(Bottleneck, (2, 2, 2), stride_in="1x1"), 96),
    ],
    ids=["resnet20", "resnet50", "stride in the 1x1"],
)
def test_windows_are_what_autograd_finds(model, side: int) -> None:
    model = model()
    fields = {field.name: field for field in receptive_fields(model)}
    found = reached(model, side, [(0.5, 0.5), (0, 0.8)])
    assert list(fields) == list(found)
    for name, places in found.items():
        for place, mask in places:
            assert torch.equal(mask, window(fields[name], place, side)), (name, place)


def test_behind_an_se_block_a_value_depends_on_every_pixel() -> None:
    def make_se(channels: int) -> nn.Module:
        return make_attention("se", channels, reduction=1)

    found = reached(thin(BasicBlock, (2, 1, 1), stem="cifar", make_se=make_se, placement="standard"), 32, [(0, 0)])
    assert found.pop("stem")[0][1].sum() == 4
    assert list(found) == ["layer1.0", "layer1.1", "layer2.0", "layer3.0"]
    assert all(mask.all() for ((_, mask),) in found.values())


def test_published_values_and_the_names_of_the_parts() -> None:
    """Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, Distill 2019: ResNet-50 has 483."""
    with torch.device("meta"):
        twenty = receptive_fields(create_model("resnet20"))
        fifty = receptive_fields(create_model("resnet50"))
        same = receptive_fields(create_model("se_resnet50"))
        paper = receptive_fields(create_model("resnet50", stride_in="1x1"))
    assert [(field.name, field.size, field.jump) for field in twenty][:2] == [("stem", 3, 1), ("layer1.0", 7, 1)]
    assert [twenty[i].size for i in (3, 6, 9)] == [15, 37, 81]
    assert twenty[-1] == Field("layer3.2", 81, 4)
    assert [fifty[i].size for i in (3, 7, 13, 16)] == [35, 91, 267, 427]
    assert fifty == same
    assert paper[-1].size == 483
