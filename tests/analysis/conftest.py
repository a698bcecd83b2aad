"""What tests of analysis share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from senet_edu import create_model


@pytest.fixture(scope="module")
def gates() -> torch.Tensor:
    return torch.rand(41, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    """Four classes of 20, 11, 7 and 3 images, mixed."""
    sizes = torch.tensor([20, 11, 7, 3])
    return torch.arange(4).repeat_interleave(sizes)[torch.randperm(41, generator=torch.Generator().manual_seed(1))]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(256, (10, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mixed() -> nn.Module:
    """A network in training mode, but for one frozen batch norm."""
    model = create_model("se_resnet20", reduction=4).train()
    model.layer2[0].bn1.eval()
    return model
