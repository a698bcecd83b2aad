"""Several processes: the same global batches, so the same weights but for rounding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_tools import TINY, read_history

from senet_edu import machine
from senet_edu.data import ImageData
from senet_edu.train import distributed, loop, train
from senet_edu.train.__main__ import main

OPTIONS = "--model se_resnet8 --model-option reduction=4 --epochs 2 --batch-size 16 --lr 0.001 --sizes 0:8 --device cpu"
SHARED = """
import sys
import torch
from senet_edu import machine
from senet_edu.data import ImageData
from senet_edu.train import __main__ as command, loop

machine.precision = lambda device: torch.float32  # bfloat16 would round halves of a sum to other digits
images = torch.load(sys.argv[1], weights_only=True)
loop.datasets.load = lambda name: ImageData("procedural", *images, classes=tuple("0123456789"))
command.main(sys.argv[2:])
"""


def test_two_processes_reach_the_weights_of_one(data: ImageData, tmp_path: Path, monkeypatch) -> None:
    """With a low rate, lest a few steps blow the rounding up."""
    data = data.subset(test=39)  # they do not divide by 2, either
    monkeypatch.setattr(machine, "precision", lambda device: torch.float32)
    monkeypatch.setattr(loop.datasets, "load", lambda name: data)
    main([*OPTIONS.split(), "--out", str(tmp_path / "one")])

    (tmp_path / "shared.py").write_text(SHARED)
    torch.save([data.train_images, data.train_labels, data.test_images, data.test_labels], tmp_path / "images.pt")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "shared.py"), str(tmp_path / "images.pt"), *OPTIONS.split()]
    command += ["--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Test accuracy") == 1  # one talks

    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-5, rtol=1e-5, msg=lambda text, key=key: f"{key}: {text}")
    facts, *rows = read_history(tmp_path / "two")
    assert facts["processes"] == 2 and facts["command"].startswith("torchrun --nproc-per-node 2 -m senet_edu.train ")
    for row, expected in zip(rows, read_history(tmp_path / "one")[1:], strict=True):
        assert row["train_loss"] == pytest.approx(expected["train_loss"], abs=1e-5)
        assert row["test_loss"] == pytest.approx(expected["test_loss"], abs=1e-4)
        assert row["train_accuracy"] == pytest.approx(expected["train_accuracy"], abs=0.03)


def test_a_batch_that_does_not_divide_among_the_processes(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "processes", lambda: 3)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes, got 16"):
        train(TINY, data=data, progress=False)


def test_batch_norm_of_all_processes_is_pytorchs_where_all_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with equal halves have the mean and variance of one half; only the unbiased variance differs."""
    torch.manual_seed(0)
    ours, theirs = distributed.WholeBatchNorm2d(3), nn.BatchNorm2d(3)
    for norm in (ours, theirs):
        with torch.no_grad():
            norm.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
            norm.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    x = torch.randn(4, 3, 5, 5) * 3 + 1
    mine, its = (x.clone().requires_grad_() for _ in range(2))
    monkeypatch.setattr(distributed, "processes", lambda: 2)
    monkeypatch.setattr(distributed, "total", lambda part: part * 2)  # the other process has the same
    found, expected = ours(mine), theirs(torch.cat([its, its]))[:4]
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    whole = its.clone().detach().requires_grad_()
    theirs(torch.cat([whole, whole])).square().sum().backward()
    torch.testing.assert_close(mine.grad * 2, whole.grad, atol=1e-3, rtol=1e-3)
    theirs.reset_running_stats()
    ours.reset_running_stats()
    ours(x), theirs(torch.cat([x, x]))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == 1
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_one_gpu_cannot_be_named_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with (
        pytest.raises(ValueError, match="device must be cuda or left out under torchrun, .* got cuda:0"),
        distributed.process_group("cuda:0"),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(ValueError, match="every process needs a GPU of its own, and there are 1"),
        distributed.process_group("cuda"),
    ):
        pass
