/* The elements of the classifiers' figure. `on` has what they call; class_draw.js fills them. */
import { album } from "./class_album.js";
import { answers, strips } from "./class_answer.js";
import { curve } from "./class_plots.js";
import { button, choice, h, menu } from "./core.js";
import { makePicture } from "./picture.js";
import { rich } from "./rich.js";
import { folded, seedField } from "./training_controls.js";

/** A button that acts while it is held: `act()` at once, then every 150 ms as long as `repeats()`. */
const held = ({ act, repeats }) => {
  let timer;
  const stop = () => clearInterval(timer);
  const start = () => {
    stop();
    act();
    timer = setInterval(() => (repeats() ? act() : stop()), 150);
  };
  const element = h("button", { type: "button" });
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    start();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur", "keyup"])
    element.addEventListener(end, stop);
  element.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press
  element.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    if (!event.repeat) start();
  });
  element.addEventListener("click", (event) => event.detail === 0 && !timer && act()); // of a screen reader
  return element;
};

const settings = ({ options, change }) => {
  const seed = seedField({ value: options.seed, change });
  const list = (name, label, values) =>
    menu({
      label,
      options: values.map((v) => [v, String(v)]),
      value: options[name],
      input: (v) => change({ [name]: Number(v) }),
    });
  const menus = {
    reduction: list("reduction", "r", [1, 2, 4, 8, 16]),
    steps: list("steps", "steps", [100, 200, 400, 1000]),
    rate: list("rate", "rate", [0.03, 0.1, 0.25, 0.5, 1]),
  };
  const hold = button({ label: "Hold back every fifth", pressed: options.hold, click: (on) => change({ hold: on }) });
  const { box, toggle } = folded(seed.box, Object.values(menus), hold);
  const show = (now) => {
    seed.value = now.seed;
    hold.value = now.hold;
    for (const [name, one] of Object.entries(menus)) one.value = now[name];
  };
  return { box, toggle, hold, show };
};

/** The reader's picture, and what adds it to a class. */
const picturePanel = ({ host, on }) => {
  const picture = makePicture({ host, sees: 16, changed: on.picture });
  const next = button({ label: "Held picture", click: on.next });
  const add = held({ act: on.add, repeats: () => picture.live });
  return { picture, next, add };
};

const saved = (on) => {
  const copy = button({ label: "Copy", click: on.copy });
  const code = h("pre", { tabindex: 0, "aria-label": "Python that loads the file" });
  const box = h("div", { class: "saved", hidden: true }, code, copy);
  return { copy, code, box };
};

export const parts = ({ host, options, on }) => {
  const ui = {
    say: h("p", { class: "note say" }),
    status: h("p", { class: "tiny status" }),
    train: button({ label: "", primary: true, click: on.go }),
    step: button({ label: "Step", click: on.step }),
    restart: button({ label: "Restart", click: on.restart }),
    source: choice({
      label: "Classes",
      options: [
        ["drawn", "five drawn shapes"],
        ["own", "your own"],
      ],
      value: "drawn",
      input: on.source,
    }),
    album: album(on),
    more: settings({ options, change: on.change }),
    answers: answers(),
    strips: strips(),
    curves: ["loss", "accuracy", "held"].map(curve),
    verdict: h("p", { class: "verdict" }),
    learned: h("p", { class: "note" }),
    outcome: h("p", { class: "note" }),
    saved: saved(on),
    answerTitle: h("span"),
    ...picturePanel({ host, on }),
  };
  const files = h("input", {
    type: "file",
    accept: "image/*",
    multiple: true,
    hidden: true,
    "aria-label": "Pictures for a class",
    onchange: () => on.files(null, [...files.files]),
  });
  ui.files = files;
  ui.fetch = button({ label: "Files …", click: () => ((files.value = ""), files.click()) });
  ui.another = button({ label: "Add a class", click: on.another });
  ui.less = button({ label: "Remove class", click: on.less });
  ui.removePicture = button({ label: "Remove picture", click: () => on.remove() });
  ui.ownTools = h("div", { class: "tools-of" }, ui.fetch, ui.another, ui.less, ui.removePicture, files);
  const guesses = [
    ["yes", "yes"],
    ["no", "no"],
    ["close", "too close to call"],
  ];
  ui.guessed = choice({ label: "Guess", options: guesses, input: on.guess });
  ui.question = h("span");
  ui.guess = h("div", { class: "guess" }, h("span", {}, h("b", {}, "Guess first. "), ui.question), ui.guessed);
  ui.saves = {
    se: button({ label: "Save with SE", click: () => on.save("se") }),
    plain: button({ label: "Save plain", click: () => on.save("plain") }),
  };
  ui.grid = h(
    "div",
    { class: "classes" },
    h("div", { class: "head" }, h("h3", {}, "Teach two networks your classes"), ui.say),
    h("div", { class: "go" }, h("div", { class: "buttons" }, ui.step, ui.restart, ui.train), ui.status),
    h("div", { class: "sets" }, ui.source, ui.album.box, ui.ownTools),
    h(
      "div",
      { class: "look" },
      h("div", { class: "lab" }, ui.answerTitle),
      h("div", { class: "shot" }, ui.picture.panel, ui.picture.under, h("div", { class: "acts" }, ui.next, ui.add)),
      h("div", { class: "says" }, ui.answers.box, ui.strips.box),
    ),
    h(
      "div",
      { class: "curves" },
      ui.curves.map(({ box }) => box),
    ),
    h(
      "div",
      { class: "foot" },
      h("div", { class: "found" }, h("div", {}, ui.guess, ui.verdict, ui.learned, ui.outcome)),
      h("div", { class: "second" }, h("div", { class: "buttons" }, ui.saves.se, ui.saves.plain), ui.more.toggle),
      ui.saved.box,
      ui.more.box,
    ),
  );
  ui.setSay = (text) => ui.say.replaceChildren(...rich(text));
  return ui;
};
