"""The networks for `torch.hub`, which fetches this repository and needs no installation of the package:

    torch.hub.load("senet-edu/senet-edu", "se_resnet50", reduction=8)
    torch.hub.load("senet-edu/senet-edu", "load_pretrained", "se_resnet20")

`trust_repo=True` keeps it from asking. Every function imported here is an entry point.
"""

from senet_edu import (  # noqa: F401
    load_pretrained,
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
    se_inception_v3,
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

dependencies = ["filelock", "numpy", "safetensors", "torch", "torchvision", "tqdm"]
