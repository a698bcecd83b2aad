/* The lamp: a network with SE and one without learn, before the reader, to see through colored light; then whose gates?

   Here is what happens: the state, what is asked of the networks, the training. lib/lamp_parts.js has the elements,
   lib/lamp_draw.js fills them, lib/lamp_words.js chooses the sentences. */
import css from "./lamp.css";
import { button, clamp, figure, frame, h, link, number, unpack } from "./lib/core.js";
import { drawer, flat, follows, paint } from "./lib/lamp_draw.js";
import padCss from "./lib/lamp_pad.css";
import { pair } from "./lib/lamp_pair.js";
import { parts } from "./lib/lamp_parts.js";
import { swing } from "./lib/lamp_plots.js";
import { blockNames, python } from "./lib/lamp_words.js";
import { engine, KEPT } from "./lib/lamp_worker.js";
import { safetensors, unpackHalves } from "./lib/safetensors.js";
import trainingCss from "./lib/training_controls.css";

const START = { hue: 27, strength: 0.875 };
const LOOKS = [0, 25, 50, 100, 200, 400, 1500]; // with reduced motion the training is shown at these steps only
const SLOW = 40; // steps a second; below it the first training is a short one
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
  patient: false, // the reader has asked for so many steps
};
const PLACES = { both: [1, 2], 1: [1], 2: [2], none: [] };
const NAMES = { reduction: "r", layers: "SE in layer", plain: "plain channels" };

