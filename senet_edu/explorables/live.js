/* Chapter 0: the trained network in the page. Show it a picture, set gates, and see what becomes of its answer. */

import { connect } from "./lib/connect.js";
import {
  button,
  choice,
  clamp,
  colors,
  figure,
  frame,
  gateScale,
  h,
  link,
  menu,
  number,
  pixels,
  slider,
} from "./lib/core.js";
import { manySay, pictureSays } from "./lib/live_words.js";
import pictureCss from "./lib/picture.css";
import { makePicture } from "./lib/picture.js";
import css from "./live.css";

figure("se-live", (root, { classes, samples, blocks, measured, pair }, self) => {
  const percent = (p) => `${Math.round(100 * p)} %`;
  const top = ({ probabilities: p }) => p.indexOf(Math.max(...p));

  /* ---- State */

  let open = blocks.length - 1,
    channel = 0; // the block that is shown large, and the channel chosen in it
  let base, now, plain; // networks; what they say without edits, with them, and what the plain one says
  const edits = blocks.map(({ channels }) => ({ pin: new Float32Array(channels).fill(NaN), shuffle: 0 }));
  const edited = (b) => edits[b].shuffle > 0 || edits[b].pin.some((v) => !Number.isNaN(v));
  const anyEdited = () => edits.some((_, b) => edited(b));
  /** Shuffle number n of C channels, the same for everybody. */
  const permutation = (C, n) => {
    const order = Uint8Array.from({ length: C }, (_, c) => c);
    let x = n >>> 0;
    for (let i = C - 1; i > 0; i--) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      const j = Math.floor((x / 2 ** 32) * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  };
  const overrides = () =>
    Object.fromEntries(
      blocks.flatMap(({ name, channels }, b) => {
        const { pin, shuffle } = edits[b];
        return edited(b) ? [[name, { pin, permute: shuffle ? permutation(channels, shuffle) : undefined }]] : [];
      }),
    );

  /* ---- All blocks at once: own gates, all open, frozen, shuffled, or those of another picture */

  let all = "own"; // or "" after edits by hand
  let donor = pair.donor;
  const donated = new Map(); // gates by block of each donor, once they were asked for
  const gatesOf = async (name) => {
    if (!donated.has(name)) {
      const { rgb } = samples.find((one) => one.name === name);
      const pixels = new Uint8ClampedArray(4 * 32 * 32).fill(255);
      for (let i = 0; i < 32 * 32; i++) pixels.set(rgb.slice(3 * i, 3 * i + 3), 4 * i);
      const net = await connected("se_resnet20");
      let result = null;
      while (!result) result = await net.run(pixels.slice()); // null: overtaken
      donated.set(name, result.gates);
    }
    return donated.get(name);
  };
  const setAll = async (kind) => {
    all = kind;
    const gates = kind === "donor" ? await gatesOf(donor) : kind === "frozen" ? pair.frozen : null;
    if (all !== kind) return;
    edits.forEach((edit, b) => {
      edit.shuffle = kind === "shuffled" ? 1 : 0;
      if (gates) edit.pin.set(gates[blocks[b].name]);
      else edit.pin.fill(kind === "one" ? 1 : NaN);
    });
    await ask("edits");
    save();
    drawControls();
  };

  // In the link: picture_block.channel.percent_block.sNumber_oBlock_p, all but the first optional.
  let saving;
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => {
      const whole = all === "donor" ? [`a.donor.${donor}`] : all && all !== "own" ? [`a.${all}`] : null;
      const parts =
        whole ??
        edits.flatMap(({ pin, shuffle }, b) => [
          ...(shuffle ? [`${b}.s${shuffle}`] : []),
          ...[...pin].flatMap((v, c) => (Number.isNaN(v) ? [] : [`${b}.${c}.${Math.round(100 * v)}`])),
        ]);
      const text = [picture.name, ...parts, `o${open}`, ...(compare.value ? ["p"] : [])].join("_");
      link.set("live", text === `${samples[0].name}_o${blocks.length - 1}` ? null : text);
    }, 300);
  };
  const restore = (text) => {
    const [name, ...parts] = text.split("_");
    edits.forEach((edit) => (edit.pin.fill(NaN), (edit.shuffle = 0)));
    all = parts.some((part) => /^\d\./.test(part)) ? "" : "own";
    for (const part of parts) {
      const [, kind, who] = /^a\.(one|frozen|shuffled|donor)(?:\.(\w+))?$/.exec(part) ?? [];
      if (samples.some((one) => one.name === who)) donor = who;
      if (kind) setAll(kind);
      const [, b, c, v] = /^(\d)\.(s?\d+)(?:\.(\d+))?$/.exec(part) ?? [];
      if (b && blocks[b]) {
        if (c[0] === "s") edits[b].shuffle = Number(c.slice(1));
        else if (c < blocks[b].channels && v) edits[b].pin[c] = clamp(v / 100, 0, 1);
      }
      const [, opened] = /^o(\d)$/.exec(part) ?? [];
      if (blocks[opened]) show(Number(opened));
    }
    compare.value = parts.includes("p");
    picture.choose(name);
    if (!name)
      picture.note.textContent = "The link was made with a picture of its sender's own, which it cannot carry.";
  };

  /* ---- Asking the networks */

  let newPicture = false,
    newEdits = false,
    asking = false;
  const ask = async (what) => {
    newPicture ||= what === "picture";
    newEdits = true;
    if (asking) return;
    self.asking = asking = true;
    try {
      const net = await connected("se_resnet20");
      while (newPicture || newEdits) {
        if (newPicture) {
          newPicture = false;
          const result = await net.run(picture.data.slice());
          if (!result) break; // closed: the figure has left the page
          base = now = result;
        } else {
          newEdits = false;
          const result = anyEdited() ? await net.run(picture.data.slice(), { overrides: overrides() }) : base;
          if (!result) break;
          now = result;
          if (!newPicture) draw();
          if (!performance.getEntriesByName("se-answer").length) performance.mark("se-answer"); // for bench_pages.py
        }
      }
    } catch (error) {
      picture.note.textContent = `The network could not be computed here: ${error.message}`;
    }
    self.asking = asking = false; // for tests
  };
  const askPlain = async () => {
    if (!compare.value) return;
    try {
      const net = await connected("resnet20");
      const result = await net.run(picture.data.slice());
      if (!result) return;
      plain = result;
      draw();
    } catch (error) {
      plainSays.textContent = `could not be computed here: ${error.message}`;
    }
  };
  // A promise of each network: however often it is asked for meanwhile, it is made once.
  const networks = new Map();
  const connected = (name) => {
    if (!networks.has(name)) networks.set(name, connect(name));
    return networks.get(name);
  };
  self.onend = () => {
    for (const network of networks.values()) network.then((net) => net.close()).catch(() => {});
    networks.clear(); // where the element comes back, they are made anew
  };
  const picture = makePicture({ host: self, samples, changed: () => (ask("picture"), askPlain(), save()) });
  const change = () => ((all = anyEdited() ? "" : "own"), ask("edits"), save(), drawControls());

  /* ---- The answer */

  const answers = [h("p", { class: "answer" }), h("p", { class: "answer near", "aria-hidden": "true" })];
  const bars = classes.map((name) => {
    const [se, was, other] = ["se", "was", "net"].map((kind) => h("i", { class: kind }));
    const value = h("span", { class: "value" });
    return {
      se,
      was,
      other,
      value,
      row: h(
        "div",
        { "data-class": name },
        h("span", { class: "name" }, name),
        h("div", { class: "track" }, other, se, was),
        value,
      ),
    };
  });
  const compare = button({ label: "Plain ResNet-20", pressed: false, click: () => (draw(), askPlain(), save()) });
  const plainSays = h("span", { class: "note" });
  const chart = h(
    "div",
    { class: "bars" },
    bars.map(({ row }) => row),
  );

  const drawAnswer = () => {
    chart.classList.toggle("plain", compare.value);
    const first = now ? top(now) : -1,
      before = base ? top(base) : -1;
    bars.forEach(({ se, was, other, value, row }, i) => {
      const [p, q] = [now?.probabilities[i] ?? 0, base?.probabilities[i] ?? 0];
      row.className = i === first ? "first" : "";
      se.style.width = `${100 * p}%`;
      was.hidden = now === base;
      was.style.left = `${clamp(100 * q, 0.5, 99.5)}%`;
      other.style.width = `${100 * (plain?.probabilities[i] ?? 0)}%`;
      value.textContent = !now ? "" : percent(q) === percent(p) ? percent(p) : `${Math.round(100 * q)} → ${percent(p)}`;
    });
    for (const answer of answers) {
      if (!now) answer.replaceChildren(h("small", {}, "Loading the network, 560 KB …"));
      else if (now === base) answer.replaceChildren(`${classes[first]} ${percent(now.probabilities[first])}`);
      else if (first === before)
        answer.replaceChildren(
          `${classes[first]} `,
          h("small", {}, `${percent(base.probabilities[first])} → `),
          percent(now.probabilities[first]),
        );
      else
        answer.replaceChildren(
          h("small", {}, `${classes[before]} ${percent(base.probabilities[before])} → `),
          `${classes[first]} ${percent(now.probabilities[first])}`,
        );
    }
    plainSays.textContent =
      compare.value && plain
        ? `says ${classes[top(plain)]} ${percent(plain.probabilities[top(plain)])}`
        : "compare without SE";
    if (now && !picture.live) {
      const edits =
        now === base ? "" : ` Before the edits: ${classes[before]}, ${percent(base.probabilities[before])}.`;
      self.say(`The network says ${classes[first]}, ${percent(now.probabilities[first])}.${edits}`);
    }
  };

  /* ---- Two cards: this picture, and 10,000 */

  const give = button({ label: "", primary: true, click: () => setAll("donor") });
  const whose = choice({
    label: "All blocks",
    value: "own",
    options: [
      ["own", "own gates"],
      ["one", "all open"],
      ["frozen", "frozen"],
      ["shuffled", "shuffled"],
      ["donor", "gates of …"],
    ],
    input: setAll,
  });
  const donors = menu({
    label: h("span", { class: "hidden" }, "Picture whose gates are given"),
    value: donor,
    options: samples.map(({ name }) => [name, `the ${name}`]),
    input: (name) => ((donor = name), setAll("donor")),
  });
  const card = (head) => {
    const [was, is, line] = ["was", "is", "way"].map((kind) => h("i", { class: kind }));
    const [title, value, says] = [h("span", {}, head), h("strong"), h("span", { class: "says" })];
    const element = h("div", { class: "card" }, title, value, h("div", { class: "axis" }, line, was, is), says);
    const set = (before, after, decimals, sentence) => {
      const text = (p) => `${(100 * p).toFixed(decimals)} %`;
      value.textContent = after === undefined || after === before ? text(before) : `${text(before)} → ${text(after)}`;
      const to = after ?? before;
      was.style.left = `${100 * before}%`;
      is.style.left = `${100 * to}%`;
      line.style.left = `${100 * Math.min(before, to)}%`;
      line.style.width = `${100 * Math.abs(before - to)}%`;
      says.textContent = sentence;
    };
    return { element, title, set };
  };
  const one = card(""),
    many = card("");
  const GATES = {
    own: "each with its own gates",
    one: "all gates open",
    frozen: "each with the mean gates",
    shuffled: "each with its gates shuffled",
    donor: "each with gates from another class",
    "": "each with its own gates",
  };
  const drawCards = () => {
    give.hidden = all !== "own";
    give.textContent = `Give this ${picture.name || "picture"} the gates of the ${donor}`;
    whose.value = all;
    donors.value = donor;
    const images = measured.images.toLocaleString("en-US");
    many.title.textContent = `${images} test pictures, ${GATES[all]}: right`;
    if (!now || !base) return;
    const first = top(base);
    one.title.textContent = `This picture: how sure of ${classes[first]}`;
    const [p, of] = [base.probabilities[first], now.probabilities[first]];
    const after = { name: classes[top(now)], p: now.probabilities[top(now)] };
    const same = now === base;
    one.set(p, of, 0, same ? "With its own gates." : pictureSays({ before: { name: classes[first], p }, after, of }));
    const right = all === "own" ? measured.right : measured.after[all];
    const fall = p - of;
    const sentence = same ? "With their own gates." : manySay({ kind: all, right: measured.right, after: right, fall });
    many.set(measured.right, right, 1, sentence);
  };

  /* ---- The gates */

  const strips = blocks.map(({ name, channels }, b) => {
    const gates = h("canvas", { width: channels, height: 1 }),
      marks = h("canvas", { width: channels, height: 1 });
    const radio = h("input", {
      type: "radio",
      name: "block",
      value: b,
      "aria-label": `${name}, ${channels} channels`,
      onchange: () => (show(b), save()),
    });
    return {
      gates,
      marks,
      radio,
      row: h("label", {}, radio, h("span", {}, name.replace(".se", "")), h("div", {}, gates, marks)),
    };
  });
  const title = h("strong");
  const readout = h("output", { class: "note" });
  const cellBox = h("div", {
    class: "cells",
    role: "group",
    "aria-label":
      "Gates of the open block, one slider a channel. Left and right choose a channel, " +
      "up and down pin its gate, space mutes it, delete gives it back.",
  });
  let cells = [];
  const C = () => blocks[open].channels;
  const gate = (c) => now?.gates[blocks[open].name][c] ?? 0.5;
  const own = (c) => base?.gates[blocks[open].name][c] ?? 0.5;
  const set = (c, value) => ((edits[open].pin[c] = value), change());
  const toggle = (c) => set(c, edits[open].pin[c] === 0 ? NaN : 0);

  // A gate is at least 24 px wide, a finger's least.
  const most = () => (cellBox.clientWidth < 400 ? 8 : cellBox.clientWidth < 800 ? 16 : 32);
  const resize = () => (cellBox.style.gridTemplateColumns = `repeat(${Math.min(C(), most())}, minmax(0, 1fr))`);
  const show = (b) => {
    open = b;
    channel = 0;
    strips[b].radio.checked = true;
    cells = Array.from({ length: C() }, (_, c) => {
      const [fill, half, was] = ["fill", "half", "was"].map((kind) => h("i", { class: kind }));
      const mark = h("u");
      const cell = h(
        "div",
        {
          class: "cell",
          role: "slider",
          "aria-label": `channel ${c}`,
          "aria-orientation": "vertical",
          "aria-valuemin": 0,
          "aria-valuemax": 1,
        },
        h("div", { class: "tube" }, fill, half, was),
        mark,
      );
      return { cell, fill, was, mark, tube: cell.firstChild };
    });
    cellBox.replaceChildren(...cells.map(({ cell }) => cell));
    resize();
    drawControls();
    draw();
  };
  const pick = (c, focus) => {
    channel = clamp(c, 0, C() - 1);
    drawControls();
    if (focus) cells[channel].cell.focus();
  };
  const read = (c) => {
    const pinned = edits[open].pin[c];
    const how = pinned === 0 ? "muted" : Number.isNaN(pinned) ? "" : "pinned";
    const before = now && now !== base && Math.abs(gate(c) - own(c)) >= 0.005 ? `, was ${number(own(c))}` : "";
    readout.textContent = `channel ${c}: ${now ? number(gate(c)) : "–"}${how && ` (${how})`}${before}`;
  };

  const drawGates = () => {
    blocks.forEach(({ name, channels }, b) => {
      const values = now?.gates[name] ?? new Float32Array(channels).fill(0.5);
      const { gates, marks } = strips[b];
      if (now) pixels(gates, values, channels, colors.gate);
      const context = marks.getContext("2d");
      context.clearRect(0, 0, channels, 1);
      context.fillStyle = self.color("--excitation-text");
      edits[b].pin.forEach((v, c) => (edits[b].shuffle || !Number.isNaN(v)) && context.fillRect(c, 0, 1, 1));
    });
    cells.forEach(({ cell, fill, was, mark }, c) => {
      const value = gate(c),
        pinned = edits[open].pin[c];
      fill.style.height = now ? `${100 * value}%` : "0";
      fill.style.background = colors.css(colors.gate(value));
      was.hidden = !now || now === base || Math.abs(value - own(c)) < 0.005;
      was.style.bottom = `calc(${100 * own(c)}% - 1px)`;
      mark.textContent = all ? "" : pinned === 0 ? "×" : Number.isNaN(pinned) ? "" : "•";
      cell.setAttribute("aria-valuenow", value.toFixed(4));
      cell.setAttribute(
        "aria-valuetext",
        `${number(value)}${pinned === 0 ? ", muted" : Number.isNaN(pinned) ? "" : ", pinned"}`,
      );
    });
    if (Number.isNaN(edits[open].pin[channel])) pinner.value = gate(channel);
    read(channel);
  };

  const pinner = slider({ label: "", min: 0, max: 1, value: 0.5, tone: "excitation", input: (v) => set(channel, v) });
  const mute = button({ label: "Mute", pressed: false, click: () => toggle(channel) });
  const free = button({ label: "Own gate", click: () => set(channel, NaN) });
  const whole = (label, act) => button({ label, click: () => (act(edits[open]), change()) });
  const reset = whole("Reset block", (edit) => (edit.pin.fill(NaN), (edit.shuffle = 0)));
  const resetAll = whole("Reset all", () => edits.forEach((edit) => (edit.pin.fill(NaN), (edit.shuffle = 0))));
  const drawControls = () => {
    const { pin, shuffle } = edits[open];
    const pinned = !Number.isNaN(pin[channel]);
    title.textContent = `${blocks[open].name}${shuffle ? ", shuffled" : ""}`;
    cells.forEach(
      ({ cell }, c) => ((cell.tabIndex = c === channel ? 0 : -1), cell.classList.toggle("on", c === channel)),
    );
    pinner.querySelector("label").textContent = `Channel ${channel}`;
    pinner.value = pinned ? pin[channel] : gate(channel);
    mute.value = pin[channel] === 0;
    free.disabled = !pinned;
    reset.disabled = !edited(open);
    resetAll.disabled = !anyEdited();
    read(channel);
  };

  // A click mutes; with the mouse, a bar can also be pulled up and down.
  let held = null;
  const at = (event) => cells.findIndex(({ cell }) => cell === event.target.closest?.(".cell"));
  cellBox.addEventListener("pointerdown", (event) => {
    const c = at(event);
    if (event.button || c < 0) return;
    held = { c, y: event.clientY, pulled: false };
    if (event.pointerType !== "touch") cellBox.setPointerCapture(event.pointerId);
    pick(c);
  });
  cellBox.addEventListener("pointermove", (event) => {
    if (!event.buttons && at(event) >= 0) read(at(event));
    if (!held || !event.buttons || event.pointerType === "touch") return;
    if (!held.pulled && Math.abs(event.clientY - held.y) < 4) return;
    held.pulled = true;
    const box = cells[held.c].tube.getBoundingClientRect();
    set(held.c, Math.round(100 * clamp((box.bottom - event.clientY) / box.height, 0, 1)) / 100);
  });
  cellBox.addEventListener("pointerleave", () => read(channel));
  cellBox.addEventListener("click", (event) => {
    const c = event.detail && held ? held.c : at(event); // a click without a pointer comes from a screen reader
    if (c >= 0 && !held?.pulled) pick(c), toggle(c);
    held = null;
  });
  cellBox.addEventListener("focusin", (event) => at(event) >= 0 && at(event) !== channel && pick(at(event)));
  cellBox.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowUp: 0.05, ArrowDown: -0.05, PageUp: 0.2, PageDown: -0.2 }[event.key];
    const to = { ArrowRight: channel + 1, ArrowLeft: channel - 1, Home: 0, End: C() - 1 }[event.key];
    if (step)
      set(
        channel,
        Math.round(
          100 * clamp((Number.isNaN(edits[open].pin[channel]) ? gate(channel) : edits[open].pin[channel]) + step, 0, 1),
        ) / 100,
      );
    else if (to !== undefined) pick(to, true);
    else if (event.key === " " || event.key === "Enter") toggle(channel);
    else if (event.key === "Delete" || event.key === "Backspace") set(channel, NaN);
    else return;
    event.preventDefault();
  });

  /* ---- The page */

  const draw = frame(() => {
    drawAnswer();
    drawGates();
    drawCards();
    self.result = { base, now, plain }; // for the console, and for tests
  });
  self.ontheme = draw;

  root.append(
    h("style", {}, pictureCss + css),
    h("h3", {}, "A trained network, live"),
    h("div", { class: "act" }, give, picture.thumbs),
    h(
      "div",
      { class: "live" },
      h("div", {}, picture.panel, picture.under),
      h(
        "div",
        {},
        h("div", { class: "head" }, h("strong", {}, "Gates of all nine blocks"), gateScale()),
        h(
          "div",
          { class: "strips", role: "radiogroup", "aria-label": "Block to open" },
          strips.map(({ row }) => row),
        ),
      ),
      h("div", {}, answers[0], chart, h("div", { class: "key" }, compare, plainSays)),
    ),
    h("div", { class: "all" }, whose, donors),
    h("div", { class: "cards" }, one.element, many.element),
    h(
      "div",
      { class: "block" },
      answers[1],
      h("div", { class: "head" }, title, readout),
      cellBox,
      h(
        "div",
        { class: "controls" },
        pinner,
        mute,
        free,
        whole("Shuffle", (edit) => edit.shuffle++),
        whole("Mute all", (edit) => edit.pin.fill(0)),
        whole("All to 1", (edit) => edit.pin.fill(1)),
        reset,
        resetAll,
      ),
    ),
  );

  globalThis.ResizeObserver && new ResizeObserver(resize).observe(cellBox);

  show(open);
  picture.choose(samples[0].name);
  link.follow("live", restore);
});
