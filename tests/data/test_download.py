"""Downloads from a server in this process. No test needs a network, and none waits."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from small_cifar import Bomb, change, files_in, same, trust

from senet_edu import data
from senet_edu.data import cifar, download


def test_a_silent_network_costs_no_more_than_the_limit(folder, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.2)
    change(monkeypatch, addresses=tuple(f"http://mirror{i}" for i in range(4)))
    over = threading.Event()

    def urlopen(*args: object, **kwargs: object) -> None:  # hangs, as the look-up of a name does
        over.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(download, "urlopen", urlopen)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match="no answer within 0.2 s"):
        data.load_cifar10()
    assert time.monotonic() - start < 2
    over.set()


def test_download(folder, serve, arrays, tmp_path):
    server = serve("good")
    target = tmp_path / "new" / "folder"
    assert same(data.load_cifar10(target), arrays)
    assert files_in(target) == {"cifar10.npz"}
    with np.load(target / "cifar10.npz", allow_pickle=False) as saved:
        assert set(saved) == set(arrays)
        assert all(np.array_equal(saved[key], arrays[key]) and saved[key].dtype == np.uint8 for key in arrays)
    assert same(data.load_cifar10(target), arrays)  # from the file
    assert server.sent == [("/good", "")]


def test_download_goes_on_after_a_break(folder, serve, arrays):
    server = serve("breaks")
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [("/breaks", ""), ("/breaks", f"bytes={len(server.archive) // 2}-")]


def test_next_call_goes_on_after_a_break(folder, serve, arrays, monkeypatch):
    server = serve("dies")
    with pytest.raises(FileNotFoundError, match="127.0.0.1: it sends nothing") as caught:
        data.load_cifar10()
    assert "senet_edu.load_cifar10()" in str(caught.value)
    assert files_in(folder) == {"cifar-10-python.tar.gz.partial"}
    change(monkeypatch, addresses=(server.address("good"),))
    assert same(data.load_cifar10(), arrays)
    assert server.sent[-1] == ("/good", f"bytes={len(server.archive) // 2}-")
    assert files_in(folder) == {"cifar10.npz"}


def test_server_without_ranges_starts_anew(folder, serve, arrays):
    server = serve("rangeless")
    assert same(data.load_cifar10(), arrays)
    assert len(server.sent) == 2


def test_wrong_hash_then_the_next_address(folder, serve, arrays):
    server = serve("missing", "portal", "wrong", "good")
    assert same(data.load_cifar10(), arrays)
    assert [path for path, _ in server.sent] == ["/missing", "/portal", "/wrong", "/good"]
    assert server.sent[-1] == ("/good", "")  # nothing of the wrong archive is kept


def test_wrong_hash_everywhere(folder, serve):
    serve("wrong", "missing", "portal")
    with pytest.raises(FileNotFoundError) as caught:
        data.load_cifar10()
    for reason in ("MD5", "404", "it offers 26 bytes"):
        assert reason in str(caught.value)
    assert files_in(folder) == set()


def test_bad_remains_of_an_earlier_download_are_replaced(folder, serve, arrays):
    server = serve("good")
    (folder / "cifar-10-python.tar.gz.partial").write_bytes(b"x" * 1000)
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [("/good", "bytes=1000-"), ("/good", "")]


def test_address_that_answers_comes_first(folder, serve, arrays, monkeypatch):
    server = serve("good")
    change(monkeypatch, addresses=("http://127.0.0.1:9/cifar", server.address("good")))
    tried, complete = [], download._complete
    monkeypatch.setattr(download, "_complete", lambda address, *rest: (tried.append(address), complete(address, *rest)))
    assert same(data.load_cifar10(), arrays)
    assert tried == [server.address("good")]


def test_two_at_once_download_once(folder, serve, arrays):
    server, results = serve("good"), []
    threads = [threading.Thread(target=lambda: results.append(data.load_cifar10())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and all(same(result, arrays) for result in results)
    assert len(server.sent) == 1


def test_nothing_is_unpacked_before_the_hash_is_right(folder, serve, batches, tmp_path, monkeypatch):
    files = batches | {"data_batch_1": pickle.dumps(Bomb(tmp_path / "trace"), protocol=2)}
    serve("good", files=files)
    change(monkeypatch, archive_md5="0" * 32)
    monkeypatch.setattr(cifar, "_ArrayUnpickler", None)
    monkeypatch.setattr(cifar, "tarfile", None)
    with pytest.raises(FileNotFoundError, match="MD5"):
        data.load_cifar10()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("part", ["batch", "archive"])
def test_malicious_pickle_is_refused_even_with_a_right_hash(part, folder, serve, batches, tmp_path, monkeypatch):
    bomb = pickle.dumps(Bomb(tmp_path / "trace"), protocol=2)
    pickle.loads(bomb)
    (tmp_path / "trace").rmdir()  # elsewhere, it does go off
    files = batches | {"data_batch_1": bomb}
    serve("good", files=files)
    if part == "archive":
        trust(files, monkeypatch)
    with pytest.raises(ValueError, match="MD5 of data_batch_1" if part == "batch" else "asks for .*mkdir"):
        data.load_cifar10()
    assert not (tmp_path / "trace").exists()
    assert not (folder / "cifar10.npz").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full, a disk that is always full")
@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz.partial", ".cifar10.npz.{pid}.partial"])
def test_full_disk(name, folder, serve):
    name = name.format(pid=os.getpid())
    serve("good")
    (folder / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="is full") as caught:
        data.load_cifar10()
    assert str(folder) in str(caught.value) and "SENET_EDU_DATA" in str(caught.value)
    assert files_in(folder) == set()


# ---- Servers in trouble


@pytest.fixture
def pauses(folder, monkeypatch) -> list[float]:
    """The seconds of all pauses so far. Nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr(download, "sleep", waited.append)
    return waited


