/* Chapter 10: accuracy by block when gates are replaced, and the classes that gain and lose by it. */
import { choice, clamp, figure, grid, h, number } from "./lib/core.js";

figure("se-interventions", (root, { images, trial, accuracy, classes, places, kinds }, self) => {
  const blocks = places.length - 1; // the last place is all blocks
  const named = (i) => (i === blocks ? "all blocks" : places[i]);
  const signed = (value, decimals = 2) =>
    (value > 0 && Number(value.toFixed(decimals)) ? "+" : "") + number(value, decimals);
  let at = blocks - 1;
  let kind = kinds[0];

  /* A plot of rows: a dot with an interval in each, a line through all. Places on it are percents, so it fits any width. */

  const ticks = ([low, high]) => {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => (high - low) / s <= 3.2) ?? 100;
    const first = Math.ceil(low / step - 1e-9);
    return {
      step,
      values: Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step),
    };
  };
  const plot = (names, heads, label) => {
    const axis = h("div", { class: "axis-marks" });
    const rows = names.map((name) => {
      const cell = h("td", { class: "plot" });
      const figures = heads.slice(1).map((head) => h("td", { class: "figure", "data-number": head }));
      return { cell, figures, row: h("tr", {}, h("th", { scope: "row" }, name), cell, ...figures) };
    });
    const body = h(
      "tbody",
      { "aria-label": label },
      rows.map((r) => r.row),
    );
    const table = h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          h("th", { scope: "col", class: "over" }, heads[0]),
          heads.slice(1).map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      body,
      h("tfoot", { "aria-hidden": "true" }, h("tr", {}, h("td"), h("td", {}, axis))),
    );
    /** `points` has {value, low, high, others, figures} for each row; `line` is where nothing changes. */
    const draw = (points, line, range) => {
      const place = (value) => (100 * (value - range[0])) / (range[1] - range[0]);
      const left = (value) => `left: ${clamp(place(value), 0, 100).toFixed(2)}%`;
      points.forEach(({ value, low, high, others, figures }, i) => {
        const inside = value >= range[0] && value <= range[1];
        const span = clamp(place(high), 0, 100) - clamp(place(low), 0, 100);
        rows[i].cell.replaceChildren(
          h("i", { class: "line", style: left(line) }),
          ...others.filter((v) => v >= range[0] && v <= range[1]).map((v) => h("i", { class: "seed", style: left(v) })),
          inside ? h("i", { class: "interval", style: `${left(low)}; width: ${span.toFixed(2)}%` }) : "",
          inside
            ? h("i", { class: low <= line && high >= line ? "dot open" : "dot", style: left(value) })
            : h("i", { class: "off", style: left(value) }, value < line ? "\u25c0" : "\u25b6"),
        );
        figures.forEach((text, k) => (rows[i].figures[k].textContent = text));
      });
      const { step, values } = ticks(range);
      axis.replaceChildren(...values.map((v) => h("span", { style: left(v) }, number(v, step < 1 ? 1 : 0))));
    };
    const mark = (i) =>
      rows.forEach(({ row }, k) =>
        k === i ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current"),
      );
    return { table, body, draw, mark };
  };

  /** The least range that holds all values, and a little more. */
  const range = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = Math.max(0.06 * (high - low), 0.1);
    return [low - room, high + room];
  };
  const ends = ({ change, margin }) => [change - margin, change + margin];
  const single = (k) => k.effects.slice(0, blocks);

  const byBlock = plot(
    [...places.slice(0, -1), "all blocks"],
    ["right answers, %", "right", "change"],
    "Blocks. Move with the arrow keys.",
  );
  byBlock.table.classList.add("by-block");
  const byClass = plot(classes, ["change, points", "change"], "Classes");
  const what = h("p", { class: "what" });
  const title = h("span", { class: "label" });
  const read = h("output", { class: "note" });

  const select = (i) => {
    at = i;
    const e = kind.effects[at];
    const shown = scale.value === "same" ? kinds : [kind];
    const near = shown.flatMap((k) => (at === blocks ? [k.effects[at]] : single(k))).flatMap((one) => one.classes);
    byBlock.mark(at);
    byClass.draw(
      e.classes.map(([change, margin]) => ({
        value: change,
        low: change - margin,
        high: change + margin,
        others: [],
        figures: [signed(change, 1)],
      })),
      0,
      range([0, ...near.flatMap(([change, margin]) => ends({ change, margin }))]),
    );
    title.textContent = `Class by class: ${named(at)}`;
    const [low, high] = ends(e);
    read.textContent =
      `${named(at)}, ${kind.label}: ${number(e.accuracy)} % right, ${signed(e.change)} points (95 % interval ${signed(low)} to ${signed(high)}). ` +
      `${number(e.changed)} % of the answers change.` +
      (e.seeds.length > 1
        ? ` Over ${e.seeds.length} seeds ${number(Math.min(...e.seeds))} to ${number(Math.max(...e.seeds))} % right.`
        : "") +
      ("toward_donor" in e
        ? ` Of the changed answers, ${number(e.toward_donor, 1)} % name the class whose gates were put in; by chance it would be ${number(e.toward_donor_by_chance, 1)} %.`
        : "");
    self.say(read.textContent);
  };

  const show = () => {
    kind = kinds.find((k) => k.key === which.value);
    what.textContent = `${kind.what[0].toUpperCase()}${kind.what.slice(1)}.`;
    const near = (scale.value === "same" ? kinds : [kind]).flatMap(single);
    byBlock.draw(
      kind.effects.map((e) => {
        const [low, high] = ends(e).map((d) => accuracy + d);
        return {
          value: e.accuracy,
          low,
          high,
          others: e.seeds.length > 1 ? e.seeds : [],
          figures: [number(e.accuracy), signed(e.change)],
        };
      }),
      accuracy,
      range([accuracy, ...near.flatMap(ends).map((d) => accuracy + d)]),
    );
    select(at);
  };

  const which = choice({
    label: "What is done to the gates",
    options: kinds.map((k) => [k.key, k.label]),
    value: kind.key,
    input: show,
  });
  const scale = choice({
    label: "Scale",
    options: [
      ["same", "the same for all"],
      ["zoom", "zoomed in"],
    ],
    value: "same",
    input: show,
  });
  const cursor = grid(byBlock.body, places.length, 1, { enter: select });
  cursor.row = at;

  root.append(
    h(
      "style",
      {},
      `
      table { border-collapse: collapse; font-size: 14px; width: 100%; }
      th { font-weight: 400; padding: 0 8px 0 4px; text-align: left; white-space: nowrap; }
      thead th { color: var(--soft); font-size: 13px; text-align: right; padding: 0 4px 2px 8px; }
      thead th.over { padding: 0 0 2px; text-align: left; }
      tbody tr { height: 28px; }
      .by-block tbody tr { cursor: pointer; }
      .by-block tbody tr:last-child > * { border-top: 1px solid var(--line); }
      tr[aria-current] { background: var(--faint); }
      tr[aria-current] th { font-weight: 650; }
      .plot { padding: 0; position: relative; width: 100%; }
      .figure { padding: 0 4px 0 10px; text-align: right; white-space: nowrap; }
      .plot i { position: absolute; top: 0; }
      .line { border-left: 2px solid var(--plain); bottom: 0; margin-left: -1px; }
      .seed { border-left: 1px solid var(--soft); height: 8px; margin-top: 17px; }
      .interval { background: var(--excitation); border-radius: 2px; height: 4px; margin-top: 12px; min-width: 2px; opacity: 0.75; }
      .dot { background: var(--excitation); border: 2px solid var(--excitation-text); border-radius: 50%; height: 12px; margin: 8px 0 0 -6px; width: 12px; }
      .dot.open { background: var(--card); }
      .off { color: var(--excitation-text); font-size: 13px; font-style: normal; line-height: 28px; margin-left: -4px; }
      .axis-marks { color: var(--soft); font-size: 13px; height: 20px; position: relative; }
      .axis-marks span { position: absolute; transform: translateX(-50%); }
      .views { row-gap: 18px; }
      .view { flex-basis: 300px; }
      .what { margin: 2px 0 0; }
      output { display: block; min-height: 4.4em; }`,
    ),
    h("h3", {}, "Set the gates, count the answers"),
    h(
      "p",
      { class: "note" },
      trial
        ? `A trial on ${images.toLocaleString("en-US")} test images, not the measurement. `
        : `${images.toLocaleString("en-US")} test images. `,
      `The gray line is the untouched network: ${number(accuracy)} % right. A dot is hollow where the 95 % interval of the change holds zero.`,
    ),
    h("div", { class: "row" }, which, scale),
    what,
    h(
      "div",
      { class: "views" },
      h("div", { class: "view" }, h("span", { class: "label" }, "Block by block"), byBlock.table),
      h("div", { class: "view" }, title, byClass.table),
    ),
    read,
  );
  show();
});
