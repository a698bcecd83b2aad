/* Chapters 2 to 4: a picture on its way through one SE block, to the answer. Point at a channel and it is shown
   everywhere; pull any number, and all that is behind it moves. */
import css from "./block.css";
import { makeInspector } from "./lib/block_inspector.js";
import { excite, halved, quantile, untouched } from "./lib/block_math.js";
import { makeFlow, makeMaps, rowOf } from "./lib/block_view.js";
import { chosen, count, done, fromLink, INSTRUCTIONS, percent, toLink, voice } from "./lib/block_words.js";
import { connect } from "./lib/connect.js";
import { button, clamp, colors, figure, frame, gateScale, h, link, pixels, svg, unpack, within } from "./lib/core.js";
import { makePicture } from "./lib/picture.js";

const DWELL = 90; // ms that a mouse rests on a row before it is chosen: on its way to the inspector it crosses many

figure("se-block", (root, data, self) => {
  const { block, classes, samples, limits } = data;
  const weights = { w1: data.w1, w2: data.w2 };
  const C = data.w2.length,
    H = data.w1.length;
  for (const sample of samples) sample.gates = unpack(sample.gates);

  /* ---- State */

  let part = data.open,
    channel = data.channel,
    unit = -1; // the hidden unit whose lines are shown, or none
  let pins = untouched(C, H),
    donor = null;
  const still = { kind: null };
  let act = still; // the last thing that was done
  let base, maps, answer; // what the network makes of the picture; its maps; its answer with all that is pulled
  let own, now; // the excitation, without and with what is pulled

  const sampleOf = (name) => samples.find((sample) => sample.name === name);
  const state = () => ({ channel, unit, own, now, pins, donor, weights, maps, picture: picture.name });
  const touched = () => donor !== null || Object.values(pins).some((values) => values.some((v) => !Number.isNaN(v)));
  const compute = () => {
    own = excite(weights, base.z[block], untouched(C, H));
    now = excite(weights, base.z[block], pins, donor && sampleOf(donor).gates);
  };

  /* ---- Asking the network */

  let wanted = 0,
    network = null;
  const connected = () => (network ??= connect("se_resnet20"));
  self.onend = () => {
    network?.then((net) => net.close()).catch(() => {});
    network = null;
  };
  /** A new picture, or other gates for it. Answers that are overtaken are dropped. */
  const ask = async (isNew) => {
    const turn = ++wanted;
    try {
      const net = await connected();
      if (isNew || !base) {
        const result = await net.run(picture.data.slice(), { maps: [block] });
        if (!result || turn !== wanted) return;
        base = result;
        answer = null;
        keepMaps(result.maps[block]);
        compute();
      }
      if (touched()) {
        const result = await net.run(picture.data.slice(), { overrides: { [block]: Float32Array.from(now.gates) } });
        if (!result || turn !== wanted) return;
        answer = result;
      } else answer = base;
      drawAll();
      speak();
    } catch (error) {
      if (turn !== wanted) return;
      const again = button({ label: "Try again", click: () => ((network = null), ask(true)) });
      says.replaceChildren(`This figure stopped: ${error.message}. The text does not need it. `, again);
    }
  };
  const keepMaps = ({ before, shortcut, shape: [, side] }) => {
    const split = (all) => Array.from({ length: C }, (_, c) => all.slice(c * side * side, (c + 1) * side * side));
    const [u, x] = [split(before), split(shortcut)];
    const least = 1e-3;
    maps = { before: u, shortcut: x, halves: [u, x].map((all) => all.map((one) => halved(one, side))) };
    maps.contrast = u.map((map) => Math.max(least, quantile(map, 0.98)));
    maps.other = x.map((map, c) =>
      Math.max(least, quantile(map, 0.98), quantile(sumOf(map, u[c], base.own[block][c]), 0.98)),
    );
  };
  const sumOf = (x, u, gate) => x.map((value, i) => Math.max(0, value + gate * u[i]));
  const speak = () => {
    if (picture.live || !base) return;
    if (act.kind && answer && !(act.kind === "donor" && !donor))
      self.say(done({ act, classes, before: [...base.probabilities], after: [...answer.probabilities] }));
    else self.say(chosen(channel, now.z[channel], now.gates[channel]));
  };

  /* ---- Acts */

  const choose = (c) => {
    if (c === channel && unit < 0) return;
    [channel, unit] = [c, -1];
    inspector.unshuffle();
    if (now) self.say(chosen(c, now.z[c], now.gates[c]));
    save();
    draw();
  };
  const changed = () => {
    if (!base) return;
    compute();
    draw();
    ask(false);
    save();
  };
  const pull = (kind, index, value, stopped = false) => {
    if (kind !== "gate" && donor) donor = null; // the votes count again
    pins[kind][index] = value;
    act = Number.isNaN(value) ? still : { kind, index, value, stopped: stopped && kind === "z" };
    changed();
  };
  const useGates = (name) => {
    donor = name === picture.name ? null : name;
    pins = untouched(C, H);
    act = donor ? { kind: "donor", name: donor } : still;
    changed();
  };
  const startAgain = () => {
    [pins, donor, act, unit] = [untouched(C, H), null, still, -1];
    changed();
  };

  /* ---- State in the link */

  let saving;
  const asLink = () => toLink({ picture: picture.name, channel, pins, donor });
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => {
      const first = picture.name === samples[0].name && channel === data.channel && !touched();
      link.set("block", first ? null : asLink());
      drawInspector();
    }, 300);
  };
  const restore = (text) => {
    const found = fromLink(text);
    [pins, donor, act] = [untouched(C, H), null, still];
    for (const { kind, index, value } of found.pulled) {
      if (!(index < pins[kind].length)) continue;
      const [low, high] = kind === "z" ? limits.map((bound) => bound[index]) : [0, kind === "gate" ? 1 : 4];
      pins[kind][index] = clamp(value, low, high);
      act = { kind, index, value: pins[kind][index] };
    }
    if (found.channel < C) channel = found.channel;
    if (sampleOf(found.donor)) (donor = found.donor), (act = { kind: "donor", name: donor });
    picture.choose(found.picture);
  };

  /* ---- Elements */

  const thumbnail = (name) => {
    const canvas = h("canvas");
    const { pixels: packed } = sampleOf(name);
    const rgb = unpack(packed);
    pixels(
      canvas,
      Array.from({ length: 1024 }, (_, i) => i),
      32,
      (i) => rgb.slice(3 * i, 3 * i + 3),
    );
    return canvas;
  };
  let tones = [];
  const LEVELS = 256;
  /** A map in the signed scale: -contrast..contrast. */
  const paint = (canvas, values, side, contrast) =>
    pixels(canvas, values, side, (v) => tones[clamp(Math.round((v / contrast) * LEVELS) + LEVELS, 0, 2 * LEVELS)]);
  paint.gate = (value) => colors.css(colors.gate(value));

  const picture = makePicture({
    host: self,
    samples,
    changed: () => {
      if (act.kind === "donor" && donor === picture.name) [donor, act] = [null, still];
      ask(true);
      save();
    },
  });
  const caption = h("p", { class: "caption" });
  picture.panel.querySelector(".tools button").textContent = "Your picture…";
  const before = h("p", { class: "before" }, `from the layers before: here the block ${block.replace(".se", "")}`);
  const from = h("div", { class: "from" }, picture.panel, caption, picture.thumbs, before);

  const flow = makeFlow({
    ...{ C, H, limits, state },
    on: { choose, pull, unit: (j) => ((unit = j), draw()) },
  });
  const columns = [
    makeMaps({ C, kind: "u", label: "map", choose }),
    makeMaps({ C, kind: "v", label: "rescaled map", choose }),
    makeMaps({ C, kind: "x" }),
    makeMaps({ C, kind: "y" }),
  ];

  const rows = classes.map((name) => {
    const [bar, tick] = [h("i", { class: "bar" }), h("i", { class: "own" })];
    const value = h("td", {});
    return {
      bar,
      tick,
      value,
      row: h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "of" }, h("div", {}, bar, tick)), value),
    };
  });
  const table = h(
    "table",
    { class: "answers" },
    h("caption", { class: "hidden" }, "The ten answers"),
    rows.map(({ row }) => row),
  );
  const donors = [null, ...data.donors].map((name) => {
    const press = h("button", { type: "button", class: "thumb", onclick: () => useGates(name) });
    return { name, press };
  });
  const to = h(
    "div",
    { class: "to" },
    table,
    h("p", { class: "after" }, `${count(data.behind)} more blocks, then the ten answers`),
    h(
      "div",
      { class: "donors", role: "group", "aria-label": "Use the gates of" },
      h("p", {}, "Use the gates of"),
      donors.map(({ press }) => press),
    ),
  );
  const inspector = makeInspector({
    ...{ samples, paint, thumbnail, state },
    part: () => part,
    chapter: data.open,
    w2: data.w2,
    on: { open: (name) => ((part = name), drawInspector()), donor: useGates },
    link: asLink,
  });
  const says = h("p", { class: "note voice" });
  const reset = button({ label: "Start again", click: startAgain });
  const sign = (tone, dashes) =>
    svg(
      "svg",
      { width: 26, height: 10 },
      svg("line", { x2: 26, y1: 5, y2: 5, stroke: `var(--${tone})`, "stroke-width": 3, "stroke-dasharray": dashes }),
    );
  const key = h(
    "div",
    { class: "key" },
    h(
      "span",
      { class: "legend", "aria-hidden": "true" },
      "positive",
      sign("ink", "none"),
      h("span", { class: "minus" }, "negative"),
      sign("minus", "5 3"),
      "gate",
      gateScale(),
    ),
    reset,
  );

  /* ---- Drawing */

  const drawMaps = () => {
    const [u, x] = maps.halves;
    columns[0].canvases.forEach((canvas, c) => paint(canvas, u[c], 16, maps.contrast[c]));
    columns[2].canvases.forEach((canvas, c) => paint(canvas, x[c], 16, maps.other[c]));
    columns[1].canvases.forEach((canvas, c) =>
      paint(
        canvas,
        u[c].map((v) => v * now.gates[c]),
        16,
        maps.contrast[c],
      ),
    );
    columns[3].canvases.forEach((canvas, c) =>
      paint(canvas, halved(sumOf(maps.shortcut[c], maps.before[c], now.gates[c]), 32), 16, maps.other[c]),
    );
  };
  const drawAnswers = () => {
    const p = (answer ?? base).probabilities,
      q = base.probabilities;
    const order = [...p.keys()].sort((a, b) => p[b] - p[a]);
    rows.forEach(({ bar, tick, value, row }, k) => {
      bar.style.width = `${100 * p[k]}%`;
      tick.hidden = Math.abs(p[k] - q[k]) < 0.005;
      tick.style.left = `${100 * q[k]}%`;
      value.textContent = percent(p[k]);
      row.className = `${k === order[0] ? "first" : ""} ${order.indexOf(k) < 3 ? "best" : ""}`;
      row.style.order = order.indexOf(k);
    });
    const unknown = picture.name === "" || !classes.includes(picture.name);
    says.textContent = voice({
      ...{ part: data.open, act, hidden: now.hidden, classes, unknown },
      ...{ before: [...q], after: answer && [...answer.probabilities], blocks: data.blocks, swap: data.swap },
    });
  };
  const drawInspector = frame(() => base && inspector.draw());
  const drawAll = () => {
    tones = Array.from({ length: 2 * LEVELS + 1 }, (_, i) => colors.signed(i / LEVELS - 1));
    caption.replaceChildren(h("b", {}, picture.name || "your picture"), h("br"), "32 × 32 pixels");
    donors.forEach(({ name, press }) => {
      const own = name === null;
      const shown = own ? picture.name : name;
      press.replaceChildren(sampleOf(shown) ? thumbnail(shown) : "own");
      press.setAttribute("aria-label", own ? "its own" : `the ${name}`);
      press.setAttribute("aria-pressed", String(donor === name));
      press.hidden = !own && name === picture.name;
    });
    draw();
  };
  const draw = frame(() => {
    if (!base) return;
    flow.draw();
    for (const column of columns) column.speak(channel);
    drawMaps();
    drawAnswers();
    inspector.draw();
    donors.forEach(({ name, press }) => press.setAttribute("aria-pressed", String(donor === name)));
    reset.disabled = !touched();
    self.result = { base, answer, own, now, channel }; // for the console, and for tests
  });
  self.ontheme = () => base && drawAll();

  /* ---- Place */

  const [first, ...others] = columns.map(({ box }) => box);
  const through = h("div", { class: "through" }, first, flow.drawing, others);
  const stage = h("div", { class: "stage" }, from, through, to);
  const place = () => {
    const width = stage.clientWidth;
    if (!width) return;
    flow.place(width);
    const g = flow.geometry();
    self.classList.toggle("wide", g.wide);
    self.classList.toggle("narrow", g.narrow);
    stage.style.setProperty("--height", `${g.height}px`);
    stage.style.setProperty("--top", `${g.top}px`);
    columns.forEach(({ box, canvases }, k) => {
      const x = [g.u, g.v, g.x, g.y][k];
      box.hidden = x === undefined;
      canvases.forEach((canvas, c) => {
        canvas.style.cssText = `left: ${x}px; top: ${rowOf(g, c) - g.map / 2}px; width: ${g.map}px; height: ${g.map}px`;
      });
    });
    to.style.left = g.wide ? `${g.p}px` : "";
    draw();
  };
  let resting;
  const rowUnder = (event) => {
    const g = flow.geometry();
    const [x, y] = within(flow.drawing, event);
    const inside = x > g.ring[0] && x < g.ring[0] + g.ring[1] && y > g.top && y < g.height - 6;
    const onUnit = event.composedPath().some((node) => node.classList?.contains("pull-hidden"));
    return inside && !onUnit ? Math.floor((y - g.top) / g.row) : -1;
  };
  stage.addEventListener("pointermove", (event) => {
    clearTimeout(resting);
    const c = rowUnder(event);
    if (c >= 0 && event.pointerType === "mouse" && !event.buttons) resting = setTimeout(() => choose(c), DWELL);
  });
  stage.addEventListener("pointerleave", () => clearTimeout(resting));
  stage.addEventListener("click", (event) => {
    clearTimeout(resting);
    const c = rowUnder(event);
    if (c >= 0) choose(c);
  });

  says.textContent = INSTRUCTIONS[data.open];
  root.append(
    h("style", {}, css),
    h("div", { class: "top" }, h("h3", {}, "The block, end to end"), key, says),
    stage,
    inspector.element,
  );
  globalThis.ResizeObserver && new ResizeObserver(place).observe(stage);
  place();
  picture.choose(samples[0].name);
  link.follow("block", restore);
});
