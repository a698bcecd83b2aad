/* Chapter 2: paint a map, see its mean, maximum and standard deviation, and beside it another map of the same mean. */
import { button, choice, colors, figure, frame, grid, h, number, pixels } from "./lib/core.js";
import css from "./squeeze.css";

figure("se-squeeze", (root, { side, brushes, map }, self) => {
  const count = side * side;
  const one = Float64Array.from(map);
  const two = new Float64Array(count);

  const sum = (u) => u.reduce((total, value) => total + value, 0);
  const numbers = {
    mean: (u) => sum(u) / count, // equation 2
    maximum: (u) => Math.max(...u),
    "std. dev.": (u) => Math.sqrt(u.reduce((total, value) => total + (value - sum(u) / count) ** 2, 0) / count),
  };
  // Other maps with the sum of u, so with its mean.
  const others = {
    spread: (u) => u.fill(sum(one) / count),
    gathered: (u) => {
      // As many whole cells as the sum allows, nearest to the middle first, then what is left.
      const middle = (side - 1) / 2;
      const far = (i) => Math.hypot(Math.floor(i / side) - middle, (i % side) - middle);
      let left = sum(one);
      for (const i of [...u.keys()].sort((a, b) => far(a) - far(b) || a - b))
        left -= u[i] = Math.min(1, Math.max(0, left));
    },
    mirrored: (u) => one.forEach((value, i) => (u[side * Math.floor(i / side) + side - 1 - (i % side)] = value)),
    scattered: (u) => one.forEach((value, i) => (u[(i * 89 + 31) % count] = value)), // 89 and 144 share no factor
  };

  const canvas = (label) =>
    h("canvas", {
      role: "img",
      "aria-label": label,
    });
  const maps = [
    canvas("Your map. Paint with the pointer, or move with the arrow keys and paint with the space bar."),
    canvas("Another map with the same mean."),
  ];
  maps[0].setAttribute("role", "application");
  maps[0].style.cursor = "crosshair";
  const bars = maps.map(() => {
    const rows = Object.keys(numbers).map((name) => {
      const value = h("td", { class: "number", "data-number": name });
      const bar = h("div", {
        style: `height: 10px; border-radius: 3px; background: var(--${name === "mean" ? "squeeze" : "plain"})`,
      });
      return {
        value,
        bar,
        row: h(
          "tr",
          { class: name === "mean" ? "squeeze" : "" },
          h("th", { scope: "row" }, name),
          value,
          h("td", { style: "width: 45%" }, bar),
        ),
      };
    });
    return {
      rows,
      table: h(
        "table",
        {},
        rows.map((r) => r.row),
      ),
    };
  });

  const draw = frame(() => {
    two.fill(0);
    others[other.value](two);
    const says = [one, two].map((u, i) => {
      pixels(maps[i], u, side, colors.signed);
      return Object.entries(numbers).map(([name, of], k) => {
        const value = of(u);
        bars[i].rows[k].value.textContent = number(value);
        bars[i].rows[k].bar.style.width = `${100 * value}%`;
        return `${name} ${number(value)}`;
      });
    });
    self.say(`Your map: ${says[0].join(", ")}. Other map: ${says[1].join(", ")}.`);
  });

  const brush = choice({ label: "Brush", options: brushes, value: brushes[0][0] });
  const other = choice({
    label: "The same mean, but",
    options: Object.keys(others).map((name) => [name, name]),
    value: "gathered",
    input: draw,
  });
  const cursor = h("output", { class: "note" }, "Paint on the left map.");
  grid(maps[0], side, side, {
    enter: (row, column) =>
      (cursor.textContent = `row ${row}, column ${column}: ${number(one[row * side + column], 1)}`),
    press: (row, column) => {
      one[row * side + column] = Number(brush.value);
      cursor.textContent = `row ${row}, column ${column}: ${number(one[row * side + column], 1)}`;
      draw();
    },
  });

  root.append(
    h("style", {}, css),
    h("h3", {}, "Paint a map"),
    h(
      "p",
      { class: "note" },
      "Full ink is 1, the paper is 0. Of the three numbers, only the ",
      h("span", { class: "squeeze" }, "mean"),
      " goes on to the excitation.",
    ),
    h(
      "div",
      { class: "views" },
      h(
        "div",
        { class: "view" },
        h("span", { class: "label" }, "Your map"),
        h("div", { class: "both" }, maps[0], bars[0].table),
      ),
      h(
        "div",
        { class: "view" },
        h("span", { class: "label" }, "Of the same mean"),
        h("div", { class: "both" }, maps[1], bars[1].table),
      ),
    ),
    cursor,
    h(
      "div",
      { class: "row" },
      brush,
      button({ label: "Clear", click: () => (one.fill(0), draw()) }),
      button({ label: "Start again", click: () => (one.set(map), draw()) }),
      other,
    ),
  );
  self.ontheme = draw;
  draw();
});
