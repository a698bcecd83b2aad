"""Training and evaluation mode of a network, put back as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


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
