/* Chapter 1: equation 1. One kernel of an RGB convolution, channel by channel; the weights can be changed, and pointing
   at a place shows the 27 products behind its value. */

import css from "./convolution.css";
import { choice, clamp, colors, figure, frame, grid, h, number, pixels, slider, unpack, within } from "./lib/core.js";

figure("se-convolution", (root, { side, image, kernels }, self) => {
  const channels = ["red", "green", "blue"];
  const tints = [
    [255, 92, 80],
    [88, 214, 104],
    [104, 152, 255],
  ];
  const rgb = unpack(image);
  const x = channels.map((_, s) => Float64Array.from({ length: side * side }, (_, i) => rgb[3 * i + s] / 255));
  const v = channels.map(() => new Float64Array(9));
  const maps = channels.map(() => new Float64Array(side * side)); // v^s * x^s
  const u = new Float64Array(side * side);
  const at = { row: 12, column: 7 };

  /** A pixel of channel s, zero outside of the picture. */
  const pixel = (s, row, column) =>
    Math.min(row, column) < 0 || Math.max(row, column) >= side ? 0 : x[s][row * side + column];
  const short = (weight) =>
    weight ? number(weight, Math.abs(10 * weight - Math.round(10 * weight)) < 1e-9 ? 1 : 2) : "0";
  /** Pixel and weight k of the window around a place. */
  const product = (s, row, column, k) => pixel(s, row + Math.floor(k / 3) - 1, column + (k % 3) - 1) * v[s][k];
  let stale = true; // do the maps wait for new weights?
  const refresh = () => {
    stale = true;
    draw();
  };
  const convolve = () => {
    stale = false;
    u.fill(bias.value);
    for (let s = 0; s < 3; s++)
      for (let i = 0; i < side * side; i++) {
        maps[s][i] = 0;
        for (let k = 0; k < 9; k++) maps[s][i] += product(s, Math.floor(i / side), i % side, k);
        u[i] += maps[s][i];
      }
    cells.forEach((cell, index) => {
      const value = v[Math.floor(index / 9)][index % 9];
      const color = colors.signed(value);
      cell.textContent = short(value);
      cell.setAttribute("aria-valuenow", value.toFixed(2));
      cell.style.background = colors.css(color);
      cell.style.color = colors.on(color);
    });
    results.forEach(({ canvas }, s) => pixels(canvas, maps[s], side, colors.signed));
    pixels(output.canvas, u, side, colors.signed);
  };

  /* Views: a canvas, and on it a mark, `wide` pixels wide, at the place that is looked at. */
  const view = (area, wide, attributes) => {
    const canvas = h("canvas", attributes);
    const mark = h("div", { class: "mark" });
    mark.style.width = mark.style.height = `${(100 * wide) / side}%`;
    const box = h("div", { class: "map", style: area && `grid-area: ${area}` }, canvas, mark);
    if (!attributes.role) {
      canvas.setAttribute("aria-hidden", "true");
      const point = ({ clientX, clientY }) => {
        const { left, top, width, height } = canvas.getBoundingClientRect();
        look(
          clamp(Math.floor(((clientY - top) / height) * side), 0, side - 1),
          clamp(Math.floor(((clientX - left) / width) * side), 0, side - 1),
        );
      };
      canvas.addEventListener("pointermove", point);
      canvas.addEventListener("pointerdown", point);
    }
    return {
      box,
      canvas,
      place: () => {
        mark.style.left = `${(100 * (at.column - (wide - 1) / 2)) / side}%`;
        mark.style.top = `${(100 * (at.row - (wide - 1) / 2)) / side}%`;
      },
    };
  };
  const whole = view(null, 3, {});
  const inputs = channels.map((_, s) => view(`x${s}`, 3, {}));
  const results = channels.map((_, s) => view(`m${s}`, 1, {}));
  const output = view(null, 1, {
    role: "application",
    "aria-label": "The output map u. Choose a place with the arrow keys.",
  });
  for (const { box } of results) box.classList.add("result");
  output.box.classList.add("sum");
  const views = [whole, ...inputs, ...results, output];
  const look = (row, column) => {
    Object.assign(at, { row, column });
    draw();
  };
  const keys = grid(output.canvas, side, side, { enter: look });
  Object.assign(keys, at);

  /* The kernels: 27 cells, one of which can be reached with Tab; the arrow keys do the rest. */
  const round = (value) => Math.round(10 * clamp(value, -1, 1)) / 10;
  const change = (s, k, value) => {
    v[s][k] = clamp(value, -1, 1);
    preset.value = "";
    refresh();
  };
  const nine = [...Array(9).keys()];
  const cells = channels.flatMap((channel, s) =>
    nine.map((k) => {
      const cell = h("div", {
        class: "cell",
        role: "spinbutton",
        tabindex: -1,
        "aria-valuemin": -1,
        "aria-valuemax": 1,
        "aria-label": `weight of ${channel}, row ${Math.floor(k / 3)}, column ${k % 3}`,
      });
      const index = 9 * s + k;
      cell.addEventListener("focus", () => cells.forEach((other) => (other.tabIndex = other === cell ? 0 : -1)));
      cell.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const steps = { ArrowUp: 0.1, ArrowDown: -0.1, PageUp: 0.5, PageDown: -0.5 };
        const values = { Home: -1, End: 1, 0: 0, Delete: 0, Backspace: 0 };
        const moves = { ArrowLeft: -1, ArrowRight: 1 };
        if (event.key in steps) change(s, k, round(v[s][k] + steps[event.key]));
        else if (event.key in values) change(s, k, values[event.key]);
        else if (event.key in moves) cells[(index + moves[event.key] + 27) % 27].focus();
        else return;
        event.preventDefault();
      });
      let from;
      cell.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        cell.setPointerCapture(event.pointerId);
        const [x, y] = within(cell, event);
        from = { value: v[s][k], x, y };
      });
      cell.addEventListener("pointermove", (event) => {
        if (!from) return;
        const [x, y] = within(cell, event);
        const way = x - from.x - (event.pointerType === "touch" ? 0 : y - from.y);
        if (Math.abs(way) >= 5) change(s, k, round(from.value + way / 50));
      });
      for (const end of ["pointerup", "pointercancel"]) cell.addEventListener(end, () => (from = null));
      return cell;
    }),
  );
  cells[0].tabIndex = 0;
  const editors = channels.map((channel, s) =>
    h(
      "div",
      { class: "kernel", role: "group", "aria-label": `kernel of ${channel}`, style: `grid-area: v${s}` },
      cells.slice(9 * s, 9 * s + 9),
    ),
  );

  /* The lens: the products at one place. */
  const lenses = channels.map((channel, s) => {
    const sum = h("span", { class: "number", "data-number": channel });
    const products = nine.map(() => ({ factors: h("span", {}), result: h("b", { "data-number": "product" }) }));
    const boxes = products.map(({ factors, result }) => h("div", {}, factors, result));
    return {
      sum,
      products,
      boxes,
      card: h(
        "div",
        { class: "card" },
        h("div", { class: "head" }, h("span", {}, swatch(s), channel), sum),
        h("div", { class: "nine" }, boxes),
      ),
    };
  });
  function swatch(s) {
    return h("i", { style: `background: ${colors.css(tints[s])}` });
  }
  const formula = h("output", { class: "formula" });

  const draw = frame(() => {
    if (stale) convolve();
    for (const each of views) each.place();
    const { row, column } = at;
    const i = row * side + column;
    lenses.forEach(({ sum, products, boxes }, s) => {
      sum.textContent = number(maps[s][i]);
      products.forEach(({ factors, result }, k) => {
        const value = product(s, row, column, k);
        const color = colors.signed(value);
        const seen = pixel(s, row + Math.floor(k / 3) - 1, column + (k % 3) - 1);
        factors.textContent = `${number(seen)} × ${short(v[s][k])}`;
        result.textContent = number(value);
        boxes[k].style.background = colors.css(color);
        boxes[k].style.color = colors.on(color);
      });
    });
    const term = (value) => (value < 0 ? `\u2212 ${number(-value)}` : `+ ${number(value)}`);
    const [r, g, b] = maps.map((map) => map[i]);
    formula.textContent = `u(${row}, ${column}) = ${number(r)} ${term(g)} ${term(b)} ${term(bias.value)} = `;
    formula.append(h("b", { "data-number": "u" }, number(u[i])));
    self.say(
      `Row ${row}, column ${column}: red ${number(r)}, green ${number(g)}, blue ${number(b)}, ` +
        `bias ${number(bias.value)}, together ${number(u[i])}.`,
    );
  });

  const bias = slider({ label: "bias", min: -1, max: 1, step: 0.1, value: 0, input: refresh });
  const preset = choice({
    label: "Start from",
    options: kernels.map(([name]) => [name, name]),
    value: kernels[0][0],
    input: (name) => load(name),
  });
  const load = (name) => {
    const weights = kernels.find(([key]) => key === name)[1];
    for (let s = 0; s < 3; s++) v[s].set(weights.slice(9 * s, 9 * s + 9));
    bias.value = 0;
    refresh();
  };

  pixels(
    whole.canvas,
    x[0].map((_, i) => i),
    side,
    (i) => rgb.slice(3 * i, 3 * i + 3),
  );
  inputs.forEach(({ canvas }, s) => pixels(canvas, x[s], side, (t) => tints[s].map((c) => Math.round(c * t))));

  const label = (area, ...children) => h("div", { class: "label", style: area && `grid-area: ${area}` }, ...children);
  const power = (letter) => [h("b", {}, letter), h("sup", {}, "s")];
  root.append(
    h("style", {}, css),
    h("h3", {}, "Three kernels, one map"),
    h(
      "p",
      { class: "note" },
      "Drag a weight, or focus on it and press ↑ ↓. Point at a place to see the 27 products behind its value.",
    ),
    h(
      "div",
      { class: "board" },
      label("lc", "channel ", ...power("x")),
      label("lv", "kernel ", ...power("v")),
      label("lm", ...power("v"), " ∗ ", ...power("x")),
      h("div", { style: "grid-area: x" }, label(null, "input ", h("b", {}, "X")), whole.box),
      h("div", { class: "arrow", "aria-hidden": "true" }, "→"),
      h("div", { style: "grid-area: u" }, label(null, "output ", h("b", {}, "u")), output.box),
      inputs.map(({ box }) => box),
      results.map(({ box }) => box),
      editors,
    ),
    h(
      "div",
      { class: "lens" },
      lenses.map(({ card }) => card),
    ),
    formula,
    h("div", { class: "row" }, preset, bias),
  );
  load(kernels[0][0]);
  self.ontheme = refresh;
});
