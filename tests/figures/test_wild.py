"""The figure of chapter 12 in a real browser; its numbers are compared with those of the networks themselves."""

from __future__ import annotations

import pytest
import torch
from browser import drawn, wait_until_said
from torch import nn
from torchvision.models import get_model

from senet_edu import create_model
from senet_edu.cost import count_parameters, multiply_adds, se_cost
from senet_edu.explorables import Wild
from senet_edu.explorables.wild import NETWORKS, build, units

FIGURE = "se-wild"
SIZE = (3, 224, 224)


@pytest.fixture(scope="module")
def html() -> str:
    return Wild().element()


def shown(page, key: str) -> str:
    return page.locator(f"{FIGURE} [data-number='{key}']").inner_text()


def choose(page, title: str) -> None:
    page.get_by_role("radio", name=title, exact=True).check(force=True)
    drawn(page)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_are_the_whole(name: str) -> None:
    """No layer is left out or counted twice, and SE is what `se_cost` counts."""
    torch.manual_seed(3)
    model, parts = build(name), units(build(name), NETWORKS[name][2])
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))
    blocks = [part["se"] for part in parts if "se" in part]
    cost = se_cost(model, SIZE)
    assert sum(part["parameters"] for part in parts) == count_parameters(model)
    assert sum(part["work"] for part in parts) == multiply_adds(model, SIZE, elementwise=True)
    assert sum(se["parameters"] for se in blocks) == sum(step.parameters for step in cost)
    assert sum(se["work"] for se in blocks) == sum(step.multiply_adds for step in cost)
    assert [parts[0]["name"], parts[-1]["name"]] == ["stem", "head"]
    assert all(part["work"] for part in parts)  # in the order of the data, none is empty


def test_a_block_of_each_way_to_write_se() -> None:
    """By hand, from the modules themselves."""
    large = get_model("mobilenet_v3_large", weights=None)
    (part,) = (part for part in units(large, "InvertedResidual") if part["name"] == "features.14")
    se = get_model("mobilenet_v3_large", weights=None).features[14].block[2]
    assert part["se"]["parameters"] == count_parameters(se) == 2 * 960 * 240 + 960 + 240
    assert (part["se"]["channels"], part["se"]["hidden"], part["se"]["side"]) == (960, 240, 7)
    assert part["se"]["work"] == 2 * 960 * 240 + 2 * 960 * 7 * 7
    # What the chapter says of the last blocks.
    assert part["se"]["parameters"] > 0.5 * part["parameters"] and part["se"]["work"] < 0.05 * part["work"]
    with torch.device("meta"):
        ours = create_model("se_resnet50")
    (part,) = (part for part in units(ours, "Bottleneck") if part["name"] == "layer2.1")
    assert part["se"] == {
        "name": "layer2.1.se", "channels": 512, "side": 28, "hidden": 32,
        "parameters": 2 * 512 * 32, "work": 2 * 512 * 32 + 2 * 512 * 28 * 28,
    }  # fmt: skip


def test_the_gates_are_called_what_they_are() -> None:
    networks = Wild().data["networks"]
    assert {name: network["gate"] for name, network in networks.items()} == {
        name: "hardsigmoid" if "v3" in name else "sigmoid" for name in NETWORKS
    }
    assert isinstance(get_model("regnet_y_400mf", weights=None).trunk_output[0][0].f.se.scale_activation, nn.Sigmoid)


def test_pointing_choosing_and_the_numbers(html, figure_page, axe):
    page = figure_page(html)
    drawn(page)
    assert "27.6 %" in page.locator(f"{FIGURE} .verdict").inner_text()
    for title, name in (("SE-ResNet-50", "se_resnet50"), ("EfficientNet-B0", "efficientnet_b0")):
        choose(page, title)
        parts = units(build(name), NETWORKS[name][2])
        assert shown(page, "blocks") == "16"
        share = sum(part["se"]["parameters"] for part in parts if "se" in part) / sum(p["parameters"] for p in parts)
        assert shown(page, "network parameters") == f"{100 * share:.1f} %"
        for at in (2, len(parts) - 1):
            box = page.locator(f"{FIGURE} [data-bars=work]").bounding_box()
            page.mouse.move(box["x"] + (at + 0.5) / len(parts) * box["width"], box["y"] + 20)
            drawn(page)
            part = parts[at]
            assert shown(page, "part parameters") == f"{part['parameters']:,}"
            millions = f"{part['work'] / 1e6:.2f} M"
            assert shown(page, "part work") == millions
            own = f"{part['se']['parameters']:,}" if "se" in part else "–"
            assert shown(page, "se parameters") == own
            words = page.locator(f"{FIGURE} .words").inner_text()
            assert ("No SE block here." in words) == ("se" not in part)
    assert axe(page) == []


def test_bars_are_as_high_as_their_numbers(html, figure_page):
    page = figure_page(html)
    drawn(page)
    parts = units(build("mobilenet_v3_large"), "InvertedResidual")
    for key in ("parameters", "work"):
        heights = page.locator(f"{FIGURE} [data-bars={key}] .rest").evaluate_all(
            "bars => bars.map((bar) => Number(bar.getAttribute('height')))"
        )
        top = max(part[key] for part in parts)
        assert heights == pytest.approx([100 * (p[key] - p.get("se", {}).get(key, 0)) / top for p in parts])
        assert page.locator(f"{FIGURE} [data-bars={key}] .se").count() == 8


def test_keyboard_words_and_link(html, figure_page, axe):
    page = figure_page(html, dark=True, width=360)
    drawn(page)
    chart = page.get_by_role("slider", name="Part of the network")
    chart.focus()
    drawn(page)
    assert chart.get_attribute("aria-valuetext").startswith("features.14.block.2. SE sees 960 maps")
    page.keyboard.press("ArrowRight")
    drawn(page)
    assert chart.get_attribute("aria-valuetext").startswith("features.15.block.2.")
    page.keyboard.press("Home")
    drawn(page)
    assert chart.get_attribute("aria-valuetext") == "stem. No SE block here."
    assert page.evaluate("decodeURIComponent(location.hash)") == "#wild=mobilenet_v3_large,stem"
    page.evaluate("location.hash = 'wild=senet154,layer3.7'")
    wait_until_said(page, FIGURE, "SENet-154", "layer3.7.se", "1024 maps of 14 × 14")
    assert page.get_by_role("radio", name="SENet-154").is_checked()
    for wrong in ("senet154,layer9", "lenet,stem", "constructor,stem", "x"):
        page.evaluate(f"location.hash = 'wild={wrong}'")
        drawn(page)
        assert "layer3.7.se" in chart.get_attribute("aria-valuetext")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(FIGURE).bounding_box()["height"] <= 900
    assert axe(page) == []


@pytest.mark.parametrize("width", [976, 800, 360, 320])
def test_nothing_jumps(html, figure_page, width):
    page = figure_page(html, width=width)
    heights = set()
    for title, _, _ in NETWORKS.values():
        choose(page, title)
        page.get_by_role("slider").focus()
        for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "End", "ArrowLeft"):
            page.keyboard.press(key)
            drawn(page)
            heights.add(page.locator(FIGURE).bounding_box()["height"])
    assert len(heights) == 1


def test_it_is_small_and_says_in_words_what_it_shows(html):
    assert len(html) < 12_000 and Wild().element() == html
    assert "MobileNetV3 large, 8 blocks, hardsigmoid: 27.6 % of parameters, 1.2 % of multiply-adds" in Wild().alt
