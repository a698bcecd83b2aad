/* The live network's two cards on one axis: this picture, a story; and 10,000 pictures, a measurement. */
import { h } from "./core.js";
import { top } from "./live_answer.js";
import { manySay, pictureSays } from "./live_words.js";

const GATES = {
  own: "own gates",
  one: "all gates open",
  frozen: "mean gates",
  shuffled: "shuffled gates",
  donor: "foreign gates",
  "": "own gates",
};

const card = () => {
  const [was, is, line] = ["was", "is", "way"].map((kind) => h("i", { class: kind }));
  const [title, value, says] = [h("span", {}), h("strong"), h("span", { class: "says" })];
  const axis = h("div", { class: "axis" }, line, was, is);
  const set = (before, after, decimals, sentence) => {
    const text = (p) => `${(100 * p).toFixed(decimals)} %`;
    value.textContent = after === undefined || after === before ? text(before) : `${text(before)} → ${text(after)}`;
    const to = after ?? before;
    was.style.left = `${100 * before}%`;
    is.style.left = `${100 * to}%`;
    line.style.left = `${100 * Math.min(before, to)}%`;
    line.style.width = `${100 * Math.abs(before - to)}%`;
    says.textContent = sentence;
  };
  /** As tall as with numbers, so that nothing moves when they come. */
  const wait = () => {
    set(0, 0, 0, "With its own gates.");
    value.textContent = "…";
  };
  return { element: h("div", { class: "card" }, title, value, axis, says), title, set, wait };
};

/** `measured`: the stored accuracies. Returns { element, draw }; `draw({ now, base, kind, own })`, where `kind` says
    which gates all blocks have and `own` that the network is the reader's. */
export const makeCards = ({ classes, measured }) => {
  const [one, many] = [card(), card()];
  const element = h("div", { class: "cards" }, one.element, many.element);
  const draw = ({ now, base, kind, own }) => {
    many.element.hidden = own; // nothing was measured of a reader's network
    const pictures = `${measured.images.toLocaleString("en-US")} pictures`;
    many.title.replaceChildren(pictures, h("span", { class: "kind" }, `, ${GATES[kind]}`), ": right");
    const right = kind === "own" ? measured.right : measured.after[kind];
    if (!now || !base) {
      one.title.textContent = "This picture: how sure?";
      one.wait();
      many.set(measured.right, right, 1, "With their own gates.");
      return;
    }
    const first = top(base);
    one.title.textContent = `This picture: how sure of ${classes[first]}`;
    const [p, of] = [base.probabilities[first], now.probabilities[first]];
    const after = { name: classes[top(now)], p: now.probabilities[top(now)] };
    const same = now === base;
    one.set(p, of, 0, same ? "With its own gates." : pictureSays({ before: { name: classes[first], p }, after, of }));
    const sentence = { kind, right: measured.right, after: right, fall: p - of };
    many.set(measured.right, right, 1, same ? "With their own gates." : manySay(sentence));
  };
  return { element, draw };
};
