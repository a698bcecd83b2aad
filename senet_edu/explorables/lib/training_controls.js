/* What the figures that train networks share: the words of the button, and settings that are closed until wanted. */
import { h } from "./core.js";

export const TRAIN = {
  rest: "▶ Train",
  running: "❚❚ Pause",
  paused: "▶ Go on",
  done: "↻ Train again",
  blown: "▶ Train anew",
};

const SEEDS = 999999;
/** A field for the seed, a whole number from 0. Returns { box, value }. */
export const seedField = ({ value, change }) => {
  const read = () => Math.min(SEEDS, Math.max(0, Math.round(Number(field.value) || 0)));
  const field = h("input", { type: "number", min: 0, max: SEEDS, value, onchange: () => change({ seed: read() }) });
  return {
    box: h("label", { class: "seed" }, "seed", field),
    set value(seed) {
      field.value = seed;
    },
  };
};

/** Returns { box, toggle, open(yes) }: the settings, and the button that opens and closes them. */
export const folded = (...settings) => {
  const box = h("div", { class: "more", id: "more" }, ...settings);
  const toggle = h("button", {
    type: "button",
    class: "quiet",
    "aria-controls": "more",
    onclick: () => open(box.hidden),
  });
  const open = (yes) => {
    box.hidden = !yes;
    toggle.setAttribute("aria-expanded", String(yes));
    toggle.textContent = `${yes ? "▾" : "▸"} More`;
  };
  open(false);
  return { box, toggle, open };
};
