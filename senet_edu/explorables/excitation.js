/* Chapter 3: drag z and follow it through W1, the ReLU, W2 and the gate; see the sum behind any number. */

import css from "./excitation.css";
import { button, choice, clamp, colors, drag, figure, frame, h, number, svg, within } from "./lib/core.js";

figure("se-excitation", (root, { z: start, limit, blocks, channel }, self) => {
  const C = start.length;
  const ROW = 24; // the height of a channel, in pixels
  const TOP = 40; // of the headings
  const HEIGHT = TOP + C * ROW + 4;
  const PILL = 40; // the width of a hidden unit

  const z = Float64Array.from(start);
  let W1, W2, H; // (H, C), (C, H), the hidden width
  let now, before; // what `excite` makes of z, and of the descriptor that the figure begins with
  let strongest; // products of W1 and of W2 that are drawn with full width
  let width = 0; // of the drawing, in pixels
  const shown = { layer: "gate", index: channel }; // explained by the formula
  let held = -1; // the z under the pointer or the keyboard

  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const steps = {
    sigmoid: (x) => x.map((v) => 1 / (1 + Math.exp(-v))),
    softmax: (x) => {
      const most = Math.max(...x); // taken off, so that no exponential is infinite
      const powers = x.map((v) => Math.exp(v - most));
      const total = powers.reduce((a, b) => a + b);
      return powers.map((v) => v / total);
    },
  };
  const excite = (z) => {
    const sums = W1.map((row) => dot(row, z)); // W1 z
    const hidden = sums.map((sum) => Math.max(0, sum)); // δ(W1 z)
    const logits = W2.map((row) => dot(row, hidden)); // W2 δ(W1 z)
    return { sums, hidden, logits, gates: steps[last.value](logits) };
  };
  const low = (n) => String(n).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

  /* The drawing: its elements, then where they are, then what they say. */

  const drawing = svg("svg", {
    role: "group",
    "aria-label": "From z to the gates",
    class: "drawing",
    style: `height: ${HEIGHT}px`,
  });
  const text = (attributes, content = "") => svg("text", { "dominant-baseline": "central", ...attributes }, content);
  const at = (element, attributes) =>
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));

  /** Elements of a column: tab stops on one of them, and the arrows up and down go to the others. */
  const column = (items, enter) => {
    items.forEach((item, i) => {
      item.setAttribute("tabindex", i ? -1 : 0);
      item.addEventListener("focus", () => {
        items.forEach((other) => other.setAttribute("tabindex", other === item ? 0 : -1));
        enter(i);
      });
      item.addEventListener("keydown", (event) => {
        const to = items[i + { ArrowUp: -1, ArrowDown: 1 }[event.key]];
        if (["ArrowUp", "ArrowDown"].includes(event.key)) event.preventDefault();
        to?.focus();
      });
    });
  };
  const show = (layer, index) => {
    Object.assign(shown, { layer, index });
    draw();
  };
  const node = (layer, index, ...children) =>
    svg(
      "g",
      { role: "button", class: "node", onpointerenter: () => show(layer, index), onclick: () => show(layer, index) },
      ...children,
    );

  const band = svg("rect", { x: 0, height: ROW, rx: 4, fill: "var(--faint)" });
  const lines = svg("g", { fill: "none", "stroke-linecap": "round" });
  const units = svg("g");
  const heads = {
    z: text({ y: 9, "text-anchor": "middle", class: "head squeeze" }, "z"),
    W1: text({ y: 29, "text-anchor": "middle", class: "head" }, "W₁"),
    h: text({ y: 9, "text-anchor": "middle", class: "head excitation" }, "δ(W₁z)"),
    W2: text({ y: 29, "text-anchor": "middle", class: "head" }, "W₂"),
    s: text({ y: 9, "text-anchor": "middle", class: "head" }, "s"),
  };
  const scale = (labels) => labels.map((label) => text({ y: 29, "text-anchor": "middle", class: "tick" }, label));
  const marks = { z: scale([number(-limit, 0), "0", limit]), s: scale(["0", "½", "1"]) };
  const zero = svg("line", { class: "axis", y1: TOP, y2: HEIGHT - 4 });
  const half = svg("line", { y1: TOP, y2: HEIGHT - 4, stroke: "var(--soft)", "stroke-dasharray": "3 3" });

  const inputs = start.map((_, c) => {
    const parts = {
      hit: svg("rect", { x: 0, height: ROW, class: "hit" }),
      track: svg("rect", { height: 14, rx: 3, fill: "var(--faint)" }),
      bar: svg("rect", { height: 14, fill: "var(--squeeze)" }),
      grip: svg("circle", { r: 6, fill: "var(--squeeze)", stroke: "var(--card)", "stroke-width": 1.5 }),
      tick: svg("line", { class: "was" }),
      label: text({ x: 16, "text-anchor": "end", class: "tick" }, c),
      value: text({ class: "value" }),
    };
    const { hit, label, track, bar, tick, grip, value } = parts;
    parts.group = svg(
      "g",
      { role: "slider", class: "input", "aria-label": `z ${c}`, "aria-valuemin": -limit, "aria-valuemax": limit },
      hit,
      label,
      track,
      bar,
      tick,
      grip,
      value,
    );
    return parts;
  });
  const outputs = start.map((_, c) => {
    const parts = {
      hit: svg("rect", { height: ROW, class: "hit" }),
      track: svg("rect", { height: 14, rx: 3, fill: "var(--faint)" }),
      bar: svg("rect", { height: 14, rx: 3, stroke: "var(--soft)", "stroke-width": 0.5 }),
      tick: svg("line", { class: "was" }),
      value: text({ class: "value" }),
    };
    parts.group = node("gate", c, ...Object.values(parts));
    return parts;
  });
  let middle = [];
  let edges = [[], []]; // for W1 and for W2: {path, from, to}
  drawing.append(
    band,
    lines,
    zero,
    ...Object.values(heads),
    ...marks.z,
    ...marks.s,
    ...inputs.map((i) => i.group),
    units,
    ...outputs.map((o) => o.group),
    half,
  );
  half.style.pointerEvents = zero.style.pointerEvents = "none";

  const choose = () => {
    [, W1, W2] = blocks.find(([name]) => name === weights.value);
    H = W1.length;
    before = excite(start);
    strongest = [
      W1.map((row) => row.map((w, c) => w * start[c])),
      W2.map((row) => row.map((w, j) => w * before.hidden[j])),
    ].map((m) => Math.max(1e-6, ...m.flat().map(Math.abs)));
    middle = W1.map((_, j) => {
      const parts = {
        hit: svg("rect", { height: ROW, class: "hit" }),
        pill: svg("rect", { width: PILL, height: 20, rx: 10 }),
        value: text({ "text-anchor": "middle", class: "value" }),
      };
      parts.group = node("hidden", j, ...Object.values(parts));
      return parts;
    });
    column(
      middle.map((unit) => unit.group),
      (j) => show("hidden", j),
    );
    units.replaceChildren(...middle.map((unit) => unit.group));
    const edge = (from, to) => ({ path: svg("path"), from, to });
    edges = [
      W1.flatMap((row, j) => row.map((_, c) => edge(c, j))),
      W2.flatMap((row, c) => row.map((_, j) => edge(j, c))),
    ];
    lines.replaceChildren(...edges.flat().map((e) => e.path));
    if (shown.layer === "hidden") shown.index = Math.min(shown.index, H - 1);
    place();
  };

  const rowOf = (c) => TOP + (c + 0.5) * ROW;
  const unitAt = (j) => TOP + ((j + 0.5) * C * ROW) / H;
  let zLeft, zWide, sLeft, sWide, hX;
  const place = () => {
    if (!width) return;
    zLeft = 20;
    zWide = clamp(width * 0.24, 72, 190);
    sWide = clamp(width * 0.2, 46, 150);
    sLeft = width - 32 - sWide;
    hX = (zLeft + zWide + sLeft) / 2;
    const gap = hX - PILL / 2 - zLeft - zWide;
    for (const [key, x] of [
      ["z", zLeft + zWide / 2],
      ["W1", zLeft + zWide + gap / 2],
      ["h", hX],
      ["W2", sLeft - gap / 2],
      ["s", sLeft + sWide / 2],
    ])
      at(heads[key], { x });
    [0, 0.5, 1].forEach((t, i) => (at(marks.z[i], { x: zLeft + t * zWide }), at(marks.s[i], { x: sLeft + t * sWide })));
    at(zero, { x1: zLeft + zWide / 2, x2: zLeft + zWide / 2 });
    at(half, { x1: sLeft + sWide / 2, x2: sLeft + sWide / 2 });
    at(band, { width });
    inputs.forEach(({ hit, track, bar, grip, tick, label, value }, c) => {
      const y = rowOf(c);
      at(hit, { y: y - ROW / 2, width: zLeft + zWide + 6 });
      at(track, { x: zLeft, y: y - 7, width: zWide });
      at(bar, { y: y - 7 });
      at(grip, { cy: y });
      at(label, { y });
      at(value, { y });
      const x = zLeft + (start[c] / limit + 1) * (zWide / 2);
      at(tick, { x1: x, x2: x, y1: y - 9, y2: y + 9 });
    });
    middle.forEach(({ hit, pill, value }, j) => {
      const y = unitAt(j);
      at(hit, { x: hX - PILL / 2 - 4, y: y - ROW / 2, width: PILL + 8 });
      at(pill, { x: hX - PILL / 2, y: y - 10 });
      at(value, { x: hX, y });
    });
    outputs.forEach(({ hit, track, bar, tick, value }, c) => {
      const y = rowOf(c);
      const x = sLeft + before.gates[c] * sWide;
      at(hit, { x: sLeft - 4, y: y - ROW / 2, width: width - sLeft + 4 });
      at(track, { x: sLeft, y: y - 7, width: sWide });
      at(bar, { x: sLeft, y: y - 7 });
      at(tick, { x1: x, x2: x, y1: y - 9, y2: y + 9 });
      at(value, { x: width, y, "text-anchor": "end" });
    });
    const bend = gap > 80 ? gap / 2 : 0; // straight where there is no room for a curve
    const curve = (x0, y0, x1, y1) => `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}`;
    for (const { path, from, to } of edges[0])
      at(path, { d: curve(zLeft + zWide + 7, rowOf(from), hX - PILL / 2, unitAt(to)) });
    for (const { path, from, to } of edges[1])
      at(path, { d: curve(hX + PILL / 2, unitAt(from), sLeft - 1, rowOf(to)) });
    draw();
  };

  const draw = frame(() => {
    if (!width) return;
    now = excite(z);
    inputs.forEach(({ bar, grip, value, group }, c) => {
      const middle = zLeft + zWide / 2;
      const x = middle + (z[c] / limit) * (zWide / 2);
      at(bar, { x: Math.min(x, middle), width: Math.abs(x - middle) });
      at(grip, { cx: x });
      const off = 5 + Math.max(0, 7 - Math.abs(x - middle)); // the number stands on the other side, clear of the grip
      at(value, { x: middle + (z[c] < 0 ? off : -off), "text-anchor": z[c] < 0 ? "start" : "end" });
      value.textContent = number(z[c]);
      at(group, { "aria-valuenow": z[c].toFixed(2), "aria-valuetext": number(z[c]) });
    });
    middle.forEach(({ pill, value, group }, j) => {
      const on = now.hidden[j] > 0;
      at(pill, {
        fill: on ? "var(--excitation)" : "var(--card)",
        stroke: on ? "var(--excitation)" : "var(--soft)",
        "stroke-dasharray": on ? "none" : "3 3",
      });
      at(value, { class: on ? "value unit" : "value off" });
      value.textContent = on ? number(now.hidden[j]) : "off";
      at(group, {
        "aria-label": `hidden unit ${j}: ${value.textContent}`,
        "aria-pressed": shown.layer === "hidden" && shown.index === j,
      });
    });
    outputs.forEach(({ bar, value, group }, c) => {
      at(bar, { width: now.gates[c] * sWide, fill: colors.css(colors.gate(now.gates[c])) });
      value.textContent = number(now.gates[c]);
      at(group, {
        "aria-label": `gate ${c}: ${value.textContent}`,
        "aria-pressed": shown.layer === "gate" && shown.index === c,
      });
    });
    const gate = shown.layer === "gate";
    at(band, { y: rowOf(shown.index) - ROW / 2, visibility: gate ? "visible" : "hidden" });
    const faint = H > 8 ? 0.13 : 0.22;
    edges.forEach((layer, k) => {
      const product = ({ from, to }) => (k ? W2[to][from] * now.hidden[from] : W1[to][from] * z[from]);
      const explained = (edge) => (k === 1) === gate && edge.to === shown.index;
      const most = Math.max(1e-6, ...layer.filter(explained).map((edge) => Math.abs(product(edge))));
      for (const edge of layer) {
        const { path, from } = edge;
        const value = product(edge);
        const lit = explained(edge);
        const strength = Math.min(1.8, Math.abs(value) / (lit ? most : strongest[k]));
        at(path, {
          stroke: value > 0 ? "var(--ink)" : "var(--minus)",
          "stroke-dasharray": value > 0 ? "none" : "5 4",
          "stroke-width": strength < 0.02 ? 0 : 0.6 + 3.6 * strength,
          "stroke-opacity": lit ? 0.95 : !k && from === held ? 0.55 : faint,
        });
      }
    });
    explain();
    const on = now.hidden.filter((value) => value > 0).length;
    const open = now.gates.filter((value) => value > 0.5).length;
    facts.weights.textContent = `${2 * C * H}`;
    facts["hidden units on"].textContent = `${on} of ${H}`;
    facts["gates above ½"].textContent = `${open} of ${C}`;
    facts["sum of gates"].textContent = number(now.gates.reduce((a, b) => a + b));
    self.say(`${on} of ${H} hidden units are on. ${open} of ${C} gates are above one half. ${says}`);
  });

  /* The sum behind a number. */

  let says = "";
  const signed = (value) => (number(value).startsWith("−") ? `(${number(value)})` : number(value));
  const formula = h("div", { class: "formula" });
  const explain = () => {
    const { layer, index } = shown;
    const gate = layer === "gate";
    const [row, values, total] = gate ? [W2[index], now.hidden, now.logits[index]] : [W1[index], z, now.sums[index]];
    const terms = row.map((weight, i) => {
      const w = number(weight);
      const text = !i ? w : w.startsWith("−") ? w.replace("−", "− ") : `+ ${w}`;
      return h(
        "span",
        { class: `term ${["down", "", "up"][1 + Math.sign(weight * values[i])]}` },
        `${text}·${signed(values[i])}`,
      );
    });
    const sum = number(total);
    const left = gate ? `logit${low(index)}` : `(W₁z)${low(index)}`;
    const all = now.logits.reduce((a, x) => a + Math.exp(x), 0);
    const result = !gate
      ? `δ(${sum}) = max(0, ${sum}) = `
      : last.value === "sigmoid"
        ? `s${low(index)} = σ(${sum}) = `
        : `s${low(index)} = exp(${sum}) / sum of all exp = ${number(Math.exp(total))} / ${number(all)} = `;
    const value = number(gate ? now.gates[index] : now.hidden[index]);
    formula.replaceChildren(
      h(
        "div",
        {},
        h("span", { class: "number" }, `${left} =`),
        ...terms.flatMap((term) => [" ", term]),
        " ",
        h("span", { class: "number" }, `= ${sum}`),
      ),
      h(
        "div",
        {},
        result,
        h("span", { class: "number", "data-result": "" }, value),
        !gate && total <= 0 ? ": off, no say" : "",
      ),
    );
    says = gate ? `Gate ${index} is ${value}.` : `Hidden unit ${index} is ${value}.`;
  };

  const set = (c, value) => {
    z[c] = clamp(Math.round(value * 100) / 100, -limit, limit);
    draw();
  };
  inputs.forEach(({ group }, c) => {
    drag(
      group,
      () => z[c],
      (value) => set(c, value),
      (event) => ((within(drawing, event)[0] - zLeft) / zWide) * 2 * limit - limit,
    );
    group.addEventListener("pointerenter", () => ((held = c), draw()));
    group.addEventListener("pointerleave", () => ((held = -1), draw()));
    group.addEventListener("blur", () => ((held = -1), draw()));
    group.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1, Home: -Infinity, End: Infinity }[
        event.key
      ];
      if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      set(c, z[c] + by);
    });
  });
  column(
    inputs.map((input) => input.group),
    (c) => ((held = c), draw()),
  );
  column(
    outputs.map((output) => output.group),
    (c) => show("gate", c),
  );

  /* Controls. */

  const weights = choice({
    label: "Weights: trained, or random for each r",
    options: blocks.map(([name]) => [name, name]),
    value: blocks[0][0],
    input: () => choose(),
  });
  const last = choice({
    label: "Last step",
    options: Object.keys(steps).map((name) => [name, name]),
    value: "sigmoid",
    input: () => ((before = excite(start)), place()),
  });
  const facts = Object.fromEntries(
    ["weights", "hidden units on", "gates above ½", "sum of gates"].map((name) => [
      name,
      h("dd", { class: "number", "data-fact": name }),
    ]),
  );
  root.append(
    h("style", {}, css),
    h("h3", {}, "Let the channels vote"),
    h(
      "p",
      { class: "note" },
      "Drag a ",
      h("span", { class: "squeeze" }, "blue bar"),
      " and watch the gates. Point at a hidden unit or a gate to see its sum. Ticks mark where all began.",
    ),
    drawing,
    h(
      "div",
      { class: "row facts" },
      h(
        "dl",
        {},
        Object.entries(facts).map(([name, value]) => h("div", {}, h("dt", {}, name), value)),
      ),
      button({ label: "Start again", click: () => (z.set(start), draw()) }),
      button({ label: "All to 0", click: () => (z.fill(0), draw()) }),
      button({ label: "All × 2", click: () => z.forEach((value, c) => set(c, 2 * value)) }),
    ),
    formula,
    h("div", { class: "row" }, weights, last),
  );
  choose();
  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    place();
  }).observe(drawing);
});
