"""The figure of chapter 4 in a real browser; its numbers and pixels are compared with PyTorch's."""

import pytest
import torch
from browser import drawn, signed_colors

from senet_edu import SEBlock
from senet_edu.explorables import Rescale

C = 6


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.randint(256, (3, 8, 10), dtype=torch.uint8)


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.randn(C, 8, 10) + torch.linspace(-1, 1, C)[:, None, None]


@pytest.fixture
def gates() -> torch.Tensor:
    return torch.rand(C).round(decimals=2)


def pixels(page, name: str) -> torch.Tensor:
    """Red, green and blue of every pixel of a canvas, (8, 10, 3)."""
    canvas = page.get_by_role("img", name=name)
    data = canvas.evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    return torch.tensor(data, dtype=torch.float32).view(8, 10, 4)[..., :3]


def mean(page, when: str) -> float:
    return float(page.locator(f'[data-mean="{when}"]').inner_text().replace("−", "-"))


def gate(page):
    return page.get_by_role("slider", name="Gate")


def assert_shows(page, maps: torch.Tensor, s: torch.Tensor, channel: int) -> None:
    """The channel, from 0, before and after equation 4; and every channel's gate."""
    drawn(page)
    after = SEBlock(C).rescale(maps[None], s[None])[0]
    assert mean(page, "before") == pytest.approx(maps[channel].mean().item(), abs=0.0052)
    assert mean(page, "after") == pytest.approx(after[channel].mean().item(), abs=0.0052)
    most = maps.abs().quantile(0.99)
    theme = page.locator("se-rescale").get_attribute("theme")
    step = 255 * (maps.abs().max() / 127 / most).item()  # the scale's steepest part: 0.5 of its width for 127 levels
    for name, u in (("before", maps[channel]), ("after", after[channel])):
        color = torch.tensor(signed_colors((u / most).numpy(), theme), dtype=torch.float32)
        torch.testing.assert_close(pixels(page, name), color, atol=0.5 * step + 0.6, rtol=0)
    assert float(gate(page).input_value()) == pytest.approx(s[channel].item(), abs=1e-6)
    labels = [radio.get_attribute("aria-label") for radio in page.get_by_role("radio").all()]
    assert labels == [f"channel {c + 1}, gate {s[c]:.2f}" for c in range(C)]
    assert page.get_by_role("radio").nth(channel).is_checked()


def test_with_the_mouse(figure_page, axe, picture, maps, gates):
    own = gates.clone()
    page = figure_page(Rescale(picture, maps, gates).element())
    assert_shows(page, maps, gates, 0)
    assert torch.equal(pixels(page, "The picture"), picture.permute(1, 2, 0).float())
    page.locator(".tiles label").nth(4).locator("canvas").click()
    assert_shows(page, maps, gates, 4)

    bar = page.locator(".bar").nth(2).bounding_box()
    page.mouse.move(bar["x"] + 2, bar["y"] + 12)
    page.mouse.down()
    page.mouse.move(bar["x"] + 0.25 * bar["width"], bar["y"] + 12, steps=4)
    page.mouse.up()
    drawn(page)
    gates[2] = float(gate(page).input_value())
    assert gates[2].item() == pytest.approx(0.25, abs=0.02)
    assert_shows(page, maps, gates, 2)

    for label, value in {"1": 1.0, "½": 0.5, "0": 0.0}.items():
        page.get_by_role("button", name=label, exact=True).click()
        assert_shows(page, maps, torch.full((C,), value), 2)
    page.get_by_role("button", name="the network’s").click()
    assert_shows(page, maps, own, 2)
    assert axe(page) == []


def test_with_the_keyboard(figure_page, picture, maps, gates):
    page = figure_page(Rescale(picture, maps, gates).element())
    page.get_by_role("radio", name="channel 1,").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert_shows(page, maps, gates, 2)
    gate(page).focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    gates[2] = 0.03
    assert_shows(page, maps, gates, 2)


def test_on_a_phone_in_the_dark(figure_page, axe, picture, maps, gates):
    page = figure_page(Rescale(picture, maps, gates).element(), width=360, dark=True, has_touch=True)
    bar = page.locator(".bar").nth(1).bounding_box()
    page.touchscreen.tap(bar["x"] + 0.75 * bar["width"], bar["y"] + 12)
    drawn(page)
    gates[1] = float(gate(page).input_value())
    assert gates[1].item() == pytest.approx(0.75, abs=0.03)
    assert_shows(page, maps, gates, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe(page) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture": torch.zeros(1, 8, 8)}, r"picture must be \(3, H, W\), got \(1, 8, 8\)"),
        ({"maps": torch.zeros(C, 8, 8)}, "maps must be .* not all zero"),
        ({"maps": torch.ones(1, C, 8, 8)}, r"maps must be \(C, H, W\)"),
        ({"gates": torch.ones(C + 1)}, r"gates must be \(6,\)"),
        ({"gates": torch.full((C,), 1.5)}, "between 0 and 1"),
    ],
)
def test_wrong_arguments(picture, maps, gates, change, message):
    with pytest.raises(ValueError, match=message):
        Rescale(**({"picture": picture, "maps": maps, "gates": gates} | change))
