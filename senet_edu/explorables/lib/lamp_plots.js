/* The panels of the lamp's figure: learning curves, gates, the fan of gates against the lamp. Each returns an element
   with `draw(…)`; sizes are in px. */
import { clamp, colors, h, number, svg, within } from "./core.js";
import { apart, smooth } from "./curves.js";

const text = (x, y, content, attributes = {}) => svg("text", { x, y, ...attributes }, content);
const line = (x1, y1, x2, y2, attributes) => svg("line", { x1, y1, x2, y2, ...attributes });
const range = (n) => Array.from({ length: n }, (_, i) => i);
const fix = (v) => v.toFixed(1);
const css = (gate) => colors.css(colors.gate(gate));

/** Errors by step, linear from 0 to 0.32, and lines for no network at all. After training a scrubber: `seek(change)`,
    where `change` makes the new step of the one that is shown now. */
export const curves = ({ seek }) => {
  const TOP = 0.32;
  const chart = svg("svg", { "aria-hidden": "true" });
  const picture = h("div", { class: "scrub", role: "img" }, chart);
  let frame; // of the last drawing
  const stepAt = (event) => {
    const [x] = within(picture, event);
    return clamp(((x - frame.left) / (frame.right - frame.left)) * frame.total, 0, frame.last);
  };
  let held = false;
  picture.addEventListener("pointerdown", (event) => {
    if (!frame?.scrub || event.button) return;
    held = true;
    picture.setPointerCapture(event.pointerId);
    seek(() => stepAt(event));
  });
  picture.addEventListener("pointermove", (event) => held && seek(() => stepAt(event)));
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => (held = false));
  picture.addEventListener("keydown", (event) => {
    if (!frame?.scrub || event.ctrlKey || event.altKey || event.metaKey) return;
    const by = { ArrowLeft: -10, ArrowRight: 10, PageDown: -40, PageUp: 40, Home: -1e4, End: 1e4 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    seek((step) => step + by);
  });

  /** runs: { plain, se } and perhaps `past`, lists of losses; errors: what the labels say; marks: [{ error, name }]. */
  picture.draw = ({
    width,
    height,
    narrow,
    total,
    runs,
    past,
    ends,
    shown,
    baselines,
    replaced,
    scrub,
    exact,
    compact,
    alt,
  }) => {
    const bare = compact && width < 180; // no place for names: the numbers alone
    const left = 30,
      right = width - (bare ? 42 : compact ? 84 : narrow ? 102 : 122),
      bottom = height - 20,
      top = 8;
    const x = (step) => left + ((right - left) * step) / total;
    const y = (error) => top + (1 - Math.min(TOP, error) / TOP) * (bottom - top);
    const steps = Math.max(runs.plain.length, runs.se.length),
      last = Math.min(runs.plain.length, runs.se.length);
    frame = { left, right, total, last, scrub };
    const now = shown ?? (steps || total);
    const parts = [];
    for (const value of [0, 0.1, 0.2, 0.3]) {
      parts.push(line(left, y(value), right, y(value), { stroke: "var(--faint)" }));
      parts.push(text(left - 6, y(value) + 4, value ? number(value, 1) : "0", { class: "s", "text-anchor": "end" }));
    }
    const labels = [];
    const said = (name, error, decimals) => (bare ? "" : `${name} `) + number(error, decimals);
    for (const { name, short, error, dash } of baselines) {
      parts.push(line(left, y(error), right, y(error), { stroke: "var(--soft)", "stroke-dasharray": dash }));
      labels.push({
        y: y(error),
        x: right + 7,
        words: said(compact ? short : name, error, 2),
        kind: "s",
      });
    }
    const path = (losses, attributes) => {
      const points = smooth(losses).map((v, i) => `${i ? "L" : "M"}${fix(x(i + 1))} ${fix(y(v))}`);
      if (points.length > 1) parts.push(svg("path", { d: points.join(""), fill: "none", ...attributes }));
    };
    if (past) for (const losses of [past.plain, past.se]) path(losses, { stroke: "var(--line)", "stroke-width": 1.2 });
    const lines = [
      ["plain", "var(--plain)", 2, 3.5, "p"],
      ["se", "var(--ink)", 2.6, 4, "b"],
    ];
    for (const [name, stroke, thick, r, kind] of lines) {
      path(runs[name], { stroke, "stroke-width": thick });
      const value = ends[name];
      if (value === undefined) continue;
      const at = runs[name].length ? Math.min(now, runs[name].length) : total; // trained before: no curve, an end
      parts.push(svg("circle", { cx: x(at), cy: y(value), r, fill: stroke }));
      const whose = name === "plain" ? name : compact ? "SE" : "with SE";
      const words = said(whose, value, exact && !compact ? 3 : 2);
      labels.push({ y: y(value), x: exact ? right + 8 : x(at) + 8, words, kind });
    }
    if (shown !== null)
      parts.push(line(x(shown), top, x(shown), bottom, { stroke: "var(--ink)", "stroke-dasharray": "2 2" }));
    if (replaced) {
      const own = y(ends.se),
        then = y(replaced.error);
      parts.push(line(x(now), own - 4, x(now), then + 5, { stroke: "var(--ink)", "stroke-dasharray": "2 2" }));
      parts.push(
        svg("circle", { cx: x(now), cy: then, r: 4.5, fill: "var(--card)", stroke: "var(--ink)", "stroke-width": 2 }),
      );
      labels.push({
        y: then,
        x: right + 8,
        words: said(replaced.name, replaced.error, compact ? 2 : 3),
        kind: "b",
      });
    }
    const beside = (side) => labels.filter((label) => label.x >= right === side);
    for (const group of [beside(true), beside(false)])
      for (const { at, x: place, words, kind } of apart(group, narrow ? 13 : 14, bottom))
        parts.push(text(place, at + 4, words, { class: kind }));
    if (!steps && !exact && !compact)
      parts.push(text(left + 14, y(0.105), "Your training is drawn here.", { class: "s hint" }));
    if (past) parts.push(text(right - 4, top + 10, `thin: ${past.name}`, { class: "s", "text-anchor": "end" }));
    parts.push(
      text(left, height - 4, "step 0", { class: "s" }),
      text(right, height - 4, String(total), { class: "s", "text-anchor": "end" }),
    );
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren(...parts);
    picture.style.cursor = scrub ? "ew-resize" : "";
    picture.tabIndex = scrub ? 0 : -1;
    const slides = scrub && {
      role: "slider",
      "aria-valuemin": 0,
      "aria-valuemax": last,
      "aria-valuenow": shown ?? last,
    };
    for (const name of ["aria-valuemin", "aria-valuemax", "aria-valuenow"]) picture.removeAttribute(name);
    for (const [name, value] of Object.entries(slides || { role: "img" })) picture.setAttribute(name, value);
    if (scrub)
      picture.setAttribute(
        "aria-valuetext",
        `step ${shown ?? last}: plain ${number(ends.plain ?? 0, 3)}, with SE ${number(ends.se ?? 0, 3)}`,
      );
    picture.setAttribute("aria-label", alt);
  };
  return picture;
};

