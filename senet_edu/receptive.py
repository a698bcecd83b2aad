"""How much of an image one value of a feature map can see: its receptive field, in theory.

A value of a convolution with kernel k sees k neighbors of the layer below, and these lie some pixels of the image
apart, the `jump`. So, from the image on, where size = jump = 1:

    size = size + (k - 1) * jump        then        jump = jump * stride

What a trained network makes of its window is another matter: Luo et al., Understanding the Effective Receptive Field
in Deep Convolutional Neural Networks, https://arxiv.org/abs/1701.04128.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from senet_edu.resnet import ResNet


@dataclass(frozen=True)
class Field:
    """The windows of the values behind a part of a network.

    Attributes:
        name: of the part, such as `"stem"` or `"layer1.0"`.
        size: side of a window, in pixels of the image.
        jump: from the window of a value to that of its neighbor, in pixels of the image.
    """

    name: str
    size: int
    jump: int


def receptive_fields(model: ResNet) -> list[Field]:
    """The windows behind the stem and behind each residual block, by the kernels and strides of the network.

    In these networks, the window of the value at (i, j) has its middle at pixel (i * jump, j * jump); what hangs over
    the edge of the image is zeros. Gates are left out: behind an SE block, a value also depends on all other pixels.

    Raises:
        ValueError: model is another network.
    """
    if not isinstance(model, ResNet):
        raise ValueError(f"model must be a ResNet of this package, got {model!r:.80}")
    size = jump = 1
    fields = []
    for name, layers in _parts(model):
        for layer in layers:
            # Kernels of a ResNet are square; pooling has its as a number.
            kernel, stride = (n[0] if isinstance(n, tuple) else n for n in (layer.kernel_size, layer.stride))
            size += (kernel - 1) * jump
            jump *= stride
        fields.append(Field(name, size, jump))
    return fields


def _parts(model: ResNet) -> Iterator[tuple[str, list[nn.Module]]]:
    """Names, and the layers with a kernel on the longest way through. A shortcut sees less, so it is left out."""
    yield "stem", [layer for layer in (model.conv1, model.maxpool) if not isinstance(layer, nn.Identity)]
    for stage in model.stage_names:
        for number, block in enumerate(getattr(model, stage)):
            yield f"{stage}.{number}", [layer for layer in block.children() if isinstance(layer, nn.Conv2d)]
