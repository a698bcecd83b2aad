"""Squeeze-and-Excitation networks, to learn from and to use.

    from senet_edu import SEBlock, create_model, load_pretrained, record_gates

Importing this loads torch and nothing heavier.
"""

from senet_edu import interrupt
from senet_edu.data import load_cifar10, load_cifar100
from senet_edu.gates import override_gates, record_gates
from senet_edu.resnet import (
    create_model,
    list_models,
    resnet8,
    resnet10_cifar,
    resnet18,
    resnet18_cifar,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
    resnet164,
    se_resnet8,
    se_resnet10_cifar,
    se_resnet18,
    se_resnet18_cifar,
    se_resnet20,
    se_resnet32,
    se_resnet34,
    se_resnet44,
    se_resnet50,
    se_resnet56,
    se_resnet101,
    se_resnet110,
    se_resnet152,
    se_resnet164,
)
from senet_edu.se import SEBlock
from senet_edu.surgery import insert_se, se_inception_v3
from senet_edu.zoo import load_pretrained

interrupt.over()

__version__ = "0.1.0"
__all__ = [
    "SEBlock",
    "create_model",
    "insert_se",
    "list_models",
    "load_cifar10",
    "load_cifar100",
    "load_pretrained",
    "override_gates",
    "record_gates",
    "resnet10_cifar",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnet164",
    "resnet18",
    "resnet18_cifar",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet8",
    "se_inception_v3",
    "se_resnet10_cifar",
    "se_resnet101",
    "se_resnet110",
    "se_resnet152",
    "se_resnet164",
    "se_resnet18",
    "se_resnet18_cifar",
    "se_resnet20",
    "se_resnet32",
    "se_resnet34",
    "se_resnet44",
    "se_resnet50",
    "se_resnet56",
    "se_resnet8",
]
