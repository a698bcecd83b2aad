"""Gates of a whole network, and batch norms that fit it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from senet_edu import SEBlock, create_model, record_gates, resnet20
from senet_edu.analysis import calibrate_batch_norm, gates_of
from senet_edu.data import normalize


def test_gates_of_all_blocks_in_order_whatever_the_batches(images):
    torch.manual_seed(0)
    model = create_model("se_resnet20", reduction=4)  # in training mode
    calibrate_batch_norm(model, images)
    blocks = gates_of(model.train(), images, batch_size=4)
    assert {name: tuple(s.shape) for name, s in blocks.items()} == {
        f"layer{stage}.{k}.se": (10, C) for stage, C in ((1, 16), (2, 32), (3, 64)) for k in range(3)
    }
    assert list(blocks) == sorted(blocks)

    seen = []  # the first block's gates, without the recorder
    model.layer1[0].se.register_forward_hook(lambda se, args, out: seen.append(se.excite(se.squeeze(args[0]))))
    with torch.no_grad():
        model.eval()(normalize(images))
    torch.testing.assert_close(blocks["layer1.0.se"], seen[0], atol=1e-5, rtol=0)


def test_gates_of_networks_of_others_at_any_size_and_as_they_prepare_images(images):
    torch.manual_seed(0)
    model = models.mobilenet_v3_small(weights=None)
    prepare = models.MobileNet_V3_Small_Weights.DEFAULT.transforms()
    large = images.repeat_interleave(3, 2).repeat_interleave(2, 3)  # 96 × 64
    gates = gates_of(model, large, batch_size=4, prepare=prepare)
    assert len(gates) == 9 and all(s.shape[0] == 10 and s.ndim == 2 for s in gates.values())
    with torch.no_grad(), record_gates(model.eval()) as expected:
        model(prepare(large))
    for name, s in gates.items():
        torch.testing.assert_close(s, expected[name], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(gates_of(model, large)["features.1.block.1"], gates["features.1.block.1"])


def test_gates_of_wants_one_call_for_an_image_and_maps(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.se = SEBlock(3, 1)

        def forward(self, x):
            return self.se(self.se(x))

    with pytest.raises(ValueError, match="model calls its block 'se' 2 times for an image"):
        gates_of(Twice(), images)
    for wrong in (lambda x: x, lambda x: x[:1].float(), lambda x: None):
        with pytest.raises(ValueError, match=r"prepare must give floating-point maps \(10, C, H, W\), got "):
            gates_of(create_model("se_resnet8"), images, prepare=wrong)


def test_gates_of_names_what_is_wrong(images):
    model = create_model("se_resnet20", reduction=4)
    for wrong in (images.float(), images[0], images[:, :1], images[:0]):
        with pytest.raises(ValueError, match="images must be uint8"):
            gates_of(model, wrong)
        with pytest.raises(ValueError, match="images must be uint8"):
            calibrate_batch_norm(model, wrong)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        gates_of(model, images, batch_size=0)
    with pytest.raises(ValueError, match="no SE block"):
        gates_of(resnet20(), images)


def test_a_calibrated_network_computes_in_eval_mode_what_it_computes_in_training(images):
    torch.manual_seed(0)
    model = create_model("se_resnet20", reduction=4)
    before = {name: p.clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        in_training = model.train()(normalize(images))  # with the batch's own statistics
    calibrate_batch_norm(model, images)
    assert model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}
    model.eval()
    with torch.no_grad():
        # Running variances are unbiased, those of a batch are not; at 4x4 maps and 10 images that is 0.3 % a layer.
        torch.testing.assert_close(model(normalize(images)), in_training, atol=0.05, rtol=0)


def test_modes_are_left_as_they_were_found(mixed, images):
    before = [module.training for module in mixed.modules()]
    calibrate_batch_norm(mixed, images)
    assert [module.training for module in mixed.modules()] == before
    gates_of(mixed, images)
    assert [module.training for module in mixed.modules()] == before


def test_modes_and_momenta_are_put_back_after_an_error(mixed, images):
    before = [module.training for module in mixed.modules()]

    def fail(*args: object) -> None:
        raise RuntimeError("halfway")

    mixed.layer3[2].register_forward_hook(fail)
    for function in (calibrate_batch_norm, gates_of):
        with pytest.raises(RuntimeError, match="halfway"):
            function(mixed, images)
        assert [module.training for module in mixed.modules()] == before
        assert {module.momentum for module in mixed.modules() if isinstance(module, nn.BatchNorm2d)} == {0.1}


def test_numbers_that_are_none_are_named(mixed, images):
    for wrong in ("125", None, 2.5):
        with pytest.raises(ValueError, match="batch_size must be a whole number, at least 1, got"):
            gates_of(mixed, images, batch_size=wrong)
    with pytest.raises(ValueError, match="images must be uint8 .* got ndarray"):
        gates_of(mixed, images.numpy())
