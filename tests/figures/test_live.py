"""The live network of chapter 0 in a real browser; what it says is compared with PyTorch's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from browser import ROOT, drawn, wait_until_said
from javascript import in_node, script
from PIL import Image
from torch import Tensor

from senet_edu import create_model, load_pretrained, override_gates, record_gates
from senet_edu.data import CLASSES, normalize
from senet_edu.explorables import Live, load_samples
from senet_edu.explorables.live import PAIR, sample_words
from senet_edu.store import load

BLOCKS = [f"layer{stage}.{i}.se" for stage in (1, 2, 3) for i in range(3)]


@pytest.fixture(scope="module")
def html() -> str:
    return Live().element()


@pytest.fixture(scope="module")
def samples() -> dict[str, Tensor]:
    """Those in the figure's row; the two that were grown from a network are not."""
    return {name: image for name, image in load_samples().items() if "grown" not in sample_words()[name]}


def pytorch(image: Tensor, overrides: Mapping[str, Any] | None = None, name: str = "se_resnet20") -> dict[str, Any]:
    """Logits `(10,)`, probabilities and gates by block of one image `(3, 32, 32)` uint8."""
    net = load_pretrained(name)
    with torch.no_grad():
        if name == "resnet20":
            logits = net(normalize(image[None]))[0]
            return {"logits": logits, "probabilities": logits.softmax(0)}
        with override_gates(net, overrides or {}), record_gates(net) as gates:
            logits = net(normalize(image[None]))[0]
    return {"logits": logits, "probabilities": logits.softmax(0), "gates": {k: s[0] for k, s in gates.items()}}


def pin(values: Mapping[int, float]) -> Callable[[Tensor], Tensor]:
    """An override that pins some channels."""

    def change(s: Tensor) -> Tensor:
        return s.index_copy(1, torch.tensor(list(values)), torch.tensor([list(values.values())]).expand(len(s), -1))

    return change


STATE = """() => {
  const { result } = document.querySelector("se-live");
  const plain = (r) => r && {
    logits: [...r.logits], probabilities: [...r.probabilities],
    gates: Object.fromEntries(Object.entries(r.gates).map(([name, s]) => [name, [...s]])),
  };
  return { base: plain(result.base), now: plain(result.now), plain: plain(result.plain) };
}"""


def state(page) -> dict[str, Any]:
    """What the page has computed, after it has had time to."""
    settle(page)
    return page.evaluate(STATE)


def settle(page) -> None:
    """Wait for an answer, and until the figure asks its networks nothing more."""
    page.wait_for_function("(({ result, asking }) => result?.now && !asking)(document.querySelector('se-live'))")
    drawn(page)


