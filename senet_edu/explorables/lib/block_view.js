/* The flow through the block: a channel is a row. Where everything is, the drawing of lines and bars, and what a
   pointer or a key does to them. */
import { clamp, colors, h, number, svg, within } from "./core.js";

const at = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
};
const text = (attributes, ...content) => svg("text", { "dominant-baseline": "central", ...attributes }, ...content);
const WIDE = 880,
  NARROW = 560;
const MOST = 4; // of a hidden unit that is pulled
const STEP = { z: 0.1, hidden: 0.1, gate: 0.05 };

/** Columns and rows for a width: x of each, or [x, width]. Without room, the shortcut and the sum are left out. */
export const geometry = (width, C) => {
  const wide = width >= WIDE,
    narrow = width < NARROW;
  const row = narrow ? 25 : 26,
    top = narrow ? 32 : 44;
  const common = { width, wide, narrow, row, top, height: top + C * row + 6, map: row - 2 };
  if (wide) {
    const less = Math.max(0, 944 - width),
      right = width - 944; // the excitation gives way
    const s = [436 - 0.75 * less, 92 - 0.25 * less];
    return {
      ...common,
      ...{ name: 120, u: 132, z: [172, 92], h: 356 - 0.3 * less, pill: 44, s },
      ...{ v: 566 + right, x: 640 + right, y: 698 + right, p: 758 + right },
      zones: { squeeze: [164, 108], excitation: [278, 262 - less], rescale: [546 + right, 64] },
      ring: [106, 620 + right],
    };
  }
  const z = narrow ? [46, 58] : [76, 110];
  const s = narrow ? [width - 114, 56] : [width - 176, 100];
  const zEnd = z[0] + z[1];
  return {
    ...common,
    ...{ name: narrow ? null : 12, u: narrow ? 4 : 28, z, pill: narrow ? 34 : 44, s },
    h: (zEnd + s[0]) / 2,
    v: width - (narrow ? 32 : 44),
    zones: {
      squeeze: [z[0] - 7, z[1] + 14],
      excitation: [zEnd + 11, s[0] + s[1] - zEnd - 4],
      rescale: [width - (narrow ? 48 : 60), narrow ? 48 : 60],
    },
    ring: [0, width],
  };
};
export const rowOf = (g, c) => g.top + (c + 0.5) * g.row;

/** A pull sideways sets a value, a click or a tap does not. A pull that becomes a scroll is undone. */
const pullable = (element, { now, set, read, click }) => {
  let held = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = { x: event.clientX, before: now(), pulled: false };
    if (event.pointerType !== "touch") element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!held || (!held.pulled && Math.abs(event.clientX - held.x) < 4)) return;
    if (!held.pulled) held.start = read(event, null); // a pull may be relative to where it began
    held.pulled = true;
    set(read(event, held));
  });
  element.addEventListener("pointerup", () => {
    if (held && !held.pulled) click?.();
    held = null;
  });
  element.addEventListener("pointercancel", () => {
    if (held?.pulled) set(held.before);
    held = null;
  });
};

/** `on`: choose(c), unit(j), pull(kind, i, value), with NaN to give the own value back. `state()` is what is shown:
    {channel, unit, own, now, pins, donor}; see block.js. */
