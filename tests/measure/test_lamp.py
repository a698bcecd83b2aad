"""The lamp's tables: rows, runs that go on, and the file."""

from __future__ import annotations

import errno
import json
import os
from functools import partial
from pathlib import Path

import pytest

from senet_edu import lamp, store
from senet_edu.measure import lamp as measured

ROWS = ("plain", "se_r2", "simam")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lamp, "train", partial(lamp.train, steps=2))
    monkeypatch.setattr(lamp, "held_out", lambda count=8: lamp.pictures(min(count, 8), 1))


def test_every_row_is_a_network() -> None:
    for row in measured.ROWS.values():
        lamp.network(**row.network)
    assert measured.STANDARD in measured.ROWS


def test_runs_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs.jsonl"
    first = measured.measure(ROWS, 1, partial=runs)
    again: list[tuple[str, int]] = []
    run = measured.run
    monkeypatch.setattr(measured, "run", lambda *key: again.append(key) or run(*key))
    second = measured.measure(ROWS, 2, partial=runs)
    assert again == [(row, 1) for row in ROWS]
    assert len(runs.read_text().splitlines()) == 6
    assert [one["error"][0] for one in second["rows"].values()] == [one["error"][0] for one in first["rows"].values()]


def test_a_full_disk_costs_no_run_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs.jsonl"
    measured.measure(ROWS, 1, partial=runs)
    kept = runs.read_bytes()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match="cannot write .*runs.jsonl: No space left on device. The one from before is kept"
    ):
        measured.measure(ROWS, 2, partial=runs)
    assert runs.read_bytes() == kept
    runs.write_bytes(kept[:-5])
    with pytest.raises(ValueError, match="runs.jsonl is damaged: .* Move it away to measure anew"):
        measured.measure(ROWS, 2, partial=runs)


def test_the_file_has_everything(tmp_path: Path) -> None:
    measured.main([*"--rows plain se_r2 --seeds 2".split(), "--partial", str(tmp_path / "r"), "--out", str(tmp_path)])
    found = store.load("lamp", folder=tmp_path)
    assert set(found) == {"rows", "by_hand", "test_pictures", "about"}
    assert found["rows"]["se_r2"]["parameters"] == 3715 and len(found["rows"]["se_r2"]["frozen"]) == 2
    assert "frozen" not in found["rows"]["plain"]
    assert found["about"]["seeds"] == [0, 1]
    assert json.loads((tmp_path / "r").read_text().splitlines()[0])["row"] == "plain"


@pytest.mark.parametrize(("rows", "seeds", "message"), [(("se",), 1, "got se"), (ROWS, 0, "seeds must be at least 1")])
def test_bad_input_is_named(rows: tuple[str, ...], seeds: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        measured.measure(rows, seeds, partial=tmp_path / "r")
