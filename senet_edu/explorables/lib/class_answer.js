/* What the two classifiers make of a picture: the probabilities of both, and the gates of the one with SE. */
import { colors, gateScale, h, pixels } from "./core.js";

const percent = (p) => `${Math.round(100 * p)} %`;

/** The answers: `draw({ names, view, truth })`; `view` is { plain, se } or null, `truth` a class by number or null. */
export const answers = () => {
  const list = h("div", { class: "bars" });
  let rows = [];
  const make = (name) => {
    const [plain, se] = ["plain", "se"].map((kind) => ({
      bar: h("i", { class: kind }),
      value: h("span", { class: `value ${kind}` }),
    }));
    const label = h("span", { class: "name" });
    const track = h("div", { class: "track" }, plain.bar, se.bar);
    return { name, plain, se, label, row: h("div", {}, label, track, plain.value, se.value) };
  };
  const key = h(
    "div",
    { class: "key tiny" },
    h("span", { class: "plain" }, "plain"),
    h("span", { class: "se" }, "with SE"),
  );
  const draw = ({ names, view, truth }) => {
    if (rows.map(({ name }) => name).join("\n") !== names.join("\n")) {
      rows = names.map(make);
      list.replaceChildren(...rows.map(({ row }) => row));
    }
    rows.forEach(({ plain, se, label, row }, k) => {
      label.textContent = k === truth ? `✓ ${names[k]}` : names[k];
      row.classList.toggle("true", k === truth);
      for (const [name, { bar, value }] of Object.entries({ plain, se })) {
        const p = view?.[name].probabilities[k] ?? 0;
        bar.style.width = `${100 * p}%`;
        value.textContent = view ? percent(p) : "";
        value.classList.toggle("first", view !== null && p === Math.max(...view[name].probabilities));
      }
    });
  };
  return { box: h("div", { class: "answers" }, key, list), draw };
};

/** A strip of gates for each block: `draw(gates)`, lists of numbers by the block's name, or null. */
export const strips = () => {
  const list = h("div", { class: "strips" });
  const box = h("div", { class: "gates" }, h("div", { class: "lab" }, "SE gates ", gateScale()), list);
  let blocks = {};
  const draw = (gates) => {
    const names = Object.keys(gates ?? {});
    if (names.join() !== Object.keys(blocks).join()) {
      blocks = Object.fromEntries(names.map((name) => [name, h("canvas", { role: "img" })]));
      const row = (name) => h("div", {}, h("span", { class: "tiny" }, `block ${name.slice(5, 8)}`), blocks[name]);
      list.replaceChildren(...names.map(row));
    }
    for (const name of names) {
      const values = [...gates[name]];
      pixels(blocks[name], values, values.length, colors.gate);
      const [least, most] = [Math.min(...values), Math.max(...values)].map((v) => v.toFixed(2));
      blocks[name].setAttribute("aria-label", `${values.length} gates of block ${name}: ${least} to ${most}`);
    }
  };
  return { box, draw };
};
