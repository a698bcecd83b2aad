"""Files of other projects: those that were fetched, unchanged, each beside its license."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import vendor

LICENSES = {  # what each folder's license says of itself
    "book/assets/katex": "MIT License",
    "book/assets/katex/fonts": "SIL OPEN FONT LICENSE\nVersion 1.1",
    "tests/axe": "Mozilla Public License, version 2.0",
}


def listed() -> dict[str, str]:
    lines = vendor.HASHES.read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in (line.split("  ") for line in lines)}


def test_no_fetched_file_was_changed(root: Path) -> None:
    assert len(listed()) > 20
    assert {path: hashlib.sha256((root / path).read_bytes()).hexdigest() for path in listed()} == listed()


def test_nothing_else_lies_among_them(root: Path) -> None:
    found = {path for folder in LICENSES for path in (root / folder).iterdir() if path.is_file()}
    own = {root / "book/assets/katex/fonts/LICENSE"}  # npm's package has none; the fonts themselves name it
    assert found - own == {root / path for path in listed()}


@pytest.mark.parametrize(("folder", "words"), LICENSES.items())
def test_each_folder_has_its_license(root: Path, folder: str, words: str) -> None:
    assert words in (root / folder / "LICENSE").read_text(encoding="utf-8")


def test_versions_are_exact() -> None:
    for package in vendor.COPIED:
        assert re.search(r".@\d+\.\d+\.\d+$", package), package


def test_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "ROOT", tmp_path)
    monkeypatch.setattr(vendor, "HASHES", tmp_path / "vendor.sha256")
    monkeypatch.setattr(vendor, "fetch_all", lambda folder: {"a/b.js": b"new"})
    (tmp_path / "vendor.sha256").write_text(vendor.sums({"a/b.js": b"old"}))
    with pytest.raises(SystemExit, match="nothing was written"):
        vendor.main([])
    assert not (tmp_path / "a").exists()
    vendor.main(["--renew"])
    assert (tmp_path / "a" / "b.js").read_bytes() == b"new"
    vendor.main([])