def assert_same(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert torch.allclose(torch.tensor(got["logits"], dtype=torch.float), wanted["logits"], atol=1e-3)
    for block, s in wanted.get("gates", {}).items():
        assert torch.allclose(torch.tensor(got["gates"][block], dtype=torch.float), s, atol=1e-3), block


def percents(page) -> list[int]:
    """The last percentage of every row of bars."""
    texts = page.locator("se-live .bars .value").all_inner_texts()
    return [int(text.split("→")[-1].replace("%", "")) for text in texts]


def shown(page) -> Tensor:
    """The picture as the network sees it, (3, 32, 32)."""
    data = page.evaluate(
        """() => {
          const view = document.querySelector("se-live").shadowRoot.querySelector(".view canvas");
          return [...view.getContext("2d").getImageData(0, 0, 32, 32).data];
        }"""
    )
    return torch.tensor(data, dtype=torch.uint8).view(32, 32, 4)[..., :3].permute(2, 0, 1)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def photograph(height: int, width: int) -> np.ndarray:
    """Noise of middle size, (H, W, 3) uint8."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def test_every_sample_gets_the_answer_and_the_gates_of_pytorch(figure_page, axe, html, samples):
    page = figure_page(html)
    assert page.locator("se-live .thumb").count() == len(samples) >= 10
    for name, image in samples.items():
        page.get_by_role("button", name=name, exact=True).click()
        got, wanted = state(page), pytorch(image)
        assert torch.equal(shown(page), image)
        assert list(got["now"]["gates"]) == BLOCKS
        assert_same(got["now"], wanted)
        assert got["base"] == got["now"]
        answer = CLASSES[wanted["logits"].argmax()]
        assert page.locator("se-live .answer").first.inner_text().startswith(answer)
        assert np.abs(np.array(percents(page)) - 100 * wanted["probabilities"].numpy()).max() <= 0.51
    assert axe(page) == []


def test_gates_by_mouse(figure_page, axe, html, samples):
    page = figure_page(html)
    settle(page)
    cells = page.locator("se-live .cell")
    assert cells.count() == 64
    cells.nth(17).click()
    cells.nth(40).click()
    muted = pytorch(samples["cat"], {"layer3.2.se": pin({17: 0.0, 40: 0.0})})
    got = state(page)
    assert_same(got["now"], muted)
    assert_same(got["base"], pytorch(samples["cat"]))
    assert page.locator("se-live .cell u", has_text="×").count() == 2
    assert np.abs(np.array(percents(page)) - 100 * muted["probabilities"].numpy()).max() <= 0.51
    assert "→" in page.locator("se-live .answer").first.inner_text()

    cells.nth(40).click()  # gives it back
    tube = cells.nth(5).locator(".tube").bounding_box()
    x, y = tube["x"] + tube["width"] / 2, tube["y"]
    page.mouse.move(x, y + 0.9 * tube["height"])
    page.mouse.down()
    page.mouse.move(x, y + 0.2 * tube["height"], steps=5)
    page.mouse.up()
    settle(page)
    pulled = float(cells.nth(5).get_attribute("aria-valuenow"))
    assert pulled == pytest.approx(0.8, abs=0.02)
    assert_same(state(page)["now"], pytorch(samples["cat"], {"layer3.2.se": pin({17: 0.0, 5: pulled})}))
    assert axe(page) == []

    page.get_by_role("button", name="Reset all").click()
    assert_same(state(page)["now"], pytorch(samples["cat"]))
    assert page.get_by_role("button", name="Reset all").is_disabled()
    assert page.locator("se-live .cell u", has_text="×").count() == 0


def test_gates_by_keyboard(figure_page, html, samples):
    page = figure_page(html)
    settle(page)
    page.get_by_role("radio", name="layer3.2.se").focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")  # to layer2.1
    for _ in range(4):  # over the plain network, all blocks and whose gates, to the open block
        page.keyboard.press("Tab")
    assert page.locator("se-live .cell").count() == 32
    for key in ["ArrowRight", "ArrowRight", " ", "End", "ArrowLeft"]:
        page.keyboard.press(key)
    settle(page)
    before = float(page.locator("se-live .cell").nth(30).get_attribute("aria-valuenow"))
    for key in ["ArrowUp", "ArrowUp", "PageDown"]:
        page.keyboard.press(key)
    got = state(page)
    pinned = float(page.locator("se-live .cell").nth(30).get_attribute("aria-valuenow"))
    assert pinned == pytest.approx(before - 0.1, abs=0.011)
    assert_same(got["now"], pytorch(samples["cat"], {"layer2.1.se": pin({2: 0.0, 30: pinned})}))
    page.keyboard.press("Delete")
    assert_same(state(page)["now"], pytorch(samples["cat"], {"layer2.1.se": pin({2: 0.0})}))
    page.keyboard.press("Tab")  # the slider of the same channel
    page.keyboard.press("Home")
    assert_same(state(page)["now"], pytorch(samples["cat"], {"layer2.1.se": pin({2: 0.0, 30: 0.0})}))


def test_a_whole_block_and_the_plain_network(figure_page, html, samples):
    page = figure_page(html, dark=True, width=360)
    page.get_by_role("button", name="horse", exact=True).click()
    page.get_by_text("Open one block").click()
    page.get_by_role("radio", name="layer1.1.se").check(force=True)
    page.get_by_role("button", name="Shuffle").click()
    got = state(page)
    own, used = (torch.tensor(got[when]["gates"]["layer1.1.se"]) for when in ("base", "now"))
    assert torch.equal(own.sort().values, used.sort().values) and not torch.equal(own, used)
    assert_same(got["now"], pytorch(samples["horse"], {"layer1.1.se": used}))
    page.get_by_role("button", name="All to 1").click()
    assert_same(state(page)["now"], pytorch(samples["horse"], {"layer1.1.se": 1.0}))
    page.get_by_role("button", name="Mute all").click()
    page.get_by_role("button", name="Plain ResNet-20").click()
    page.wait_for_function("document.querySelector('se-live').result.plain")
    got = state(page)
    assert_same(got["now"], pytorch(samples["horse"], {"layer1.1.se": 0.0}))
    assert_same(got["plain"], pytorch(samples["horse"], name="resnet20"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 32), (96, 160), (224, 96)])
def test_own_pictures_are_cropped_to_the_middle_and_averaged(figure_page, html, height, width):
    page = figure_page(html)
    settle(page)
    pixels = photograph(height, width)
    page.locator("se-live input[accept^=image]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": png(pixels)}
    )
    page.wait_for_function(
        "document.querySelector('se-live').shadowRoot.querySelector('[role=status]').textContent.startsWith('Your')"
    )
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side].astype(float)
    wanted = square.reshape(32, side // 32, 32, side // 32, 3).mean((1, 3))
    got = shown(page)
    assert np.abs(got.permute(1, 2, 0).numpy() - wanted).max() <= 0.51
    assert_same(state(page)["now"], pytorch(got))
    assert page.locator("se-live .thumb[aria-pressed=true]").count() == 0


TRANSFER = """([event, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], "mine.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
  const target = event === "paste" ? document.body : document.querySelector("se-live");
  target.dispatchEvent(event === "paste" ? new ClipboardEvent(event, options) : new DragEvent(event, options));
}"""


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_pictures_can_be_dropped_and_pasted(figure_page, html, event):
    page = figure_page(html)
    settle(page)
    pixels = photograph(32, 32)
    page.evaluate(TRANSFER, [event, list(png(pixels))])
    page.get_by_text("Your picture. The network sees").wait_for()
    drawn(page)
    assert np.array_equal(shown(page).permute(1, 2, 0).numpy(), pixels)
    assert_same(state(page)["now"], pytorch(shown(page)))


def test_a_file_that_is_no_picture_is_said_to_be_none(figure_page, html, samples):
    page = figure_page(html)
    settle(page)
    page.locator("se-live input[accept^=image]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": b"not a picture"}
    )
    page.get_by_text("could not be read as a picture").wait_for()
    assert torch.equal(shown(page), samples["cat"])


def test_drawing_by_mouse_and_keyboard(figure_page, axe, html, samples):
    page = figure_page(html)
    settle(page)
    page.get_by_role("button", name="Draw").click()
    assert axe(page) == []
    page.get_by_role("radio", name="red").check(force=True)
    page.get_by_role("radio", name="middle").check(force=True)
    pad = page.locator("se-live .view canvas")
    box = pad.bounding_box()
    cell = box["width"] / 32
    page.mouse.move(box["x"] + 8 * cell, box["y"] + 20 * cell)
    page.mouse.down()
    page.mouse.move(box["x"] + 24 * cell, box["y"] + 20 * cell, steps=8)
    page.mouse.up()
    drawn(page)
    got = shown(page)
    red = torch.tensor([0xBE, 0x1E, 0x20])
    assert (got[:, 19:21, 9:23] == red[:, None, None]).all(), "3 pixels wide, so two rows are wholly red"
    assert torch.equal(got[:, :17], samples["cat"][:, :17]), "the rest is the sample as it was"
    assert_same(state(page)["now"], pytorch(got))

    page.get_by_role("button", name="Fill all").click()
    page.get_by_role("radio", name="white").check(force=True)
    pad.focus()
    for key in ["Home", *["ArrowUp"] * 32, *["ArrowDown"] * 4, *["ArrowRight"] * 6, " "]:
        page.keyboard.press(key)
    drawn(page)
    got = shown(page)
    assert got[:, 4, 6].tolist() == [0xF4, 0xF4, 0xF2]
    assert got[:, 20, 20].tolist() == red.tolist()
    page.get_by_role("button", name="Done").click()
    assert_same(state(page)["now"], pytorch(got))


def test_a_camera_that_is_not_there_is_explained(figure_page, html):
    page = figure_page(html)
    settle(page)
    page.evaluate(
        "Object.defineProperty(navigator, 'mediaDevices', { configurable: true, value: { getUserMedia: () => "
        "Promise.reject(new DOMException('', 'NotAllowedError')) } })"
    )
    page.get_by_role("button", name="Camera").click()
    page.get_by_text("The browser did not allow the camera. Files and drawings work, too.").wait_for()
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.get_by_role("button", name="Camera").click()
    page.get_by_text("only to pages that come over https").wait_for()


def test_the_camera_goes_through_the_network(figure_page, html):
    page = figure_page(html)
    settle(page)
    page.evaluate(
        """() => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
          const context = canvas.getContext("2d");
          setInterval(() => { context.fillStyle = "rgb(30 90 200)"; context.fillRect(0, 0, 64, 48); }, 30);
          const getUserMedia = async () => canvas.captureStream();
          Object.defineProperty(navigator, "mediaDevices", { value: { getUserMedia } });
        }"""
    )
    page.get_by_role("button", name="Camera").click()
    page.wait_for_function(
        """() => {
          const view = document.querySelector("se-live").shadowRoot.querySelector(".view canvas");
          const [r, g, b] = view.getContext("2d").getImageData(16, 16, 1, 1).data;
          return b > 180 && r < 60 && g < 110;
        }"""
    )
    page.get_by_role("button", name="Freeze").click()
    assert_same(state(page)["now"], pytorch(shown(page)))
    page.get_by_role("button", name="Camera", exact=True).wait_for()


def test_the_link_keeps_sample_and_edits(figure_page, html, samples):
    page = figure_page(html)
    settle(page)
    page.get_by_role("button", name="ship", exact=True).click()
    page.locator("se-live .cell").nth(9).click()
    page.get_by_role("radio", name="layer2.0.se").check(force=True)
    page.get_by_role("button", name="Shuffle").click()
    page.wait_for_function("location.hash.includes('s1')")
    first = state(page)
    assert page.evaluate("location.hash") == "#live=ship_3.s1_8.9.0_o3"
    page.reload()
    again = state(page)
    assert again["now"] == first["now"]
    page.evaluate("location.hash = '#live=frog_8.17.35_o8_p'")
    page.wait_for_function("document.querySelector('se-live').result?.plain")
    got = state(page)
    assert_same(got["now"], pytorch(samples["frog"], {"layer3.2.se": pin({17: 0.35})}))
    assert_same(got["plain"], pytorch(samples["frog"], name="resnet20"))
    page.evaluate("location.hash = '#live=nothing_9.1.1_8.99.5_o99_x'")
    assert_same(state(page)["now"], pytorch(samples["cat"]))


def test_it_says_the_answer_to_screen_readers(figure_page, html):
    page = figure_page(html)
    settle(page)
    page.locator("se-live .cell").nth(17).click()
    settle(page)
    said = wait_until_said(page, "se-live", "Before the edits: ")
    assert said.startswith("The network says ")
    assert page.locator("se-live .cell").nth(17).get_attribute("aria-valuetext") == "0.00, muted"


def test_there_is_something_to_see_before_the_weights_arrive(figure_page, html):
    without = html[: html.index('<script type="application/json" data-se-network')]
    page = figure_page(without, reduced_motion=False)
    assert page.locator("se-live .answer").first.inner_text().startswith("Loading the network")
    assert page.locator("se-live .thumb").count() >= 10
    before = page.locator("se-live").bounding_box()
    page.evaluate("rest => document.querySelector('main').insertAdjacentHTML('beforeend', rest)", html[len(without) :])
    settle(page)
    assert page.locator("se-live").bounding_box() == before, "nothing moves when the answer comes"


def test_two_of_them_on_a_page(figure_page, html):
    figure = html[: html.index('<script type="application/json" data-se-network')]
    page = figure_page(html + figure)
    page.wait_for_function("[...document.querySelectorAll('se-live')].filter((one) => one.result?.now).length === 2")


def test_the_html_depends_on_weights_and_samples_alone(html):
    assert Live().element() == html


def test_samples_are_drawn_as_the_script_draws_them(samples):
    import draw_samples

    for name, draw in draw_samples.DRAWINGS.items():
        # Pillow's polygons may differ by a fine pixel from version to version.
        difference = np.abs(draw().astype(int) - samples[name].permute(1, 2, 0).numpy())
        assert difference.mean() < 1, name


def test_a_link_to_a_heading_takes_nothing_away(figure_page, html):
    page = figure_page(html)
    settle(page)
    page.get_by_role("button", name="Mute all").click()
    muted = state(page)["now"]["logits"]
    page.evaluate("location.hash = 'recap'")
    drawn(page)
    assert state(page)["now"]["logits"] == muted
    assert page.locator("se-live .cell").first.get_attribute("aria-valuetext") == "0.00, muted"


@pytest.mark.parametrize("link", ["cat_olength", "cat_oconstructor", "cat_9.0.5_o77", "%E0%A4%A", "___"])
def test_a_broken_link_leaves_a_figure_that_works(figure_page, html, link):
    page = figure_page(html)
    page.evaluate("hash => { location.hash = hash; location.reload(); }", f"live={link}")
    settle(page)
    assert len(percents(page)) == len(CLASSES)


WORKERS = """() => {
  const Real = globalThis.Worker;
  globalThis.workers = { made: 0, ended: 0 };
  globalThis.Worker = class extends Real {
    constructor(url) { super(url); globalThis.workers.made++; }
    terminate() { super.terminate(); globalThis.workers.ended++; }
  };
}"""


def test_a_figure_that_leaves_while_it_computes_answers_when_it_is_back(figure_page, html):
    page = figure_page(html)
    settle(page)
    page.evaluate(
        """() => {
          globalThis.figure = document.querySelector('se-live');
          figure.shadowRoot.querySelectorAll('.thumb')[3].click();
          return new Promise((resolve) => setTimeout(() => (figure.remove(), resolve()), 0));
        }"""
    )
    page.wait_for_function("!figure.asking")
    page.evaluate("document.body.append(figure)")
    page.get_by_role("button", name="truck", exact=True).click()
    settle(page)


def test_workers_are_made_once_and_end_with_the_element(figure_page, html, samples):
    page = figure_page(html)
    settle(page)
    page.evaluate(WORKERS)
    page.get_by_role("button", name="Plain ResNet-20").click()
    for name in samples:  # quicker than the second network comes
        page.get_by_role("button", name=name, exact=True).click(no_wait_after=True)
    page.wait_for_function("document.querySelector('se-live').result.plain")
    assert page.evaluate("workers") == {"made": 1, "ended": 0}
    page.evaluate("globalThis.figure = document.querySelector('se-live'); figure.remove()")
    page.wait_for_function("workers.ended === 1")
    page.evaluate("document.body.append(figure)")  # as a notebook does that scrolls
    page.get_by_role("button", name="truck", exact=True).click()
    settle(page)
    assert_same(state(page)["now"], pytorch(samples["truck"]))


def cards(page) -> list[str]:
    settle(page)
    return [card.inner_text() for card in page.locator("se-live .card").all()]


def test_gates_of_another_picture_in_all_blocks(figure_page, axe, html, samples):
    """The filled button; the second card has the stored accuracy of what was done."""
    page = figure_page(html)
    settle(page)
    pair = json.loads(PAIR.read_text(encoding="utf-8"))
    give = page.locator("se-live button.primary")
    assert give.inner_text() == f"Give this {pair['picture']} the gates of the {pair['donor']}"
    give.click()
    page.wait_for_function("location.hash.includes('a.donor')")
    gates = {block: s[None] for block, s in pytorch(samples[pair["donor"]])["gates"].items()}
    assert_same(state(page)["now"], pytorch(samples[pair["picture"]], gates))
    stored = load("interventions")
    after = stored["interventions"]["other_class"]["places"]["all"]["accuracy"]
    assert f"{100 * stored['accuracy']:.1f} % → {100 * after:.1f} %" in cards(page)[1]
    assert give.is_hidden()
    assert axe(page) == []
    page.locator("se-live .cell").first.click()
    assert "Not measured on 10,000 pictures." in cards(page)[1]


@pytest.mark.parametrize(("label", "kind"), [("all open", "one"), ("frozen", "mean"), ("shuffled", "channels")])
def test_all_blocks_at_once(figure_page, html, samples, label, kind):
    page = figure_page(html)
    settle(page)
    page.get_by_role("radio", name=label).check(force=True)
    page.wait_for_function("location.hash.includes('_a.')")
    after = load("interventions")["interventions"][kind]["places"]["all"]["accuracy"]
    assert f"→ {100 * after:.1f} %" in cards(page)[1]
    if kind == "one":
        assert_same(state(page)["now"], pytorch(samples["cat"], dict.fromkeys(BLOCKS, 1.0)))
    page.get_by_role("radio", name="own gates").check(force=True)
    assert "→" not in "".join(cards(page))
    assert_same(state(page)["now"], pytorch(samples["cat"]))


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 1200)])
def test_it_fits_a_screen_and_on_a_phone_one_and_a_half(figure_page, html, width, height):
    """At rest and with other gates; the first is a laptop's screen, where the book leaves the figure 976 px."""
    page = figure_page(html, width=min(width, 1008))
    settle(page)
    assert page.locator("se-live").bounding_box()["height"] <= height - 40
    page.locator("se-live button.primary").click()
    page.wait_for_function("location.hash.includes('a.donor')")
    settle(page)
    assert page.locator("se-live").bounding_box()["height"] <= height - 40
    if width == 360:
        rows = page.locator("se-live .bars > div").evaluate_all("rows => rows.filter((row) => row.offsetHeight).length")
        assert rows == 4
        assert page.locator("se-live .cells").is_hidden()


