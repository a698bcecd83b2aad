"""The classifiers that learn in the page, in Chromium; what their figure says, in node."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from browser import drawn, wait_until_said
from javascript import in_node, script
from matplotlib.image import imsave
from safetensors.torch import load_file

from senet_edu import create_model
from senet_edu.data import normalize
from senet_edu.explorables import Classes

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOST = "document.querySelector('se-classes').shadowRoot"
WAIT = 240_000  # ms: the machine that tests may be busy


@pytest.fixture
def opened(figure_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open the figure with seed, steps and r in the link: opened("0.20.4")."""

    def open_figure(state: str = "0.20.4", before: str = "", **options: Any) -> Page:
        page = figure_page(before + Classes().element(), link=f"classes={state}", **{"width": 1008, **options})
        ready(page)
        return page

    return open_figure


def text(page: Page, selector: str) -> str:
    return page.evaluate(f"{HOST}.querySelector('{selector}').textContent")


def says(page: Page, selector: str, pattern: str) -> None:
    page.wait_for_function(f"/{pattern}/.test({HOST}.querySelector('{selector}').textContent)", timeout=WAIT)


def ready(page: Page) -> None:
    says(page, ".status", "seconds in this page")


def train(page: Page) -> None:
    page.locator(".primary").click()
    says(page, ".verdict", ".")


def own(page: Page) -> None:
    page.get_by_role("radio", name="your own").check(force=True)
    says(page, ".say", "class 0 needs 3 pictures")