/** Bars for the gates of each block; one has the ring: `pick(block, channel)`. */
export const bars = ({ pick }) => {
  const chart = svg("svg", { "aria-hidden": "true" });
  const box = h("div", { class: "gates", role: "listbox", tabindex: 0, "aria-label": "Its gates" }, chart);
  let state;
  const move = (by) => {
    const flat = state.ring[0] * state.count + state.ring[1];
    const next = clamp(flat + by, 0, state.blocks * state.count - 1);
    state.ring = [Math.floor(next / state.count), next % state.count]; // at once: keys come faster than frames
    pick(...state.ring);
  };
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !state?.blocks) return;
    const by = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -state.count,
      ArrowDown: state.count,
      PageUp: -4,
      PageDown: 4,
      Home: -1e3,
      End: 1e3,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(by);
  });
  box.addEventListener("click", (event) => {
    if (!state?.blocks) return;
    const [x, y] = within(chart, event);
    const channel = clamp(Math.floor(x / state.wide), 0, state.count - 1);
    pick(clamp(Math.floor(y / state.high), 0, state.blocks - 1), channel);
  });
  let options = [];

  /** gates: a list for each block; names: of the blocks; follows(block, channel): "green". */
  box.draw = ({ width, height, gates, names, ring, follows }) => {
    const count = gates[0]?.length ?? 0,
      high = height / Math.max(2, gates.length),
      tall = high - 20,
      wide = (width - 14) / Math.max(1, count);
    state = { wide, high, count, blocks: gates.length, ring };
    const parts = gates.flatMap((values, b) => {
      const top = b * high + 3,
        [all, one] = [[], []];
      values.forEach((value, c) => {
        const size = clamp(tall * value, 1.5, tall),
          at = c * wide + 1;
        all.push(svg("rect", { x: at, y: top, width: wide - 2, height: tall, rx: 1.5, fill: "var(--faint)" }));
        all.push(
          svg("rect", {
            x: at,
            y: top + tall - size,
            width: wide - 2,
            height: size,
            rx: 1.5,
            fill: css(value),
            stroke: "var(--edge)",
            "stroke-width": 0.7,
          }),
        );
        if (b === ring[0] && c === ring[1])
          one.push(
            svg("rect", {
              x: at - 1.5,
              y: top - 2.5,
              width: wide + 1,
              height: tall + 5,
              rx: 3,
              fill: "none",
              stroke: "var(--ink)",
              "stroke-width": 1.8,
            }),
          );
      });
      const half = top + tall / 2;
      return [
        ...all,
        line(0, half, width - 14, half, { stroke: "var(--ink)", "stroke-dasharray": "2 2" }),
        ...one,
        text(width - 10, half + 4, "½", { class: "s" }),
        text(0, top + tall + 14, names[b], { class: "s" }),
      ];
    });
    if (!gates.length) parts.push(text(0, 24, "This network has no gates.", { class: "s" }));
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren(...parts);
    if (options.length !== gates.length * count) {
      options = range(gates.length * count).map((i) => h("div", { role: "option", id: `gate${i}`, class: "hidden" }));
      box.replaceChildren(chart, ...options);
    }
    options.forEach((option, i) => {
      const [b, c] = [Math.floor(i / count), i % count];
      const whom = follows(b, c);
      option.setAttribute(
        "aria-label",
        `gate ${c} of the ${names[b]}: ${number(gates[b][c])}${whom ? `, follows ${whom}` : ""}`,
      );
      option.setAttribute("aria-selected", String(b === ring[0] && c === ring[1]));
    });
    if (options.length) box.setAttribute("aria-activedescendant", `gate${ring[0] * count + ring[1]}`);
    box.setAttribute("role", gates.length ? "listbox" : "note");
  };
  return box;
};

