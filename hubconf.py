"""The networks for `torch.hub`, which fetches this repository and needs no installation of the package:

    torch.hub.load("senet-edu/senet-edu", "se_resnet50", reduction=8)
    torch.hub.load("senet-edu/senet-edu", "load_pretrained", "se_resnet20")

`trust_repo=True` keeps it from asking. Every name of `senet_edu.list_models()` is an entry point.
"""

import senet_edu as _senet_edu
from senet_edu import load_pretrained, se_inception_v3  # noqa: F401

globals().update({_name: getattr(_senet_edu, _name) for _name in _senet_edu.list_models()})

dependencies = ["numpy", "safetensors", "torch"]
