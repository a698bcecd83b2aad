"""The networks with relatives of SE that chapter 10 looks at."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from senet_edu import lamp, provenance, store
from senet_edu.measure import relatives
from senet_edu.measure.lamp import ROWS


def test_the_shipped_weights_score_what_was_measured() -> None:
    """The same seed was measured by `senet_edu.measure.lamp`, on these pictures."""
    measured = store.load("lamp")["rows"]
    nets = relatives.load()
    assert set(nets) == {"se", *relatives.NAMES} - {"se_r2"}
    for name in ("se", "eca", "ge_theta"):  # one with batch norms among them
        row = measured["se_r2" if name == "se" else name]
        assert lamp.error(nets[name]) == pytest.approx(row["error"][relatives.SEED], abs=2e-3), name
        assert not nets[name].training


def test_half_precision_and_counters_come_back(tmp_path: Path) -> None:
    net = lamp.network(**ROWS["ge_theta"].network)
    lamp.train(net, steps=2)
    about = dict.fromkeys(store.ABOUT) | {"command": "a command", "seeds": [7]}
    nets = {name: lamp.network(**ROWS[name].network) for name in relatives.NAMES} | {"ge_theta": net}
    relatives.keep(nets, about, tmp_path)
    again = relatives.load(tmp_path)["ge_theta"].state_dict()
    for key, value in net.state_dict().items():
        assert torch.equal(again[key], value.half().float() if value.is_floating_point() else value), key
    assert provenance._said_within(tmp_path / relatives.FILE)["seeds"] == [7]


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(ValueError, match="got sea"):
        relatives.measure(["sea"])


def test_the_record_says_how_they_were_made() -> None:
    (record,) = (one for one in provenance.records() if one.path == f"weights/{relatives.FILE}")
    assert record.commands == ("python -m senet_edu.measure.relatives",) and record.seeds == (relatives.SEED,)
    assert record.hardware and record.seconds
