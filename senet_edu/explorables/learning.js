/* Chapter 6: histograms of the gates of every block, scrubbed over training, and numbers by step, all linked. */

import css from "./learning.css";
import {
  button,
  choice,
  clamp,
  colors,
  drag,
  figure,
  frame,
  grid,
  h,
  link,
  number,
  slider,
  svg,
  unpack,
} from "./lib/core.js";
import rowsCss from "./lib/rows.css";

figure("se-learning", (root, { images, trial, blocks, steps, variants }, self) => {
  for (const one of variants) {
    one.heights = unpack(one.heights);
    for (const name of Object.keys(one.numbers)) one.numbers[name] = unpack(one.numbers[name]);
  }
  const total = steps.at(-1);
  const bins = variants[0].heights[0][0].length;
  const MEASURES = {
    distance: { label: "distance", head: "from ½", title: "Mean distance from one half" },
    spread: { label: "spread", head: "spread", title: "Standard deviation over images" },
    at_half: { label: "all at ½", head: "at ½", title: "Images with every gate at ½" },
  };
  const state = { variant: 0, at: steps.length - 1, block: blocks.length - 1 };
  const now = () => variants[state.variant];
  /** A number of a block after a step, of one of the seeds. */
  const value = (name, block = state.block, at = state.at, seed = 0) => now().numbers[name][seed][at][block];
  const text = (name, v) => (name === "at_half" ? `${number(100 * v, 1)} %` : number(v, 3));

  // A row a block: its histogram, and the number that the lines show.
  const rows = blocks.map((name) => {
    const bars = Array.from({ length: bins }, (_, k) =>
      svg("rect", { x: k, width: 1.04, fill: colors.css(colors.gate((k + 0.5) / bins)) }),
    );
    const outline = svg("path", { fill: "none", stroke: "var(--soft)", "vector-effect": "non-scaling-stroke" });
    const cell = h(
      "td",
      { class: "plot" },
      svg("svg", { viewBox: `0 0 ${bins} 100`, preserveAspectRatio: "none", "aria-hidden": "true" }, bars, outline),
      h("i"),
    );
    const figure = h("td", { class: "figure" });
    return { bars, outline, figure, row: h("tr", {}, h("th", { scope: "row" }, name), cell, figure) };
  });
  const head = h("th", { scope: "col" });
  const body = h(
    "tbody",
    { "aria-label": "Blocks. Move with the arrow keys." },
    rows.map(({ row }) => row),
  );
  const table = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col", class: "over" }, "gates"), head)),
    body,
    h(
      "tfoot",
      { "aria-hidden": "true" },
      h(
        "tr",
        {},
        h("td"),
        h("td", {}, h("div", { class: "ends" }, h("span", {}, "0 shut"), h("span", {}, "½"), h("span", {}, "1 open"))),
      ),
    ),
  );

  // Lines in a unit square, stretched to the page. Steps stand at the logarithm of one more, so that 0 has a place.
  const place = (step) => Math.log1p(step) / Math.log1p(total);
  const path = (attributes) =>
    svg("path", { fill: "none", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke", ...attributes });
  const others = path({ stroke: "var(--plain)", "stroke-width": 1, opacity: 0.75 });
  const seeds = path({ stroke: "var(--excitation)", "stroke-width": 1.2, opacity: 0.75 });
  const chosen = path({ stroke: "var(--excitation)", "stroke-width": 2.8 });
  const levels = path({ d: "M0 0H1M0 1H1", stroke: "var(--line)", "stroke-width": 1 });
  const here = h("div", { class: "here" });
  const dot = h("div", { class: "dot" });
  const top = h("span", { class: "top" });
  const area = h(
    "div",
    { class: "area" },
    svg(
      "svg",
      { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      levels,
      others,
      seeds,
      chosen,
    ),
    here,
    dot,
    top,
  );
  const marks = [0, 1, 10, 100].filter((step) => step < total / 2).concat(total);
  const axis = h(
    "div",
    { class: "axis-marks", "aria-hidden": "true" },
    marks.map((step) =>
      step < total
        ? h("span", { style: `left: ${100 * place(step)}%` }, step)
        : h("span", { class: "last" }, `step ${step}`),
    ),
  );
  const what = h("p", { class: "note what" });
  const title = h("span", { class: "label" });
  const legend = h("p", { class: "note legend" });
  const readout = h("output", { class: "note" });
  const pick = (event) => {
    const box = area.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const near = steps.map((step) => Math.abs(place(step) - x));
    return near.indexOf(Math.min(...near));
  };
  drag(
    area,
    () => state.at,
    (at) => go({ at }),
    pick,
  );

  const ceiling = (name) => {
    const all = Math.max(...variants.flatMap(({ numbers }) => numbers[name].flat(2))); // the same for all variants
    return [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5].find((n) => n >= all) ?? 1;
  };
  const draw = frame(() => {
    const name = measure.value;
    const high = ceiling(name);
    const trace = (block, seed = 0) =>
      steps
        .map(
          (step, k) =>
            `${k ? "L" : "M"}${place(step).toFixed(4)} ${(1 - value(name, block, k, seed) / high).toFixed(4)}`,
        )
        .join("");
    rows.forEach(({ bars, outline, figure, row }, k) => {
      const heights = now().heights[state.at][k];
      heights.forEach((height, i) => (bars[i].setAttribute("y", 100 - height), bars[i].setAttribute("height", height)));
      outline.setAttribute("d", `M0 100${heights.map((height, i) => `V${100 - height}H${i + 1}`).join("")}V100`);
      figure.textContent = text(name, value(name, k));
      if (k === state.block) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    others.setAttribute("d", blocks.map((_, k) => (k === state.block ? "" : trace(k))).join(""));
    chosen.setAttribute("d", trace(state.block));
    seeds.setAttribute(
      "d",
      now()
        .numbers[name].map((_, seed) => (seed ? trace(state.block, seed) : ""))
        .join(""),
    );
    dot.style.left = here.style.left = `${100 * place(steps[state.at])}%`;
    dot.style.top = `${100 * (1 - value(name) / high)}%`;
    top.textContent = name === "at_half" ? `${number(100 * high, 0)} %` : high;
    head.textContent = MEASURES[name].head;
    title.textContent = MEASURES[name].title;
    what.textContent = now().what;
    legend.replaceChildren(
      h("b", { class: "excitation" }, blocks[state.block]),
      now().numbers[name].length > 1 ? "; thin: other seeds" : "; one seed",
      "; gray: the rest",
    );
    const shown = (key) => h("span", { class: "number", "data-number": key }, text(key, value(key)));
    readout.replaceChildren(
      `${blocks[state.block]} after ${steps[state.at]} of ${total} steps: mean gate `,
      shown("mean"),
      ", distance from ½ ",
      shown("distance"),
      ", spread over images ",
      shown("spread"),
      ", all at ½ for ",
      shown("at_half"),
      " of the images.",
    );
    variant.value = now().key;
    time.value = state.at;
    if (!timer) self.say(readout.textContent);
  });

  // Every change passes here; what a reader chose goes into the link.
  let touched = false;
  const go = (change, playing = false) => {
    if (!playing) stop();
    if (!playing) touched = true;
    Object.assign(state, change);
    if (!playing) link.set("learning", `${now().key},${steps[state.at]},${blocks[state.block]}`);
    draw();
  };
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const play = button({
    label: "Play",
    click: () => {
      if (timer) return go({});
      if (state.at === steps.length - 1) go({ at: 0 });
      run(calm ? 1000 : 300); // a picture a second, as in a slide show, for whom motion disturbs
    },
  });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const run = (pace, chosen = true) => {
    play.textContent = "Pause";
    timer = setInterval(() => {
      const last = state.at + 1 >= steps.length - 1 || !self.isConnected;
      go({ at: clamp(state.at + 1, 0, steps.length - 1) }, !last || !chosen);
      if (last && !chosen) stop();
    }, pace);
  };
  /* It rests at the end, and plays once when it comes into view, unless the reader was there first. */
  const seen = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      if (timer || touched || calm) return;
      go({ at: 0 }, true);
      run(150, false);
    },
    { threshold: 0.6 },
  );
  play.className = "play";

  const variant = choice({
    label: "Network",
    options: variants.map((one) => [one.key, one.label]),
    value: variants[0].key,
    input: (key) => go({ variant: variants.findIndex((one) => one.key === key) }),
  });
  const time = slider({
    label: "Step",
    min: 0,
    max: steps.length - 1,
    step: 1,
    value: steps.length - 1,
    tone: "excitation",
    input: (at) => go({ at }),
    format: (at) =>
      `${steps[at]} of ${total}, ${number((100 * steps[at]) / total, steps[at] && steps[at] < total / 10 ? 1 : 0)} %`,
  });
  const measure = choice({
    label: "Lines by step",
    options: Object.entries(MEASURES).map(([key, { label }]) => [key, label]),
    value: "distance",
    input: draw,
  });
  for (const box of [variant, measure]) box.querySelector("legend").className = "hidden"; // the titles say it
  const cursor = grid(body, blocks.length, 1, {
    enter: (block, _, event) => event && block !== state.block && go({ block }),
  });
  cursor.row = state.block;

  root.append(
    h("style", {}, rowsCss + css),
    h("h3", {}, "Watch gates leave one half"),
    h(
      "p",
      { class: "note" },
      trial ? "A trial on a part of the training images, not the measurement. " : "",
      `Gates of ${images} test images, block by block. Heights are square roots, so that rare gates show.`,
    ),
    h("div", { class: "row" }, variant, what),
    h("div", { class: "row scrub" }, play, time),
    h(
      "div",
      { class: "views" },
      h("div", { class: "view" }, table),
      h("div", { class: "view" }, title, measure, area, axis, legend),
    ),
    readout,
  );
  self.onend = () => (stop(), seen.disconnect());
  link.follow("learning", (text) => {
    const [key, step, block] = text.split(",");
    const found = {
      variant: variants.findIndex((one) => one.key === key),
      at: steps.indexOf(Number(step)),
      block: blocks.indexOf(block),
    };
    if (Object.values(found).includes(-1)) return;
    stop();
    touched = true;
    Object.assign(state, found);
    cursor.row = state.block;
    draw();
  });
  draw();
  seen.observe(self);
});
