"""Training and evaluation mode of a network, put back as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Eval mode while the context is open. Then each module has its own mode again, also after an exception.

    Each module its own, because a network may have parts in eval mode while it trains, such as frozen batch norms.
    """
    modes = {module: module.training for model in models for module in model.modules()}
    try:
        for model in models:
            model.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def taking_statistics(model: nn.Module) -> Iterator[None]:
    """Eval mode but for batch norms: each takes the statistics of the next batch, and forgets those that it had."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with evaluating(model):
        try:
            for norm in norms:
                norm.train()
                norm.momentum = 1.0
            yield
        finally:
            for norm, momentum in zip(norms, momenta):
                norm.momentum = momentum