figure("se-lamp", (root, { open, samples, trained, measured, baselines, simd = true }, self) => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let nets = null; // of lamp_pair.js
  const s = {
    phase: "rest", // running, paused, done, blown
    options: { ...DEFAULTS, simd },
    scene: null, // the picture in white light, pixel by pixel
    photo: null, // its name if it is a photograph
    runs: { plain: [], se: [] },
    steps: 0,
    seconds: 0,
    speed: 0,
    shown: null, // the step that the reader has gone back to
    gates: "own",
    hand: null,
    best: null,
    block: 0,
    donor: null,
    view: null, // what both networks make of the picture
    probes: null, // gates on the probe pictures
    errors: {},
    replaced: undefined, // on new pictures; with other gates
    startSwing: 0,
    ring: null,
    channel: null, // what the reader chose; null: what shows most
    parted: 0,
    guess: null,
    past: null,
    away: false,
    note: "",
    anew: "",
    broken: false,
    short: false, // slow here: the first training is a short one
  };
  const fresh = () => ({
    shown: null,
    gates: "own",
    hand: null,
    best: null,
    errors: {},
    replaced: undefined,
    parted: 0,
    anew: "",
    broken: false,
  });
  let tiles = 0,
    spoken = 0,
    drawnAt = -1;
  const newTiles = () => {
    s.scene = engine.picture(engine.random(1000 + tiles)).rgb;
    s.photo = null;
  };

  /* ---- Asking the networks */

  const about = () => (s.shown === null ? {} : { step: s.shown });
  const gatesNow = async (its) => {
    if (s.gates === "hand") return s.hand;
    if (s.gates === "other") return (await its.nets.se.look({ ...s.donor, ...about() })).own;
    return s.gates;
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
        picture = { rgb: s.scene, lamp: [...ui.lamp.rgb], ...about() };
      try {
        const gates = await gatesNow(its);
        const asked = [
          its.nets.plain.look(picture),
          its.nets.se.look({ ...picture, gates }),
          its.nets.se.look(picture),
        ];
        const [plain, se, own] = await Promise.all(s.gates === "own" ? asked.slice(0, 2) : asked);
        if (its !== nets) continue;
        s.view = { plain, se, own: (own ?? se).error, lamp: picture.lamp };
        if (s.gates === "hand") s.best = Math.min(s.best ?? Number.POSITIVE_INFINITY, se.error);
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
      { shown, gates } = s;
    const stale = () => its !== nets || shown !== s.shown;
    try {
      const probes = await its.nets.se.probes(about());
      if (stale()) return;
      s.probes = probes;
      if (s.phase === "rest") s.startSwing = swing(probes.all.map(flat));
      draw();
      if (s.phase !== "done") return;
      const [plain, se] = await Promise.all([its.nets.plain.error(about()), its.nets.se.error(about())]);
      if (stale()) return;
      s.errors = { plain, se };
      draw();
      if (!["frozen", "other"].includes(gates) || !s.options.layers.length) return;
      const how = gates === "other" ? "swapped" : "frozen",
        error = await its.nets.se.error({ ...about(), gates: how });
      if (stale() || gates !== s.gates) return;
      s.replaced = error;
      self.say(`Gates ${how}. Error ${number(error, 3)}.`);
      draw();
    } catch (error) {
      if (its === nets) stopped(error);
    }
  };
  const stopped = (error) => {
    s.broken = true;
    const words = `This figure stopped: ${error.message}. The text does not need it. `;
    ui.say.replaceChildren(words, button({ label: "Try again", click: () => renew() }));
  };

  /* ---- Training */

  /** New networks, not trained yet; then, when they are there, what `then` does. */
  const renew = (then) => {
    nets?.close();
    Object.assign(s, fresh(), { phase: "rest", runs: { plain: [], se: [] }, steps: 0, seconds: 0, short: false });
    [spoken, drawnAt] = [0, -1];
    const its = pair({ ...s.options }, (what) => its === nets && progress(what));
    nets = its;
    s.runs = its.runs;
    its.ready.then(({ plain, se }) => {
      if (its !== nets) return;
      s.speed = Math.min(plain.speed, se.speed);
      s.short = s.speed < SLOW && s.options.steps === DEFAULTS.steps && !s.options.patient;
      for (const [name, { count }] of Object.entries({ plain, se }))
        ui.weights[name].textContent = `${count.toLocaleString("en-US")} weights`;
      look();
      study();
      then?.();
    }, stopped);
    draw();
  };
  const recent = (losses) => losses.slice(-13).reduce((sum, loss, _, all) => sum + loss / all.length, 0);
  const progress = (what) => {
    Object.assign(s, { steps: nets.steps, seconds: nets.seconds });
    if (what === "blown") s.phase = "blown";
    if (what === "done") {
      s.phase = "done";
      study().then(() =>
        self.say(`Done. Plain ${number(s.errors.plain ?? 0, 3)}, with SE ${number(s.errors.se ?? 0, 3)}.`),
      );
    }
    const news = LOOKS.some((mark) => mark > drawnAt && mark <= s.steps);
    if (s.phase === "running" && still && !news) return;
    const [plain, se] = [recent(s.runs.plain), recent(s.runs.se)];
    if (se <= 0.85 * plain) s.parted += s.steps - Math.max(drawnAt, 0);
    else if (s.parted < 20) s.parted = 0;
    if (s.phase === "running" && Math.floor(s.steps / KEPT) > Math.floor(drawnAt / KEPT)) study();
    drawnAt = s.steps;
    if (s.steps >= spoken + 100 && s.phase === "running") {
      spoken = 100 * Math.floor(s.steps / 100);
      self.say(`Step ${spoken}: plain ${number(plain, 2)}, with SE ${number(se, 2)}.`);
    }
    look();
    draw();
  };
  const go = () => {
    if (s.phase === "running") {
      nets.pause();
      s.phase = "paused";
      self.say(`Paused at step ${nets.steps}.`);
    } else if (s.phase === "done" || s.phase === "blown") {
      anew(s.phase === "blown" ? { rate: DEFAULTS.rate } : { seed: s.options.seed + 1 });
      return renew(go);
    } else if (s.short) {
      anew({ steps: 200 });
      return renew(go);
    } else {
      nets.start();
      s.phase = "running";
      s.anew = "";
      self.say("Training.");
      save();
    }
    draw();
  };
  /** Other options: what was trained stays as thin lines with a name. */
  const anew = (changed) => {
    const named = (key) => `${NAMES[key] ?? key} ${[s.options[key]].flat().join(" and ") || "none"}`;
    if (s.phase === "done" && s.runs.plain.length)
      s.past = {
        ...s.runs,
        name: Object.keys(changed)
          .filter((key) => key !== "patient")
          .map(named)
          .join(", "),
      };
    Object.assign(s.options, changed);
    ui.more.show(s.options);
    save();
  };

  /* ---- What the reader does */

  const both = () => (look(), draw());
  const note = (text) => {
    s.note = text;
    self.say(text);
    draw();
    setTimeout(() => s.note === text && ((s.note = ""), draw()), 4000);
  };
  const draw1 = () => {
    s.donor = engine.picture(Math.random);
    paint(ui.thumb, s.donor.rgb, s.donor.lamp);
  };
  const on = {
    go,
    lamp: (done) => {
      both();
      if (done) save(), ui.more.show(s.options, ui.lamp.rgb);
    },
    step: () => nets.step(),
    restart: () => renew(),
    fresh: () => {
      if (!s.photo) tiles++;
      newTiles();
      both();
    },
    photo: (rgb, name) => {
      Object.assign(s, { scene: rgb, photo: name });
      both();
    },
    seek: (change) => {
      const wanted = nets.last(clamp(change(s.shown ?? nets.steps), 0, nets.steps)),
        shown = wanted >= nets.steps ? null : wanted;
      if (shown === s.shown) return;
      Object.assign(s, { shown, errors: {}, replaced: undefined });
      study();
      both();
    },
    fader: (channel, change) => {
      const gates = s.hand[s.block];
      gates[channel] = change(gates[channel]) ?? s.view.se.own[s.block][channel];
      both();
    },
    block: (b) => ((s.block = b), draw()),
    pick: (b, c) => {
      Object.assign(s, { ring: [b, c], channel: null });
      const used = s.view?.se.used ?? [],
        { name } = follows(s.probes, b * (used[0]?.length ?? 0) + c);
      self.say(
        `Gate ${c} of the ${blockNames(s.options.layers)[b]}: ` +
          `${number(used[b]?.[c] ?? 0.5)}${name && `, follows ${name}`}.`,
      );
      draw();
    },
    channel: (k) => ((s.channel = k), draw()),
    guess: (value) => (s.guess = value),
    whose: (gates) => {
      Object.assign(s, { gates, replaced: undefined, best: null, block: 0 });
      if (gates === "hand") s.hand = s.probes.mean.map((list) => [...list]); // to begin with: those that fit no lamp
      if (gates === "other" && !s.donor) draw1();
      study();
      both();
    },
    dice: () => (draw1(), both()),
    copy: async () => {
      const text = python(s.options);
      try {
        await navigator.clipboard.writeText(text);
        note("Copied. It prints the same errors, give or take 0.005.");
      } catch {
        ui.more.code(text);
      }
    },
    save: async () => {
      const { seed, steps, reduction, squeeze, gate, layers } = s.options;
      const facts = { seed, steps, reduction, squeeze, gate, layers, python: python(s.options).split("\n")[3] };
      const words = Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)]));
      const file = safetensors(await nets.nets.se.weights(about()), words);
      const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
      h("a", { href: url, download: `lamp_se_seed${seed}.safetensors` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1e4);
      note("Saved: lamp.network(…).load_state_dict takes it.");
    },
    change: (changed) => {
      if ("rgb" in changed) {
        ui.lamp.value = { ...ui.lamp.value, rgb: changed.rgb };
        return both();
      }
      if ("pace" in changed) {
        Object.assign(s.options, changed);
        return nets && Object.assign(nets.options, changed);
      }
      anew("steps" in changed ? { ...changed, patient: true } : changed);
      renew();
      s.anew = "Trains anew.";
    },
  };

  /* ---- The link: seed.steps.r.place.hue-strength */

  const save = () => {
    const { seed, steps, reduction, layers } = s.options,
      { hue, strength } = ui.lamp.value;
    const place = Object.keys(PLACES).find((key) => PLACES[key].join() === layers.join());
    link.set("lamp", [seed, steps, reduction, place, `${Math.round(hue)}-${Math.round(100 * strength)}`].join("."));
  };
  const restore = (text) => {
    const [seed, steps, reduction, place, where] = text.split(".");
    const whole = (part, low, high) =>
      /^\d{1,6}$/.test(part ?? "") && part >= low && part <= high ? Number(part) : null;
    s.options.seed = whole(seed, 0, 999999) ?? s.options.seed;
    s.options.steps = whole(steps, 50, 1500) ?? s.options.steps;
    s.options.patient = steps !== undefined;
    if ([1, 2, 4, 8].includes(whole(reduction, 1, 8))) s.options.reduction = Number(reduction);
    s.options.layers = PLACES[place] ?? s.options.layers;
    const [, hue, strength] = /^(\d{1,3})-(\d{1,3})$/.exec(where ?? "") ?? [];
    if (hue <= 360 && strength <= 100) ui.lamp.value = { hue: Number(hue), strength: strength / 100 };
    ui.more.show(s.options, ui.lamp.rgb);
    if (nets && s.phase !== "running") renew();
  };

  /* ---- Coming and going */

  newTiles();
  const ui = parts({ host: self, open, start: START, samples, options: s.options, on });
  root.append(h("style", {}, padCss + trainingCss + css), ui.grid);
  const drawAll = drawer(ui, { open, baselines, measured });
  let width = 0;
  const draw = frame(() => width && drawAll(s, width));
  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    draw();
  }).observe(ui.grid);
  self.ontheme = draw;
  link.follow("lamp", restore);
  ui.more.show(s.options, ui.lamp.rgb);

  const begin = () => {
    if (open !== "trained") return renew();
    renew(async () => {
      await nets.load({ plain: unpackHalves(trained.plain), se: unpackHalves(trained.se) });
      s.options.seed = trained.seed;
      s.runs = { plain: unpack(trained.losses.plain), se: unpack(trained.losses.se) };
      s.phase = "done";
      look();
      study();
    });
  };
  const near = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && !nets && self.isConnected && begin(),
    { rootMargin: "300px" },
  );
  near.observe(self);
  const turn = () => {
    if (document.hidden && s.phase === "running") {
      nets.pause();
      s.away = true;
    } else if (!document.hidden && s.away) {
      nets.start();
      setTimeout(() => ((s.away = false), draw()), 1500);
    }
    draw();
  };
  document.addEventListener("visibilitychange", turn);
  self.onend = () => {
    nets?.close();
    nets = null;
    near.disconnect();
    document.removeEventListener("visibilitychange", turn);
  };
});
