/* Chapter 7: differences with their intervals, the seeds of a row, and accuracy against size; all three linked. */

import css from "./ablations.css";
import { choice, clamp, figure, frame, h, number, signed, svg } from "./lib/core.js";
import plotCss from "./lib/dotplot.css";
import { axis, ticks } from "./lib/dotplot.js";

/** Names beside their dots: of `dots` [{ x, y, name, must }], the important ones first, each name goes to the first
    side where it covers no dot and no other name, or is left out; one that `must` be there takes the side with more
    room. `within` is [left, top, right, bottom]. Returns { x, y, anchor, name } of each. */
const beside = (dots, [left, top, right, bottom]) => {
  const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const taken = dots.map(({ x, y }) => [x - 5, y - 5, x + 5, y + 5]);
  return dots.flatMap(({ x, y, name, must }) => {
    const wide = 7.4 * name.length;
    const sides = [
      { x: x + 11, y: y + 4, anchor: "start", box: [x + 8, y - 8, x + 11 + wide, y + 8] },
      { x: x - 11, y: y + 4, anchor: "end", box: [x - 11 - wide, y - 8, x - 8, y + 8] },
      { x, y: y - 10, anchor: "middle", box: [x - wide / 2, y - 23, x + wide / 2, y - 7] },
      { x, y: y + 19, anchor: "middle", box: [x - wide / 2, y + 7, x + wide / 2, y + 23] },
    ];
    const free = sides.find(
      ({ box }) =>
        box[0] >= left && box[1] >= top && box[2] <= right && box[3] <= bottom && !taken.some((one) => meets(one, box)),
    );
    const side = free ?? (must ? sides[x - left > right - x ? 1 : 0] : null);
    if (!side) return [];
    taken.push(side.box);
    return [{ ...side, name }];
  });
};