def saved(model) -> bytes:
    """As senet_edu.train writes it."""
    return safetensors.torch.save({key: tensor.contiguous() for key, tensor in model.state_dict().items()})


DROP = """(bytes) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], "model.safetensors"));
  document.querySelector("se-live").dispatchEvent(
    new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
}"""


def assert_answers(page, model, image: Tensor) -> None:
    settle(page)
    with torch.no_grad():
        logits = model(normalize(image[None]))[0]
    assert torch.allclose(torch.tensor(state(page)["base"]["logits"], dtype=torch.float), logits, atol=1e-4)


def test_a_network_of_the_reader_is_opened_and_dropped(figure_page, axe, html, samples):
    torch.manual_seed(0)
    own, plain = create_model("se_resnet8").eval(), create_model("resnet8").eval()
    page = figure_page(html)
    settle(page)
    files = page.locator("se-live input[accept='.safetensors']")
    file = {"name": "model.safetensors", "mimeType": "", "buffer": saved(own)}
    files.set_input_files(file)
    page.get_by_text("model.safetensors: SE-ResNet-8, 3 blocks, ").wait_for()
    assert_answers(page, own, samples["cat"])
    assert page.locator("se-live .strips label").count() == 3
    assert page.get_by_role("radio", name="frozen").is_disabled()
    assert page.locator("se-live .card:visible").count() == 1, "nothing was measured of it"
    page.locator("se-live button.primary").click()  # gates of the donor, by this network
    page.locator("se-live button.primary").wait_for(state="hidden")
    assert axe(page) == []
    page.evaluate(DROP, list(saved(plain)))
    page.get_by_text("no SE block and so no gates").wait_for()
    assert_answers(page, plain, samples["cat"])
    assert page.locator("se-live .strips").is_hidden() and page.locator("se-live .cells").is_hidden()
    files.set_input_files(file | {"name": "other.safetensors", "buffer": saved(create_model("resnet8", num_classes=7))})
    page.get_by_text("other.safetensors does not fit here: it tells 7 classes apart").wait_for()
    assert_answers(page, plain, samples["cat"])
    page.get_by_role("button", name="Ours again").click()
    page.wait_for_function("document.querySelector('se-live').result?.base")
    assert_same(state(page)["now"], pytorch(samples["cat"]))
    assert page.locator("se-live .strips label").count() == 9


