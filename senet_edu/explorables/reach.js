/* Chapter 10: point at a gate, and see which pixels and which channels reach it. */
import { choice, figure, frame, grid, h, link, svg } from "./lib/core.js";
import css from "./reach.css";

figure("se-reach", (root, { relatives, channels, side }, self) => {
  const state = { at: relatives.length - 1, row: 5, column: 9, channel: 10 }; // a cross, which says most at rest
  const cells = (count, columns, height = 0.92) =>
    Array.from({ length: count }, (_, k) =>
      svg("rect", { class: "cell", x: (k % columns) + 0.04, y: Math.floor(k / columns) + 0.04, width: 0.92, height }),
    );
  const dot = (r) => svg("circle", { class: "gate", r, "stroke-width": r / 3 });
  const board = (columns, rows, ...content) =>
    svg("svg", { viewBox: `0 0 ${columns} ${rows}`, "aria-hidden": "true" }, ...content);
  const pixels = cells(side * side, side);
  const strip = cells(channels, channels, 2.32);
  const [place, own] = [dot(0.42), dot(0.42)];
  const map = h("div", { class: "place", role: "group" }, board(side, side, pixels, place));
  const list = h("div", { class: "place strip", role: "group" }, board(channels, 2.4, strip, own));
  const words = h("p", { class: "verdict" });
  const counts = h("p", { class: "counts" });

  const reached = (one, i, j) => {
    const within = ([low, high], k) => low <= k && k <= high;
    if (one.cross) return i === state.row || j === state.column;
    return within(one.lines[state.row], i) && within(one.lines[state.column], j);
  };
  const hears = (one, c) => one.all || (one.channels[0] <= c - state.channel && c - state.channel <= one.channels[1]);
  const number = (key, value) => h("span", { class: "number", "data-number": key }, value);
  const draw = frame(() => {
    const one = relatives[state.at];
    const lit = pixels.map((_, k) => reached(one, Math.floor(k / side), k % side));
    const heard = strip.map((_, c) => hears(one, c));
    pixels.forEach((cell, k) => cell.classList.toggle("on", lit[k]));
    strip.forEach((cell, c) => cell.classList.toggle("on", heard[c]));
    place.setAttribute("cx", state.column + 0.5);
    place.setAttribute("cy", state.row + 0.5);
    own.setAttribute("cx", state.channel + 0.5);
    own.setAttribute("cy", 1.2);
    const [p, c] = [lit.filter(Boolean).length, heard.filter(Boolean).length];
    map.setAttribute(
      "aria-label",
      `Place of the gate: row ${state.row}, column ${state.column}. Move with the arrow keys.`,
    );
    list.setAttribute("aria-label", `Channel of the gate: ${state.channel}. Move with the arrow keys.`);
    words.textContent = one.words;
    counts.replaceChildren(
      `The gate of channel ${state.channel} at row ${state.row}, column ${state.column} can be changed by `,
      number("pixels", p),
      ` of ${side * side} pixels, in `,
      number("channels", c),
      ` of ${channels} channels.`,
    );
    self.say(`${one.name}. ${p} of ${side * side} pixels, ${c} of ${channels} channels.`);
  });
  const go = (change) => {
    Object.assign(state, change);
    draw();
  };
  const kept = (change) => {
    go(change);
    link.set("reach", `${relatives[state.at].name},${state.row},${state.column},${state.channel}`);
  };
  // The first focus must not move the gate: the keyboard begins where it stands.
  const at = grid(map, side, side, { enter: (row, column, event) => event && kept({ row, column }) });
  Object.assign(at, { row: state.row, column: state.column });
  const along = grid(list, 1, channels, { enter: (_, channel, event) => event && kept({ channel }) });
  along.column = state.channel;
  const which = choice({
    label: "Whose gate?",
    options: relatives.map(({ name }, k) => [k, name]),
    value: state.at,
    input: (k) => kept({ at: Number(k) }),
  });
  link.follow("reach", (text) => {
    const [name, ...place] = text.split(",");
    const index = relatives.findIndex((one) => one.name === name);
    const [row, column, channel] = place.map(Number);
    const whole = (n, below) => Number.isInteger(n) && 0 <= n && n < below;
    if (index < 0 || !whole(row, side) || !whole(column, side) || !whole(channel, channels)) return;
    Object.assign(at, { row, column });
    along.column = channel;
    which.value = index;
    go({ at: index, row, column, channel });
  });

  root.append(
    h("style", {}, css),
    h("h3", {}, "Who reaches a gate?"),
    h("p", { class: "note" }, "Choose a relative, then point at a pixel or a channel. Blue can change the gate there."),
    h(
      "div",
      { class: "views" },
      h(
        "div",
        { class: "view picture" },
        map,
        h("p", { class: "note" }, `${channels} channels, 0 to ${channels - 1}`),
        list,
      ),
      h(
        "div",
        { class: "view words" },
        which,
        words,
        counts,
        h(
          "p",
          { class: "note" },
          h("i", { class: "key seen" }),
          "reaches the gate ",
          h("i", { class: "key own" }),
          "the gate itself",
        ),
      ),
    ),
  );
  draw();
});