def file(color: tuple[int, int, int], name: str = "picture.png", seed: int = 0) -> dict[str, Any]:
    """A picture of 16 x 16 squares of two pixels, which the page reduces to just these."""
    noise = np.random.default_rng(seed).integers(-20, 21, (16, 16, 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    content = io.BytesIO()
    imsave(content, pixels.repeat(2, 0).repeat(2, 1), format="png")
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def files(page: Page, k: int, color: tuple[int, int, int], count: int = 5) -> None:
    page.get_by_role("radio", name=re.compile("^New pictures go to")).nth(k).check()
    page.get_by_label("Pictures for a class").set_input_files([file(color, seed=i) for i in range(count)])
    page.wait_for_function(f"{HOST}.querySelectorAll('.row-of')[{k}].querySelectorAll('.thumb').length === {count}")


def two_classes(page: Page) -> None:
    own(page)
    files(page, 0, (200, 40, 40))
    files(page, 1, (40, 60, 200))
    ready(page)


def counts(page: Page) -> list[int]:
    return page.evaluate(f"[...{HOST}.querySelectorAll('.row-of')].map((row) => row.querySelectorAll('.thumb').length)")


def bars(page: Page, name: str) -> list[float]:
    """The probabilities as the bars show them."""
    return page.evaluate(
        f"[...{HOST}.querySelectorAll('.track .{name}')].map((bar) => parseFloat(bar.style.width) / 100)"
    )


def shown(page: Page) -> torch.Tensor:
    """The picture that the networks are shown: (1, 3, 16, 16) uint8."""
    data = page.evaluate(f"[...{HOST}.querySelector('.view canvas').getContext('2d').getImageData(0, 0, 32, 32).data]")
    return torch.tensor(data, dtype=torch.uint8).view(32, 32, 4)[::2, ::2, :3].permute(2, 0, 1)[None]


def test_at_rest_it_asks_and_shows_what_it_will_learn_from(opened: Callable[..., Page]) -> None:
    page = opened()
    assert counts(page) == [10] * 5
    assert "Guess first." in text(page, ".guess") and "held pictures?" in text(page, ".guess")
    assert "not trained yet" in text(page, ".look .lab")
    assert "Press Train" in text(page, ".say")
    assert page.locator(".primary").is_enabled()
    colors = page.evaluate(f"{HOST}.querySelector('.thumb canvas').getContext('2d').getImageData(0, 0, 16, 16).data")
    assert len(set(colors)) > 20  # a drawn picture, with grain


def test_both_learn_the_drawn_shapes(opened: Callable[..., Page]) -> None:
    page = opened("1.60.4")
    page.get_by_role("radio", name="too close to call").check(force=True)
    train(page)
    wait_until_said(page, "se-classes", "Plain says", "with SE")
    assert re.match(r"On \d+ held pictures: with SE \d+ % right, without \d+ %\.", text(page, ".verdict"))
    assert "You guessed too close to call." in text(page, ".found")
    for kind, least in (("loss", 5), ("accuracy", 5), ("held", 2)):
        paths = page.evaluate(f"[...{HOST}.querySelectorAll('.{kind} path')].map((path) => path.getAttribute('d'))")
        assert [path.count("L") >= least for path in paths] == [True, True], kind
        heights = [[float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)] for path in paths]
        better = [end - start for start, *_, end in heights]
        assert min(better) > 0 if kind == "loss" else kind == "held" or max(better) < 0, kind  # y grows downward
    for name in ("plain", "se"):
        assert sum(bars(page, name)) == pytest.approx(1, abs=1e-4)
    assert page.evaluate(f"[...{HOST}.querySelectorAll('.strips canvas')].map((one) => one.width)") == [16, 32, 64]
    page.get_by_role("button", name="Held picture").click()
    says(page, ".bars .true", "✓")
    page.locator(".primary").click()  # again, with another seed
    says(page, ".status", r"seed 2")


def test_own_classes_from_files_are_learned_and_loaded_by_pytorch(opened: Callable[..., Page], tmp_path: Any) -> None:
    page = opened("0.40.2")
    own(page)
    assert page.locator(".primary").is_disabled()
    page.get_by_label("Name of class 0").fill("red things")
    says(page, ".say", "red things needs 3")
    files(page, 0, (200, 40, 40))
    files(page, 1, (40, 60, 200))
    ready(page)
    assert page.locator(".thumb.back").count() == 2  # every fifth
    train(page)
    assert text(page, ".verdict").startswith("On 2 held pictures:")
    assert "One held picture more or less is 50 points." in text(page, ".found")
    page.locator(".shown input[type=file]").set_input_files(file((190, 50, 45), seed=9))
    page.wait_for_function(f"{HOST}.querySelector('.thumb[aria-pressed=true]') === null")
    wait_until_said(page, "se-classes", "Plain says", "with SE")
    pixels = normalize(shown(page))
    for label, name, options in (("Save with SE", "se", {"reduction": 2}), ("Save plain", "plain", {})):
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        model = "se_resnet8" if options else "resnet8"
        assert path.name == f"{model}.safetensors" and f'"{path.name}"' in text(page, ".saved pre")
        net = create_model(model, num_classes=2, **options)
        net.load_state_dict(load_file(path))  # strictly
        with torch.no_grad():
            wanted = net.eval()(pixels).softmax(1)[0]
        assert bars(page, name) == pytest.approx(wanted.tolist(), abs=1e-3)
    code = text(page, ".saved pre").replace(path.name, path.as_posix())
    assert 'classes = ["red things", "class 1"]' in code
    exec(compile(code, "saved", "exec"), {})  # the lines that the figure gives


def test_pictures_are_deleted_by_keys_and_by_touch(opened: Callable[..., Page]) -> None:
    page = opened()
    two_classes(page)
    first = page.get_by_role("button", name="class 0, picture 0")
    first.focus()
    first.press("ArrowRight")
    page.keyboard.press("Delete")
    page.wait_for_function(f"{HOST}.querySelectorAll('.thumb').length === 9")
    assert page.evaluate(f"{HOST}.activeElement.getAttribute('aria-label')") == "class 0, picture 1"
    page.get_by_role("button", name="class 1, picture 3").click()
    page.get_by_role("button", name="Remove picture").click()
    page.wait_for_function(f"{HOST}.querySelectorAll('.thumb').length === 8")
    assert counts(page) == [4, 4]
    for _ in range(2):
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Add a class").click()
    says(page, ".say", "class 2 needs 3")
    page.get_by_role("button", name="Remove class").click()
    page.wait_for_function(f"{HOST}.querySelectorAll('.row-of').length === 2")
    assert page.get_by_role("button", name="Remove class").is_disabled()


def test_a_trained_network_stays_until_the_reader_trains_again(opened: Callable[..., Page]) -> None:
    page = opened("0.10.4")
    two_classes(page)
    train(page)
    page.get_by_role("button", name="class 1, picture 0").press("Delete")
    says(page, ".say", "The pictures have changed")
    assert page.get_by_role("button", name="Save with SE").is_enabled()
    page.locator(".primary").click()
    says(page, ".status", "10 steps in")
    assert "The pictures have changed" not in text(page, ".say")


def test_files_that_are_no_pictures_are_counted(opened: Callable[..., Page]) -> None:
    page = opened()
    own(page)
    broken = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.get_by_label("Pictures for a class").set_input_files([file((9, 200, 9)), broken])
    says(page, ".say", "1 added to class 0. 1 could not be read as a picture.")
    assert counts(page) == [1, 0]
    page.get_by_label("Pictures for a class").set_input_files([file((9, 200, 9), seed=k) for k in range(25)])
    says(page, ".say", "19 added to class 0")
    assert counts(page) == [20, 0]


def test_dropped_on_a_row_they_go_to_its_class(opened: Callable[..., Page]) -> None:
    page = opened()
    own(page)
    page.evaluate(
        f"""async () => {{
          const canvas = new OffscreenCanvas(40, 30);
          canvas.getContext("2d").fillRect(0, 0, 40, 30);
          const blob = await canvas.convertToBlob();
          const dataTransfer = new DataTransfer();
          for (const name of ["a.png", "b.png"]) dataTransfer.items.add(new File([blob], name, {{ type: blob.type }}));
          const event = new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true, composed: true }});
          {HOST}.querySelectorAll(".row-of")[1].dispatchEvent(event);
        }}"""
    )
    page.wait_for_function(f"{HOST}.querySelectorAll('.thumb').length === 2")
    assert counts(page) == [0, 2]


def test_the_pad_paints_pictures_of_a_class(opened: Callable[..., Page]) -> None:
    page = opened()
    own(page)
    page.get_by_role("button", name="Draw").click()
    box = page.locator(".view canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 110, steps=8)
    page.mouse.up()
    drawn(page)
    before = shown(page)
    page.get_by_role("button", name="Add to class 0").press("Enter")
    page.wait_for_function(f"{HOST}.querySelectorAll('.thumb').length === 1")
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="class 0, picture 0").click()
    drawn(page)
    assert torch.equal(shown(page), before)
    assert (before[0, :, 8, 8] < 60).all()  # the stroke, in black


CAMERA = """() => {
  globalThis.asked = 0;
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
  const context = canvas.getContext("2d");
  setInterval(() => { context.fillStyle = "rgb(30 90 200)"; context.fillRect(0, 0, 64, 48); }, 30);
  const getUserMedia = async () => (asked++, canvas.captureStream());
  Object.defineProperty(navigator, "mediaDevices", { value: { getUserMedia } });
}"""


def test_the_camera_is_asked_when_its_button_is_pressed_and_held_it_takes_a_burst(opened: Callable[..., Page]) -> None:
    page = opened()
    page.evaluate(CAMERA)
    own(page)
    assert page.evaluate("asked") == 0
    page.get_by_role("button", name="Camera").click()
    page.wait_for_function(
        f"(() => {{ const [r, g, b] = {HOST}.querySelector('.view canvas').getContext('2d')"
        ".getImageData(16, 16, 1, 1).data; return b > 180 && r < 60; })()"
    )
    assert page.evaluate("asked") == 1
    says(page, ".acts", "Hold to add to class 0")
    box = page.get_by_role("button", name="Hold to add").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 15)
    page.mouse.down()
    page.wait_for_function(f"{HOST}.querySelectorAll('.thumb').length >= 4")
    page.mouse.up()
    drawn(page)
    count = counts(page)[0]
    page.wait_for_timeout(400)
    assert counts(page)[0] == count  # no more once it is let go
    page.get_by_role("button", name="Freeze").click()
    page.get_by_role("button", name="Camera", exact=True).wait_for()


