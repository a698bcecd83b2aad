"""The lamp's figure and the pair of the front page, in Chromium; what they say, in node."""

from __future__ import annotations

import re

import pytest
import torch
from browser import cut
from javascript import in_node, script
from safetensors.torch import load_file

from senet_edu import lamp
from senet_edu.explorables import Lamp, LampHero
from senet_edu.explorables.lamp import trained

HOST = "document.querySelector('se-lamp').shadowRoot"
WAIT = 240_000  # ms: the machine that tests may be busy


def text(page, selector):
    return page.evaluate(f"{HOST}.querySelector('{selector}').textContent")


def ready(page):
    page.wait_for_function(f"/step|second|anew/.test({HOST}.querySelector('.status').textContent)", timeout=WAIT)
    page.wait_for_function(f"/0\\.\\d/.test({HOST}.querySelector('.off.se .big').textContent)", timeout=WAIT)


@pytest.fixture
def opened(figure_page):
    """Open a figure, in a state of the link: opened(Lamp(), "1.400.2.both.27-88")."""

    def open_figure(figure, state="", **options):
        page = figure_page(figure.element(), link=state and f"lamp={state}", **{"width": 1000, **options})
        ready(page)
        return page

    return open_figure


def train(page):
    page.locator(".primary").click()
    page.wait_for_function(f"{HOST}.querySelector('.primary').textContent.includes('again')", timeout=WAIT)
    page.wait_for_function(f"{HOST}.querySelector('.verdict').textContent.length > 0", timeout=WAIT)


def errors(page):
    """Plain, with SE: as the curve's labels say."""
    labels = page.evaluate(f"[...{HOST}.querySelectorAll('.scrub text')].map((label) => label.textContent)")
    return tuple(
        float(next(one for one in labels if one.startswith(name)).split()[-1]) for name in ("plain", "with SE")
    )


def whose(page, name):
    page.get_by_role("radio", name=name, exact=True).check(force=True)


def replaced(page, name):
    page.wait_for_function(f"/{name}/.test({HOST}.querySelector('.verdict').textContent)", timeout=WAIT)
    return tuple(float(one) for one in re.findall(r"0\.\d{3}", text(page, ".verdict")))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_se_wins_and_its_gates_are_why(opened, seed):
    page = opened(Lamp(), f"{seed}.400.2.both.27-88")
    train(page)
    plain, se = errors(page)
    assert se < 0.8 * plain
    assert text(page, ".verdict").startswith(f"With SE the error is {se:.3f}, without {plain:.3f}.")
    whose(page, "frozen")
    own, frozen = replaced(page, "Gates frozen")
    assert own == se and frozen >= 2 * own
    whose(page, "another picture’s")
    own, swapped = replaced(page, "Gates of another")
    assert swapped >= 2 * own


def test_at_rest_it_asks_and_the_lamp_works(opened):
    page = opened(Lamp())
    assert text(page, ".raw") == "not trained yet"
    assert "Then press Train" in text(page, ".say")
    assert "Guess first." in text(page, ".guess")
    before = page.evaluate(f"{HOST}.querySelector('.pic.lamp canvas').toDataURL()")
    page.get_by_role("slider", name="hue").press("PageDown")
    page.wait_for_function(f"{HOST}.querySelector('.pic.lamp canvas').toDataURL() !== '{before}'")
    page.get_by_role("slider", name="hue").press("End")
    page.get_by_role("slider", name="strength").press("ArrowUp")
    assert page.get_by_role("slider", name="hue").get_attribute("aria-valuetext").startswith("red, strong: red 1.00")