def test_a_server_that_drips_is_left_in_peace(folder, serve, pauses):
    server = serve("drips")
    with pytest.raises(FileNotFoundError, match="127.0.0.1: 10 connections broke off within 10 bytes"):
        data.load_cifar10()
    assert len(server.sent) == 10
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_after_a_server_that_drips_comes_the_next_address(folder, serve, arrays, pauses):
    server = serve("drips", "good")
    assert same(data.load_cifar10(), arrays)
    assert server.sent[-1] == ("/good", "bytes=10-") and len(server.sent) == 11


def test_connections_that_bring_something_are_not_counted(folder, serve, arrays, pauses, monkeypatch):
    monkeypatch.setattr(download, "CONNECTIONS", 3)
    monkeypatch.setattr(download, "PROGRESS_BYTES", 1_000)
    server = serve("tenths")
    assert same(data.load_cifar10(), arrays)
    assert len(server.sent) == 10 and pauses == [1] * 9


@pytest.mark.parametrize("trouble", ["no-such-range", "from-the-start", "too-short", "other-bytes"])
def test_a_server_that_does_ranges_wrongly_is_asked_for_everything(trouble, folder, serve, arrays, pauses):
    server = serve(trouble)
    (folder / "cifar-10-python.tar.gz.partial").write_bytes(server.archive[:1000])
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [(f"/{trouble}", "bytes=1000-"), (f"/{trouble}", "")]
    assert pauses == []


def test_what_came_is_kept_when_a_hotel_answers_instead(folder, serve):
    server = serve("portal")
    partial = folder / "cifar-10-python.tar.gz.partial"
    partial.write_bytes(server.archive[:1000])
    with pytest.raises(FileNotFoundError, match="it offers 26 bytes"):
        data.load_cifar10()
    assert partial.read_bytes() == server.archive[:1000]


def test_no_more_is_taken_than_belongs_to_the_archive(folder, serve, arrays):
    server = serve("endless")
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [("/endless", "")]


def test_an_archive_that_is_none_though_its_hash_is_right(folder, serve, monkeypatch):
    server = serve("good")
    server.archive = b"no archive"
    change(monkeypatch, archive_bytes=10, archive_md5=hashlib.md5(server.archive).hexdigest())
    with pytest.raises(ValueError, match="partial cannot be used as CIFAR-10: not a gzip file"):
        data.load_cifar10()


def test_a_folder_that_cannot_be_written_to(folder, serve, tmp_path, monkeypatch):
    serve("good")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="CIFAR-10 cannot be put into .*file.*\n.*SENET_EDU_DATA"):
        data.load_cifar10(tmp_path / "file")

    def read_only(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(cifar, "FileLock", read_only)
    with pytest.raises(PermissionError, match=f"CIFAR-10 cannot be put into {folder}: Permission denied.\n.*SENET_ED"):
        data.load_cifar10()
    assert data.load_data().name == "procedural"