def test_it_pauses_while_nobody_looks(opened: Callable[..., Page]) -> None:
    page = opened("0.1000.4", reduced_motion=False)
    page.locator(".primary").click()
    says(page, ".status", r"step [1-9]")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => globalThis.away, configurable: true })")
    page.evaluate("globalThis.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    says(page, ".say", "Paused while you were away.")
    page.wait_for_timeout(500)
    step = text(page, ".status")
    page.wait_for_timeout(500)
    assert text(page, ".status") == step
    page.evaluate("globalThis.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(f"{HOST}.querySelector('.status').textContent !== '{step}'", timeout=WAIT)
    page.locator(".primary").click()
    page.wait_for_function(f"{HOST}.querySelector('.primary').textContent === '▶ Go on'")
    step = text(page, ".status")
    page.get_by_role("button", name="Step").click()
    page.wait_for_function(f"{HOST}.querySelector('.status').textContent !== '{step}'", timeout=WAIT)


def test_a_run_that_blows_up_says_so_and_draws_what_there_was(opened: Callable[..., Page]) -> None:
    page = opened("0.40.4")
    page.get_by_role("button", name="More").click()
    rate = page.get_by_label("rate")
    rate.evaluate("(menu) => menu.append(new Option('1e30', '1e30'))")
    rate.select_option("1e30")
    ready(page)
    page.locator(".primary").click()
    says(page, ".say", "blew up at step")
    assert page.locator(".primary").text_content() == "▶ Train anew"
    assert "NaN" not in page.evaluate(f"{HOST}.querySelector('.curves').innerHTML")
    page.locator(".primary").click()
    says(page, ".status", "40 steps in")
    assert rate.input_value() == "0.25"


COUNT_WORKERS = """<script>
globalThis.workers = 0;
const Real = globalThis.Worker;
globalThis.Worker = class extends Real {
  constructor(...all) { super(...all); workers++; }
  terminate() { super.terminate(); workers--; }
};
</script>"""


def test_restarts_leave_nothing_and_the_end_is_one(opened: Callable[..., Page]) -> None:
    page = opened("0.10.4", before=COUNT_WORKERS)
    client = page.context.new_cdp_session(page)

    def heap() -> int:
        client.send("HeapProfiler.collectGarbage")
        return client.send("Runtime.getHeapUsage")["usedSize"]

    elements = f"{HOST}.querySelectorAll('*').length"
    for count in range(22):
        if count == 2:
            first, nodes = heap(), page.evaluate(elements)
        page.get_by_label("r", exact=True).evaluate("(menu) => menu.dispatchEvent(new Event('change'))")
        ready(page)
        assert page.evaluate("workers") == 2
    assert heap() < 1.2 * first
    assert page.evaluate(elements) <= nodes + 64
    page.evaluate("document.querySelector('se-classes').remove()")
    page.wait_for_function("workers === 0")


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_it_trains_with_less(opened: Callable[..., Page], missing: str) -> None:
    page = opened("0.10.4", before=f"<script>delete globalThis.{missing};</script>")
    two_classes(page)
    train(page)
    assert sum(bars(page, "se")) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 700, 1008])