def test_a_whole_visit(opened):
    """Guess, train, go back in time, take the gates into one's own hands, photographs; all by the keyboard."""
    page = opened(Lamp(), "1.60.2.both.27-88")
    page.get_by_role("radio", name="no difference").press("Space")
    page.locator(".primary").press("Enter")
    page.wait_for_function(f"{HOST}.querySelector('.verdict').textContent.length > 0", timeout=WAIT)
    assert text(page, ".foot .note:not([hidden])").startswith("You guessed no difference. It came out 0.")
    curve = page.locator(".scrub")
    curve.focus()
    curve.press("PageDown")
    page.wait_for_function(f"{HOST}.querySelector('.say').textContent.startsWith('Step 20.')")
    curve.press("End")
    gates = page.locator(".gates")
    gates.focus()
    gates.press("Home")
    gates.press("ArrowDown")
    chosen = page.get_by_role("option", selected=True)
    assert re.match(r"gate 0 of the second block: [01]\.\d\d", chosen.get_attribute("aria-label"))
    page.get_by_role("radio", name="set by hand").press("Space")
    fader = page.get_by_role("slider", name="channel 0")
    before = float(fader.get_attribute("aria-valuenow"))
    fader.press("PageUp")
    page.wait_for_function(f"{HOST}.querySelector('.fader').getAttribute('aria-valuenow') !== '{before:.2f}'")
    assert text(page, ".verdict").startswith("By hand 0.")
    fader.press("Delete")
    page.get_by_role("radio", name="its own").press("Space")
    page.get_by_role("button", name="Photo").press("Enter")
    page.get_by_role("button", name="coffee").press("Enter")
    page.wait_for_function(f"/gray world/.test({HOST}.querySelector('.pic.white').textContent)")
    assert "only ever seen tiles" in text(page, ".say")
    page.get_by_role("button", name="Tiles", exact=True).press("Enter")
    page.wait_for_function(f"/the answer/.test({HOST}.querySelector('.pic.white').textContent)")
    page.get_by_role("button", name="Restart").press("Enter")
    page.wait_for_function(f"{HOST}.querySelector('.primary').textContent === '▶ Train'")


