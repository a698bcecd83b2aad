"""The audit of SE blocks: networks in which something is wrong, each found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from senet_edu import SEBlock, create_model, load_pretrained, record_gates, se_resnet8
from senet_edu.audit import Audit, Row, audit, load_model, main, settle
from senet_edu.cost import count_parameters, se_cost


class Detached(SEBlock):
    """Its gates are cut off from the graph, so its layers never learn."""

    def excite(self, z: Tensor) -> Tensor:
        return super().excite(z).detach()


class Broken(nn.Module):
    """Four SE blocks: one works, one is not called, the output of one is thrown away, one cannot learn."""

    def __init__(self) -> None:
        super().__init__()
        self.good, self.registered, self.unused = (SEBlock(6, 2, bias=True) for _ in range(3))
        self.detached = Detached(6, 2, bias=True)
        self.conv, self.fc = nn.Conv2d(3, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.good(self.conv(x))
        self.unused(x)
        return self.fc(self.detached(x).mean((2, 3)))


def test_each_fault_is_named() -> None:
    model = Broken().train()
    table = audit(model, 3 * torch.randn(4, 3, 5, 5))
    assert {row.name: row.verdict for row in table} == {
        "good": "ok",
        "registered": "never called",
        "unused": "does not change the answer",
        "detached": "gets no gradient",
    }
    assert not table.healthy and model.training
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_finds_gradients_where_the_reader_has_none(mode: type) -> None:
    model = Broken()
    expected = audit(model, x := 3 * torch.randn(4, 3, 5, 5))
    with mode():
        table = audit(model, x.clone())
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    assert [row.gradient for row in table] == [row.gradient for row in expected] and table == expected


def test_the_numbers_of_a_block() -> None:
    """Gates of 0, 1/2 and 1 by hand; and what it costs."""
    block = SEBlock(3, hidden=3, bias=True)
    for layer in (block.fc1, block.fc2):
        nn.init.zeros_(layer.weight)
    block.fc2.bias.data = torch.tensor([-20.0, 0.0, 20.0])
    block.fc1.weight.data[2, 2] = block.fc2.weight.data[1, 2] = 1.0  # the second gate follows the third channel
    x = torch.rand(5, 3, 4, 4) * torch.arange(1.0, 6.0).view(5, 1, 1, 1)
    (row,) = audit(block, x)
    with torch.no_grad(), record_gates(block) as gates:
        block(x)
    assert row.name == "se" and row.kind == "SEBlock" and (row.channels, row.calls) == (3, 1)
    assert row.mean == pytest.approx(gates["se"].mean().item())
    assert row.saturated == pytest.approx(2 / 3) and row.constant == pytest.approx(2 / 3)
    assert row.effect == 1.0  # with gates of zero nothing is left
    assert row.parameters == count_parameters(block) == 24
    assert row.multiply_adds == 2 * 9 + 2 * 3 * 16
    assert audit(block, x[:1])[0].constant is None


def test_costs_are_those_of_the_package() -> None:
    model = create_model("se_resnet20")
    table = audit(model, torch.randn(2, 3, 32, 32))
    assert sum(row.multiply_adds for row in table) == sum(row.multiply_adds for row in se_cost(model, (3, 32, 32)))
    assert sum(row.parameters for row in table) == sum(row.parameters for row in se_cost(model, (3, 32, 32)))


def test_hidden_units_that_are_all_off_are_no_fault() -> None:
    block = SEBlock(3, hidden=1)
    block.fc1.weight.data.fill_(-1.0)
    (row,) = audit(block, torch.rand(4, 3, 5, 5))
    assert row.gradient == 0 and row.verdict == "ok, but silent: on these images no gate varies" and row.works


def test_networks_of_others_and_inputs_of_other_kinds() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = tv.mobilenet_v3_small(weights=None)

        def forward(self, pixels: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
            return {"logits": self.net(pixels * scale)}

    x = torch.randn(2, 3, 64, 64)
    model = Named()
    for example in (x, (x, 2.0), {"pixels": x}):
        table = audit(model, example)
        assert len(table) == 9 and table.healthy
    assert audit(nn.Sequential(nn.Conv2d(3, 4, 1)), x) == Audit()
    assert str(Audit()) == "no SE block" and not Audit().healthy  # nothing was seen to work


def test_the_table() -> None:
    lines = str(audit(load_pretrained("se_resnet20"), torch.randn(2, 3, 32, 32))).splitlines()
    assert len(lines) == 11 and lines[0].split()[:3] == ["block", "C", "runs"]
    assert lines[9].startswith("layer3.2.se  64     1 ") and lines[9].endswith("  ok")
    assert lines[10] == "classes: SEBlock (9)"


def test_the_table_fits_a_page_whatever_is_wrong() -> None:
    """86 columns, which a page shows at 1280 pixels; with long names and large numbers."""
    verdicts = (
        Row("features.4.block.2.se", "SqueezeExcitation", 576, 1, 69.162, 1.4e-3, 0.5, 1.0, 1.0, 166_608, 176_256),
        Row("features.9.block.2", "SqueezeExcitation", 288, 1, 1.0, 0.0, 1.0, 1.0, 1.0, 41_832, 46_656),
        Row("se", "SEBlock", parameters=32),
    )
    lines = str(Audit(verdicts)).splitlines()
    assert max(map(len, lines)) <= 86
    assert [line.strip() for line in lines if line.startswith("    ")] == [row.verdict for row in verdicts[1:]]
    assert len({len(line) for line in lines[:2]}) == 1, "the columns do not line up"
    assert lines[1].split()[3:8] == ["6916%", "1e-3", "0.50", "100%", "100%"]
    tiny = replace(verdicts[0], effect=1e-4, gradient=None, constant=None)
    assert str(Audit([tiny])).splitlines()[1].split()[3:8] == ["<1%", "-", "0.50", "100%", "-"]
    assert lines[-1] == "classes: SqueezeExcitation (2), SEBlock (1)"


def test_a_missing_checkpoint_is_not_blamed_on_the_source() -> None:
    with pytest.raises(ValueError, match="^weights: there is no file 'no.pt'$"):
        load_model("senet_edu:se_resnet8", weights="no.pt")
    with pytest.raises(ValueError, match="^source: there is no file 'no.pt'; a network of a library is"):
        load_model("no.pt")


# The command


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert main(["torchvision:mobilenet_v3_small", "--size", "64", "--images", "2"]) == 0
    out = capsys.readouterr().out
    assert "classes: SqueezeExcitation (9)" in out and "9 SE blocks, 9 work" in out
    torch.save(se_resnet8(), tmp_path / "whole.pt")
    assert main([str(tmp_path / "whole.pt"), "--trust", "--size", "32"]) == 0
    assert "3 SE blocks, 3 work" in capsys.readouterr().out


def test_the_command_says_by_its_exit_status_that_a_block_does_not_work(tmp_path: Path, capsys) -> None:
    model = se_resnet8()
    model.layer1[0].placement = "none"  # its block is not called anymore
    torch.save(model, tmp_path / "whole.pt")
    assert main([str(tmp_path / "whole.pt"), "--trust", "--size", "32"]) == 1
    assert "never called" in capsys.readouterr().out


def test_the_command_lets_untrained_branches_speak(capsys: pytest.CaptureFixture) -> None:
    """With zero_init_residual, as timm builds its networks, nothing behind a block hears it."""
    zero = ["--model-option", "zero_init_residual=true"]
    x = torch.randn(4, 3, 32, 32)
    fresh = se_resnet8(zero_init_residual=True)
    assert {row.verdict for row in audit(fresh, x)} == {"does not change the answer"}
    assert main(["senet_edu:se_resnet8", "--size", "32", "--model-option", "reduction=4", *zero]) == 0
    out = capsys.readouterr().out
    assert "3 SE blocks, 3 work" in out and "untrained: batch norms took" in out
    assert main(["senet_edu:se_resnet8", "--size", "32", "--images", "1", "--model-option", "reduction=4", *zero]) == 0
    assert "3 SE blocks, 3 work; 1 image of random noise" in capsys.readouterr().out


def test_settled_batch_norms_know_the_maps() -> None:
    model, x = se_resnet8().train(), 5 + 3 * torch.randn(4, 3, 32, 32)
    model.layer1.eval()
    settle(model, x)
    with torch.no_grad():
        y = model.eval().bn1(model.conv1(x))
    assert y.mean((0, 2, 3)).abs().max() < 1e-4 and (y.var((0, 2, 3)) - 1).abs().max() < 1e-3
    assert model.bn1.momentum == 0.1


def test_a_network_without_se_is_no_success(capsys: pytest.CaptureFixture) -> None:
    assert main(["senet_edu:resnet8", "--size", "32"]) == 1
    assert "0 SE blocks" in capsys.readouterr().out


@pytest.mark.parametrize("wrapped", [lambda w: w, lambda w: {"state_dict": {f"module.{k}": v for k, v in w.items()}}])
def test_weights_for_a_named_network(tmp_path: Path, wrapped) -> None:
    weights = load_pretrained("se_resnet20").state_dict()
    torch.save(wrapped(weights), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"do not fit .*--model-option reduction=4\. size mismatch .* And 17 more\.$"):
        load_model("senet_edu:se_resnet20", weights=str(tmp_path / "weights.pt"))
    same = load_model("senet_edu:se_resnet20", options={"reduction": 4}, weights=str(tmp_path / "weights.pt"))
    assert all(torch.equal(tensor, weights[key]) for key, tensor in same.state_dict().items())
    model = create_model("se_resnet20")
    torch.save(wrapped(model.state_dict()), tmp_path / "own.pt")
    loaded = load_model("senet_edu:se_resnet20", weights=str(tmp_path / "own.pt"))
    assert torch.equal(loaded.fc.weight, model.fc.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet"], "there is no file 'resnet'; a network of a library is LIBRARY:NAME"),
        (["keras:vgg"], "LIBRARY:NAME with one of senet_edu, torchvision, timm, pytorchcv; got keras:vgg"),
        (["torchvision:zebra"], "torchvision cannot make 'zebra'"),
        (["senet_edu:se_resnet8", "--size", "0"], "--size must be at least 1, got 0"),
        (["senet_edu:se_resnet8", "--images", "0"], "--images must be at least 1, got 0"),
        (["torchvision:vit_b_16", "--size", "64"], "torchvision:vit_b_16 does not take images of shape (3, 64, 64): "),
        (["senet_edu:se_resnet8", "--model-option", "reductio=4"], "takes no option 'reductio'; did you mean"),
        (["senet_edu:se_resnet8", "--model-option", "4"], "'4' is not NAME=VALUE"),
        (["{folder}/whole.pt", "--model-option", "a=1"], "options={'a': 1} are for a network by name"),
        (["senet_edu:resnet8", "--weights", "{folder}/weights.pt"], "do not fit senet_edu:resnet8 as it was built"),
        (["{folder}/weights.pt"], "holds weights only: name the network"),
        (["{folder}/whole.pt"], "a whole model holds code; if you trust it, add --trust"),
        (["{folder}/text.pt"], "cannot load"),
    ],
)
def test_the_command_refuses(arguments: list[str], message: str, tmp_path: Path, capsys) -> None:
    torch.save(se_resnet8().state_dict(), tmp_path / "weights.pt")
    torch.save(se_resnet8(), tmp_path / "whole.pt")
    (tmp_path / "text.pt").write_text("no model")
    with pytest.raises(SystemExit) as stop:
        main([argument.format(folder=tmp_path) for argument in arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and "Traceback" not in error