def test_everything_is_accessible_and_nothing_scrolls_sideways(
    opened: Callable[..., Page], axe: Callable, width: int, dark: bool
) -> None:
    page = opened("0.10.4", width=width, dark=dark)

    def check() -> None:
        drawn(page)
        assert axe(page, "se-classes") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    check()
    page.get_by_role("button", name="More").click()
    check()
    two_classes(page)
    page.get_by_role("button", name="class 0, picture 1").click()
    page.get_by_role("button", name="Draw").click()
    check()
    train(page)
    with page.expect_download():
        page.get_by_role("button", name="Save with SE").click()
    page.locator(".saved pre").wait_for()
    check()


def test_nothing_jumps(opened: Callable[..., Page]) -> None:
    page = opened("0.10.4")
    height = "document.querySelector('se-classes').getBoundingClientRect().height"
    rest = page.evaluate(height)
    train(page)
    drawn(page)
    assert page.evaluate(height) == pytest.approx(rest, abs=1) and rest <= 745
    own(page)
    drawn(page)
    assert page.evaluate(height) <= rest + 60


# What it says: fixed numbers in, a sentence out

SAY = 'async ({ name, about }) => SE["lib/class_words.js"][name](about)'
DONE = {"phase": "done", "n": 250, "plain": 0.7, "se": 0.7, "train": 1.0}


@pytest.fixture(scope="module")
def say() -> Callable[[str, Any], str]:
    call = in_node(script("lib/class_words.js"))
    return lambda name, about: call(SAY, {"name": name, "about": about})


def test_a_verdict_needs_numbers_and_a_difference_that_chance_does_not_explain(say: Callable) -> None:
    assert say("verdict", DONE | {"phase": "running"}) == ""
    assert say("verdict", DONE | {"n": 0}).endswith("That says nothing about new ones.")
    assert say("verdict", DONE | {"se": 0.74}).endswith("Too close to call.")
    assert say("verdict", DONE | {"se": 0.8}).endswith("With this seed, SE helps.")
    assert say("verdict", DONE | {"se": 0.6}).endswith("With this seed, SE does not help.")
    assert say("verdict", DONE | {"n": 6, "se": 1.0, "plain": 0.83}).endswith("Too close to call.")


def test_a_held_curve_has_a_point_for_each_measurement_and_no_stairs() -> None:
    log = [{"step": k, "steps": 40, "heldAccuracy": None if k < 2 else k // 2 / 100} for k in range(1, 12)]
    call = in_node(script("lib/class_plots.js"))
    points = call('async (log) => SE["lib/class_plots.js"].series(log, "held")', log)
    assert points == [[2, 0.01], [4, 0.02], [6, 0.03], [8, 0.04], [10, 0.05], [11, 0.05]]


def test_what_few_pictures_teach_is_said_by_the_numbers(say: Callable) -> None:
    about = {"phase": "done", "own": True, "train": 1.0, "held": 0.5, "n": 4, "each": 8}
    assert say("learned", about) == (
        "With SE: right on 100 % of its training pictures, on 50 % of held ones. It may have learned your background. "
        "One held picture more or less is 25 points."
    )
    assert say("learned", about | {"held": 1.0}).startswith("Held pictures of the same minute look alike.")
    assert "Hold some pictures back" in say("learned", about | {"n": 0})
    drawn_ones = about | {"own": False, "n": 250, "each": 100}
    assert say("learned", drawn_ones).endswith("on 50 % of new ones: 100 pictures a class are few.")
    assert say("learned", drawn_ones | {"held": 0.97}).endswith("it has learned the shapes, not the pictures.")
