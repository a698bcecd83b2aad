/* The lamp: a network with SE and one without learn, before the reader, to see through colored light; then whose
   gates? */
import css from "./lamp.css";
import { button, choice, clamp, figure, frame, h, link, number } from "./lib/core.js";
import { faders } from "./lib/lamp_faders.js";
import { more } from "./lib/lamp_more.js";
import { pad } from "./lib/lamp_pad.js";
import { pair } from "./lib/lamp_pair.js";
import { photos } from "./lib/lamp_photos.js";
import { bars, curves, fan, fit, smooth, swing } from "./lib/lamp_plots.js";
import {
  guessed,
  instruction,
  lampInWords,
  onThisPicture,
  python,
  status as statusText,
  verdict as verdictText,
} from "./lib/lamp_words.js";
import { engine, KEPT } from "./lib/lamp_worker.js";
import { safetensors, unpackHalves } from "./lib/safetensors.js";

const COLORS = ["red", "green", "blue"];
const START = { hue: 27, strength: 0.875 };
const LOOKS = [0, 25, 50, 100, 200, 400]; // with reduced motion the training is shown at these steps only
const DEFAULTS = {
  seed: 1,
  steps: 400,
  plain: 18,
  reduction: 2,
  layers: [1, 2],
  squeeze: "avg",
  gate: "sigmoid",
  rate: 0.01,
  pace: true,
};
const PLACES = { both: [1, 2], 1: [1], 2: [2], none: [] };
/** Text in which **bold** and *italic* are marked, as nodes. */
const rich = (text) =>
  text
    .split(/(\*\*[^*]+\*\*|\*[^*]+\*)/)
    .map((part) =>
      part.startsWith("**")
        ? h("b", {}, part.slice(2, -2))
        : part.startsWith("*")
          ? h("i", {}, part.slice(1, -1))
          : part,
    );
const flat = (gates) => gates.flat();

