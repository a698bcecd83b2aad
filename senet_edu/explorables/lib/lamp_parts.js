/* The elements of the lamp's figure. `on` has what they call; lamp_draw.js fills them. */
import { button, choice, h } from "./core.js";
import { faders } from "./lamp_faders.js";
import { more } from "./lamp_options.js";
import { pad } from "./lamp_pad.js";
import { photos } from "./lamp_photos.js";
import { bars, curves, fan } from "./lamp_plots.js";
import { blockNames, instruction } from "./lamp_words.js";
import { rich } from "./rich.js";

export const COLORS = ["red", "green", "blue"];

const tiny = (text = "", kind = "") => h("span", { class: `tiny ${kind}` }, text);

const picture = (name, title, ...subs) => {
  const canvas = h("canvas", { width: 36, height: 36, role: "img" });
  const veil = ["plain", "se"].includes(name) && h("span", { class: "raw" }, "not trained yet");
  const cap = h("div", { class: "cap" }, h("span", { class: "lab" }, title), subs);
  return {
    canvas,
    veil,
    box: h("div", { class: `pic ${name}` }, cap, h("div", { class: "frame" }, canvas, veil || null)),
  };
};

const meter = (name) => {
  const [value, what, fill, note] = [h("span", { class: "big" }), tiny(), h("i"), h("p", { class: "tiny" })];
  const line = h("div", { class: "line" }, value, what);
  return {
    value,
    what,
    fill,
    note,
    box: h("div", { class: `off ${name}` }, line, h("div", { class: "meter" }, fill), note),
  };
};

export const parts = ({ host, open, start, samples, options, on }) => {
  const ui = {
    say: h("p", { class: "note say" }),
    status: h("p", { class: "tiny status" }),
    values: h("div", { class: "values tiny", "aria-hidden": "true" }),
  };
  ui.weights = { plain: tiny("", "weights"), se: tiny("", "weights") };
  ui.small = { plain: tiny("", "small"), se: tiny("", "small") };
  ui.whiteSub = tiny("the answer", "wide");
  ui.pictures = {
    lamp: picture("lamp", "Under your lamp"),
    plain: picture(
      "plain",
      h("span", {}, "Plain", h("span", { class: "whole" }, " network")),
      ui.weights.plain,
      ui.small.plain,
    ),
    se: picture("se", "With SE", ui.weights.se, ui.small.se),
    white: picture("white", "White light", ui.whiteSub),
  };
  ui.meters = { plain: meter("plain"), se: meter("se") };
  ui.lamp = pad({ value: start, input: on.lamp });
  ui.train = button({ label: "", primary: true, click: on.go });
  ui.step = button({ label: "Step", click: on.step });
  ui.restart = button({ label: "Restart", click: on.restart });
  ui.fresh = button({ label: "New tiles", click: on.fresh });
  ui.album = photos({ host, samples, show: on.photo });

  ui.curve = curves({ seek: on.seek });
  ui.faders = faders({ input: on.fader });
  ui.tabs = choice({
    label: "Block",
    options: blockNames([1, 2]).map((name, b) => [b, name]),
    value: 0,
    input: (b) => on.block(Number(b)),
  });
  ui.best = tiny();
  ui.panelTitle = h("span");
  ui.bars = bars({ pick: on.pick });
  ui.fan = fan();
  ui.swing = tiny();
  const swatch = (name) => h("span", { class: `swatch ${name}`, title: name }, h("span", { class: "hidden" }, name));
  ui.swatches = choice({
    label: "Color of the lamp",
    options: COLORS.map((name, k) => [k, swatch(name)]),
    input: (k) => on.channel(Number(k)),
  });
  ui.axis = h("span", { class: "tiny axis" });

  ui.verdict = h("p", { class: "verdict" });
  ui.outcome = h("p", { class: "note" });
  const guesses = choice({
    label: "Guess",
    options: [
      ["plain", "plain"],
      ["se", "with SE"],
      ["same", "no difference"],
    ],
    input: on.guess,
  });
  ui.guess = h(
    "div",
    { class: "guess" },
    h("span", {}, h("b", {}, "Guess first."), " Which will come closer to white light?"),
    guesses,
  );
  ui.explain = h("p", { class: "note" }, "Each line is a gate. Flat: it ignores the lamp. Steep: it follows it.");
  ui.copy = button({ label: "Copy as Python", click: on.copy });
  ui.save = button({ label: "Save weights", click: on.save });
  const ways = [
    ["own", "its own"],
    ["frozen", "frozen"],
    ["other", "another picture’s"],
    ["hand", "set by hand"],
  ];
  ui.whose = choice({ label: "Whose gates?", options: ways, value: "own", input: on.whose });
  ui.thumb = h("canvas", { width: 36, height: 36, role: "img", "aria-label": "The other picture, under its own lamp" });
  ui.other = h(
    "div",
    { class: "other" },
    ui.thumb,
    h("button", { type: "button", "aria-label": "Draw another picture", onclick: on.dice }, "⚄"),
  );
  ui.later = h("span", { class: "note" }, "After training: freeze, swap and set the gates · your own photograph");
  ui.more = more({ options, rgb: ui.lamp.rgb, change: on.change });

  const longest = h("p", { class: "note say", "aria-hidden": "true" }, rich(instruction({ phase: "rest" })));
  ui.grid = h(
    "div",
    { class: "lamp", "data-open": open },
    h("div", { class: "head" }, h("h3", {}, "Two networks, one lamp"), ui.say, longest),
    Object.values(ui.pictures).map(({ box }) => box),
    h("div", { class: "padbox" }, ui.lamp, ui.values),
    Object.values(ui.meters).map(({ box }) => box),
    h("div", { class: "go" }, h("div", { class: "buttons" }, ui.step, ui.restart, ui.train), ui.status),
    h("div", { class: "tools" }, ui.fresh, ui.album.button, ui.album.panel),
    h(
      "div",
      { class: "panel curve" },
      h("div", { class: "lab titles" }, ui.panelTitle, ui.tabs, ui.best),
      ui.curve,
      ui.faders,
      h("p", { class: "tiny outlines" }, "Outlines: the network’s own gates for this lamp."),
    ),
    h(
      "div",
      { class: "panel its" },
      h("div", { class: "lab" }, "Its gates ", h("span", { class: "tiny wide" }, "on this picture")),
      ui.bars,
    ),
    h(
      "div",
      { class: "panel fan" },
      h(
        "div",
        { class: "lab" },
        h("span", { class: "wide" }, "Gates and lamp "),
        h("span", { class: "narrow" }, "Gate and lamp"),
        ui.swing,
      ),
      ui.fan,
      h("div", { class: "under" }, ui.swatches, ui.axis),
    ),
    h(
      "div",
      { class: "foot" },
      h(
        "div",
        { class: "first" },
        h("div", {}, ui.guess, ui.explain, ui.verdict, ui.outcome),
        h("div", { class: "buttons" }, ui.save, ui.copy),
      ),
      h(
        "div",
        { class: "second" },
        (ui.whoseBox = h("div", { class: "whose" }, ui.whose, ui.other)),
        ui.later,
        ui.more.toggle,
      ),
      ui.more.box,
    ),
  );
  return ui;
};
