"""Every public name, as a type checker sees it: checked by mypy --strict in test_typing.py, and never run."""

from pathlib import Path

import torch

import senet_edu
from senet_edu import (
    CBAM,
    ECA,
    ESE,
    ScSE,
    SEBlock,
    compare_layers,
    convert_state_dict,
    create_model,
    export_onnx,
    find_blocks,
    find_gates,
    fold_gates,
    insert_se,
    list_models,
    load_cifar10,
    load_cifar100,
    load_pretrained,
    make_attention,
    override_gates,
    record_gates,
    remove_se,
    se_inception_v3,
    senet154,
)
from senet_edu.audit import audit
from senet_edu.resnet import ResNet

x = torch.zeros(2, 3, 32, 32)
model: ResNet = create_model("se_resnet20", reduction=8)
blocks: list[torch.nn.Module] = [SEBlock(64), ECA(64), ESE(64), CBAM(64), ScSE(64), make_attention("eca", 64)]
with record_gates(model) as gates, override_gates(model, {"layer1.*": 1.0}):
    model(x)
shape: torch.Size = gates["layer1.0.se"].shape
names: list[str] = [*find_gates(model), *find_blocks(model), *list_models("se_*")]
insert_se(se_inception_v3(), "Mixed_*", start="identity")
remove_se(model)
error: float = fold_gates(model, x).error
healthy: bool = audit(model, x).healthy
outputs: list[str] = export_onnx(model, Path("model.onnx"))
model.load_state_dict(convert_state_dict(load_pretrained("se_resnet20").state_dict(), "senet_edu", "timm"))
worst: float = max(compare_layers(model, senet154(num_classes=10), x).values())
sets = load_cifar10(), load_cifar100()
networks: list[ResNet] = [
    senet_edu.resnet18(num_classes=10),
    senet_edu.resnet34(num_classes=10),
    senet_edu.resnet50(num_classes=10),
    senet_edu.resnet101(num_classes=10),
    senet_edu.resnet152(num_classes=10),
    senet_edu.resnext50_32x4d(num_classes=10),
    senet_edu.resnext101_32x4d(num_classes=10),
    senet_edu.resnet8(num_classes=10),
    senet_edu.resnet20(num_classes=10),
    senet_edu.resnet32(num_classes=10),
    senet_edu.resnet44(num_classes=10),
    senet_edu.resnet56(num_classes=10),
    senet_edu.resnet110(num_classes=10),
    senet_edu.resnet164(num_classes=10),
    senet_edu.resnet10_cifar(num_classes=10),
    senet_edu.resnet18_cifar(num_classes=10),
    senet_edu.se_resnet18(num_classes=10),
    senet_edu.se_resnet34(num_classes=10),
    senet_edu.se_resnet50(num_classes=10),
    senet_edu.se_resnet101(num_classes=10),
    senet_edu.se_resnet152(num_classes=10),
    senet_edu.se_resnext50_32x4d(num_classes=10),
    senet_edu.se_resnext101_32x4d(num_classes=10),
    senet_edu.se_resnet8(num_classes=10),
    senet_edu.se_resnet20(num_classes=10),
    senet_edu.se_resnet32(num_classes=10),
    senet_edu.se_resnet44(num_classes=10),
    senet_edu.se_resnet56(num_classes=10),
    senet_edu.se_resnet110(num_classes=10),
    senet_edu.se_resnet164(num_classes=10),
    senet_edu.se_resnet10_cifar(num_classes=10),
    senet_edu.se_resnet18_cifar(num_classes=10),
    senet_edu.senet154(num_classes=10),
]
