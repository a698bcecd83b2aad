/* Chapter 9: accuracy by block when gates are replaced, and the classes that gain and lose by it. */

import css from "./interventions.css";
import { choice, figure, grid, h, number, signed } from "./lib/core.js";
import plotCss from "./lib/dotplot.css";
import { axis } from "./lib/dotplot.js";

figure("se-interventions", (root, { images, trial, accuracy, classes, places, kinds }, self) => {
  const blocks = places.length - 1; // the last place is all blocks
  const named = (i) => (i === blocks ? "all blocks" : places[i]);
  let at = blocks - 1;
  let kind = kinds[0];

  /* A plot of rows, each with its numbers beside it */

  const plot = (names, heads, label) => {
    const numbers = h("div", { class: "axis-marks" });
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
      h("tfoot", { "aria-hidden": "true" }, h("tr", {}, h("td"), h("td", {}, numbers))),
    );
    /** `points` has {value, low, high, others, figures} for each row; `line` is where nothing changes. */
    const draw = (points, line, range) => {
      const scale = axis(range);
      points.forEach(({ figures, ...point }, i) => {
        rows[i].cell.replaceChildren(...scale.row({ ...point, line }));
        figures.forEach((text, k) => (rows[i].figures[k].textContent = text));
      });
      numbers.replaceChildren(...scale.numbers(3.2));
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
        figures: [signed(change, 1)],
      })),
      0,
      range([0, ...near.flatMap(([change, margin]) => ends({ change, margin }))]),
    );
    title.textContent = `Class by class: ${named(at)}`;
    const [low, high] = ends(e);
    read.textContent =
      `${named(at)}, ${kind.label}: ${number(e.accuracy)} % right, ${signed(e.change)} points ` +
      `(95 % interval ${signed(low)} to ${signed(high)}). ` +
      `${number(e.changed)} % of the answers change.` +
      (e.seeds.length > 1
        ? ` Over ${e.seeds.length} seeds ${number(Math.min(...e.seeds))} to ${number(Math.max(...e.seeds))} % right.`
        : "") +
      ("toward_donor" in e
        ? ` Of the changed answers, ${number(e.toward_donor, 1)} % name the class whose gates were put in; ` +
          `by chance it would be ${number(e.toward_donor_by_chance, 1)} %.`
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
    h("style", {}, plotCss + css),
    h("h3", {}, "Set the gates, count the answers"),
    h(
      "p",
      { class: "note" },
      trial
        ? `A trial on ${images.toLocaleString("en-US")} test images, not the measurement. `
        : `${images.toLocaleString("en-US")} test images. `,
      `The gray line is the untouched network: ${number(accuracy)} % right. `,
      "A dot is hollow where the 95 % interval of the change holds zero.",
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