def test_it_pauses_while_nobody_looks(opened):
    page = opened(Lamp(), "1.400.2.both.27-88")
    page.locator(".primary").click()
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => globalThis.away, configurable: true })")
    page.evaluate("globalThis.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(f"{HOST}.querySelector('.say').textContent === 'Paused while you were away.'")
    page.wait_for_timeout(500)
    step = text(page, ".status")
    page.wait_for_timeout(500)
    assert text(page, ".status") == step
    page.evaluate("globalThis.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(f"/^step [1-9]/.test({HOST}.querySelector('.status').textContent)", timeout=WAIT)
    page.locator(".primary").click()
    page.wait_for_function(f"{HOST}.querySelector('.primary').textContent === '▶ Go on'")  # drawn with the next frame


COUNT_WORKERS = """
globalThis.workers = 0;
const Real = globalThis.Worker;
globalThis.Worker = class extends Real {
  constructor(...all) { super(...all); workers++; }
  terminate() { super.terminate(); workers--; }
};
"""


def test_restarts_leave_nothing_and_the_end_is_one(figure_page):
    page = figure_page(f"<script>{COUNT_WORKERS}</script>{Lamp().element()}", width=1000)
    ready(page)
    client = page.context.new_cdp_session(page)

    def heap():
        client.send("HeapProfiler.collectGarbage")
        return client.send("Runtime.getHeapUsage")["usedSize"]

    page.evaluate(
        "globalThis.elements = () => document.querySelector('se-lamp').shadowRoot.querySelectorAll('*').length"
    )
    for count in range(22):
        if count == 2:
            first, nodes = heap(), page.evaluate("elements()")
        page.evaluate(f"{HOST}.querySelector('.more input[type=number]').dispatchEvent(new Event('change'))")
        ready(page)
        assert page.evaluate("workers") == 2
    assert heap() < 1.2 * first
    assert page.evaluate("elements()") <= nodes + 64
    page.evaluate("document.querySelector('se-lamp').remove()")
    page.wait_for_function("workers === 0")


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_it_trains_with_less(figure_page, missing):
    html = f"<script>delete globalThis.{missing};</script>{Lamp().element()}"
    page = figure_page(html, width=1000, link="lamp=1.50.2.both.27-88")
    ready(page)
    train(page)
    plain, se = errors(page)
    assert 0.05 < se < 0.35 and 0.05 < plain < 0.35


def test_a_seed_is_a_whole_number(opened):
    page = opened(Lamp())
    page.get_by_role("button", name="More").click()
    seed = page.get_by_label("seed")
    for written, read in (("2.7", "3"), ("-4", "0"), ("1e9", "999999")):
        seed.fill(written)
        seed.press("Enter")
        assert seed.input_value() == read


def test_a_run_that_blows_up_says_so(opened):
    page = opened(Lamp(), "1.400.2.both.27-88")
    page.get_by_role("button", name="More").click()
    rate = page.get_by_label("rate")
    rate.evaluate("(menu) => menu.append(new Option('1e9', '1e9'))")
    rate.select_option("1e9")
    ready(page)
    page.locator(".primary").click()
    page.wait_for_function(f"/blew up at step/.test({HOST}.querySelector('.say').textContent)", timeout=WAIT)
    assert page.locator(".primary").text_content() == "▶ Train anew"


def test_the_weights_of_the_page_are_pytorchs(opened, tmp_path):
    page = opened(Lamp(), "1.60.4.2.27-88")
    train(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save weights").click()
    path = tmp_path / "se.safetensors"
    download.value.save_as(path)
    net = lamp.network("se", reduction=4, layers=(2,))
    net.load_state_dict(load_file(path))
    assert lamp.error(net) == pytest.approx(errors(page)[1], abs=0.006)  # other pictures of the same kind


def test_trained_it_opens_with_the_shipped_pair(opened):
    page = opened(Lamp("trained"))
    page.wait_for_function(f"{HOST}.querySelector('.verdict').textContent.length > 0", timeout=WAIT)
    nets = trained()
    for name, found in zip(("plain", "se"), errors(page)):
        assert found == pytest.approx(lamp.error(nets[name]), abs=0.006)
    assert text(page, ".status") == "trained before: 400 steps · seed 1"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 700, 1000])
def test_everything_is_accessible_and_nothing_scrolls_sideways(opened, axe, width, dark):
    page = opened(Lamp("trained"), width=width, dark=dark)
    page.wait_for_function(f"{HOST}.querySelector('.verdict').textContent.length > 0", timeout=WAIT)
    states = ["its own"] if width in (320, 700) else ["its own", "frozen", "another picture’s", "set by hand"]
    for name in states:
        whose(page, name)
        page.wait_for_timeout(100)
        assert axe(page, "se-lamp") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Photo").click()
    assert axe(page, "se-lamp") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pad_train_and_se_are_on_one_screen_of_a_phone(opened):
    page = opened(Lamp(), width=360, height=780)
    ends = page.evaluate(
        f"['.pic.se', '.pad', '.primary'].map((one) => {HOST}.querySelector(one).getBoundingClientRect().bottom"
        f" - {HOST}.querySelector('.lamp').getBoundingClientRect().top)"
    )
    assert max(ends) < 690


def test_nothing_jumps(opened):
    page = opened(Lamp(), "1.60.2.both.27-88")
    height = "document.querySelector('se-lamp').getBoundingClientRect().height"
    rest = page.evaluate(height)
    train(page)
    for name in ("its own", "frozen", "another picture’s", "set by hand"):
        whose(page, name)
        page.wait_for_timeout(150)
        assert page.evaluate(height) == pytest.approx(rest, abs=1), name
    assert rest <= 745


@pytest.mark.parametrize("dark", [False, True])
def test_the_pair_of_the_front_page(figure_page, axe, dark):
    page = figure_page(f"<script>{COUNT_WORKERS}</script>{LampHero().element()}", width=360, dark=dark)
    host = "document.querySelector('se-lamp-hero').shadowRoot"
    offs = f"[...{host}.querySelectorAll('.off')].map((off) => off.textContent)"
    _, plain, se, _ = page.evaluate(offs)
    assert float(se.split()[0]) < float(plain.split()[0])
    assert page.evaluate(f"{host}.querySelectorAll('svg rect').length") == 64
    page.get_by_role("slider", name="hue").press("PageUp")
    page.wait_for_function(f"{host}.querySelector('.call').hidden")
    page.wait_for_function(f"{offs}[1] !== '{plain}'")
    assert axe(page, "se-lamp-hero") == []
    assert page.evaluate("workers") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_pair_drifts_once(figure_page):
    page = figure_page(LampHero().element(), width=1000, reduced_motion=False)
    place = "document.querySelector('se-lamp-hero').shadowRoot.querySelector('.pad > i').style.left"
    away = f"Math.abs(parseFloat({place}) - {100 * 27 / 360})"  # percent of the hues from where it begins
    page.wait_for_function(f"{away} > 40", timeout=WAIT)
    page.wait_for_function(f"{away} < 0.1", timeout=WAIT)
    page.wait_for_timeout(500)
    assert page.evaluate(away) < 0.1  # it rests


# The most pixels of its words that the handle covers while it drifts from one end of the hues to the other.
COVERED = """async () => {
  const pad = document.querySelector("se-lamp-hero").shadowRoot.querySelector(".pad");
  const words = document.createRange();
  words.selectNodeContents(pad.querySelector(".call"));
  let [most, least, last] = [0, Infinity, 0];
  while (last - least < pad.clientWidth / 2) {
    await new Promise(requestAnimationFrame);
    const [a, b] = [words.getBoundingClientRect(), pad.querySelector("i").getBoundingClientRect()];
    most = Math.max(most, Math.min(a.right, b.right) - Math.max(a.left, b.left));
    [least, last] = [Math.min(least, b.left), b.left];
  }
  return most;
}"""


@pytest.mark.parametrize("width", [320, 360, 1000])
def test_the_drifting_handle_covers_no_words(figure_page, width):
    page = figure_page(LampHero().element(), width=width, reduced_motion=False)
    assert page.evaluate(COVERED) < 12  # for the frame in which they change sides


def test_the_words_of_the_front_page_are_whole(figure_page):
    page = figure_page(LampHero().element(), width=1280)
    for width in (1280, 800, 680, 620, 360, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert cut(page, "se-lamp-hero") == [], width


@pytest.mark.parametrize("open", ["trained", "fan"])
def test_no_text_of_the_trained_lamp_is_cut(opened, open):
    page = opened(Lamp(open), "" if open == "trained" else "1.60.2.both.27-88")
    if open == "fan":
        train(page)
    page.wait_for_function(f"{HOST}.querySelector('.verdict').textContent.length > 0", timeout=WAIT)
    for name in ("its own", "set by hand"):
        whose(page, name)
        for width in (1280, 912, 800, 680, 620, 360, 320):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(100)
            assert cut(page, "se-lamp") == [], (name, width)


def test_an_unknown_opening_is_refused():
    with pytest.raises(ValueError, match="open must be one of question, fan, trained; got 'door'"):
        Lamp("door")


# What it says: fixed numbers in, a sentence out


SAY = 'async ({ name, about }) => SE["lib/lamp_words.js"][name](...about)'
DONE = {"phase": "done", "plain": 0.115, "se": 0.064, "gates": "own", "swing": 0.2, "start": 0.03, "gray": 0.038}
MEASURED = {"lost": 0, "seeds": 20}


@pytest.fixture(scope="module")
def says():
    call = in_node(script("lib/lamp_words.js"))
    return lambda name, *about: call(SAY, {"name": name, "about": about})


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({}, "With SE the error is **0.064**, without **0.115**. Its gates follow the lamp."),
        ({"swing": 0.04}, "With SE the error is **0.064**, without **0.115**."),
        (
            {"plain": 0.112, "se": 0.115, "measured": MEASURED},
            "This time SE did not win: **0.112** to **0.115**. Of 20 measured seeds that happened in none.",
        ),
        ({"plain": 0.112, "se": 0.115}, "This time SE did not win: **0.112** to **0.115**."),
        (
            {"se": 0.03},
            "With SE the error is **0.030**, without **0.115**."
            " Better than gray world by hand: maximum and mean are two old cures.",
        ),
        ({"gates": "frozen", "replaced": 0.189}, "Gates frozen: **0.064 → 0.189**. Three times the error."),
        ({"gates": "frozen", "replaced": 0.066}, "Gates frozen: **0.064 → 0.066**. As good as before."),
        ({"gates": "frozen", "replaced": 0.08}, "Gates frozen: **0.064 → 0.080**. A little worse."),
        ({"gates": "other", "replaced": 0.25}, "Gates of another picture: **0.064 → 0.250**. Four times the error."),
        (
            {"gates": "hand", "here": {"own": 0.061}, "hand": 0.131},
            "By hand **0.131**. Its own gates, at one look: **0.061**.",
        ),
        (
            {"photo": "a coffee", "here": {"plain": 0.094, "se": 0.144}},
            "Not gray on average: SE takes the picture’s color for the lamp’s.",
        ),
        (
            {"photo": "a bird", "here": {"plain": 0.144, "se": 0.094}},
            "On this photograph SE is closer: **0.094** to **0.144**.",
        ),
        ({"phase": "running"}, ""),
    ],
)
def test_the_verdict_follows_the_numbers(says, about, sentence):
    assert says("verdict", DONE | about) == sentence


