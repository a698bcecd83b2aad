/* Dots with their intervals on a common axis. Places are percents of a cell's width, so a plot fits any table.
   dotplot.css has the look. */
import { clamp, h, number } from "./core.js";

/** A round step and its multiples within a range, no more than `most` steps. */
export const ticks = ([low, high], most) => {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((s) => (high - low) / s <= most) ?? 100;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return { step, values: Array.from({ length: count }, (_, i) => (first + i) * step) };
};

/** The axis of a plot over a range [low, high]. */
export const axis = (range) => {
  const at = (value) => clamp((100 * (value - range[0])) / (range[1] - range[0]), 0, 100);
  const left = (value) => `left: ${at(value).toFixed(2)}%`;
  const inside = (value) => value >= range[0] && value <= range[1];
  const mark = (kind, value, ...words) => h("i", { class: kind, style: left(value) }, ...words);
  return {
    left,
    inside,
    line: (value) => mark("line", value),
    /** What a row shows: a dot, hollow where its interval holds `line`, or an arrow where it lies outside of the range;
        the interval; and `others`, for instance of single seeds, as small marks. */
    row: ({ value, low = value, high = value, others = [], line = 0 }) =>
      [
        mark("line", line),
        ...others.flatMap((other, i) =>
          other != null && inside(other) ? [h("i", { class: "seed", "data-seed": i, style: left(other) })] : [],
        ),
        low < high && low <= range[1] && high >= range[0]
          ? h("i", { class: "interval", style: `${left(low)}; width: ${(at(high) - at(low)).toFixed(2)}%` })
          : null,
        inside(value)
          ? mark(low < high && low <= line && high >= line ? "dot open" : "dot", value)
          : mark("off", value, value < line ? "\u25c0" : "\u25b6"),
      ].filter(Boolean),
    /** The numbers below the plot; where it is narrow and they are many, every other one. */
    numbers: (most, format = number) => {
      const { step, values } = ticks(range, most);
      const kind = (value) => (values.length > 4 && Math.round(value / step) % 2 ? "between" : "");
      return values.map((value) =>
        h("span", { class: kind(value), style: left(value) }, format(value, step < 1 ? 1 : 0)),
      );
    },
  };
};
