"""Squeeze-and-Excitation networks, to learn from and to use.

    from senet_edu import SEBlock, create_model, load_pretrained, record_gates

Importing this loads torch and nothing heavier; needed are torch, numpy and safetensors. What reads data or draws needs
an extra of the package: `pip install "senet-edu[train]"` or `"senet-edu[book]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senet_edu import interrupt, resnet
from senet_edu.fold import fold_gates
from senet_edu.gates import find_blocks, find_gates, override_gates, record_gates
from senet_edu.interop import compare_layers, convert_state_dict, export_onnx
from senet_edu.relatives import CBAM, ECA, ESE, ScSE, make_attention
from senet_edu.resnet import *  # noqa: F403  the builders, create_model and list_models
from senet_edu.se import SEBlock
from senet_edu.surgery import insert_se, remove_se, se_inception_v3
from senet_edu.zoo import load_pretrained

interrupt.over()

if TYPE_CHECKING:
    from senet_edu.data import load_cifar10, load_cifar100

__version__ = "1.0.0"
__all__ = [
    "CBAM",
    "ECA",
    "ESE",
    "SEBlock",
    "ScSE",
    "compare_layers",
    "convert_state_dict",
    "export_onnx",
    "find_blocks",
    "find_gates",
    "fold_gates",
    "insert_se",
    "load_cifar10",
    "load_cifar100",
    "load_pretrained",
    "make_attention",
    "override_gates",
    "record_gates",
    "remove_se",
    "se_inception_v3",
]
__all__ += resnet.__all__


if not TYPE_CHECKING:  # else a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        """Data sets need more libraries than networks do, so they are loaded when they are asked for."""
        if name in ("load_cifar10", "load_cifar100"):
            from senet_edu import data

            return getattr(data, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
