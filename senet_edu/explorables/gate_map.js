/* Chapter 8: mean gates, class by channel, block by block; a class as a line; numbers by depth. All are linked. */

import css from "./gate_map.css";
import {
  button,
  choice,
  clamp,
  colors,
  figure,
  frame,
  grid,
  h,
  link,
  menu,
  number,
  pixels,
  slider,
  svg,
  unpack,
} from "./lib/core.js";

figure("se-gate-map", (root, { blocks, classes, networks, ...start }, self) => {
  const SORTS = { number: "by number", mean: "by mean gate", spread: "by class spread" };
  const ROW = 24; // height of a class, px
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const deviation = (values) => Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)));

  // What can be said of every block: gates by class, the mean of all classes m, how far classes are from it.
  for (const network of networks) {
    network.blocks = network.means.map((packed) => {
      const gates = unpack(packed);
      const columns = gates[0].map((_, c) => gates.map((row) => row[c]));
      const m = columns.map(mean);
      return {
        gates,
        m,
        channels: m.length,
        between: columns.map(deviation),
        distance: gates.map((row) => mean(row.map((s, c) => Math.abs(s - m[c])))),
      };
    });
  }
  const limit =
    Math.max(
      ...networks[0].blocks.flatMap(({ gates, m }) => gates.flatMap((row) => row.map((s, c) => Math.abs(s - m[c])))),
    ) || 1;

  const state = {
    network: 0,
    block: start.block,
    chosen: start.chosen,
    channel: 0,
    sort: "mean",
    minus: false,
    over: null,
  };
  const now = () => networks[state.network].blocks[state.block];
  const order = (block) => {
    const by = { number: (c) => c, mean: (c) => block.m[c], spread: (c) => block.between[c] }[state.sort];
    return [...block.m.keys()].sort((a, b) => by(a) - by(b) || a - b);
  };
  const color = (v) => (state.minus ? colors.signed(v / limit) : colors.gate(v));
  const paint = (canvas, block, sorted) =>
    pixels(
      canvas,
      block.gates.flatMap((row) => sorted.map((c) => row[c] - (state.minus ? block.m[c] : 0))),
      block.channels,
      color,
    );

  /* Views. Lines are drawn in a unit square that is stretched to the page; texts and dots are not. */
  const plot = (...children) =>
    svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, children);
  const path = (attributes) =>
    svg("path", { fill: "none", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke", ...attributes });
  const trace = (values) => values.map((v, k) => `${k ? "L" : "M"}${(k + 0.5) / values.length} ${1 - v}`).join("");
  const level = (y) => path({ d: `M0 ${y}H1`, stroke: "var(--line)", "stroke-width": 1 });

  // All blocks side by side, a pixel a gate.
  const strip = blocks.map((name, k) => {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const box = h(
      "div",
      { class: "thumb", style: `flex-grow: ${networks[0].blocks[k].channels}`, onclick: () => go({ block: k }) },
      canvas,
      h("span", {}, name.replace("layer", "")),
    );
    return { canvas, box };
  });

  // The block that is looked at.
  const map = h("canvas", {
    role: "application",
    "aria-label": "Mean gates. Arrow keys go to other classes and channels.",
    style: `height: ${ROW * classes.length}px; width: 100%`,
  });
  const mark = h("div", { class: "mark" });
  const cross = h("div", { class: "cross" });
  const rows = choice({
    label: "Class",
    options: classes.map((name, k) => [k, name]),
    value: state.chosen,
    input: (k) => go({ chosen: k }),
  });
  rows.className = "classes";
  rows.firstChild.className = "hidden";
  const readout = h("output", { class: "readout" });
  const ramp = h("canvas", { "aria-hidden": "true" });
  const [what, low, middle, high] = Array.from({ length: 4 }, () => h("span"));
  const scale = h("div", { class: "scale" }, what, ramp, h("div", {}, low, middle, high));

  // The lines: the mean of all classes broad, the chosen one on top, and the one that is pointed at.
  const [all, chosen, other] = [
    path({ stroke: "var(--soft)", "stroke-width": 8, opacity: 0.35 }),
    path({ stroke: "var(--excitation)", "stroke-width": 2.2 }),
    path({ stroke: "var(--ink)", "stroke-width": 1.3 }),
  ];
  const half = path({ d: "M0 0.5H1", stroke: "var(--soft)", "stroke-width": 1, "stroke-dasharray": "4 4" });
  const lines = plot(level(0), level(1), half, all, other, chosen);
  const legend = h("p", { class: "legend" });
  const ends = [h("span", {}, "0"), h("span", {}), h("span", {})];

  /** The next of …, 0.05, 0.1, 0.2, 0.5, 1. */
  const nice = (v) => [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((n) => n >= v) ?? 1;

  // Numbers by depth: a line for each network, in charts that share the axis of blocks.
  const chart = (key, title, series) => {
    const top = nice(Math.max(...series.flatMap(({ values }) => values)));
    const drawn = series.map((each) => ({
      ...each,
      line: path({ stroke: each.color, "stroke-width": 2.2, "stroke-dasharray": each.dash }),
    }));
    const dot = h("div", { class: "dot" });
    const here = h("div", { class: "here", style: `--blocks: ${blocks.length}` });
    const shown = h("span", { class: "number", "data-number": key });
    const area = h(
      "div",
      { class: "area" },
      here,
      h("span", { class: "top" }, top),
      plot(level(0), level(1), ...drawn.map(({ line }) => line)),
      dot,
    );
    const pick = (event) => {
      const box = area.getBoundingClientRect();
      go({
        block: clamp(Math.floor(((event.clientX - box.left) / box.width) * blocks.length), 0, blocks.length - 1),
      });
    };
    area.addEventListener(
      "pointerdown",
      (event) => event.button || (area.setPointerCapture(event.pointerId), pick(event)),
    );
    area.addEventListener("pointermove", (event) => event.buttons && pick(event));
    const name = h("span", {}, title);
    return {
      key,
      top,
      drawn,
      dot,
      here,
      shown,
      name,
      box: h("div", { class: "chart" }, h("p", {}, name, shown), area),
    };
  };
  const by = (key) =>
    networks.map(({ numbers }, k) => ({
      network: k,
      values: numbers[key],
      color: k ? "var(--soft)" : "var(--excitation)",
    }));
  const distances = networks.flatMap((network) => network.blocks.flatMap(({ distance }) => distance));
  const charts = [
    chart("class_share", "between classes, η²", by("class_share")),
    chart("spread", "spread over images", by("spread")),
    chart("above", "above 0.95", by("above")),
    chart("below", "below 0.05", by("below")),
    chart("distance", "", [
      { of: "mean", values: distances, color: "var(--soft)", dash: "4 3" },
      { of: "chosen", values: distances, color: "var(--excitation)" },
    ]),
  ];
  // A phone has room for one of them.
  const titles = ["between classes, η²", "spread over images", "above 0.95", "below 0.05", "distance of the class"];
  const only = menu({
    label: "By depth",
    options: charts.map(({ key }, k) => [key, titles[k]]),
    value: charts[0].key,
    input: (key) => charts.forEach((one) => one.box.classList.toggle("shown", one.key === key)),
  });
  only.classList.add("only");
  charts[0].box.classList.add("shown");
  const axes = ["axis", "axis narrow"].map((kind) =>
    h(
      "div",
      { class: kind, "aria-hidden": "true" },
      blocks.map((name) => h("span", {}, name.replace("layer", ""))),
    ),
  );

  const draw = frame(() => {
    const network = networks[state.network];
    const block = now();
    const sorted = order(block);
    const name = classes[state.chosen];
    const own = { row: state.chosen, column: sorted.indexOf(state.channel) };
    const over = state.over ?? own;
    const channel = sorted[over.column];

    strip.forEach(({ canvas, box }, k) => {
      paint(canvas, network.blocks[k], order(network.blocks[k]));
      box.classList.toggle("on", k === state.block);
    });
    paint(map, block, sorted);
    mark.style.top = `${ROW * state.chosen}px`;
    cross.style.left = `${(100 * over.column) / block.channels}%`;
    cross.style.width = `${100 / block.channels}%`;
    rows.value = state.chosen;
    depth.value = state.block + 1;

    pixels(
      ramp,
      Array.from({ length: 101 }, (_, k) => (state.minus ? limit * (k / 50 - 1) : k / 100)),
      101,
      color,
    );
    what.textContent = state.minus ? "difference" : "gate";
    low.textContent = state.minus ? number(-limit) : "0";
    middle.textContent = state.minus ? "0" : "½";
    high.textContent = state.minus ? `+${number(limit)}` : "1";

    const value = (text, key) => h("span", { class: "number", "data-number": key }, text);
    readout.replaceChildren(
      h("span", {}, "channel ", value(channel, "channel")),
      h("span", {}, `${classes[over.row]} `, value(number(block.gates[over.row][channel], 3), "gate")),
      h("span", {}, "all classes ", value(number(block.m[channel], 3), "mean")),
      h("span", {}, "sd of classes ", value(number(block.between[channel], 3), "between")),
    );

    const profile = (row) => trace(sorted.map((c) => row[c]));
    all.setAttribute("d", profile(block.m));
    chosen.setAttribute("d", profile(block.gates[state.chosen]));
    other.setAttribute("d", over.row === state.chosen ? "" : profile(block.gates[over.row]));
    legend.replaceChildren(
      h("b", { class: "excitation" }, name),
      over.row === state.chosen ? "" : h("b", {}, classes[over.row]),
      h("span", { class: "soft" }, "broad: all classes"),
    );
    ends[1].textContent = `${block.channels} channels, ${SORTS[state.sort]}`;
    ends[2].textContent = block.channels - 1;
    ends[0].hidden = ends[2].hidden = state.sort !== "number";

    for (const { key, top, drawn, dot, here, shown, name: label } of charts) {
      for (const { line, values, network: of, of: k } of drawn) {
        const v =
          key === "distance"
            ? network.blocks.map(({ distance }) => (k === "chosen" ? distance[state.chosen] : mean(distance)))
            : values;
        line.setAttribute("d", trace(v.map((each) => each / top)));
        if (of != null) line.setAttribute("stroke-width", of === state.network ? 2.2 : 1.4);
      }
      const v = key === "distance" ? block.distance[state.chosen] : network.numbers[key][state.block];
      shown.textContent = number(v, 3);
      if (key === "distance")
        label.replaceChildren(
          "distance of ",
          h("b", { class: "excitation" }, name),
          h("span", { class: "dashed" }, "dashed: any class"),
        );
      dot.style.left = here.style.left = `${(100 * (state.block + 0.5)) / blocks.length}%`;
      dot.style.top = `${100 * (1 - v / top)}%`;
      dot.style.background = state.network && key !== "distance" ? "var(--soft)" : "var(--excitation)";
    }
    for (const axis of axes) [...axis.children].forEach((each, k) => each.classList.toggle("on", k === state.block));
    self.say(
      `${blocks[state.block]}, ${classes[over.row]}, channel ${channel}: ` +
        `gate ${number(block.gates[over.row][channel], 3)}, all classes ${number(block.m[channel], 3)}.`,
    );
  });

  // Every change passes here; what a reader chose goes into the link.
  const go = (change, share = true) => {
    Object.assign(state, change);
    state.chosen = Number(state.chosen);
    state.channel = Math.min(state.channel, now().channels - 1);
    state.over = null;
    Object.assign(at, { row: state.chosen, column: order(now()).indexOf(state.channel) }); // the keyboard goes on here
    if (share && ("block" in change || "chosen" in change))
      link.set("gates", `${blocks[state.block]},${classes[state.chosen]}`);
    draw();
  };
  const depth = slider({
    label: "Depth",
    min: 1,
    max: blocks.length,
    step: 1,
    value: state.block + 1,
    tone: "excitation",
    format: (k) => blocks[k - 1],
    input: (k) => go({ block: k - 1 }),
  });
  const at = grid(map, classes.length, () => now().channels, {
    enter: (row, column, event) => {
      if (!event) return;
      if (event.type === "pointermove" && !event.buttons) {
        state.over = { row, column };
        draw();
      } else go({ chosen: row, channel: order(now())[column] });
    },
    leave: () => go({}, false),
  });
  map.style.touchAction = "pan-y"; // the page still scrolls under a finger

  const names = networks.map(({ name }, k) => [k, name]);
  root.append(
    h("style", {}, css),
    h(
      "div",
      { class: "head" },
      h(
        "div",
        {},
        h("h3", {}, "Gates, block by block"),
        h("p", { class: "note" }, "Rows are classes, columns channels.", h("span", {}, " Point or use arrow keys.")),
      ),
      scale,
    ),
    h(
      "div",
      { class: "strip" },
      strip.map(({ box }) => box),
    ),
    depth,
    h(
      "div",
      { class: "both" },
      h(
        "div",
        { class: "block" },
        readout,
        rows,
        h("div", { class: "map" }, map, mark, cross),
        h(
          "div",
          { class: "lines" },
          ["1", "½", "0"].map((y, k) => h("i", { style: `top: ${50 * k}%` }, y)),
          lines,
        ),
        h("div", { class: "ends" }, ends),
        legend,
      ),
      h(
        "div",
        { class: "charts" },
        h(
          "p",
          { class: "legend" },
          h("b", {}, "By depth"),
          only,
          networks.map(({ name }, k) => h("span", { class: k ? "soft" : "excitation" }, name)),
        ),
        charts.map(({ box }) => box),
        axes,
      ),
    ),
    h(
      "div",
      { class: "row controls" },
      choice({
        label: "Sort by",
        options: [
          ["number", "number"],
          ["mean", "mean"],
          ["spread", "spread"],
        ],
        value: state.sort,
        input: (sort) => go({ sort }),
      }),
      networks.length > 1
        ? choice({ label: "Network", options: names, value: 0, input: (network) => go({ network: Number(network) }) })
        : null,
      button({ label: "Minus mean", pressed: false, click: (minus) => go({ minus }) }),
    ),
  );
  link.follow("gates", (text) => {
    const [block, name] = text.split(",");
    if (!blocks.includes(block)) return;
    go({ block: blocks.indexOf(block), chosen: classes.includes(name) ? classes.indexOf(name) : state.chosen }, false);
    requestAnimationFrame(() => self.scrollIntoView({ block: "center" }));
  });
  self.ontheme = draw;
  go({}, false);
});