figure("se-lamp", (root, { open, samples, trained, measured, baselines, simd = true }, self) => {
  root.append(h("style", {}, css));
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const probeLamps = engine.held(engine.PROBES).map(({ lamp }) => lamp);

  /* ---- State */

  const options = { ...DEFAULTS, simd };
  let phase = "rest"; // running, paused, done, blown
  let nets = null,
    speed = 0,
    past = null,
    away = false,
    guess = null,
    fromFile = false;
  let tiles = 0; // how many times the reader has asked for new ones
  let scene,
    photo = null; // the picture in white light, pixel by pixel; its name if it is a photograph
  let shown = null; // the step that the reader has gone back to
  let gates = "own",
    hand = null,
    best = null,
    donor = null,
    block = 0;
  let view = null,
    probes = null,
    errors = {},
    replaced,
    startSwing = 0;
  let ring = null,
    channel = null; // what the reader chose; null: what shows most
  let parted = 0,
    spoken = 0,
    drawnAt = -1;

  const newTiles = () => {
    scene = engine.picture(engine.random(1000 + tiles)).rgb;
    photo = null;
  };
  newTiles();

  /* ---- The link: seed.steps.r.place.hue-strength */

  const save = () => {
    const place = Object.keys(PLACES).find((key) => PLACES[key].join() === options.layers.join());
    const { hue, strength } = lamp.value;
    link.set(
      "lamp",
      `${options.seed}.${options.steps}.${options.reduction}.${place}.${Math.round(hue)}-${Math.round(100 * strength)}`,
    );
  };
  const restore = () => {
    const [seed, steps, reduction, place, where] = (link.get("lamp") ?? "").split(".");
    const whole = (text, low, high) =>
      /^\d{1,6}$/.test(text ?? "") && text >= low && text <= high ? Number(text) : null;
    options.seed = whole(seed, 0, 999999) ?? options.seed;
    options.steps = whole(steps, 50, 1500) ?? options.steps;
    if ([1, 2, 4, 8].includes(whole(reduction, 1, 8))) options.reduction = Number(reduction);
    options.layers = PLACES[place] ?? options.layers;
    const [, hue, strength] = /^(\d{1,3})-(\d{1,3})$/.exec(where ?? "") ?? [];
    if (hue <= 360 && strength <= 100) lamp.value = { hue: Number(hue), strength: strength / 100 };
  };

  /* ---- Asking the networks */

  const about = (step = shown) => (step === null ? {} : { step });
  const gatesNow = async (its) => {
    if (gates === "hand") return hand;
    if (gates === "other") return (await its.nets.se.look({ ...donor, ...about() })).own;
    return gates;
  };
  let looking = false,
    again = false;
  /** Both networks on the picture; as often as the reader moves something, but never two at a time. */
  const look = async () => {
    again = true;
    if (looking) return;
    looking = true;
    while (again && nets) {
      again = false;
      const its = nets,
        picture = { rgb: scene, lamp: [...lamp.rgb], ...about() };
      try {
        const wanted = await gatesNow(its);
        const [plain, se, own] = await Promise.all([
          its.nets.plain.look(picture),
          its.nets.se.look({ ...picture, gates: wanted }),
          gates === "hand" && its.nets.se.look(picture),
        ]);
        if (its !== nets) continue;
        view = { plain, se, own: own ? own.error : se.error, rgb: picture.rgb, lamp: picture.lamp };
        if (gates === "hand") best = Math.min(best ?? Number.POSITIVE_INFINITY, se.error);
        draw();
      } catch (error) {
        if (its === nets) stopped(error);
      }
    }
    looking = false;
  };
  /** Gates on the probe pictures, and errors on new ones, of the step that is shown. */
  const study = async () => {
    const its = nets,
      step = shown,
      how = gates === "other" ? "swapped" : "frozen";
    const stale = () => its !== nets || step !== shown;
    try {
      const found = await its.nets.se.probes(about());
      if (stale()) return;
      probes = found;
      if (phase === "rest") startSwing = swing(probes.all.map(flat));
      draw();
      if (phase !== "done") return;
      const [plain, se] = await Promise.all([its.nets.plain.error(about()), its.nets.se.error(about())]);
      if (stale()) return;
      errors = { plain, se };
      draw();
      if (gates === "own" || gates === "hand" || !options.layers.length) return;
      const error = await its.nets.se.error({ ...about(), gates: how });
      if (stale() || gates !== (how === "swapped" ? "other" : "frozen")) return;
      replaced = error;
      self.say(`Gates ${how}. Error ${number(error, 3)}.`);
      draw();
    } catch (error) {
      if (its === nets) stopped(error);
    }
  };
  const stopped = (error) => {
    say.replaceChildren(
      `This figure stopped: ${error.message}. The text does not need it. `,
      button({ label: "Try again", click: () => renew() }),
    );
  };

  /* ---- Training */

  const renew = (then) => {
    nets?.close();
    [nets, phase, shown, gates, hand, best, errors, replaced, parted, spoken, drawnAt, fromFile] = [
      null,
      "rest",
      null,
      "own",
      null,
      null,
      {},
      undefined,
      0,
      0,
      -1,
      false,
    ];
    const its = pair({ ...options }, (what) => its === nets && progress(what));
    nets = its;
    its.ready.then(({ plain, se }) => {
      if (its !== nets) return;
      speed = Math.min(plain.speed, se.speed);
      [plainSub.textContent, seSub.textContent] = [plain, se].map(
        ({ count }) => `${count.toLocaleString("en-US")} weights`,
      );
      look(), study(), then?.();
    }, stopped);
    draw();
  };
  const progress = (what) => {
    const { plain, se } = nets.runs,
      steps = nets.steps;
    if (what === "blown") phase = "blown";
    if (what === "done") {
      phase = "done";
      study().then(() =>
        self.say(`Done. Plain ${number(errors.plain ?? 0, 3)}, with SE ${number(errors.se ?? 0, 3)}.`),
      );
      look();
    }
    if (phase === "running" && still && !LOOKS.some((mark) => mark > drawnAt && mark <= steps)) return;
    const [p, s] = [plain, se].map((losses) => average(losses));
    if (s <= 0.85 * p) parted += steps - Math.max(drawnAt, 0);
    else if (parted < 20) parted = 0;
    if (Math.floor(steps / KEPT) > Math.floor(drawnAt / KEPT)) study();
    drawnAt = steps;
    if (steps >= spoken + 100 && phase === "running") {
      spoken = 100 * Math.floor(steps / 100);
      self.say(`Step ${spoken}: plain ${number(p, 2)}, with SE ${number(s, 2)}.`);
    }
    look(), draw();
  };
  const average = (losses) => {
    const last = losses.slice(-13);
    return last.reduce((a, b) => a + b, 0) / last.length;
  };
  const go = () => {
    if (phase === "running") {
      nets.pause();
      phase = "paused";
      self.say(`Paused at step ${nets.steps}.`);
    } else if (phase === "done" || phase === "blown") {
      if (phase === "blown") options.rate = DEFAULTS.rate;
      else anew({ seed: options.seed + 1 });
      renew(go);
      return;
    } else {
      if (speed && speed < 40 && !nets.steps && options.steps === 400) {
        options.steps = 200; // half an hour of patience is not what a reader brings
        renew(go);
        return;
      }
      nets.start();
      phase = "running";
      self.say("Training.");
      save();
    }
    draw();
  };
  /** Other options: what was trained stays as thin lines with a name. */
  const anew = (changed) => {
    if (phase === "done" && nets.runs.plain.length)
      past = {
        ...nets.runs,
        name: Object.keys(changed)
          .map((key) => `${NAMES[key] ?? key} ${[options[key]].flat().join(" and ") || "none"}`)
          .join(", "),
      };
    Object.assign(options, changed);
    panel.show(options);
    save();
  };
  const NAMES = { reduction: "r", layers: "SE in layer", plain: "plain channels" };
  const leave = () => {
    away = phase === "running";
    if (away) nets.pause();
    draw();
  };
  const come = () => {
    if (!away) return;
    nets.start();
    setTimeout(() => ((away = false), draw()), 1500);
    draw();
  };

  /* ---- What is seen */

  const say = h("p", { class: "note say", id: "say" });
  const canvas = () => h("canvas", { width: 36, height: 36, role: "img" });
  const pictures = { lamp: canvas(), plain: canvas(), se: canvas(), white: canvas() };
  const [plainSub, seSub, whiteSub] = ["", "", "the answer"].map((text) => h("span", { class: "tiny" }, text));
  const small = { plain: h("span", { class: "tiny" }), se: h("span", { class: "tiny" }) };
  const raws = [];
  const cell = (name, title, subs, raw) => {
    const veil = raw && h("span", { class: "raw" }, "not trained yet");
    if (veil) raws.push(veil);
    return h(
      "div",
      { class: `pic ${name}` },
      h("div", { class: "cap" }, h("span", { class: "lab" }, title), subs),
      h("div", { class: "frame" }, pictures[name], veil),
    );
  };
  const meter = (kind) => {
    const value = h("span", { class: "big" }),
      what = h("span", { class: "tiny" }),
      fill = h("i"),
      note = h("p", { class: "tiny" });
    return {
      value,
      what,
      fill,
      note,
      box: h(
        "div",
        { class: `off ${kind}` },
        h("div", { class: "line" }, value, what),
        h("div", { class: "meter" }, fill),
        note,
      ),
    };
  };
  const meters = { plain: meter("plain"), se: meter("se") };
  const lampValues = h("div", { class: "values tiny", "aria-hidden": "true" });
  const lamp = pad({
    value: START,
    input: (done) => (look(), draw(), done && (save(), panel.show(options, lamp.rgb))),
  });
  const train = button({ label: "", primary: true, click: go });
  const stepOnce = button({ label: "Step", click: () => ((phase = "paused"), nets.step()) });
  const restart = button({ label: "Restart", click: () => renew() });
  const status = h("p", { class: "tiny status" });
  const chart = curves({
    seek: (step) => {
      const wanted = nets.last(step);
      if (wanted === (shown ?? nets.steps)) return;
      shown = wanted >= nets.steps ? null : wanted;
      [errors, replaced] = [{}, undefined];
      look(), study(), draw();
    },
  });
  const hands = faders({
    input: (c, value) => {
      hand[block][c] = value ?? view.se.own[block][c];
      look(), draw();
    },
  });
  const tabs = choice({
    label: "Block",
    options: [
      [0, "block 1"],
      [1, "block 2"],
    ],
    value: 0,
    input: (b) => ((block = Number(b)), draw()),
  });
  const bestSoFar = h("span", { class: "tiny" });
  const gateBars = bars({ pick: (b, c) => ((ring = [b, c]), (channel = null), draw(), self.say(follows(b, c, true))) });
  const rays = fan();
  const swingText = h("span", { class: "tiny" });
  const swatches = choice({
    label: "Color of the lamp",
    options: COLORS.map((name, k) => [
      k,
      h("span", { class: `swatch ${name}`, title: name }, h("span", { class: "hidden" }, name)),
    ]),
    input: (k) => ((channel = Number(k)), draw()),
  });
  const axis = h("span", { class: "tiny axis" });

  const verdict = h("p", { class: "verdict" }),
    outcome = h("p", { class: "note" });
  const guesses = choice({
    label: "Guess",
    options: [
      ["plain", "plain"],
      ["se", "with SE"],
      ["same", "no difference"],
    ],
    input: (value) => (guess = value),
  });
  const guessBox = h(
    "div",
    { class: "guess" },
    h("span", {}, h("b", {}, "Guess first."), " Which will come closer to white light?"),
    guesses,
  );
  const copy = button({
    label: "Copy as Python",
    click: async () => {
      const text = python(options);
      try {
        await navigator.clipboard.writeText(text);
        note("Copied. It prints the same errors, give or take 0.005.");
      } catch {
        panel.code(text);
      }
    },
  });
  const saveWeights = button({
    label: "Save weights",
    click: async () => {
      const weights = await nets.nets.se.weights(about());
      const { seed, steps, reduction, squeeze, gate, layers } = options;
      const facts = { network: python(options).split("\n")[3], seed, steps, reduction, squeeze, gate, layers };
      const file = safetensors(
        weights,
        Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)])),
      );
      const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
      h("a", { href: url, download: `lamp_se_seed${seed}.safetensors` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1e4);
      note("Saved: lamp.network(…).load_state_dict takes it.");
    },
  });
  const note = (text) => {
    outcome.textContent = text;
    self.say(text);
    setTimeout(() => outcome.textContent === text && draw(), 4000);
  };
  const whose = choice({
    label: "Whose gates?",
    options: [
      ["own", "its own"],
      ["frozen", "frozen"],
      ["other", "another picture’s"],
      ["hand", "set by hand"],
    ],
    value: "own",
    input: (value) => choose(value),
  });
  const choose = (value) => {
    [gates, replaced, best] = [value, undefined, null];
    whose.value = value;
    if (value === "hand") hand = view.se.own.map((list) => list.map(() => 0.5));
    if (value === "other" && !donor) draw1();
    look(), study(), draw();
  };
  const thumb = h("canvas", {
    width: 36,
    height: 36,
    role: "img",
    "aria-label": "The other picture, under its own lamp",
  });
  const draw1 = () => {
    const { rgb, lamp } = engine.picture(Math.random);
    donor = { rgb, lamp };
    paint(thumb, rgb, lamp);
  };
  const dice = h(
    "button",
    { type: "button", "aria-label": "Draw another picture", onclick: () => (draw1(), look()) },
    "⚄",
  );
  const other = h("div", { class: "other" }, thumb, dice);
  const later = h(
    "span",
    { class: "note later" },
    "After training: freeze, swap and set the gates · your own photograph",
  );
  const explain = h("p", { class: "note" }, "Each line is a gate. Flat: it ignores the lamp. Steep: it follows it.");
  const fresh = button({
    label: "New tiles",
    click: () => {
      if (!photo) tiles++;
      newTiles(), look(), draw();
    },
  });
  const album = photos({
    host: self,
    samples,
    show: (rgb, name) => {
      [scene, photo] = [rgb, name];
      look(), draw();
    },
  });
  const panel = more({
    options,
    rgb: lamp.rgb,
    change: (changed) => {
      if ("pace" in changed) return (Object.assign(options, changed), nets && Object.assign(nets.options, changed));
      if ("rgb" in changed) return ((lamp.value = { ...lamp.value, rgb: changed.rgb }), look(), draw());
      anew(changed), renew(), (status.textContent = "Trains anew.");
    },
  });

  const grid = h(
    "div",
    { class: "lamp", "data-open": open },
    h("div", { class: "head" }, h("h3", { id: "title" }, "Two networks, one lamp"), say),
    cell("lamp", "Under your lamp"),
    cell("plain", h("span", {}, "Plain", h("span", { class: "wide" }, " network")), [plainSub, small.plain], true),
    cell("se", "With SE", [seSub, small.se], true),
    cell("white", "White light", whiteSub),
    h("div", { class: "padbox" }, lamp, lampValues),
    meters.plain.box,
    meters.se.box,
    h("div", { class: "go" }, h("div", { class: "buttons" }, stepOnce, restart, train), status),
    h("div", { class: "tools" }, fresh, album.button, album.panel),
    h(
      "div",
      { class: "panel curve" },
      h("div", { class: "lab titles" }, h("span", { class: "title" }), tabs, bestSoFar),
      chart,
      hands,
      h("p", { class: "tiny outlines" }, "Outlines: the network’s own gates for this lamp."),
    ),
    h(
      "div",
      { class: "panel its" },
      h("div", { class: "lab" }, "Its gates ", h("span", { class: "tiny wide" }, "on this picture")),
      gateBars,
    ),
    h(
      "div",
      { class: "panel fan" },
      h("div", { class: "lab" }, h("span", {}, "Gates and lamp "), swingText),
      rays,
      h("div", { class: "under" }, swatches, axis),
    ),
    h(
      "div",
      { class: "foot" },
      h(
        "div",
        { class: "first" },
        h("div", { class: "sayings" }, guessBox, explain, verdict, outcome),
        h("div", { class: "buttons" }, saveWeights, copy),
      ),
      h("div", { class: "second" }, h("div", { class: "whose" }, whose, other), later, panel.toggle),
      panel.box,
    ),
  );
  root.append(grid);
  self.setAttribute("role", "group");
  self.setAttribute("aria-label", "Two networks, one lamp");

  /* ---- Drawing */

  const paint = (canvas, rgb, light = [1, 1, 1]) => {
    const side = Math.sqrt(rgb.length / 3),
      image = new ImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = 255 * clamp(rgb[3 * i + k] * light[k], 0, 1);
      image.data[4 * i + 3] = 255;
    }
    if (canvas.width !== side) canvas.width = canvas.height = side;
    canvas.getContext("2d").putImageData(image, 0, 0);
  };
  const grayWorld = (rgb, light) => {
    const sums = [0, 0, 0],
      n = rgb.length / 3;
    rgb.forEach((v, i) => (sums[i % 3] += v * light[i % 3]));
    const error = rgb.reduce(
      (sum, v, i) => sum + Math.abs(Math.min(1, (0.5 * v * light[i % 3]) / Math.max(1e-6, sums[i % 3] / n)) - v),
      0,
    );
    return error / rgb.length;
  };
  /** Of a gate: the color of the lamp that it follows best; in a sentence where `aloud`. */
  const follows = (b, c, aloud) => {
    const k = b * (probes?.mean[0]?.length ?? 0) + c;
    const fits = probes
      ? COLORS.map((_, j) =>
          fit(
            probeLamps.map((l) => l[j]),
            probes.all.map((one) => flat(one)[k]),
          ),
        )
      : [];
    const j = fits.reduce(
      (most, one, i) => (Math.abs(one.correlation) > Math.abs(fits[most].correlation) ? i : most),
      0,
    );
    const name =
      fits.length && Math.abs(fits[j].correlation) > 0.5 && Math.abs(0.8 * fits[j].slope) > 0.05 ? COLORS[j] : "";
    return aloud
      ? `Gate ${c} of block ${b + 1}: ${number(view?.se.used[b]?.[c] ?? 0.5)}${name && `, follows ${name}`}.`
      : aloud === undefined
        ? name
        : j;
  };
  const widest = (lists) => {
    const spread = lists[0].map((_, k) => Math.max(...lists.map((l) => l[k])) - Math.min(...lists.map((l) => l[k])));
    return spread.indexOf(Math.max(...spread));
  };
  const drawPictures = (here) => {
    paint(pictures.lamp, scene, lamp.rgb);
    paint(pictures.white, scene);
    pictures.lamp.parentNode.style.setProperty("--lamp", `rgb(${lamp.rgb.map((v) => Math.round(255 * v)).join(" ")})`);
    lampValues.replaceChildren(...COLORS.map((name, k) => h("span", {}, `${name} ${number(lamp.rgb[k])}`)));
    const what = photo ? `the photograph of ${photo}` : "36 tiles of random colors";
    pictures.lamp.setAttribute(
      "aria-label",
      `${what} under the lamp ${lampInWords(lamp.value.hue, lamp.value.strength, lamp.rgb)}`,
    );
    pictures.white.setAttribute("aria-label", `${what} in white light`);
    whiteSub.textContent = photo ? `gray world ${number(grayWorld(scene, lamp.rgb), 3)}` : "the answer";
    for (const veil of raws) veil.hidden = phase !== "rest";
    if (!view) return;
    for (const name of ["plain", "se"]) {
      const { output, error } = view[name],
        { value, what, fill } = meters[name];
      paint(pictures[name], output);
      pictures[name].setAttribute(
        "aria-label",
        `What the ${name === "se" ? "network with SE" : "plain network"} makes of it: off by ${number(error, 3)}`,
      );
      value.textContent = small[name].textContent = number(error, 3);
      what.textContent = phase === "rest" ? "off: not trained" : "off on this picture";
      fill.style.width = `${clamp(error / 0.3, 0, 1) * 100}%`;
    }
    meters.se.note.textContent =
      here && errors.se !== undefined && !photo && gates === "own" ? onThisPicture(here, errors.plain, errors.se) : "";
  };
  const drawPanels = () => {
    const narrow = size.width < 560,
      gap = narrow ? 10 : size.width < 880 ? 24 : 40;
    const column = (size.width - (narrow ? 1 : 3) * gap) / (narrow ? 2 : 4),
      height = narrow ? 124 : 168;
    const two = narrow ? size.width : 2 * column + gap,
      swapped = open === "fan" && !narrow;
    const runs = nets?.runs ?? { plain: [], se: [] },
      done = phase === "done";
    const atStep = (losses) => smooth(losses)[(shown ?? losses.length) - 1] ?? losses[0];
    const ends = fromFile
      ? errors
      : runs.plain.length && runs.se.length
        ? {
            plain: (done && errors.plain) || atStep(runs.plain),
            se: (done && errors.se) || atStep(runs.se),
          }
        : {};
    const byHand = gates === "hand";
    grid.classList.toggle("hand", byHand);
    grid.querySelector(".title").textContent = byHand ? "Set the gates" : "Error on new pictures";
    bestSoFar.textContent = byHand && best !== null ? `best so far ${number(best, 3)}` : "";
    tabs.hidden = !byHand || (view?.se.own.length ?? 0) < 2;
    if (byHand && view) hands.draw(hand[block], view.se.own[block]);
    else {
      const lines = [
        { name: "do nothing", error: baselines.nothing, dash: "1 3" },
        { name: "gray world", error: baselines.gray_world, dash: "5 3" },
      ];
      if (options.squeeze === "max") lines.push({ name: "white patch", error: baselines.white_patch, dash: "5 3" });
      const series = (losses) =>
        [1, 100, 200, 400]
          .filter((s) => s <= losses.length)
          .map((s) => `${number(smooth(losses)[s - 1], 2)} at step ${s}`)
          .join(", ");
      const alt = runs.plain.length
        ? `Error on new pictures. Plain: ${series(runs.plain)}. With SE: ${series(runs.se)}.`
        : "Error on new pictures: nothing is trained yet.";
      chart.draw({
        width: swapped ? column : two,
        height,
        narrow: narrow || swapped,
        total: options.steps,
        runs,
        past,
        ends,
        shown,
        baselines: lines,
        file: fromFile,
        replaced:
          replaced !== undefined && ends.se !== undefined
            ? { name: gates === "other" ? "swapped" : "frozen", error: replaced }
            : null,
        scrub: done && !fromFile,
        alt,
      });
    }
    const used = view?.se.used ?? options.layers.map(() => Array(16).fill(0.5));
    let lists = probes?.all.map(flat) ?? [];
    if (gates === "frozen" && probes) lists = lists.map(() => flat(probes.mean));
    const count = used[0]?.length ?? 0,
      picked =
        ring ??
        (lists.length && count
          ? [Math.floor(widest(probes.all.map(flat)) / count), widest(probes.all.map(flat)) % count]
          : [0, 0]);
    const index = picked[0] * count + picked[1];
    gateBars.draw({
      width: narrow ? column + 6 : column,
      height,
      gates: used,
      names: options.layers.map((l) => `block ${l}`),
      ring: picked,
      follows: (b, c) => follows(b, c),
    });
    const color = channel ?? (count ? follows(...picked, false) : 0);
    swatches.value = color;
    const value = swing(lists);
    swingText.textContent = count && !narrow ? `swing ${number(value)}` : "";
    axis.textContent = `${COLORS[color]} in the lamp →`;
    rays.draw({
      width: swapped ? two : narrow ? column - 6 : column,
      height: height - 24,
      lamps: probeLamps,
      lists: count ? lists : [],
      ring: index,
      channel: color,
      here: view && count ? { lamp: view.lamp, gate: flat(used)[index] } : null,
      alt:
        `Gates against ${COLORS[color]} in the lamp, a line each, for 64 lamps. ` +
        `On average a gate swings by ${number(value)}.`,
    });
    return value;
  };
  const drawFoot = (here, swings) => {
    const done = phase === "done";
    const claim = verdictText({
      phase,
      ...errors,
      gates,
      replaced,
      photo,
      here: here && { ...here, own: view.own },
      hand: here?.se,
      swing: swings,
      start: startSwing,
      gray: baselines.gray_world,
      max: options.squeeze === "max",
      measured,
      shown,
    });
    verdict.replaceChildren(...rich(claim));
    guessBox.hidden = phase !== "rest";
    explain.hidden = phase === "rest" || done;
    outcome.replaceChildren(
      ...(done && guess && errors.se !== undefined && !shown ? rich(guessed(guess, errors.plain, errors.se)) : []),
    );
    saveWeights.hidden = copy.hidden = whose.hidden = !done;
    later.hidden = done;
    other.hidden = !done || gates !== "other";
    whose.hidden ||= !options.layers.length;
  };
  const draw = frame(() => {
    if (!size.width) return;
    const here = view && { plain: view.plain.error, se: view.se.error };
    drawPictures(here);
    const swings = drawPanels();
    drawFoot(here, swings);
    say.replaceChildren(
      ...rich(
        instruction({
          phase,
          parted: parted >= 20,
          steps: nets?.steps ?? 0,
          gates,
          photo,
          worse: here && here.se > here.plain,
          shown,
          away,
          moved: here && best < view.own,
        }),
      ),
    );
    const label = {
      rest: "▶ Train",
      running: "❚❚ Pause",
      paused: "▶ Go on",
      done: "↻ Train again",
      blown: "▶ Train anew",
    }[phase];
    if (train.textContent !== label) train.textContent = label;
    train.classList.toggle("hollow", phase === "done");
    stepOnce.hidden = restart.hidden = phase === "rest" && !nets?.steps;
    stepOnce.disabled = phase !== "paused";
    status.textContent = statusText({
      phase,
      steps: nets?.steps ?? 0,
      total: options.steps,
      speed,
      seconds: nets?.seconds ?? 0,
      seed: options.seed,
      batch: engine.BATCH,
    });
    fresh.textContent = photo ? "Tiles" : "New tiles";
    album.button.setAttribute("aria-pressed", String(Boolean(photo)));
  });

  const size = { width: 0 };
  new ResizeObserver(([entry]) => {
    size.width = entry.contentRect.width;
    draw();
  }).observe(grid);
  restore();
  panel.show(options, lamp.rgb);
  self.ontheme = draw;
  self.onend = () => {
    nets?.close();
    nets = null;
  };
  const begin = () => {
    if (!trained || open !== "trained") return renew();
    renew(() =>
      nets.load({ plain: unpackHalves(trained.plain), se: unpackHalves(trained.se) }).then(() => {
        [phase, fromFile, options.seed] = ["done", true, trained.seed];
        look(), study();
      }),
    );
  };
  const seen = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting) || nets) return;
      begin();
    },
    { rootMargin: "300px" },
  );
  seen.observe(self);
  document.addEventListener("visibilitychange", () => self.isConnected && (document.hidden ? leave() : come()));
});
