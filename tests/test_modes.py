"""A network's modes are put back as they were found."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from senet_edu.modes import evaluating, taking_statistics


def mixed() -> nn.Module:
    """In training mode, with a part in eval mode, as a frozen batch norm is."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.Dropout())).train()
    model[1][0].eval()
    return model


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_every_module_gets_its_own_mode_back():
    one, other = mixed(), nn.Dropout().eval()
    before = modes(one)
    assert True in before and False in before
    with evaluating(one, other):
        assert not any(modes(one)) and not other.training
    assert modes(one) == before and not other.training


def test_also_after_an_exception_and_when_nested():
    model = mixed()
    before = modes(model)
    with pytest.raises(RuntimeError, match="halfway"), evaluating(model):
        with evaluating(model):
            pass
        assert not any(modes(model))
        model.train()
        raise RuntimeError("halfway")
    assert modes(model) == before


def test_a_compiled_model_and_the_one_within():
    model = mixed()
    before = modes(model)
    compiled = torch.compile(model, backend="eager")
    with evaluating(compiled):
        assert not any(modes(model))
    assert modes(model) == before


def test_batch_norms_take_the_statistics_of_one_batch_and_all_else_is_put_back():
    norm, dropout = nn.BatchNorm2d(3, momentum=0.3), nn.Dropout()
    model = nn.Sequential(norm, dropout).train()
    x = torch.randn(8, 3, 4, 4) * 5 + 2
    with taking_statistics(model):
        assert norm.training and not dropout.training
        model(x)
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, x.var((0, 2, 3)))
    assert norm.training and dropout.training and norm.momentum == 0.3
    with pytest.raises(RuntimeError, match="stop"), taking_statistics(model.eval()):
        raise RuntimeError("stop")
    assert not norm.training and norm.momentum == 0.3
