"""The figure of chapter 8 in a real browser; its numbers are compared with PyTorch's."""

import pytest
import torch
from browser import drawn

from senet_edu.analysis import class_means, summarize
from senet_edu.explorables import GateMap

BLOCKS = [f"layer{stage}.{k}.se" for stage in (1, 2, 3) for k in (0, 1, 2)]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
LABELS = torch.arange(400) % 10


def gates(seed: int) -> dict[str, torch.Tensor]:
    """Gates of the shapes of SE-ResNet-20's, in which classes differ more and more."""
    generator = torch.Generator().manual_seed(seed)
    recorded = {}
    for depth, block in enumerate(BLOCKS):
        shape = 16 * 2 ** (depth // 3)
        logits = torch.randn(400, shape, generator=generator) + 3 * torch.randn(shape, generator=generator)
        recorded[block] = (logits + 0.3 * depth * torch.randn(10, shape, generator=generator)[LABELS]).sigmoid()
    return recorded


GATES = {"trained": gates(0), "untrained": gates(1)}
MEANS = {name: {block: class_means(s, LABELS) for block, s in each.items()} for name, each in GATES.items()}
SUMMARIES = {name: {block: summarize(s, LABELS) for block, s in each.items()} for name, each in GATES.items()}
# What the figure has: three digits.
ROUNDED = {name: {block: m.mul(1000).round() / 1000 for block, m in each.items()} for name, each in MEANS.items()}


@pytest.fixture(scope="module")
def html() -> str:
    return GateMap(MEANS, SUMMARIES, CLASSES, block="layer2.1.se", chosen="cat").element()


def number(page, key: str) -> float:
    return float(page.locator(f"se-gate-map [data-number='{key}']").inner_text())


def channel(page) -> int:
    return int(number(page, "channel"))


def expect(page, network: str, block: str, row: str, at: int | None = None) -> None:
    """The readout and the numbers by depth are PyTorch's; the place of the channel among the sorted, if given, too."""
    m, c = ROUNDED[network][block], channel(page)
    assert number(page, "gate") == pytest.approx(m[CLASSES.index(row), c].item(), abs=1e-9)
    assert number(page, "mean") == pytest.approx(m.mean(0)[c].item(), abs=5.1e-4)
    assert number(page, "between") == pytest.approx(m.std(0, correction=0)[c].item(), abs=5.1e-4)
    for key in ("class_share", "spread", "above", "below"):
        assert number(page, key) == round(getattr(SUMMARIES[network][block], key), 3), key
    if at is not None:
        assert c == m.mean(0).argsort()[at]


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        drawn(page)


def test_the_mouse_reads_the_map_and_selects_classes_and_blocks(html, figure_page, axe):
    page = figure_page(html)
    expect(page, "trained", "layer2.1.se", "cat")
    page.locator("se-gate-map .map").scroll_into_view_if_needed()
    box = page.locator("se-gate-map .map canvas").bounding_box()

    def place(row: int, column: int, channels: int) -> tuple[float, float]:
        return box["x"] + (column + 0.5) * box["width"] / channels, box["y"] + (row + 0.5) * box["height"] / 10

    page.mouse.move(*place(8, 20, 32))
    drawn(page)
    expect(page, "trained", "layer2.1.se", "ship", at=20)
    assert page.locator("se-gate-map .classes :checked").input_value() == "3"  # looked at, not chosen
    page.mouse.click(*place(9, 31, 32))
    page.mouse.move(1, 1)
    drawn(page)
    expect(page, "trained", "layer2.1.se", "truck", at=31)

    distance = (m := ROUNDED["trained"]["layer2.1.se"])[9].sub(m.mean(0)).abs().mean().item()
    assert number(page, "distance") == pytest.approx(distance, abs=5.1e-4)
    page.locator("se-gate-map .thumb").nth(8).click()
    drawn(page)
    expect(page, "trained", "layer3.2.se", "truck")
    area = page.locator("se-gate-map .area").first.bounding_box()
    page.mouse.click(area["x"] + area["width"] * 0.5 / 9, area["y"] + 20)
    drawn(page)
    expect(page, "trained", "layer1.0.se", "truck")
    assert axe(page) == []


def test_the_keyboard_does_the_same(html, figure_page, axe):
    page = figure_page(html, dark=True, width=360)
    page.get_by_role("application").focus()
    press(page, "Home", "ArrowDown", "ArrowRight", "ArrowRight")
    expect(page, "trained", "layer2.1.se", "deer", at=2)
    press(page, "End", "ArrowUp", "ArrowUp")
    expect(page, "trained", "layer2.1.se", "bird", at=31)
    page.get_by_role("slider", name="Depth").focus()
    press(page, "End")
    expect(page, "trained", "layer3.2.se", "bird")
    press(page, "ArrowLeft")
    expect(page, "trained", "layer3.1.se", "bird")
    page.get_by_role("radio", name="untrained").check(force=True)
    drawn(page)
    expect(page, "untrained", "layer3.1.se", "bird")
    page.get_by_role("radio", name="frog").check(force=True)
    drawn(page)
    expect(page, "untrained", "layer3.1.se", "frog")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert axe(page) == []


def test_channels_are_sorted_and_the_pixels_are_the_gates(html, figure_page):
    page = figure_page(html)
    m = ROUNDED["trained"]["layer2.1.se"]
    orders = {"number": torch.arange(32), "mean": m.mean(0).argsort(), "spread": m.std(0, correction=0).argsort()}
    brightness = """canvas => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return Array.from({length: data.length / 4}, (_, i) => data[4 * i] + data[4 * i + 1]);
    }"""  # red and green grow with the gate
    for name, order in orders.items():
        page.get_by_role("radio", name=name, exact=True).check(force=True)
        drawn(page)
        page.get_by_role("application").focus()
        for key, place in (("Home", 0), ("End", 31)):
            press(page, key)
            assert channel(page) == order[place], name
        light = torch.tensor(page.locator("se-gate-map .map canvas").evaluate(brightness), dtype=torch.float64)
        assert torch.corrcoef(torch.stack([light, m[:, order].flatten()]))[0, 1] > 0.99


def test_the_line_is_the_class_over_the_mean_of_all(html, figure_page):
    page = figure_page(html)
    m = ROUNDED["trained"]["layer2.1.se"]
    order = m.mean(0).argsort()
    heights = {}
    for path in page.locator("se-gate-map .lines path").all():
        d = path.get_attribute("d")
        if d and d.count("L") == 31:
            points = d[1:].split("L")
            heights[path.get_attribute("stroke")] = 1 - torch.tensor([float(p.split()[1]) for p in points]).double()
    torch.testing.assert_close(heights["var(--excitation)"], m[3, order], atol=1e-6, rtol=0)
    torch.testing.assert_close(heights["var(--soft)"], m.mean(0)[order], atol=1e-6, rtol=0)
    assert len(heights) == 2  # and none of the other classes


def test_a_phone_shows_one_number_by_depth_at_a_time(html, figure_page, axe):
    page = figure_page(html, width=360, has_touch=True)
    shown = page.locator("se-gate-map .chart").filter(visible=True)
    keys = ["class_share", "spread", "above", "below", "distance"]
    for key in (*keys, keys[0]):
        page.get_by_label("By depth", exact=True).select_option(key)
        drawn(page)
        assert shown.count() == 1 and shown.locator("[data-number]").get_attribute("data-number") == key
        assert shown.locator("[data-number]").is_visible()
    assert axe(page) == []
    page.set_viewport_size({"width": 1008, "height": 800})
    drawn(page)
    assert shown.count() == 5 and not page.get_by_label("By depth", exact=True).is_visible()


def test_it_fits_a_screen_and_a_phone_with_the_picture_first(html, figure_page):
    page = figure_page(html, width=1008)
    figure, last = page.locator("se-gate-map"), page.locator("se-gate-map .row")
    assert figure.bounding_box()["height"] < 741
    page = figure_page(html, width=360, height=780, has_touch=True)
    figure, last = page.locator("se-gate-map"), page.locator("se-gate-map .row")
    drawn(page)
    top, height = (figure.bounding_box()[key] for key in ("y", "height"))
    assert height < 900
    assert page.locator("se-gate-map .map").bounding_box()["y"] - top < 360  # no controls before it but the depth
    assert last.bounding_box()["y"] > page.locator("se-gate-map .charts").bounding_box()["y"]


def test_the_distance_of_a_class_stands_over_that_of_any_class(html, figure_page):
    page = figure_page(html)
    distance = torch.stack(
        [(m - m.mean(0)).abs().mean(1) for m in ROUNDED["trained"].values()]
    )  # of each block and class
    lines = page.locator("se-gate-map .chart").last.locator("path[d*=L0]")
    drawn_lines = [d for d in (line.get_attribute("d") for line in lines.all()) if d.count("L") == len(BLOCKS) - 1]
    heights = [1 - torch.tensor([float(p.split()[1]) for p in d[1:].split("L")]).double() for d in drawn_lines]
    assert len(heights) == 2
    for line, values in zip(heights, (distance.mean(1), distance[:, 3])):
        assert (line / line[-1]).sub(values / values[-1]).abs().max() < 1e-6


def test_a_link_holds_block_and_class(html, figure_page):
    page = figure_page(html)
    assert page.evaluate("location.hash") == ""
    page.get_by_role("slider", name="Depth").focus()
    press(page, "End")
    page.get_by_role("radio", name="ship").check(force=True)
    drawn(page)
    assert page.evaluate("location.hash") == "#gates=layer3.2,ship"
    page.evaluate("location.hash = 'gates=layer1.2,dog'")
    drawn(page)
    expect(page, "trained", "layer1.2.se", "dog")
    page.reload()
    drawn(page)
    expect(page, "trained", "layer1.2.se", "dog")


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="block must be one of .*'layer9'"):
        GateMap(MEANS, SUMMARIES, CLASSES, block="layer9")
    with pytest.raises(ValueError, match="chosen must be one of .*'sheep'"):
        GateMap(MEANS, SUMMARIES, CLASSES, chosen="sheep")
    with pytest.raises(ValueError, match=r"means of 'layer1.0.se' must be \(2, C\), got \(10, 16\)"):
        GateMap(MEANS, SUMMARIES, ["cat", "dog"])
    with pytest.raises(ValueError, match="summaries must be of the networks"):
        GateMap(MEANS, {"trained": SUMMARIES["trained"]}, CLASSES)