def test_other_sentences_follow_the_numbers(says):
    assert says("onThisPicture", {"plain": 0.1, "se": 0.2}, 0.115, 0.064).startswith("On this picture plain is closer")
    assert says("onThisPicture", {"plain": 0.2, "se": 0.1}, 0.115, 0.064) == ""
    assert says("guessed", "same", 0.115, 0.064) == "You guessed *no difference*. It came out 0.115 to 0.064."
    assert says("instruction", {"phase": "running", "steps": 100, "parted": True}).startswith("Now they part.")
    assert says("instruction", {"phase": "blown", "steps": 60}).startswith("This run blew up at step 60")
    hand = {"phase": "done", "gates": "hand", "shown": None}
    assert says("instruction", hand | {"moved": True}) == "By hand you are closer. Now move the lamp."
    status = {"phase": "rest", "steps": 0, "total": 400, "seconds": 0, "seed": 1, "batch": 16}
    assert says("status", status | {"speed": 120}) == "400 steps, about 5 seconds, in this page"
    assert says("status", status | {"speed": 16}) == "About 25 seconds on this device."
    done = status | {"phase": "done", "steps": 400, "seconds": 4.8}
    assert says("status", done) == "400 steps in 4.8 s · seed 1 · 1,330 pictures a second"


def test_the_pad_has_white_at_its_top_and_one_channel_always_full(says):
    assert says("color", 200, 0) == [1, 1, 1]
    for hue in range(0, 361, 15):
        rgb = says("color", hue, 1)
        assert max(rgb) == pytest.approx(1) and min(rgb) == pytest.approx(0.2)
    assert says("color", 27, 0.875) == pytest.approx([1, 0.615, 0.3])


@pytest.mark.parametrize(
    "change",
    [{}, {"plain": 32, "reduction": 8, "layers": [2], "squeeze": "max", "gate": "tanh", "rate": 0.003}, {"layers": []}],
)
def test_copied_python_runs(says, change, capsys):
    options = {"seed": 3, "steps": 2, "plain": 18, "reduction": 2, "layers": [1, 2]}
    options |= {"squeeze": "avg", "gate": "sigmoid", "rate": 0.01} | change
    source = says("python", options)
    assert source.strip().count("\n") < 12
    torch.set_num_threads(1)
    exec(compile(source, "copied", "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"plain: 0\.\d{3}\nwith SE: 0\.\d{3}\n", printed)
    assert ("gates swapped: 0." in printed) == bool(options["layers"])


def test_python_without_changes_is_short(says):
    options = {"seed": 1, "steps": 400, "plain": 18, "reduction": 2, "layers": [1, 2]}
    source = says("python", options | {"squeeze": "avg", "gate": "sigmoid", "rate": 0.01})
    assert 'se = lamp.network("se", reduction=2, seed=1)\n' in source
    assert "    lamp.train(net, seed=1)\n" in source