figure("se-ablations", (root, { standard, ours, paper }, self) => {
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const known = (values) => values.filter((v) => v != null);
  let rows, seeds, base, single; // of what is shown: ours or the paper's
  let at = 0; // the row
  let seed = null; // an index into seeds, or null for all

  /** Mean and ends of the interval (equal where there is but one number), how both are written, and the differences. */
  const against = (row) => {
    const by = row.accuracy.map((a, i) => (a == null || base.accuracy[i] == null ? null : a - base.accuracy[i]));
    if (single) return { value: by[0], low: by[0], high: by[0], points: signed(by[0]), by };
    const [value, margin, points] = row.versus[base.key];
    return { value, low: value - margin, high: value + margin, points, by };
  };
  const theBase = () => (base.key === "plain" ? "the network without SE" : "the standard SE network");
  /* The dot plot: a table, so that rows and numbers line up. Places are percents of a cell's width. */

  const body = h("tbody", { tabindex: 0, "aria-label": "Variants. Move with the arrow keys." });
  const numbers = h("div", { class: "axis-marks" });
  const head = h("span", { class: "label" });
  let lines = []; // {row, cell, figure} of each row of the table
  let range = [-1, 1];
  const build = () => {
    const compared = rows.map(against);
    // Rows that are far off must not squeeze the others together: arrows point to them.
    const reaches = compared
      .map((d) => Math.max(Math.abs(d.low), Math.abs(d.high)))
      .filter((r) => r > 0)
      .sort((a, b) => a - b);
    const limit = 3 * (reaches[reaches.length >> 1] ?? 1);
    const near = compared.filter((d) => Math.max(Math.abs(d.low), Math.abs(d.high)) <= limit);
    const ends = [0, ...near.flatMap((d) => [d.low, d.high, ...known(d.by)])].map((v) => clamp(v, -limit, limit));
    const room = 0.05 * (Math.max(...ends) - Math.min(...ends));
    range = [Math.min(...ends) - room, Math.max(...ends) + room];
    const plot = axis(range);
    let group;
    lines = [];
    body.replaceChildren(
      ...rows.flatMap((row, i) => {
        const d = compared[i];
        const cell = h("td", { class: "plot" });
        const isBase = row === base;
        cell.append(...(isBase ? [plot.line(0)] : plot.row({ ...d, others: single ? [] : d.by })));
        const figure = h("td", { class: "figure" }, isBase ? "base" : d.points);
        const line = h("tr", { "data-row": row.key }, h("th", { scope: "row" }, row.title), cell, figure);
        lines.push({ line, cell });
        const opens = row.group !== group && row.group !== "no SE";
        group = row.group;
        return [
          opens && h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: 3 }, row.group)),
          line,
        ].filter(Boolean);
      }),
    );
    numbers.replaceChildren(...plot.numbers(6, signed));
    head.textContent = `Accuracy, points above ${theBase()}`;
  };

  /* Seed by seed: the base on the left, the row on the right, a line for each seed. */

  const W = 300,
    H = 170; // about as many pixels on the page, so that text keeps its size
  const pairs = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "pairs" });
  const cloud = svg("svg", { viewBox: `0 0 ${W} 210`, role: "img", class: "cloud" });
  const text = (x, y, anchor, ...words) => svg("text", { x, y, "text-anchor": anchor }, ...words);
  const drawPairs = (row) => {
    const [a, b] = [base.accuracy, row.accuracy];
    const both = seeds.map((s, i) => ({ s, i, from: a[i], to: b[i] })).filter((p) => p.from != null && p.to != null);
    const values = both.flatMap((p) => [p.from, p.to]);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = Math.max(0.1 * (high - low), 0.2);
    [low, high] = [low - room, high + room];
    const y = (v) => 138 - (128 * (v - low)) / (high - low);
    const { step, values: marks } = ticks([low, high], 4);
    pairs.replaceChildren(
      ...marks.flatMap((v) => [
        svg("line", { x1: 42, x2: W - 4, y1: y(v), y2: y(v), class: "rule" }),
        text(36, y(v) + 4, "end", number(v, step < 1 ? 1 : 0)),
      ]),
      ...both.map((p) => {
        const focus = seed === p.i,
          dim = seed != null && !focus;
        return svg(
          "g",
          { class: `pair${focus ? " focus" : dim ? " dim" : ""}`, "data-seed": p.i },
          svg("line", { x1: 92, x2: 240, y1: y(p.from), y2: y(p.to), class: p.to < p.from ? "falls" : "" }),
          svg("circle", { cx: 92, cy: y(p.from), r: 5, class: "from" }),
          svg("circle", { cx: 240, cy: y(p.to), r: 5, class: "to" }),
        );
      }),
      text(92, 160, "middle", base.key === "plain" ? "no SE" : "standard SE"),
      text(240, 160, "middle", row === base ? "itself" : "this variant"),
    );
    pairs.setAttribute(
      "aria-label",
      both.map((p) => `${single ? "one number" : `seed ${p.s}`}: ${number(p.from)} to ${number(p.to)} %`).join(", "),
    );
  };

  /* Size against accuracy. */

  const drawCloud = (row) => {
    const key = single ? "parameters" : size.value;
    const shown = rows.filter((r) => r[key] != null);
    const dots = shown.map((r) => ({ r, x: r[key], y: mean(known(r.accuracy)) }));
    const xs = dots.map((d) => d.x);
    // The same range as in the dot plot; what lies outside stays at the edge, and paler.
    const middle = base.accuracy[seed] ?? mean(known(base.accuracy));
    const [low, high] = range.map((v) => middle + v);
    const own = known(row.accuracy);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    const x = (v) => 62 + ((W - 92) * (v - x0)) / (x1 - x0 || 1);
    const y = (v) => clamp(156 - (132 * (v - low)) / (high - low), 24, 160);
    const { step, values: marks } = ticks([low, high], 4);
    const mega = x1 >= 1e6;
    const { step: xstep, values: xticks } = ticks([x0 / (mega ? 1e6 : 1e3), x1 / (mega ? 1e6 : 1e3)], 3.5);
    const accuracy = (d) => (seed == null || d.r.accuracy[seed] == null ? d.y : d.r.accuracy[seed]);
    const mark = (d) => {
      const chosen = d.r === row;
      const value = accuracy(d);
      const out = value < low || value > high;
      const kind = d.r === base ? "base" : d.r.group.startsWith("no SE") ? "plain" : "";
      return svg("circle", {
        cx: x(d.x),
        cy: y(value),
        r: chosen ? 7 : 4.5,
        class: `mark ${kind}${chosen ? " chosen" : ""}${out ? " out" : ""}`,
        "data-row": d.r.key,
        onpointerenter: () => d.r !== rows[at] && select(rows.indexOf(d.r)),
      });
    };
    const order = [...dots].sort((a, b) => (a.r === row) - (b.r === row));
    // Names: of the chosen row and of the base, and then, where there is room, of those that stand out.
    const rank = (d) => (d.r === row ? 2 : d.r === base ? 1 : Math.abs(accuracy(d) - middle) / 1e3);
    const names = [...dots]
      .sort((a, b) => rank(b) - rank(a))
      .map((d) => ({ x: x(d.x), y: y(accuracy(d)), name: d.r.mark, must: rank(d) >= 1 }));
    cloud.replaceChildren(
      ...marks.flatMap((v) => [
        svg("line", { x1: 42, x2: W - 4, y1: y(v), y2: y(v), class: "rule" }),
        text(36, y(v) + 4, "end", number(v, step < 1 ? 1 : 0)),
      ]),
      ...xticks.map((v) => text(x(v * (mega ? 1e6 : 1e3)), 180, "middle", number(v, xstep < 1 ? 1 : 0))),
      text(
        (62 + W - 30) / 2,
        201,
        "middle",
        `${key === "parameters" ? "parameters" : "multiply-adds"}, ${mega ? "millions" : "thousands"}`,
      ),
      ...(row[key] != null && !single
        ? own
            .filter((v) => v > low && v < high)
            .map((v) => svg("circle", { cx: x(row[key]), cy: y(v), r: 2.5, class: "own" }))
        : []),
      ...order.map(mark),
      ...beside(names, [42, 0, W, 168]).map((n) =>
        svg(
          "text",
          { x: n.x, y: n.y, "text-anchor": n.anchor, class: `name${n.name === row.mark ? " chosen" : ""}` },
          n.name,
        ),
      ),
    );
    cloud.setAttribute(
      "aria-label",
      `${shown.length} variants, mean accuracy in percent against ${key === "parameters" ? key : "multiply-adds"}`,
    );
  };

  const say = (row) => {
    const d = against(row);
    const name = row.group.startsWith("no SE") ? row.title : `${row.group}, ${row.title}`;
    const at = `${number(mean(known(row.accuracy)))} % right`;
    const counted = (n) => (n >= 1e6 ? `${number(n / 1e6, 1)} million` : n.toLocaleString("en-US"));
    const cost = row.parameters == null ? "" : `, ${counted(row.parameters)} parameters`;
    if (row === base) return `${name}: ${at}${cost}. All others are compared with it.`;
    if (single)
      return (
        `${name}: ${at}${cost}, ${signed(d.value)} points against ${theBase()} (${row.table}). ` +
        "One number and no spread: no interval can be given."
      );
    const kind = d.low > 0 ? "above zero" : d.high < 0 ? "below zero" : "includes zero";
    const one = seed == null || d.by[seed] == null ? "" : ` Seed ${seeds[seed]}: ${signed(d.by[seed])}.`;
    return (
      `${name}: ${at} on the mean of ${known(d.by).length} seeds${cost}; ${signed(d.value)} points against ` +
      `${theBase()}, 95 % interval ${signed(d.low)} to ${signed(d.high)} (${kind}).${one}`
    );
  };

  const mark = frame(() => {
    const row = rows[at];
    lines.forEach(({ line }, i) =>
      i === at ? line.setAttribute("aria-current", "true") : line.removeAttribute("aria-current"),
    );
    for (const dot of body.querySelectorAll(".seed")) dot.classList.toggle("focus", Number(dot.dataset.seed) === seed);
    body.classList.toggle("one", seed != null);
    title.textContent = single ? "One number each" : "Seed by seed, % right";
    drawPairs(row);
    drawCloud(row);
    read.textContent = say(row);
    self.say(read.textContent);
  });
  const select = (i) => ((at = clamp(i, 0, rows.length - 1)), mark());

  const show = () => {
    const before = rows?.[at];
    const source = whose.value === "ours" ? ours : paper;
    ({ rows, seeds } = source);
    single = source === paper;
    base = rows.find((row) => row.key === versus.value);
    at = Math.max(
      0,
      rows.findIndex((row) => row.key === (before?.key ?? standard)),
    );
    if (single) seed = null;
    for (const box of [which, size]) box.disabled = single;
    which.value = seed ?? "all";
    const [few, many] = ["min", "max"].map((of) => Math[of](...rows.map((row) => known(row.accuracy).length)));
    note.textContent = single
      ? `The paper's Tables 10 to 16: ${paper.about}. One number a row and no spread, so there are no intervals.`
      : `${ours.about}: a reduced version, not the full training. A dot is the mean over ` +
        `${few === many ? many : `${few} to ${many}`} seeds, small marks are single seeds, and the bar is the 95 % ` +
        "interval. Hollow: it includes zero.";
    build();
    mark();
  };

  const whose = choice({
    label: "Runs",
    options: [
      ["ours", "ours, reduced"],
      ["paper", "the paper's"],
    ],
    value: "ours",
    input: show,
  });
  const versus = choice({
    label: "Compared with",
    options: [
      ["plain", "no SE"],
      [standard, "standard SE"],
    ],
    value: "plain",
    input: show,
  });
  const which = choice({
    label: "Mark a seed",
    options: [["all", "none"], ...ours.seeds.map((s, i) => [i, s])],
    value: "all",
    input: (v) => ((seed = v === "all" ? null : Number(v)), mark()),
  });
  const size = choice({
    label: "Size and mean accuracy, %",
    options: [
      ["parameters", "parameters"],
      ["operations", "multiply-adds"],
    ],
    value: "parameters",
    input: mark,
  });
  const note = h("p", { class: "note" });
  const title = h("span", { class: "label" });
  const read = h("output", { class: "note" });

  const rowOf = (event) => rows.findIndex((row) => row.key === event.target.closest("[data-row]")?.dataset.row);
  for (const name of ["pointermove", "pointerdown"])
    body.addEventListener(name, (event) => {
      const i = rowOf(event);
      if (i >= 0 && i !== at) select(i);
    });
  body.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const moves = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 };
    if (!(event.key in moves)) return;
    select(moves[event.key]);
    event.preventDefault();
  });

  root.append(
    h("style", {}, plotCss + css),
    h("h3", {}, "What helps, and how sure is it?"),
    note,
    h("div", { class: "row" }, whose, versus, which),
    h(
      "div",
      { class: "views" },
      h(
        "div",
        { class: "view wide" },
        head,
        h("table", {}, body, h("tfoot", { "aria-hidden": "true" }, h("tr", {}, h("td"), h("td", {}, numbers)))),
        read,
      ),
      h(
        "div",
        { class: "views side" },
        h("div", { class: "view" }, title, pairs),
        h("div", { class: "view" }, size, cloud),
      ),
    ),
  );
  show();
});
