/* The settings of the lamp's figure, closed until wanted. */
import { choice, h, menu, number, slider } from "./core.js";
import { folded, seedField } from "./training_controls.js";

const PLACES = [
  ["1,2", "both"],
  ["1", "layer 1"],
  ["2", "layer 2"],
  ["", "none"],
];

/** `change({ name: value })`. Returns { toggle, box, show(options, rgb), code(text) }. */
export const more = ({ options, rgb, change }) => {
  const one = (name, label, pairs, read = (v) => v) => {
    const box = choice({
      label,
      options: pairs,
      value: options[name],
      input: (value) => change({ [name]: read(value) }),
    });
    return { name, box, write: (value) => String(value) };
  };
  const seed = seedField({ value: options.seed, change });
  const rate = menu({
    label: "rate",
    options: [0.001, 0.003, 0.01, 0.03, 0.1, 3].map((v) => [v, String(v)]),
    value: options.rate,
    input: (v) => change({ rate: Number(v) }),
  });
  const steps = menu({
    label: "steps",
    options: [200, 400, 1500].map((v) => [v, v.toLocaleString("en-US")]),
    value: options.steps,
    input: (v) => change({ steps: Number(v) }),
  });
  const fields = [
    one(
      "plain",
      "plain network",
      [
        [18, "as many weights"],
        [32, "three times as many"],
      ],
      Number,
    ),
    one(
      "reduction",
      "r",
      [1, 2, 4, 8].map((r) => [r, String(r)]),
      Number,
    ),
    one("layers", "SE in", PLACES, (text) => (text ? text.split(",").map(Number) : [])),
    one("squeeze", "squeeze", [
      ["avg", "mean"],
      ["max", "maximum"],
    ]),
    one("gate", "gate", [
      ["sigmoid", "sigmoid"],
      ["tanh", "tanh"],
      ["softmax", "softmax"],
    ]),
    one(
      "pace",
      "pace",
      [
        [true, "to watch"],
        [false, "as fast as it can"],
      ],
      (v) => v === "true" || v === true,
    ),
  ];
  const exact = ["red", "green", "blue"].map((name, k) =>
    slider({
      label: name,
      min: 0.2,
      max: 1,
      step: 0.01,
      value: rgb[k],
      format: (v) => number(v),
      input: () => change({ rgb: exact.map(({ value }) => value) }),
    }),
  );
  const code = h("pre", { hidden: true, tabindex: 0 });
  const { box, toggle, open } = folded(
    seed.box,
    rate,
    steps,
    fields.map((field) => field.box),
    h("fieldset", { class: "exact" }, h("legend", {}, "exact lamp"), exact),
    code,
  );
  return {
    toggle,
    box,
    show: (now, light) => {
      [seed.value, rate.value, steps.value] = [now.seed, now.rate, now.steps];
      for (const { name, box, write } of fields) box.value = write(now[name]);
      if (light) exact.forEach((one, k) => (one.value = light[k]));
    },
    /** Where a page may not write to the clipboard, the text itself. */
    code: (text) => {
      open(true);
      code.hidden = false;
      code.textContent = text;
      code.focus();
    },
  };
};