/** One fitted line for each gate against red, green or blue of the lamp, and the dots of the ringed gate. */
export const fan = () => {
  const chart = svg("svg", { "aria-hidden": "true" });
  const picture = h("div", { role: "img" }, chart);
  /** lamps: of the probes; lists: the gates of each, flat; ring: an index; here: { lamp, gate } of the picture. */
  picture.draw = ({ width, height, lamps, lists, ring, channel, here, alt }) => {
    const left = 24,
      right = width - 6,
      bottom = height - 4;
    const x = (v) => left + ((v - 0.2) / 0.8) * (right - left),
      y = (v) => 6 + (1 - v) * (bottom - 6);
    const parts = [
      line(left, y(0.5), right, y(0.5), { stroke: "var(--soft)", "stroke-dasharray": "2 2" }),
      svg("path", { d: `M${left} 6V${bottom}H${right}`, fill: "none", stroke: "var(--line)" }),
    ];
    const xs = lamps.map((lamp) => lamp[channel]);
    for (const k of range(lists[0]?.length ?? 0)) {
      const { at, slope } = fit(
        xs,
        lists.map((list) => list[k]),
      );
      const [a, b] = [clamp(at(0.2), -0.02, 1.02), clamp(at(1), -0.02, 1.02)];
      parts.push(
        line(x(0.2), y(a), x(1), y(b), {
          stroke: "var(--excitation)",
          "stroke-opacity": k === ring ? 0 : 0.42,
          "stroke-width": 1.2,
          "data-slope": fix(slope),
        }),
      );
    }
    lists.forEach((list, i) => {
      parts.push(
        svg("circle", {
          cx: fix(x(xs[i])),
          cy: fix(y(list[ring])),
          r: width < 180 ? 2.4 : 3,
          fill: css(list[ring]),
          stroke: "var(--card)",
          "stroke-width": 0.8,
        }),
      );
    });
    if (here)
      parts.push(
        svg("circle", {
          cx: x(here.lamp[channel]),
          cy: y(here.gate),
          r: 6.5,
          fill: "none",
          stroke: "var(--ink)",
          "stroke-width": 2,
        }),
      );
    for (const [value, words] of [
      [1, "1"],
      [0.5, "½"],
      [0, "0"],
    ])
      parts.push(
        text(left - 6, y(value) + (value === 1 ? 7 : value ? 4 : 2), words, { class: "s", "text-anchor": "end" }),
      );
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren(...parts);
    picture.setAttribute("aria-label", alt);
  };
  return picture;
};

/** The line of least squares through points. */
export const fit = (xs, ys) => {
  const n = xs.length,
    mx = xs.reduce((a, b) => a + b, 0) / n,
    my = ys.reduce((a, b) => a + b, 0) / n;
  let both = 0,
    square = 0,
    other = 0;
  xs.forEach((v, i) => {
    both += (v - mx) * (ys[i] - my);
    square += (v - mx) ** 2;
    other += (ys[i] - my) ** 2;
  });
  const slope = both / square;
  return { slope, at: (v) => my + slope * (v - mx), correlation: other > 1e-12 ? both / Math.sqrt(square * other) : 0 };
};

/** Mean over gates of the range between the 5th and the 95th percentile over the probes. */
export const swing = (lists) => {
  const count = lists[0]?.length ?? 0;
  if (!count) return 0;
  const quantile = (sorted, q) => {
    const place = q * (sorted.length - 1),
      low = Math.floor(place);
    return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  };
  return (
    range(count).reduce((sum, k) => {
      const sorted = lists.map((list) => list[k]).sort((a, b) => a - b);
      return sum + quantile(sorted, 0.95) - quantile(sorted, 0.05);
    }, 0) / count
  );
};
