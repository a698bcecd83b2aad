/* Chapter 9: right answers when gates are replaced: in all blocks, and from there in single ones and class by class. */

import css from "./interventions.css";
import { button, choice, figure, grid, h, number, signed } from "./lib/core.js";
import plotCss from "./lib/dotplot.css";
import { axis } from "./lib/dotplot.js";
import rowsCss from "./lib/rows.css";

const ends = ({ change, margin }) => [change - margin, change + margin];

/** The least range that holds all values, and a little more. */
const around = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0.06 * (high - low), 0.1);
  return [low - room, high + room];
};

/** A plot of rows, each with its numbers beside it. `names` are texts or elements; `heads` name plot and numbers. */
const plot = (kind, names, heads, label) => {
  const numbers = h("div", { class: "axis-marks" });
  const rows = names.map((name) => {
    const cell = h("td", { class: "plot" });
    const figures = heads.slice(1).map((head) => h("td", { class: `figure ${head}`, "data-number": head }));
    return { cell, figures, row: h("tr", {}, h("th", { scope: "row" }, name), cell, ...figures) };
  });
  const body = h(
    "tbody",
    { "aria-label": label },
    rows.map((r) => r.row),
  );
  const head = heads.slice(1).map((text) => h("th", { scope: "col", class: text }, text));
  const over = h("th", { scope: "col", class: "over" }, heads[0]);
  const table = h(
    "table",
    { class: kind },
    h("thead", {}, h("tr", {}, h("td"), over, head)),
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
    numbers.replaceChildren(...scale.numbers(4.2));
  };
  const mark = (i) =>
    rows.forEach(({ row }, k) =>
      k === i ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current"),
    );
  return { table, body, rows: rows.map((r) => r.row), draw, mark };
};

/** An effect in per cent: the file has shares. The same multiplication as in Python, and so the same rounding. */
const percents = (value) =>
  typeof value === "number"
    ? 100 * value
    : Array.isArray(value)
      ? value.map(percents)
      : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, percents(one)]));

