/* The curves of the two classifiers: loss, and the share that is right, by step. */
import { h, number, svg } from "./core.js";
import { apart, smooth } from "./curves.js";

const percent = (v) => `${Math.round(100 * v)} %`;
export const KINDS = {
  loss: { title: "Loss", short: "Loss", of: "loss", show: (v) => number(v, 2), ticks: [0, 1, 2], top: 2 },
  accuracy: {
    title: "Right on training pictures",
    short: "Training pictures",
    of: "accuracy",
    show: percent,
    ticks: [0, 0.5, 1],
    top: 1,
  },
  held: {
    title: "Right on held pictures",
    short: "Held pictures",
    of: "heldAccuracy",
    show: percent,
    ticks: [0, 0.5, 1],
    top: 1,
  },
};
const LINES = [
  ["plain", "plain", "var(--plain)", 2, "p"],
  ["se", "SE", "var(--ink)", 2.6, "b"],
];

const LOOKS = 20; // times in a run that held pictures are looked at

/** Of a log the reports that bring a new measurement, and the last. */
const measured = (points) => {
  let due = 0;
  return points.filter(({ step, steps }, i) => {
    if (step < due && i < points.length - 1) return false;
    const every = Math.ceil(steps / LOOKS);
    due = (Math.floor(step / every) + 1) * every;
    return true;
  });
};

/** Of a network's log the points [step, value] of a kind: smoothed, but for held pictures, which are measured. */
export const series = (log, kind) => {
  const { of } = KINDS[kind];
  const points = log.filter((one) => one[of] !== null);
  if (kind === "held") return measured(points).map((one) => [one.step, one[of]]);
  const values = smooth(points.map((one) => one[of]));
  return points.map(({ step }, i) => [step, values[i]]);
};

/** A panel with `draw({ width, height, total, logs, classes, note })`. */
export const curve = (kind) => {
  const { title, short: brief, show, ticks, top } = KINDS[kind];
  const chart = svg("svg", { "aria-hidden": "true" });
  const named = h("span", {}, title);
  const values = h("span", { class: "tiny" });
  const heading = h("div", { class: "lab" }, named, values);
  const picture = h("div", { role: "img" }, chart);
  const box = h("div", { class: `panel ${kind}` }, heading, picture);
  const draw = ({ width, height, total, logs, classes, note }) => {
    const narrow = width < 240; // then the values stand in the title
    const [left, right, above, bottom] = [46, width - (narrow ? 6 : 92), 8, height - 18];
    const x = (step) => left + ((right - left) * step) / total;
    const y = (value) => bottom - (Math.min(value, top) / top) * (bottom - above);
    const text = (at, line, content, attributes) => svg("text", { x: at, y: line, class: "s", ...attributes }, content);
    const rule = (value, attributes) => svg("line", { x1: left, x2: right, y1: y(value), y2: y(value), ...attributes });
    const parts = ticks.flatMap((value) => [
      rule(value, { stroke: "var(--faint)" }),
      text(left - 6, y(value) + 4, kind === "loss" ? String(value) : percent(value), { "text-anchor": "end" }),
    ]);
    const labels = [];
    if (kind !== "loss") {
      parts.push(rule(1 / classes, { stroke: "var(--soft)", "stroke-dasharray": "1 3" }));
      if (!narrow) labels.push({ y: y(1 / classes), words: "guessing", kind: "s" });
    }
    const [said, ends] = [[], []];
    for (const [name, short, stroke, thick, style] of LINES) {
      const points = series(logs[name], kind);
      if (!points.length) continue;
      const d = points
        .map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`)
        .join("");
      const [step, value] = points.at(-1);
      parts.push(svg("path", { d, fill: "none", stroke, "stroke-width": thick, "stroke-linejoin": "round" }));
      parts.push(svg("circle", { cx: x(step), cy: y(value), r: thick + 1.4, fill: stroke }));
      if (!narrow) labels.push({ y: y(value), words: `${short} ${show(value)}`, kind: style });
      ends.push(`${short} ${show(value)}`);
      said.push(`${name === "se" ? "With SE" : "Plain"} ${show(value)} at step ${step}.`);
    }
    for (const { at, words, kind: style } of apart(labels, 14, bottom))
      parts.push(text(right + 8, at + 4, words, { class: style }));
    if (!said.length || note)
      parts.push(
        text((left + right) / 2, y(0.75 * top) + 4, note || (narrow ? "not yet" : "drawn while you train"), {
          "text-anchor": "middle",
        }),
      );
    parts.push(text(left, height - 3, "step 0"), text(right, height - 3, String(total), { "text-anchor": "end" }));
    named.textContent = narrow ? brief : title;
    values.textContent = narrow ? ends.join(", ") || "\u00a0" : "";
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.replaceChildren(...parts);
    picture.setAttribute("aria-label", `${title} by step. ${said.join(" ") || "Nothing yet."}`);
  };
  return { box, draw };
};
