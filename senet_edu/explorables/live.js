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
import { guessed, keep, listen } from "./lib/guesses.js";
import { makeAnswer, top } from "./lib/live_answer.js";
import { makeCards } from "./lib/live_cards.js";
import { stripSays, swapSays } from "./lib/live_words.js";
import { ownNetwork } from "./lib/own_network.js";
import { permutation } from "./lib/permutation.js";
import pictureCss from "./lib/picture.css";
import { makePicture } from "./lib/picture.js";
import { worker } from "./lib/worker.js";
import css from "./live.css";

const GUESS = "swap"; // the chapter's question

figure("se-live", (root, { classes, samples, measured, pair, mean, std, ...shipped }, self) => {
  /* ---- State */

  let blocks = shipped.blocks; // those with gates, of the network that is shown
  let mine = null; // the reader's network, { spec, bytes }
  const isOwn = () => mine !== null || !pair.frozen; // nothing was measured of it
  let open = blocks.length - 1,
    channel = 0; // the block that is shown large, and the channel chosen in it
  let base, now, plain; // networks; what they say without edits, with them, and what the plain one says
  const untouched = () => blocks.map(({ channels }) => ({ pin: new Float32Array(channels).fill(NaN), shuffle: 0 }));
  let edits = untouched();
  const edited = (b) => edits[b].shuffle > 0 || edits[b].pin.some((v) => !Number.isNaN(v));
  const anyEdited = () => edits.some((_, b) => edited(b));
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
  let donated = new Map(); // gates by block of each donor, once they were asked for
  const gatesOf = async (name) => {
    const known = donated; // of this network
    if (!known.has(name)) {
      const { rgb } = samples.find((one) => one.name === name);
      const pixels = new Uint8ClampedArray(4 * 32 * 32).fill(255);
      for (let i = 0; i < 32 * 32; i++) pixels.set(rgb.slice(3 * i, 3 * i + 3), 4 * i);
      const net = await connected();
      let result = null;
      while (!result) result = await net.run(pixels.slice()); // null: overtaken
      known.set(name, result.gates);
    }
    return known.get(name);
  };
  const setAll = async (kind) => {
    all = kind;
    const asked = edits;
    const gates = kind === "donor" ? await gatesOf(donor) : kind === "frozen" ? pair.frozen : null;
    if (all !== kind || asked !== edits) return; // something else was asked for meanwhile
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
      if (mine) return link.set("live", null); // a link cannot carry it
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
    all = parts.some((part) => /^\d+\./.test(part)) ? "" : "own";
    for (const part of parts) {
      const [, kind, who] = /^a\.(one|frozen|shuffled|donor)(?:\.(\w+))?$/.exec(part) ?? [];
      if (samples.some((one) => one.name === who)) donor = who;
      if (kind) setAll(kind);
      const [, b, c, v] = /^(\d+)\.(s?\d+)(?:\.(\d+))?$/.exec(part) ?? [];
      if (b && blocks[b]) {
        if (c[0] === "s") edits[b].shuffle = Number(c.slice(1));
        else if (c < blocks[b].channels && v) edits[b].pin[c] = clamp(v / 100, 0, 1);
      }
      const [, opened] = /^o(\d+)$/.exec(part) ?? [];
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
      while (newPicture || newEdits) {
        const asked = edits,
          net = await connected();
        if (newPicture) {
          newPicture = false;
          const result = await net.run(picture.data.slice());
          if (asked !== edits) continue; // another network is here
          if (!result) break; // closed: the figure has left the page
          base = now = result;
        } else {
          newEdits = false;
          const result = anyEdited() ? await net.run(picture.data.slice(), { overrides: overrides() }) : base;
          if (asked !== edits) continue;
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
      answer.plain.textContent = `could not be computed here: ${error.message}`;
    }
  };
  // A promise of each network: however often it is asked for meanwhile, it is made once.
  const networks = new Map();
  const connected = (name = shipped.network) => {
    const key = mine && name === shipped.network ? "own" : name;
    if (!networks.has(key))
      networks.set(key, key === "own" ? (async () => worker(mine.spec, mine.bytes))() : connect(name));
    return networks.get(key);
  };
  const close = (name) => {
    networks
      .get(name)
      ?.then((net) => net.close())
      .catch(() => {});
    networks.delete(name);
  };
  self.onend = () => {
    deaf();
    for (const name of [...networks.keys()]) close(name); // where the element comes back, they are made anew
  };
  /** The reader's network in place of the shipped one; with null the shipped one again. */
  const adopt = (made) => {
    close("own");
    mine = made;
    blocks = made
      ? made.spec.blocks.filter(({ se }) => se).map(({ se, channels }) => ({ name: se, channels }))
      : shipped.blocks;
    edits = untouched();
    donated = new Map();
    [base, now, all] = [undefined, undefined, "own"];
    strips = makeStrips();
    stripBox.replaceChildren(...strips.map(({ row }) => row));
    self.result = undefined;
    show(blocks.length - 1);
    ask("picture");
    save();
  };
  const yours = ownNetwork({ about: { classes, mean, std }, take: adopt });
  const picture = makePicture({
    host: self,
    samples,
    other: yours,
    changed: () => (ask("picture"), askPlain(), save()),
  });
  const change = () => ((all = anyEdited() ? "" : "own"), ask("edits"), save(), drawControls());

  /* ---- The answer */

  const answer = makeAnswer(classes);
  const compare = button({ label: "Plain ResNet-20", pressed: false, click: () => (draw(), askPlain(), save()) });
  const drawAnswer = () => {
    const sentence = answer.draw({ now, base, plain, compared: compare.value });
    if (sentence && !picture.live) self.say(sentence);
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
  const cards = makeCards({ classes, measured });

  /* ---- The guess of the chapter, here too: it is asked before the button, and its answer takes the button's place */

  const guesses = [`still ${pair.picture}`, pair.donor, "something else"];
  const guess = choice({
    label: [h("b", {}, "Guess first."), ` What will it call the ${pair.picture} then?`],
    options: guesses.map((option) => [option, option]),
    value: guessed(GUESS, guesses),
    input: (option) => (keep(GUESS, option), drawCards()),
  });
  const deaf = listen(GUESS, (option) => ((guess.value = option), drawCards()));
  guess.classList.add("ask");
  const voice = h("p", { class: "note ask" }, "Choose whose gates all blocks use. The weights stay as they are.");
  const told = h("p", { class: "told" });
  const drawCards = () => {
    const given = all === "donor" && blocks.length > 0;
    const asked = !mine && picture.name === pair.picture && donor === pair.donor;
    guess.hidden = !asked;
    voice.hidden = asked; // in the same place, so that nothing moves
    give.hidden = given || !blocks.length;
    give.textContent = `Give this ${picture.name || "picture"} the gates of the ${donor}`;
    told.textContent =
      given && now ? swapSays(classes[top(now)], Math.max(...now.probabilities), asked && guess.value) : "";
    whose.value = all;
    donors.value = donor;
    whose.querySelector("[value=frozen]").disabled = isOwn(); // by means over the training images
    cards.draw({ now, base, kind: all, own: isOwn() });
  };

  /* ---- The gates */

  const makeStrip = ({ name, channels }, b) => {
    const gates = h("canvas", { width: channels, height: 1 }),
      marks = h("canvas", { width: channels, height: 1 });
    const says = h("small");
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
      says,
      radio,
      row: h("label", {}, radio, h("span", {}, name.replace(".se", "")), h("div", {}, gates, marks), says),
    };
  };
  const makeStrips = () => blocks.map(makeStrip);
  let strips = makeStrips();
  const stripBox = h(
    "div",
    { class: "strips", role: "radiogroup", "aria-label": "Block to open" },
    strips.map(({ row }) => row),
  );
  const COUNTS = { 3: "three", 9: "nine" };
  const count = h("strong");
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
  const C = () => blocks[open]?.channels ?? 0; // a plain network has no block with gates
  const gate = (c) => now?.gates[blocks[open].name][c] ?? 0.5;
  const own = (c) => base?.gates[blocks[open].name][c] ?? 0.5;
  const set = (c, value) => ((edits[open].pin[c] = value), change());
  /** What is set for a gate, or what it will be without a pin: before the network has answered, too. */
  const asked = (c) => {
    const { pin, shuffle } = edits[open];
    if (!Number.isNaN(pin[c])) return pin[c];
    return now?.own[blocks[open].name][shuffle ? permutation(C(), shuffle)[c] : c] ?? 0.5;
  };
  const toggle = (c) => set(c, edits[open].pin[c] === 0 ? NaN : 0);

  // A gate is at least 24 px wide, a finger's least.
  const most = () => (cellBox.clientWidth < 400 ? 8 : cellBox.clientWidth < 800 ? 16 : 32);
  const resize = () => (cellBox.style.gridTemplateColumns = `repeat(${Math.min(C(), most())}, minmax(0, 1fr))`);
  const show = (b) => {
    open = b;
    channel = 0;
    if (strips[b]) strips[b].radio.checked = true;
    gated.hidden = block.hidden = allBox.hidden = !blocks.length;
    count.textContent = blocks.length ? `Gates of all ${COUNTS[blocks.length] ?? blocks.length} blocks` : "";
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
    if (!blocks.length) return;
    blocks.forEach(({ name, channels }, b) => {
      const values = now?.gates[name] ?? new Float32Array(channels).fill(0.5);
      const { gates, marks, says } = strips[b];
      says.textContent = now && !edited(b) ? stripSays(now.own[name]) : "";
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
    pinner.value = asked(channel);
    read(channel);
  };

  const pinner = slider({ label: "", min: 0, max: 1, value: 0.5, tone: "excitation", input: (v) => set(channel, v) });
  const mute = button({ label: "Mute", pressed: false, click: () => toggle(channel) });
  const free = button({ label: "Own gate", click: () => set(channel, NaN) });
  const whole = (label, act) => button({ label, click: () => (act(edits[open]), change()) });
  const reset = whole("Reset block", (edit) => (edit.pin.fill(NaN), (edit.shuffle = 0)));
  const resetAll = whole("Reset all", () => edits.forEach((edit) => (edit.pin.fill(NaN), (edit.shuffle = 0))));
  const drawControls = () => {
    if (!blocks.length) return;
    const { pin, shuffle } = edits[open];
    const pinned = !Number.isNaN(pin[channel]);
    title.textContent = `${blocks[open].name}${shuffle ? ", shuffled" : ""}`;
    cells.forEach(
      ({ cell }, c) => ((cell.tabIndex = c === channel ? 0 : -1), cell.classList.toggle("on", c === channel)),
    );
    pinner.querySelector("label").textContent = `Channel ${channel}`;
    pinner.value = asked(channel);
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
    if (step) set(channel, Math.round(100 * clamp(asked(channel) + step, 0, 1)) / 100);
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

  const gated = h("div", { class: "gated" }, h("div", { class: "head" }, count, gateScale()), stripBox);
  const allBox = h("div", { class: "all" }, whose, donors);
  const wide = () => self.clientWidth >= 640; // on a phone it is folded
  const block = h(
    "details",
    { class: "block", open: true },
    h("summary", {}, "Open one block"),
    answer.near,
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
  );
  root.append(
    h("style", {}, pictureCss + css),
    h("div", { class: "opening" }, h("h3", {}, "A trained network, live"), guess, voice),
    h("div", { class: "act" }, picture.thumbs, give, told),
    h(
      "div",
      { class: "live" },
      h("div", { class: "picture" }, picture.panel, picture.under),
      gated,
      h("div", { class: "answers" }, answer.far, answer.chart, h("div", { class: "key" }, compare, answer.plain)),
    ),
    allBox,
    cards.element,
    yours.note,
    block,
  );

  picture.panel.querySelector(".tools").append(...yours.controls);
  block.open = wide();
  new ResizeObserver(resize).observe(cellBox);
  new ResizeObserver(() => wide() && (block.open = true)).observe(self);

  show(open);
  picture.choose(samples[0].name);
  link.follow("live", restore);
});
