"""What a release holds, and that it names its tag."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import release

import senet_edu

TAG = f"v{senet_edu.__version__}"
URL = release.REPOSITORY["url"]


def test_the_tag_must_be_the_version() -> None:
    release.check_version(TAG)
    for tag in (senet_edu.__version__, "v0.0.1", ""):
        with pytest.raises(ValueError, match=f"the tag is '{tag}', but the package has version"):
            release.check_version(tag)


def test_notebooks_name_the_tag(root: Path, tmp_path: Path) -> None:
    """Badge and install cell of every chapter, and nothing else of it is changed but sources that it links to."""
    files = release.below(root / "book", "*.ipynb")
    release.pack(tmp_path / "a.zip", files, TAG)
    release.pack(tmp_path / "b.zip", files, TAG)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == sorted(files) and len(files) > 10
        for name, path in files.items():
            text, before = archive.read(name).decode("utf-8"), path.read_text(encoding="utf-8")
            assert f"colab.research.google.com/github/senet-edu/senet-edu/blob/{TAG}/book/{name})" in text
            assert f"git+{URL}@{TAG}" in text
            assert "senet-edu/blob/main/" not in text and len(text) > len(before)
            assert text.replace(f"@{TAG}", "").replace(f"/{TAG}/", "/main/") == before


def test_an_address_that_only_begins_like_ours_stays() -> None:
    for text in (f"git+{URL}-other", f"git+{URL}@v0.1", f"{URL}/issues", "https://github.com/a/b/blob/main/x"):
        assert release.at_tag(text, TAG) == text
    assert release.at_tag(f"pip install git+{URL}\n", TAG) == f"pip install git+{URL}@{TAG}\n"
    assert release.at_tag(f"{URL}/tree/main/tests", TAG) == f"{URL}/tree/{TAG}/tests"


def test_what_was_not_built_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "SITE", tmp_path)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "CITATION.cff").write_text(f"version: {senet_edu.__version__}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="index.html is missing: run make book first"):
        release.release(TAG)