def test_live_shows_a_network_of_ones_own(figure_page, samples):
    torch.manual_seed(0)
    model = create_model("se_resnet8", reduction=4).eval()
    figure = Live(model)
    assert "SE-ResNet-8" in figure.alt and "10,000" not in figure.alt
    page = figure_page(figure.element())
    assert_answers(page, model, samples["cat"])
    assert page.locator("se-live .cell").count() == 64
    with pytest.raises(ValueError, match="model must be a ResNet of senet_edu"):
        Live(torch.nn.Linear(2, 2))


PICTURE = [
    ({"name": "dog", "p": 0.6}, 0.1, "It now says dog, 60 %. One picture is a story."),
    ({"name": "cat", "p": 0.815}, 0.815, "Nothing much happens to this picture."),
    ({"name": "cat", "p": 0.95}, 0.95, "Surer of cat than with its own gates. One picture proves nothing."),
    ({"name": "cat", "p": 0.5}, 0.5, "It still says cat. One picture is a story."),
]
MANY = [
    ({"kind": "", "fall": 0.1}, "Not measured on 10,000 pictures."),
    ({"kind": "one", "after": 0.1123, "fall": 0.1}, "Most pictures get one and the same answer"),
    ({"kind": "frozen", "after": 0.921, "fall": 0.1}, "Nothing much happens here, either."),
    ({"kind": "donor", "after": 0.5, "fall": -0.1}, "Here 43 more in 100 go wrong: trust this number."),
    ({"kind": "donor", "after": 0.5, "fall": 0.1}, "43 more in 100 go wrong. Many pictures are a measurement."),
]


