"""The figure of chapter 5 in a real browser; its numbers are compared with those of `senet_edu.cost`."""

import pytest
import torch
from browser import drawn

from senet_edu import create_model
from senet_edu.cost import count_parameters, multiply_adds, se_cost, se_parameters
from senet_edu.explorables import Placement

SIZE = (3, 224, 224)


@pytest.fixture(scope="module")
def html() -> str:
    return Placement().element()


def build(network: str, place: str, r: int) -> torch.nn.Module:
    with torch.device("meta"):
        return create_model(f"se_{network}", placement=place, reduction=r)


def shown(page, key: str) -> str:
    return page.locator(f"se-placement [data-number='{key}']").inner_text()


def state(page) -> str:
    """Where the SE box says that it is."""
    return page.locator("se-placement svg .se").get_attribute("aria-valuetext").split(":")[0]


def choose(page, label: str, option: str) -> None:
    page.get_by_role("group", name=label, exact=True).get_by_role("radio", name=option, exact=True).check(force=True)
    drawn(page)


def expect_costs(page, network: str, place: str, r: int) -> None:
    """Totals on the page are those of the whole network with SE, built and counted."""
    model = build(network, place, r)
    with torch.device("meta"):
        plain = create_model(network)
    total, before = count_parameters(model), count_parameters(plain)
    work, work_before = multiply_adds(model, SIZE, elementwise=True), multiply_adds(plain, SIZE)
    assert shown(page, "total parameters") == f"{total:,}"
    assert shown(page, "share parameters") == f"+{100 * (total / before - 1):.2f} %"
    assert shown(page, "total work") == f"{work / 1e9:.3f} G"
    assert shown(page, "share work") == f"+{100 * (work / work_before - 1):.2f} %"
    added = sum(step.multiply_adds for step in se_cost(model, SIZE))
    assert shown(page, f"{place} work") == f"{added / 1e6:.2f} M"


def test_the_data_are_the_costs_of_the_built_networks():
    networks = Placement().data["networks"]
    assert networks["resnet50"]["parameters"] == 25_557_032
    assert networks["resnet50"]["places"]["standard"][16]["parameters"] == 2_514_944
    for network, place, r in [("resnet50", "pre", 16), ("resnet50", "3x3", 32), ("resnet18", "pre", 4)]:
        model, found = build(network, place, r), networks[network]["places"][place][r]
        assert found["parameters"] == sum(step.parameters for step in se_cost(model, SIZE))
        assert found["work"] == sum(step.multiply_adds for step in se_cost(model, SIZE))
        for stage, se in enumerate(found["stages"], start=1):
            block = getattr(model, f"layer{stage}")[0]
            assert se["parameters"] == count_parameters(block.se)
            assert se["channels"] == block.se.fc1.in_features
    # Equation 5 for the standard place, with the widths and depths of ResNet-18.
    assert networks["resnet18"]["places"]["standard"][8]["parameters"] == se_parameters(
        [(2, 64), (2, 128), (2, 256), (2, 512)], 8
    )


def test_shapes_on_the_wires_are_those_of_the_network(html, figure_page):
    page = figure_page(html)
    with torch.device("meta"):
        block = create_model("resnet50").layer2[0]
    x = torch.empty(1, 256, 56, 56, device="meta")
    expected = [x.shape]
    for layer in (block.conv1, block.conv2, block.conv3):
        expected.append((x := layer(x)).shape)
    expected.append(expected[-1])  # of the sum
    drawn = page.locator("se-placement svg text.soft[text-anchor=end]").all_text_contents()
    assert drawn == [" × ".join(map(str, shape[1:])) for shape in expected]


def test_dragging_moves_se_to_the_nearest_place(html, figure_page, axe):
    page = figure_page(html)
    expect_costs(page, "resnet50", "standard", 16)
    se = page.locator("se-placement svg .se")
    for place, name in {"pre": "PRE", "3x3": "3×3", "identity": "identity", "post": "POST"}.items():
        target = page.locator("se-placement .socket").filter(has_text=name).bounding_box()
        box = se.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(target["x"] + target["width"] / 2 + 9, target["y"] + target["height"] / 2 - 7, steps=5)
        page.mouse.up()
        drawn(page)
        assert state(page) == name
        after = se.bounding_box()  # it snaps
        assert after["x"] + after["width"] / 2 == pytest.approx(target["x"] + target["width"] / 2, abs=2)
        assert after["y"] + after["height"] / 2 == pytest.approx(target["y"] + target["height"] / 2, abs=2)
        expect_costs(page, "resnet50", place, 16)
    assert axe(page) == []


def test_the_keyboard_and_the_other_controls_do_the_same(html, figure_page, axe):
    page = figure_page(html, dark=True, width=360)
    se = page.locator("se-placement svg .se")
    se.focus()
    visited = []
    for key in ["Home", "ArrowDown", "ArrowRight", "ArrowDown", "End", "ArrowDown", "ArrowUp"]:
        page.keyboard.press(key)
        drawn(page)
        visited.append(state(page))
    assert visited == ["PRE", "3×3", "standard", "identity", "POST", "POST", "identity"]

    page.locator("se-placement summary").click()
    page.locator("se-placement .places").get_by_role("radio", name="3×3").check()
    choose(page, "Stage", "4")
    choose(page, "Reduction r", "2")
    assert state(page) == "3×3"
    assert shown(page, "block parameters") == f"{2 * 512 * 256:,}"  # planes, not planes * 4
    assert shown(page, "squeeze") == shown(page, "rescale") == f"{512 * 7 * 7:,}"
    expect_costs(page, "resnet50", "3x3", 2)

    choose(page, "Network", "ResNet-18")  # no bottleneck, no place inside
    assert state(page) == "standard"
    assert page.locator("se-placement .places").get_by_role("radio", name="3×3").is_disabled()
    page.locator("se-placement .socket").filter(has_text="PRE").click()
    drawn(page)
    assert shown(page, "block parameters") == f"{2 * 256 * 128:,}"  # the channels of the stage before
    expect_costs(page, "resnet18", "pre", 2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe(page) == []


def test_it_is_a_screen_and_a_half_on_a_phone_with_the_picture_first(html, figure_page):
    page = figure_page(html, width=360)
    assert page.locator("se-placement").bounding_box()["height"] <= 1220
    graph = page.locator("se-placement .graph").bounding_box()
    controls = page.get_by_role("group", name="Network", exact=True).bounding_box()
    assert graph["y"] + graph["height"] < controls["y"]


def test_the_html_depends_on_nothing_else(html):
    assert Placement().element() == html
