"""What chapters and recipes call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_cifar import same

from senet_edu import data


def test_load_data_takes_what_can_be_had(folder, serve, arrays, tmp_path, monkeypatch):
    offline = data.load_data()
    assert offline.name == "procedural" and torch.equal(offline.train_images, data.procedural().train_images)
    assert offline.describe().startswith("Procedural shapes: 5,000 training and 1,000 test images (because CIFAR-10 is")
    assert "\n" not in offline.describe()

    server = serve("good")
    monkeypatch.setenv("SENET_EDU_DATA", str(tmp_path / "mine"))  # no download into a folder of one's own
    assert data.load_data().name == "procedural" and server.sent == []
    monkeypatch.delenv("SENET_EDU_DATA")
    assert same(data.load_data(), arrays)
    assert len(server.sent) == 1


def test_load_data_prints_nothing(folder, capfd):
    data.load_data()
    assert capfd.readouterr() == ("", "")


def test_load_by_name(folder, arrays):
    np.savez(folder / "cifar10.npz", **arrays)
    assert same(data.load("cifar10"), arrays)
    assert data.load("procedural").name == "procedural"
    with pytest.raises(ValueError, match="name must be one of cifar10, cifar100, procedural; got 'mnist'"):
        data.load("mnist")


@pytest.mark.parametrize("cause", ["no name", "no such user"])
def test_a_machine_without_a_home(cause, folder, monkeypatch):
    """As `docker run -u 12345`: neither HOME nor an entry for the user."""
    pwd = pytest.importorskip("pwd")

    def nobody(*args: object) -> None:
        raise KeyError("not found")

    if cause == "no name":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", nobody)
    else:
        monkeypatch.setenv("SENET_EDU_DATA", "~nobody-of-that-name/data")
    for call in (data.load_cifar10, data.load_cifar100, data.data_folder, lambda: data.load("cifar10")):
        with pytest.raises(ValueError, match="home folder that cannot be found.\n.*SENET_EDU_DATA"):
            call()
    found = data.load_data()
    assert found.name == "procedural" and "home folder that cannot be found)" in found.describe()


def test_a_damaged_file_is_no_reason_to_go_without(folder):
    (folder / "cifar10.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be used as CIFAR-10"):
        data.load_data()


def test_names_of_data_sets_are_checked():
    for wrong in (None, 10, ["cifar10"]):
        with pytest.raises(ValueError, match="name must be one of cifar10"):
            data.load(wrong)