def test_words():
    """Each sentence is chosen by the numbers; none contradicts them."""
    call = in_node(script("lib/live_words.js"))
    data = {
        "picture": [{"before": {"name": "cat", "p": 0.81}, "after": after, "of": of} for after, of, _ in PICTURE],
        "many": [{"right": 0.925, **numbers} for numbers, _ in MANY],
        "strips": [[0.5, 0.5, 0.5002], [0.5, 0.51, 0.5]],
    }
    said = call(
        """async ({ picture, many, strips }) => {
          const { pictureSays, manySay, stripSays } = SE["lib/live_words.js"];
          return [picture.map(pictureSays), many.map(manySay), strips.map(stripSays)];
        }""",
        data,
    )
    assert said[0] == [words for *_, words in PICTURE]
    assert all(one.startswith(words) for one, (_, words) in zip(said[1], MANY, strict=True))
    assert said[2] == ["asleep here: all gates ½", ""]


def test_no_shipped_block_is_asleep_for_every_picture():
    frozen = json.loads(PAIR.read_text(encoding="utf-8"))["frozen"]
    assert all(max(abs(gate - 0.5) for gate in gates) > 0.01 for gates in frozen.values())


def test_the_guess_is_asked_before_the_button(figure_page, axe, html):
    """It is the question of the chapter's own cell, with its options; the answer takes the button's place."""
    chapter = json.loads((ROOT / "book" / "00_one_minute.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in chapter["cells"] for output in cell.get("outputs", [])]
    found = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    asked = next(figure for figure in found if figure.startswith("<se-guess"))
    question = json.loads(asked.split('<script type="application/json">', 1)[1].split("</script>", 1)[0])
    page = figure_page(html + asked)
    settle(page)
    options = page.locator("se-live .ask label").all_inner_texts()
    assert (question["key"], question["options"]) == ("swap", options)
    give = page.locator("se-live button.primary")
    boxes = [page.locator(f"se-live {part}").bounding_box() for part in ("fieldset.ask", "button.primary")]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1
    height = page.locator("se-live").bounding_box()["height"]
    page.locator("se-live fieldset.ask").get_by_role("radio", name=options[1]).check(force=True)
    assert page.locator("se-guess").get_by_role("radio", name=options[1]).is_checked()
    give.click()
    page.wait_for_function("location.hash.includes('a.donor')")
    settle(page)
    told = page.locator("se-live .told").inner_text()
    now = state(page)["now"]
    says = CLASSES[int(np.argmax(now["probabilities"]))]
    assert told.startswith(f"It says {says}, ") and told.endswith(f"You guessed {options[1]}.")
    assert page.locator("se-live").bounding_box()["height"] == pytest.approx(height, abs=2)
    assert axe(page) == []
    page.get_by_role("button", name="truck", exact=True).click()
    assert page.locator("se-live fieldset.ask").is_hidden()
