/* The chosen channel, large, in three panes: squeeze, excitation, rescale. One is open. */

import { histogram, shuffled, stacked } from "./block_math.js";
import { button, clamp, gateScale, h, number, svg } from "./core.js";

const PARTS = ["squeeze", "excitation", "rescale"];
const TITLES = { squeeze: "Squeeze", excitation: "Excitation", rescale: "Rescale" };
const CHAPTERS = { squeeze: [2, "02_squeeze"], excitation: [3, "03_excitation"], rescale: [4, "04_rescale"] };
const BINS = 30,
  THUMB = 24;

const math = (letter, index) => h("span", { class: "math" }, letter, index != null && h("sub", {}, String(index)));
const map = (words) => h("canvas", { class: "large", role: "img", "aria-label": words });
const bold = (value) => h("b", {}, number(value));

/** `paint(canvas, values, side, contrast)` draws a map; `on`: open(part), donor(name); `state()` as in block.js;
    `link()` is what another chapter needs to show the same. */
export const makeInspector = ({ part, chapter, samples, w2, paint, thumbnail, on, state, link }) => {
  let turn = 0; // how often the map in the squeeze's pane was shuffled
  const say = (...content) => h("p", {}, ...content);

  /* Squeeze */

  const squeezed = map("the map");
  const bars = Array.from({ length: BINS }, () => svg("rect", { fill: "var(--soft)", opacity: 0.5 }));
  const meanLine = svg("line", { stroke: "var(--squeeze)", "stroke-width": 3, y1: 8, y2: 92 });
  const pulledLine = svg("line", {
    stroke: "var(--squeeze)",
    "stroke-width": 2,
    "stroke-dasharray": "4 3",
    y1: 8,
    y2: 92,
  });
  const meanWords = svg("text", { y: 20, class: "mean" });
  const ends = [0, 0.5, 1].map((x) =>
    svg("text", { x: `${100 * x}%`, y: 104, class: "tick", "text-anchor": ["start", "middle", "end"][2 * x] }),
  );
  const chart = svg(
    "svg",
    { class: "histogram", role: "img" },
    svg("line", { class: "axis", x1: 0, x2: "100%", y1: 86, y2: 86 }),
    ...bars,
    meanLine,
    pulledLine,
    meanWords,
    ...ends,
  );
  const shuffle = button({ label: "Shuffle", click: () => (turn++, draw()) });
  const lost = say();
  const small = { squeeze: map("the map"), rescale: [map("the map"), map("the map times its gate")] };
  const meanIs = say(),
    meanBar = h("i");
  const squeeze = {
    open: [squeezed, chart, h("div", { class: "words" }, say(h("b", {}, "1,024 → 1")), lost, shuffle)],
    shut: [meanIs, h("div", { class: "flow" }, small.squeeze, arrow("squeeze"), h("span", { class: "mean" }, meanBar))],
  };

  /* Excitation */

  const sum = h("p", { class: "sum" });
  const gateIs = h("span");
  const opens = h("span", { class: "note" });
  const thumbs = samples.map(({ name }) =>
    h("button", { type: "button", class: "thumb", onclick: () => on.donor(name) }, thumbnail(name)),
  );
  const own = h("button", { type: "button", class: "thumb", onclick: () => on.donor(null) }, "?");
  const axis = h(
    "div",
    { class: "axis", role: "group", "aria-label": "Pictures by this gate: press one to use its gates" },
    thumbs,
    own,
  );
  const ticks = h("div", { class: "ticks", "aria-hidden": "true" });
  const votes = say(),
    gateBar = h("i");
  const excitation = {
    open: [
      h(
        "div",
        { class: "votes" },
        sum,
        h("p", { class: "sum is" }, gateIs, opens),
        axis,
        ticks,
        h("div", { class: "ember" }, gateScale()),
      ),
    ],
    shut: [votes, h("div", { class: "track" }, gateBar)],
  };
  roving(axis);

  /* Rescale */

  const four = ["the map", "the map times its gate", "the shortcut", "the sum after the ReLU"].map(map);
  const factor = h("span", {});
  const rescaleIs = say();
  const rescale = {
    open: [
      h(
        "div",
        { class: "product" },
        four[0],
        factor,
        four[1],
        h("span", {}, "+"),
        four[2],
        h("span", { class: "relu" }, "ReLU", h("br"), "="),
        four[3],
      ),
    ],
    shut: [rescaleIs, h("div", { class: "flow" }, small.rescale[0], arrow("rescale"), small.rescale[1])],
  };

  /* The panes */

  const contents = { squeeze, excitation, rescale };
  const inBook = location.pathname.endsWith(".html");
  const panes = PARTS.map((name) => {
    const title = h("button", { type: "button", class: "title", onclick: () => (on.open(name), draw()) });
    const [number, file] = CHAPTERS[name];
    const away = inBook && name !== chapter ? h("a", {}, `▸ ch. ${number}`) : null;
    const heading = h("div", { class: "heading" }, h("h4", { class: name, "data-title": TITLES[name] }, title), away);
    const body = h("div", { class: "body", id: `pane-${name}` }, contents[name].open);
    const brief = h("div", { class: "brief" }, contents[name].shut);
    const pane = h("section", { class: `pane ${name}`, "aria-label": TITLES[name] }, heading, body, brief);
    title.setAttribute("aria-controls", `pane-${name}`);
    return { name, pane, title, away, file };
  });
  const element = h(
    "div",
    { class: "inspector" },
    panes.map(({ pane }) => pane),
  );

  const drawPanes = () => {
    const open = part();
    const c = state().channel;
    element.dataset.open = open;
    for (const { name, pane, title, away, file } of panes) {
      const long = {
        squeeze: `Squeeze: map ${c}`,
        excitation: `Excitation: who votes on gate ${c}`,
        rescale: "Rescale, then the shortcut",
      };
      pane.classList.toggle("open", name === open);
      title.setAttribute("aria-expanded", String(name === open));
      title.replaceChildren(h("span", { class: "long" }, long[name]), h("span", { class: "short" }, TITLES[name]));
      away?.setAttribute("href", `${file}.html#block=${link()}`);
    }
  };

  const drawSqueeze = ({ channel, own, pins, now, maps }) => {
    const u = maps.before[channel],
      mean = own.z[channel];
    const most = Math.ceil(2 * maps.contrast[channel]) / 2 || 0.5;
    paint(squeezed, turn ? shuffled(u, turn) : u, 32, maps.contrast[channel]);
    paint(small.squeeze, u, 32, maps.contrast[channel]);
    squeezed.setAttribute("aria-label", turn ? `map ${channel}, its numbers shuffled` : `map ${channel}`);
    const counts = histogram(u, most, BINS);
    const largest = Math.max(...counts);
    const place = (value) => `${50 + 50 * clamp(value / most, -1, 1)}%`;
    bars.forEach((bar, i) => {
      const height = 60 * Math.sqrt(counts[i] / largest); // by the root, so that a few are seen; below the words
      for (const [key, value] of Object.entries({
        x: `${(100 * i) / BINS}%`,
        width: `${80 / BINS}%`,
        y: 86 - height,
        height,
      }))
        bar.setAttribute(key, value);
    });
    for (const line of [meanLine, pulledLine]) {
      const x = place(line === meanLine ? mean : now.z[channel]);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    pulledLine.setAttribute("visibility", Number.isNaN(pins.z[channel]) ? "hidden" : "visible");
    meanWords.setAttribute("x", place(mean));
    const room = (chart.clientWidth || 200) * (0.5 - (0.5 * mean) / most); // right of the line
    meanWords.setAttribute("dx", room < 90 ? -8 : 8);
    meanWords.setAttribute("text-anchor", room < 90 ? "end" : "start");
    meanWords.textContent = `mean ${number(mean)}`;
    ends.forEach((end, i) => (end.textContent = number((i - 1) * most, i === 1 ? 0 : 1)));
    chart.setAttribute(
      "aria-label",
      `The 1,024 numbers of map ${channel}, from ${number(-most, 1)} to ${number(most, 1)}; ` +
        `their mean is ${number(mean)}.`,
    );
    lost.textContent = turn ? "Same mean, same gate." : "Where a number stood is lost.";
    const pulled = Number.isNaN(pins.z[channel]) ? [] : [`, pulled to ${number(now.z[channel])}`];
    meanIs.replaceChildren(math("z", channel), " = its mean = ", bold(mean), ...pulled);
    meanBar.style.width = `${Math.min(70, 40 * Math.abs(now.z[channel]))}px`;
  };

  const drawExcitation = ({ channel: c, pins, now, donor, picture }) => {
    const terms = w2[c].flatMap((weight, j) => {
      const sign = weight < 0 ? "−" : j ? "+" : "";
      const words = `${sign}${j && sign ? " " : ""}${number(Math.abs(weight))}·${number(now.hidden[j])}`;
      const value = weight * now.hidden[j];
      return [h("span", { class: value < 0 ? "minus" : value ? "" : "none" }, words), " "];
    });
    const result = () => [
      math("s", c),
      ` = `,
      h("span", { class: "math" }, "σ"),
      `(${number(now.logits[c])}) = `,
      bold(now.computed[c]),
    ];
    const instead = () => {
      if (!Number.isNaN(pins.gate[c])) return ["; set to ", bold(now.gates[c])];
      return donor ? [`; the ${donor}’s is `, bold(now.gates[c])] : [];
    };
    sum.replaceChildren(h("span", {}, ...terms, "= ", bold(now.logits[c])));
    gateIs.replaceChildren(...result(), ...instead());
    opens.textContent = `${samples.length} pictures: what opens it?`;
    votes.replaceChildren("sum of votes ", number(now.logits[c]), h("br"), ...result(), ...instead());
    gateBar.style.cssText = `background: ${paint.gate(now.gates[c])}; width: ${100 * now.gates[c]}%`;
    const width = axis.clientWidth || 300;
    const all = [...samples.map((sample) => sample.gates[c]), ...(picture ? [] : [now.computed[c]])];
    const places = stacked(
      all.map((gate) => gate * width),
      THUMB,
      width,
    );
    own.hidden = Boolean(picture);
    [...thumbs, ...(picture ? [] : [own])].forEach((thumb, i) => {
      const name = samples[i]?.name ?? "your picture";
      thumb.setAttribute("aria-label", `${name}: gate ${number(all[i])}`);
      thumb.title = `${name}: ${number(all[i])}`;
      thumb.classList.toggle("on", donor ? name === donor : name === (picture || "your picture"));
      thumb.style.cssText = `left: ${places[i].x - THUMB / 2}px; bottom: ${places[i].row * (THUMB + 2)}px`;
    });
    ticks.replaceChildren(...all.map((gate) => h("i", { style: `left: ${100 * gate}%` })));
  };

  const drawRescale = ({ channel: c, now, maps }) => {
    const gate = now.gates[c];
    const scaled = maps.before[c].map((value) => value * gate);
    const sum = scaled.map((value, i) => Math.max(0, value + maps.shortcut[c][i]));
    const shown = [maps.before[c], scaled, maps.shortcut[c], sum];
    shown.forEach((values, i) => paint(four[i], values, 32, i < 2 ? maps.contrast[c] : maps.other[c]));
    small.rescale.forEach((canvas, i) => paint(canvas, shown[i], 32, maps.contrast[c]));
    factor.replaceChildren("× ", bold(gate), " =");
    rescaleIs.replaceChildren(`every number of map ${c} × `, bold(gate), ", then + shortcut");
  };

  const draw = () => {
    const now = state();
    drawPanes();
    if (!now.maps) return;
    drawSqueeze(now);
    drawExcitation(now);
    drawRescale(now);
  };
  return { element, draw, unshuffle: () => (turn = 0) };
};

const arrow = (tone) =>
  svg(
    "svg",
    { width: 22, height: 10, "aria-hidden": "true" },
    svg("path", { d: "M0 5h20M15 1l5 4-5 4", fill: "none", stroke: `var(--${tone})`, "stroke-width": 1.6 }),
  );

/** One tab stop in a group of buttons; arrows go to the others, in the order in which they stand. */
const roving = (group) => {
  const items = () => [...group.children].filter((item) => !item.hidden).sort((a, b) => a.offsetLeft - b.offsetLeft);
  const stop = (item) => {
    for (const other of group.children) other.tabIndex = other === item ? 0 : -1;
  };
  stop(group.children[0]);
  group.addEventListener("focusin", (event) => stop(event.target));
  group.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = items();
    all[clamp(all.indexOf(event.target) + by, 0, all.length - 1)].focus();
    event.preventDefault();
  });
};