export const makeFlow = ({ C, H, limits, on, state }) => {
  const reach = Math.ceil(10 * Math.max(...limits.flat().map(Math.abs))) / 10; // of the axis of z
  let g = geometry(944, C);
  const drawing = svg("svg", { role: "group", "aria-label": "From the means to the gates" });
  const range = (n) => Array.from({ length: n }, (_, i) => i);

  /* Elements */

  const tints = Object.fromEntries(
    ["squeeze", "excitation", "rescale"].map((name) => [
      name,
      svg("rect", { y: 0, rx: 10, fill: `var(--${name}-tint)`, class: "tint" }),
    ]),
  );
  const ring = svg("rect", { rx: 5, fill: "none", stroke: "var(--ink)", "stroke-width": 1.8, class: "ring" });
  const lines = svg("g", { fill: "none", "aria-hidden": "true" });
  const heads = svg("g", { "aria-hidden": "true" });
  const zero = svg("line", { stroke: "var(--soft)", "stroke-width": 0.8 });
  const half = svg("line", { stroke: "var(--ink)", "stroke-dasharray": "2 2", "pointer-events": "none" });
  const edges = [
    range(H).flatMap((j) => range(C).map((c) => ({ c, j, path: svg("path") }))), // W1
    range(C).flatMap((c) => range(H).map((j) => ({ c, j, path: svg("path") }))), // W2
  ];
  const dotted = () => svg("circle", { r: 2.5, fill: "var(--ink)", class: "pulled" });
  const group = (kind, i, label, [least, most], parts) =>
    svg(
      "g",
      {
        role: "slider",
        class: `pull pull-${kind}`,
        "data-index": i,
        "aria-label": label,
        "aria-valuemin": least,
        "aria-valuemax": most,
      },
      ...Object.values(parts),
    );
  const means = range(C).map((c) => {
    const parts = {
      hit: svg("rect", { class: "hit" }),
      bar: svg("rect", { height: 10, rx: 2, fill: "var(--squeeze)" }),
      tick: svg("line", { class: "own" }),
      grip: svg("circle", { fill: "var(--squeeze)", stroke: "var(--card)", "stroke-width": 1.5 }),
      value: text({ class: "value" }),
      dot: dotted(),
    };
    const [low, high] = limits.map((bound) => bound[c]);
    return { ...parts, group: group("z", c, `z ${c}`, [low.toFixed(2), high.toFixed(2)], parts) };
  });
  const units = range(H).map((j) => {
    const parts = {
      pill: svg("rect", { height: 24, rx: 12 }),
      value: text({ "text-anchor": "middle", class: "value" }),
      dot: dotted(),
    };
    return { ...parts, group: group("hidden", j, `hidden unit ${j}`, [0, MOST], parts) };
  });
  const gates = range(C).map((c) => {
    const parts = {
      hit: svg("rect", { class: "hit" }),
      track: svg("rect", { height: 12, rx: 2.5, fill: "var(--card)", stroke: "var(--edge)" }),
      bar: svg("rect", { height: 12, rx: 2.5, stroke: "var(--edge)", class: "bar" }),
      tick: svg("line", { class: "own" }),
      dot: dotted(),
    };
    return { ...parts, group: group("gate", c, `gate ${c}`, [0, 1], parts) };
  });
  const label = {
    box: svg("rect", { width: 34, height: 18, rx: 4, fill: "var(--card)", stroke: "var(--ink)" }),
    value: text({ "text-anchor": "middle", class: "value strong" }),
  };
  const chosen = svg("g", { "aria-hidden": "true", "pointer-events": "none" }, label.box, label.value);
  const names = range(C).map((c) => text({ "text-anchor": "middle", class: "tick" }, c));
  const arrows = svg("path", { fill: "none", stroke: "var(--soft)", "stroke-width": 1.4 });
  const operators = svg("g", { "aria-hidden": "true" });
  const groups = (items) => items.map((item) => item.group);
  for (const mark of names) mark.setAttribute("aria-hidden", "true");
  drawing.append(
    ...Object.values(tints),
    ring,
    heads,
    zero,
    lines,
    ...names,
    operators,
    arrows,
    ...groups(means),
    ...groups(units),
    ...groups(gates),
    half,
    chosen,
  );
  lines.append(...edges.flat().map(({ path }) => path));

  /* What moves them */

  const KINDS = { z: means, hidden: units, gate: gates };
  const bounds = (kind, i) => (kind === "z" ? limits.map((b) => b[i]) : [0, kind === "hidden" ? MOST : 1]);
  const shown = (kind, i) => state().now[{ z: "z", hidden: "hidden", gate: "gates" }[kind]][i];
  const set = (kind, i, value) => {
    const [low, high] = bounds(kind, i);
    const rounded = Math.round(100 * value) / 100;
    on.pull(kind, i, Number.isNaN(value) ? NaN : clamp(rounded, low, high), rounded < low || rounded > high);
  };
  const across = (event) => within(drawing, event)[0];
  const reading = {
    z: (event) => ((across(event) - g.z[0]) / g.z[1]) * 2 * reach - reach,
    gate: (event) => (across(event) - g.s[0]) / g.s[1],
    hidden: (event, held, i) =>
      held ? held.start.value + (across(event) - held.start.x) / 40 : { x: across(event), value: shown("hidden", i) },
  };
  const mark = (kind, i) => (kind === "hidden" ? on.unit(i) : on.choose(i));
  for (const [kind, items] of Object.entries(KINDS))
    items.forEach(({ group }, i) => {
      pullable(group, {
        now: () => state().pins[kind][i],
        set: (value) => (mark(kind, i), set(kind, i, value)),
        read: (event, held) => reading[kind](event, held, i),
        click: () => (kind === "hidden" ? toggle(i) : on.choose(i)),
      });
      group.addEventListener("focus", () => group.matches(":focus-visible") && mark(kind, i));
      if (kind === "hidden") group.addEventListener("pointerenter", () => on.unit(i));
      group.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const [low, high] = bounds(kind, i);
        const act = (value) => (mark(kind, i), set(kind, i, value));
        const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -4, PageUp: 4 }[event.key];
        const to = { ArrowUp: i - 1, ArrowDown: i + 1 }[event.key];
        if (by) act(shown(kind, i) + by * STEP[kind]);
        else if (to !== undefined) focus(kind, clamp(to, 0, items.length - 1));
        else if (event.key === "Home" || event.key === "End") act(event.key === "Home" ? low : high);
        else if (event.key === "Delete" || event.key === "Backspace") act(NaN);
        else if (kind === "hidden" && (event.key === "Enter" || event.key === " ")) toggle(i);
        else return;
        event.preventDefault();
      });
    });
  const toggle = (j) => (on.unit(j), set("hidden", j, state().pins.hidden[j] === 0 ? NaN : 0));
  const focus = (kind, i) => {
    KINDS[kind][i].group.focus();
    mark(kind, i);
  };

  /* Where they are */

  const unitAt = (j) => g.top + ((j + 0.5) * C * g.row) / H;
  const curve = (x0, y0, x1, y1) => `M${x0} ${y0}C${(x0 + x1) / 2} ${y0} ${(x0 + x1) / 2} ${y1} ${x1} ${y1}`;
  const place = (width) => {
    g = geometry(width, C);
    at(drawing, { width: g.width, height: g.height, viewBox: `0 0 ${g.width} ${g.height}` });
    for (const [name, [x, w]] of Object.entries(g.zones)) at(tints[name], { x, width: w, height: g.height });
    const [zx, zw] = g.z,
      [sx, sw] = g.s,
      zEnd = zx + zw;
    at(zero, { x1: zx + zw / 2, x2: zx + zw / 2, y1: g.top, y2: g.height - 5 });
    at(half, { x1: sx + sw / 2, x2: sx + sw / 2, y1: g.top, y2: g.height - 5 });
    means.forEach(({ hit, bar, grip, value, tick, dot }, c) => {
      const y = rowOf(g, c);
      at(hit, { x: zx - 6, y: y - g.row / 2, width: zw + 12, height: g.row });
      at(bar, { y: y - 5 });
      at(grip, { cy: y, r: g.narrow ? 4.5 : 5 });
      at(value, { y, visibility: g.narrow ? "hidden" : "visible" });
      at(tick, { y1: y - 9, y2: y + 9 });
      at(dot, { cx: zEnd + 2, cy: y });
    });
    units.forEach(({ pill, value, dot }, j) => {
      at(pill, { x: g.h - g.pill / 2, y: unitAt(j) - 12, width: g.pill });
      at(value, { x: g.h, y: unitAt(j) });
      at(dot, { cx: g.h, cy: unitAt(j) + 17 });
    });
    gates.forEach(({ hit, track, bar, tick, dot }, c) => {
      const y = rowOf(g, c);
      at(hit, { x: sx - 4, y: y - g.row / 2, width: sw + 8, height: g.row });
      at(track, { x: sx, y: y - 6, width: sw });
      at(bar, { x: sx, y: y - 6 });
      at(tick, { y1: y - 9, y2: y + 9 });
      at(dot, { cx: sx + sw + 5, cy: y });
    });
    names.forEach((mark, c) =>
      at(mark, { x: g.name ?? 0, y: rowOf(g, c), visibility: g.name === null ? "hidden" : "visible" }),
    );
    for (const { path, c, j } of edges[0]) at(path, { d: curve(zEnd + 4, rowOf(g, c), g.h - g.pill / 2, unitAt(j)) });
    for (const { path, c, j } of edges[1]) at(path, { d: curve(g.h + g.pill / 2, unitAt(j), sx - 3, rowOf(g, c)) });
    headings();
  };
  const headings = () => {
    const [zx, zw] = g.z,
      [sx, sw] = g.s;
    const head = (x, words, tone) =>
      text({ x, y: g.narrow ? 9 : 12, "text-anchor": "middle", class: `head ${tone ?? ""}` }, words);
    const sign = (x, ...content) =>
      text({ x, y: g.narrow ? 23 : 31, "text-anchor": "middle", class: "sign" }, ...content);
    const low = (letter, index) => [letter, svg("tspan", { dy: 3, class: "low" }, index)];
    const middle = g.map / 2;
    const weights = g.narrow
      ? [sign(g.h - 26, ...low("W", "1")), sign(g.h + 26, ...low("W", "2"))]
      : [
          sign((zx + zw + g.h - g.pill / 2) / 2, ...low("W", "1")),
          text({ x: g.h, y: 31, "text-anchor": "middle", class: "tick" }, "ReLU"),
          sign((g.h + g.pill / 2 + sx) / 2, ...low("W", "2")),
        ];
    heads.replaceChildren(
      head(g.u + middle, "Map"),
      sign(g.u + middle, "u"),
      head(zx + zw / 2, "Squeeze", "squeeze"),
      sign(zx + zw / 2, "z"),
      head(g.zones.excitation[0] + g.zones.excitation[1] / 2, "Excitation", "excitation"),
      ...weights,
      sign(sx + sw / 2, "s"),
      head(g.zones.rescale[0] + g.zones.rescale[1] / 2, "Rescale", "rescale"),
      sign(g.v + middle, "s·u"),
      ...(g.wide
        ? [
            head(50, "Picture"),
            head(g.x + middle, "Shortcut"),
            sign(g.x + middle, "x"),
            head(g.y + middle, "Sum"),
            head((g.p + g.width) / 2, "Answer"),
          ]
        : []),
    );
    operators.replaceChildren(
      ...(g.wide
        ? range(C).flatMap((c) => [
            text({ x: g.x - 8, y: rowOf(g, c), "text-anchor": "end", class: "tick" }, "+"),
            text({ x: g.y - 9, y: rowOf(g, c), "text-anchor": "end", class: "tick" }, "="),
          ])
        : []),
    );
    const arrow = (x0, x1, y) => `M${x0} ${y}H${x1}m-5 -5l5 5l-5 5`;
    at(arrows, {
      d: g.wide ? arrow(0, 96, g.top + 346) + arrow(g.y + 32, g.p - 4, g.top + 140) : "",
    });
  };

  /* What they say */

  const draw = () => {
    const { channel, unit, own, now, pins, donor, weights } = state();
    const [zx, zw] = g.z,
      [sx, sw] = g.s,
      middle = zx + zw / 2;
    const zAt = (value) => middle + (clamp(value, -reach, reach) / reach) * (zw / 2);
    at(ring, { x: g.ring[0] + 1, width: g.ring[1] - 2, y: rowOf(g, channel) - g.row / 2, height: g.row });
    const speak = (group, kind, i, value) => {
      const words = kind === "hidden" && value === 0 ? "off" : number(value);
      const whose = !Number.isNaN(pins[kind][i]) ? "set by you" : donor && kind === "gate" ? `the ${donor}'s` : "own";
      at(group, {
        "aria-valuenow": value.toFixed(2),
        "aria-valuetext": `${words}, ${whose}`,
        tabindex: i === (kind === "hidden" ? Math.max(unit, 0) : channel) ? 0 : -1,
      });
    };
    const differ = (item, kind, i, x) => {
      at(item.dot, { visibility: Number.isNaN(pins[kind][i]) ? "hidden" : "visible" });
      at(item.tick, { x1: x, x2: x });
    };
    means.forEach((item, c) => {
      const { bar, grip, value, group, tick } = item;
      const x = zAt(now.z[c]);
      at(bar, { x: Math.min(x, middle), width: Math.abs(x - middle) });
      at(grip, { cx: x });
      at(value, { x: middle + (now.z[c] < 0 ? 7 : -7), "text-anchor": now.z[c] < 0 ? "start" : "end" });
      value.textContent = number(now.z[c]);
      differ(item, "z", c, zAt(own.z[c]));
      at(tick, { visibility: Number.isNaN(pins.z[c]) ? "hidden" : "visible" });
      speak(group, "z", c, now.z[c]);
    });
    units.forEach(({ pill, value, group, dot }, j) => {
      const on = now.hidden[j] > 0;
      at(pill, {
        fill: on ? "var(--excitation)" : "var(--card)",
        stroke: on ? "var(--excitation-text)" : "var(--soft)",
        "stroke-dasharray": on ? "none" : "3 3",
        "stroke-width": unit === j ? 2.2 : 1,
      });
      at(value, { class: on ? "value unit" : "value off" });
      value.textContent = on ? number(now.hidden[j]) : "off";
      at(dot, { visibility: Number.isNaN(pins.hidden[j]) ? "hidden" : "visible" });
      speak(group, "hidden", j, now.hidden[j]);
    });
    gates.forEach((item, c) => {
      at(item.bar, { width: Math.max(1, now.gates[c] * sw), fill: colors.css(colors.gate(now.gates[c])) });
      differ(item, "gate", c, sx + own.gates[c] * sw);
      at(item.tick, { visibility: Math.abs(now.gates[c] - own.gates[c]) < 0.005 ? "hidden" : "visible" });
      speak(item.group, "gate", c, now.gates[c]);
    });
    const value = now.gates[channel],
      x = value > 0.6 ? sx + 21 : sx + sw - 20;
    at(chosen, { visibility: g.narrow ? "hidden" : "visible" });
    at(label.box, { x: x - 17, y: rowOf(g, channel) - 9 });
    at(label.value, { x, y: rowOf(g, channel) });
    label.value.textContent = number(value);
    const products = [
      edges[0].map(({ c, j }) => weights.w1[j][c] * now.z[c]),
      edges[1].map(({ c, j }) => weights.w2[c][j] * now.hidden[j]),
    ];
    edges.forEach((layer, k) => {
      const most = Math.max(1e-6, ...products[k].map(Math.abs));
      layer.forEach(({ path, c, j }, i) => {
        const share = Math.abs(products[k][i]) / most;
        const lit = unit >= 0 ? j === unit : c === channel;
        const rest = k === 0 && now.hidden[j] === 0 ? 0.09 : 0.18;
        at(path, {
          stroke: products[k][i] >= 0 ? "var(--ink)" : "var(--minus)",
          "stroke-dasharray": products[k][i] >= 0 ? "none" : "4 2.5",
          "stroke-width": share < 0.03 ? 0 : 0.5 + 2.6 * share,
          opacity: donor && k === 1 ? 0.06 : lit ? 0.95 : rest,
        });
      });
    });
  };

  return { drawing, place, draw, geometry: () => g };
};

/** The sixteen maps of a column: a list with one tab stop, or a picture that goes along. */
export const makeMaps = ({ C, kind, label, choose }) => {
  const canvases = Array.from({ length: C }, () => h("canvas"));
  if (!label) {
    const box = h("div", { class: `maps ${kind}`, "aria-hidden": "true" }, canvases);
    return { box, canvases, speak: () => {} };
  }
  const options = canvases.map((canvas, c) =>
    h("div", { role: "option", id: `${kind}-${c}`, "aria-label": `${label} ${c}` }, canvas),
  );
  const box = h("div", { class: `maps ${kind}`, role: "listbox", tabindex: 0, "aria-label": `${label}s` }, options);
  let channel = 0;
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowUp: channel - 1, ArrowDown: channel + 1, Home: 0, End: C - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    channel = clamp(to, 0, C - 1); // at once: the next key may come before the next frame
    choose(channel);
  });
  const speak = (c) => {
    channel = c;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === c)));
    box.setAttribute("aria-activedescendant", `${kind}-${c}`);
  };
  return { box, canvases, speak };
};
