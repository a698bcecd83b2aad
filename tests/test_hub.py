"""The networks through `torch.hub`, from this checkout."""

import runpy
import tomllib

import pytest
import torch
from packaging.requirements import Requirement

from senet_edu import list_models, load_pretrained, se_resnet20


@pytest.fixture(scope="module")
def hubconf(root):
    return runpy.run_path(str(root / "hubconf.py"))


def test_every_model_is_an_entry_point(hubconf):
    entries = {name for name, value in hubconf.items() if callable(value) and not name.startswith("_")}
    assert entries == {*list_models(), "se_inception_v3", "load_pretrained"}


def test_options_reach_the_builder(root):
    model = torch.hub.load(str(root), "se_resnet20", source="local", reduction=8, num_classes=3)
    same = se_resnet20(reduction=8, num_classes=3)
    same.load_state_dict(model.state_dict(), strict=True)


def test_trained_networks(root):
    model = torch.hub.load(str(root), "load_pretrained", "se_resnet20", source="local")
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(x), load_pretrained("se_resnet20")(x))


def test_dependencies_are_those_of_the_package_without_extras(root, hubconf):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(hubconf["dependencies"]) == {Requirement(line).name for line in project["dependencies"]}