figure("se-interventions", (root, { images, trial, classes, places, ...shares }, self) => {
  const accuracy = 100 * shares.accuracy;
  const kinds = shares.kinds.map((k) => ({ ...k, effects: percents(k.effects) }));
  const blocks = places.length - 1; // the last place is all blocks
  const named = (i) => (i === blocks ? "all blocks" : places[i]);
  let kind = kinds[0];
  let at = blocks;

  /** What a row shows of an effect on right answers. */
  const point = (e, decimals) => {
    const [low, high] = ends(e).map((d) => accuracy + d);
    const figures = [number(e.accuracy, decimals), `${signed(e.change, decimals)} ± ${number(e.margin, decimals)}`];
    return { value: e.accuracy, low, high, others: e.seeds.length > 1 ? e.seeds : [], figures };
  };

  const radios = kinds.map((k) => h("input", { type: "radio", name: "kind", value: k.key, onchange: () => show(k) }));
  const byKind = plot(
    "by-kind",
    kinds.map((k, i) => h("label", {}, radios[i], k.label)),
    ["right answers, %", "right", "change"],
    "What is done to the gates",
  );
  byKind.rows.forEach((row, i) => row.addEventListener("click", () => show(kinds[i])));
  const byBlock = plot(
    "by-block",
    places.slice(0, -1),
    ["right answers, %", "right", "change"],
    "Blocks. Move with the arrow keys.",
  );
  const byClass = plot("by-class", classes, ["change, points", "change"], "Classes");
  const read = h("output", { class: "note" });
  const title = h("h4");

  const range = (change) => {
    const shown = zoom.value ? [kind] : kinds;
    if (view.value === "block")
      return around([
        accuracy,
        ...shown
          .flatMap((k) => k.effects.slice(0, blocks))
          .flatMap(ends)
          .map(change),
      ]);
    const near = shown.flatMap((k) => (at === blocks ? [k.effects[at]] : k.effects.slice(0, blocks)));
    return around([0, ...near.flatMap((e) => e.classes).flatMap(([d, margin]) => [d - margin, d + margin])]);
  };

  const sentence = () => {
    const e = kind.effects[at];
    const [low, high] = ends(e);
    const decimals = at === blocks ? 1 : 2;
    const share = (value) => `${number(value, 1)} %`;
    const seeds =
      e.seeds.length > 1
        ? `: ${e.seeds.length} seeds, ${share(Math.min(...e.seeds))} to ${share(Math.max(...e.seeds))}`
        : "";
    const donor =
      "toward_donor" in e
        ? ` ${share(e.toward_donor)} of the changed answers name the class whose gates were put in; by chance ` +
          `${share(e.toward_donor_by_chance)}.`
        : "";
    const change = `${number(accuracy, decimals)} → ${number(e.accuracy, decimals)} % right`;
    read.replaceChildren(
      h("b", {}, `${named(at)[0].toUpperCase()}${named(at).slice(1)}, ${kind.label}: ${change}`),
      h("br"),
      `${kind.what.replace(/^[^:]*: /, "").replace(/^./, (letter) => letter.toUpperCase())}. The change is ` +
        `${signed(e.change, decimals)} points (95 % interval ${signed(low, decimals)} to ` +
        `${signed(high, decimals)}${seeds}). ` +
        `${share(e.changed)} of the answers change.${donor}`,
    );
    self.say(read.textContent);
  };

  const select = (i) => {
    at = i;
    byBlock.mark(at);
    sentence();
  };

  const draw = () => {
    const classwise = view.value === "class";
    byBlock.table.hidden = classwise;
    byClass.table.hidden = !classwise;
    title.textContent = classwise ? `Class by class: ${named(at)}` : `One by one: ${kind.label}`;
    if (classwise) {
      const points = kind.effects[at].classes.map(([change, margin]) => ({
        value: change,
        low: change - margin,
        high: change + margin,
        figures: [`${signed(change, 1)} ± ${number(margin, 1)}`],
      }));
      byClass.draw(points, 0, range());
    } else
      byBlock.draw(
        kind.effects.slice(0, blocks).map((e) => point(e, 2)),
        accuracy,
        range((d) => accuracy + d),
      );
    select(at);
  };

  const show = (chosen) => {
    kind = chosen;
    at = blocks;
    radios.forEach((radio, i) => (radio.checked = kinds[i] === kind));
    byKind.mark(kinds.indexOf(kind));
    draw();
  };

  const view = choice({
    label: "Show",
    options: [
      ["block", "blocks"],
      ["class", "classes"],
    ],
    value: "block",
    input: () => draw(),
  });
  // On a phone one of the two stands at a time.
  const both = h("div", { class: "both", "data-side": "all" });
  const side = choice({
    label: "Blocks",
    options: [
      ["all", `all ${blocks} at once`],
      ["one", "one by one"],
    ],
    value: "all",
    input: (which) => (both.dataset.side = which),
  });
  side.classList.add("sides");
  const zoom = button({ label: "Zoom in", pressed: false, click: () => draw() });
  const cursor = grid(byBlock.body, blocks, 1, { enter: select });
  cursor.row = blocks - 1;
  byKind.draw(
    kinds.map((k) => point(k.effects[blocks], 1)),
    accuracy,
    [0, 100],
  );

  both.append(
    h("div", {}, h("h4", {}, `All ${blocks} blocks at once`), byKind.table),
    h(
      "div",
      {},
      h("div", { class: "head" }, title, h("div", { class: "row" }, view, zoom)),
      byBlock.table,
      byClass.table,
    ),
  );
  root.append(
    h("style", {}, plotCss + rowsCss + css),
    h("h3", {}, "Set the gates, count the answers"),
    h(
      "p",
      { class: "note" },
      trial ? `A trial on ${images.toLocaleString("en-US")} test images, not the measurement. ` : "",
      `Choose what is done to the gates in all ${blocks} blocks. The gray line is the untouched network: ` +
        `${number(accuracy, 1)} % of ${images.toLocaleString("en-US")} test images right.`,
    ),
    read,
    side,
    both,
    h("p", { class: "note" }, "A hollow dot has zero in its 95 % interval. Small marks are single seeds."),
  );
  show(kind);
});
