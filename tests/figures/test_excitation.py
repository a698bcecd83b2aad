"""The figure of chapter 3 in a real browser; its numbers are compared with PyTorch's."""

import re

import pytest
import torch
from browser import drawn

from senet_edu import SEBlock
from senet_edu.explorables import Excitation

C = 16
ROUNDING = 0.00501  # of two decimals


@pytest.fixture
def z() -> torch.Tensor:
    return torch.randn(C).round(decimals=2)


@pytest.fixture
def blocks() -> dict[str, SEBlock]:
    return {"r = 4": SEBlock(C, 4), "r = 2": SEBlock(C, 2), "r = 16": SEBlock(C, 16)}


def parse(text: str) -> float:
    return float(text.replace("−", "-").replace("(", "").replace(")", "").replace(" ", ""))


def shown(page, what: str) -> torch.Tensor:
    """The numbers of all `gate`s or `hidden unit`s, as their labels say them; 0 for a unit that is off."""
    labels = [node.get_attribute("aria-label") for node in page.locator(f'se-excitation [aria-label^="{what} "]').all()]
    return torch.tensor([0.0 if label.endswith("off") else parse(label.split(": ")[1]) for label in labels])


def slider(page, channel: int):
    return page.get_by_role("slider", name=f"z {channel}", exact=True)


def assert_follows(page, block: SEBlock, z: torch.Tensor, softmax: bool = False) -> None:
    drawn(page)
    with torch.no_grad():
        hidden = block.relu(block.fc1(z))
        gates = block.fc2(hidden).softmax(0) if softmax else block.excite(z[None])[0]
    torch.testing.assert_close(shown(page, "hidden unit"), hidden, atol=ROUNDING, rtol=0)
    torch.testing.assert_close(shown(page, "gate"), gates, atol=ROUNDING, rtol=0)
    on, above = int((hidden > 0).sum()), int((gates > 0.5).sum())
    assert page.locator('[data-fact="hidden units on"]').inner_text() == f"{on} of {len(hidden)}"
    assert page.locator('[data-fact="gates above ½"]').inner_text() == f"{above} of {C}"
    assert page.locator('[data-fact="weights"]').inner_text() == str(2 * C * len(hidden))
    total = parse(page.locator('[data-fact="sum of gates"]').inner_text())
    assert total == pytest.approx(gates.sum().item(), abs=0.006)


def test_dragging_with_the_mouse(figure_page, axe, z, blocks):
    page = figure_page(Excitation(z, blocks).element())
    assert_follows(page, blocks["r = 4"], z)
    track = slider(page, 3).locator("rect").nth(1).bounding_box()
    y = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + track["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.875 * track["width"], y + 30, steps=5)  # leaves its row, but stays with channel 3
    page.mouse.up()
    value = float(slider(page, 3).get_attribute("aria-valuenow"))
    assert value == pytest.approx(0.75 * 4, abs=0.05)
    z[2] = value
    assert_follows(page, blocks["r = 4"], z)
    for name in ("r = 2", "r = 16"):
        page.get_by_text(name, exact=True).click()
        assert_follows(page, blocks[name], z)
    page.get_by_text("softmax", exact=True).click()
    assert_follows(page, blocks["r = 16"], z, softmax=True)
    assert axe(page) == []


def test_dragging_with_the_keyboard(figure_page, z, blocks):
    page = figure_page(Excitation(z, blocks).element())
    slider(page, 1).focus()
    for key in ["ArrowDown", "ArrowRight", "ArrowRight", "PageDown", "ArrowDown", "End", "ArrowDown", "Home"]:
        page.keyboard.press(key)
    z[1:4] = torch.tensor([z[1] + 0.2 - 1, 4.0, -4.0])
    assert_follows(page, blocks["r = 4"], z)
    assert float(slider(page, 2).get_attribute("aria-valuenow")) == pytest.approx(z[1].item(), abs=1e-6)


def test_a_tap_sets_a_bar(figure_page, z, blocks):
    page = figure_page(Excitation(z, blocks).element(), width=360, has_touch=True)
    track = slider(page, 5).locator("rect").nth(1).bounding_box()
    page.touchscreen.tap(track["x"] + 0.25 * track["width"], track["y"] + 7)
    drawn(page)
    z[4] = float(slider(page, 5).get_attribute("aria-valuenow"))
    assert z[4].item() == pytest.approx(-2, abs=0.15)
    assert_follows(page, blocks["r = 4"], z)


def test_the_sum_behind_a_number(figure_page, z, blocks):
    """The formula shows the products of the node that is pointed at or focused, and they add up to what it is."""
    page = figure_page(Excitation(z, blocks, channel=10).element())
    block = blocks["r = 4"]
    W1, W2 = block.fc1.weight.detach(), block.fc2.weight.detach()
    hidden = (W1 @ z).relu()

    def assert_explains(weights: torch.Tensor, values: torch.Tensor, result: float) -> None:
        drawn(page)
        terms = [re.sub(r"^\+ ", "", term.inner_text()).split("·") for term in page.locator(".term").all()]
        numbers = torch.tensor([[parse(weight), parse(value)] for weight, value in terms])
        torch.testing.assert_close(numbers, torch.stack([weights, values], 1), atol=ROUNDING, rtol=0)
        assert parse(page.locator("[data-result]").inner_text()) == pytest.approx(result, abs=ROUNDING)

    assert_explains(W2[9], hidden, torch.sigmoid(W2[9] @ hidden).item())  # the gate that it was told to begin with
    page.get_by_role("button", name="hidden unit 3: ").hover()
    assert_explains(W1[2], z, hidden[2].item())
    page.get_by_role("button", name="gate 1: ").focus()
    page.keyboard.press("ArrowDown")
    assert_explains(W2[1], hidden, torch.sigmoid(W2[1] @ hidden).item())
    page.get_by_text("softmax", exact=True).click()
    assert_explains(W2[1], hidden, (W2 @ hidden).softmax(0)[1].item())


def test_the_buttons(figure_page, z, blocks):
    page = figure_page(Excitation(z, blocks).element())
    page.get_by_role("button", name="All × 2").click()
    assert_follows(page, blocks["r = 4"], (2 * z).clamp(-4, 4))
    page.get_by_role("button", name="All to 0").click()
    assert_follows(page, blocks["r = 4"], torch.zeros(C))
    assert shown(page, "gate").unique().tolist() == [0.5]
    page.get_by_role("button", name="Start again").click()
    assert_follows(page, blocks["r = 4"], z)


def test_on_a_phone_in_the_dark(figure_page, axe, z, blocks):
    page = figure_page(Excitation(z, blocks).element(), width=360, dark=True)
    drawn(page)
    height = page.locator("se-excitation").bounding_box()["height"]
    page.get_by_role("button", name="hidden unit 2: ").focus()  # the longest formula
    drawn(page)
    assert page.locator("se-excitation").bounding_box()["height"] == height, "the page below must not move"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe(page) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(1, C), {"a": SEBlock(C)}), r"z must be \(C,\), got \(1, 16\)"),
        ((torch.zeros(C), {}), "at least one block"),
        ((torch.zeros(C), {"a": SEBlock(8)}), "16 channels and no biases, got 'a'"),
        ((torch.zeros(C), {"a": SEBlock(C, bias=True)}), "16 channels and no biases, got 'a'"),
        ((torch.zeros(C), {"a": SEBlock(C)}, 17), "channel must be 1 to 16, got 17"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Excitation(*arguments)
