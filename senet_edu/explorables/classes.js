/* A classifier of the reader's own classes: ResNet-8 with SE and without learn, in the page, from drawn shapes or from
   pictures of the camera, of files, of the pad; then they answer live.

   Here is what happens: the state, what is asked of the networks, the training. lib/class_parts.js has the elements,
   lib/class_draw.js fills them, lib/class_words.js chooses the sentences. */
import css from "./classes.css";
import { readFiles } from "./lib/class_album.js";
import { draw as drawAll } from "./lib/class_draw.js";
import { classPair } from "./lib/class_pair.js";
import { parts } from "./lib/class_parts.js";
import { CHUNKS, CLASSES, drawShapes, emptyShapes, forTraining, heldPicture, lacking, MOST } from "./lib/class_sets.js";
import { answers, python } from "./lib/class_words.js";
import { figure, frame, h, link } from "./lib/core.js";
import { doubled, halved } from "./lib/photo.js";
import pictureCss from "./lib/picture.css";
import trainingCss from "./lib/training_controls.css";

const LOOKS = [1, 25, 50, 100, 200, 400, 1000]; // with reduced motion the training is shown at these steps only
const DEFAULTS = { seed: 0, steps: 400, batch: 32, rate: 0.25, reduction: 4, hold: true };
const NAMES = ["class 0", "class 1", "class 2", "class 3", "class 4"];

figure("se-classes", (root, { simd = true }, self) => {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const own = (k) => ({ name: NAMES[k], pictures: [] });
  const s = {
    source: "drawn", // or "own"
    sets: { drawn: emptyShapes(), own: [own(0), own(1)] },
    shapes: 0, // chunks of the drawn ones that are there
    chosen: 0, // the class that new pictures go to
    picked: null, // [class, picture] that the reader looks at
    focus: false,
    options: { ...DEFAULTS },
    phase: "rest", // running, paused, done, blown
    run: null, // { pair, data, names }
    logs: { plain: [], se: [] },
    steps: 0,
    ready: 0, // seconds that a training is expected to take
    stale: false, // the pictures have changed since the networks were made
    view: null, // what both networks say of the picture
    truth: null, // its class, where that is known
    guess: null,
    away: false,
    note: "",
  };
  let spoken = 0,
    shownAt = -1,
    heldAt = 0;

  /* ---- Asking the networks */

  let asking = false,
    again = false;
  /** Both networks on the picture; as often as it changes, but never two at a time. */
  const look = async () => {
    again = true;
    if (asking) return;
    asking = true;
    while (again && s.run) {
      again = false;
      const { run } = s;
      try {
        const view = await run.pair.answer(pixels());
        if (run !== s.run) continue;
        const sound = view.se.probabilities.every(Number.isFinite) && view.plain.probabilities.every(Number.isFinite);
        s.view = sound ? view : null; // of a run that blew up
        const quiet = !s.view || ui.picture.live || s.phase === "running" || !s.steps;
        if (!quiet) self.say(answers(run.names, view, s.truth));
        draw();
      } catch (error) {
        if (run === s.run) stopped(error);
      }
    }
    asking = false;
  };
  const pixels = () => {
    const rgb = Uint8Array.from({ length: 3 * 1024 }, (_, i) => ui.picture.data[4 * Math.floor(i / 3) + (i % 3)]);
    return new Uint8Array(halved(rgb));
  };
  const stopped = (error) => (s.note = `This figure stopped: ${error.message}. The text does not need it.`) && draw();

  /* ---- Training */

  /** New networks for the pictures that there are, not trained yet. */
  const renew = () => {
    s.run?.pair.close();
    Object.assign(s, { phase: "rest", run: null, logs: { plain: [], se: [] }, steps: 0, view: null, stale: false });
    [spoken, shownAt] = [0, -1];
    const sets = s.sets[s.source];
    if (lacking(sets) === null && (s.source === "own" || s.shapes === CHUNKS)) {
      const data = forTraining(sets, s.source === "own" && s.options.hold);
      const { hold, ...options } = s.options;
      const run = { data, names: sets.map(({ name }) => name) };
      run.pair = classPair({ ...data, options: { ...options, simd } }, () => run === s.run && progress());
      s.run = run;
      s.logs = run.pair.logs;
      run.pair.ready.then(({ plain, se }) => {
        if (run !== s.run) return;
        s.ready = (s.options.steps * s.options.batch) / Math.max(1, Math.min(plain.speed, se.speed));
        look();
        draw();
      }, stopped);
    }
    draw();
  };
  const right = (log) => `${Math.round(100 * (log.at(-1)?.accuracy ?? 0))} %`;
  const progress = () => {
    const { pair } = s.run;
    s.steps = pair.steps;
    if (pair.blown) s.phase = "blown";
    else if (pair.done && s.phase !== "done") {
      s.phase = "done";
      self.say(`Done. ${held()}`);
    }
    const news = LOOKS.some((mark) => mark > shownAt && mark <= s.steps);
    if (s.phase === "running" && still && !news) return;
    shownAt = s.steps;
    if (s.steps >= spoken + 100 && s.phase === "running") {
      spoken = 100 * Math.floor(s.steps / 100);
      self.say(
        `Step ${spoken}: right on training pictures: plain ${right(s.logs.plain)}, with SE ${right(s.logs.se)}.`,
      );
    }
    look();
    draw();
  };
  const held = () => {
    const of = (name) => s.logs[name].at(-1)?.heldAccuracy ?? null;
    if (of("se") === null) return "No picture was held back.";
    return `Right on held pictures: plain ${Math.round(100 * of("plain"))} %, with SE ${Math.round(100 * of("se"))} %.`;
  };
  const go = () => {
    if (s.stale) renew();
    else if (s.phase === "done" || s.phase === "blown") {
      Object.assign(s.options, s.phase === "blown" ? { rate: DEFAULTS.rate } : { seed: s.options.seed + 1 });
      ui.more.show(s.options);
      renew();
    }
    if (!s.run) return draw();
    if (s.phase === "running") {
      s.run.pair.pause();
      s.phase = "paused";
      self.say(`Paused at step ${s.steps}.`);
    } else {
      s.run.pair.start();
      s.phase = "running";
      self.say("Training.");
      save();
    }
    draw();
  };

  /* ---- Pictures */

  /** The reader's classes are others than before. */
  const changed = () => {
    if (s.steps > 0) {
      if (s.phase === "running") s.run.pair.pause();
      if (s.phase === "running") s.phase = "paused";
      s.stale = true;
      draw();
    } else renew();
  };
  const show = (rgb, about, truth, picked = null) => {
    ui.picture.show(doubled(rgb), about);
    Object.assign(s, { truth, picked }); // `on.picture` has taken them away
    draw();
  };
  const add = (pictures, k = s.chosen) => {
    const room = MOST - s.sets.own[k].pictures.length;
    s.sets.own[k].pictures.push(...pictures.slice(0, Math.max(0, room)));
    changed();
    return Math.min(room, pictures.length);
  };
  const note = (text) => {
    s.note = text;
    self.say(text);
    draw();
    setTimeout(() => s.note === text && ((s.note = ""), draw()), 4000);
  };
  const next = () => {
    const { held: back } = s.run.data;
    const { pixels: rgb, label } = heldPicture(back, heldAt++ % back.labels.length);
    show(rgb, `a held picture of: ${s.run.names[label]}`, label);
  };

  const on = {
    go,
    step: () => {
      s.run.pair.step();
      if (s.phase === "rest") s.phase = "paused";
      draw();
    },
    restart: renew,
    guess: (value) => (s.guess = value),
    source: (source) => {
      Object.assign(s, { source, picked: null, truth: null });
      renew();
    },
    choose: (k) => ((s.chosen = k), draw()),
    name: (k, text) => {
      s.sets.own[k].name = text.trim() || NAMES[k];
      if (s.run) s.run.names[k] = s.sets.own[k].name;
      draw();
    },
    pick: (k, i, focus = false) => {
      if (s.source === "own") s.chosen = k;
      const { name, pictures } = s.sets[s.source][k];
      show(pictures[i], `picture ${i} of: ${name}`, k, [k, i]);
      s.focus = focus;
    },
    remove: (k = s.picked?.[0], i = s.picked?.[1]) => {
      if (s.source !== "own" || k === undefined) return;
      const { name, pictures } = s.sets.own[k];
      if (!pictures.length) return;
      pictures.splice(Math.min(i, pictures.length - 1), 1); // a burst of keys comes from a picture that is gone
      s.picked = null;
      if (pictures.length) on.pick(k, Math.min(i, pictures.length - 1), true);
      self.say(`Removed. ${name} has ${pictures.length}.`);
      changed();
    },
    files: async (k, files) => {
      const to = k ?? s.chosen;
      const pictures = await readFiles(files);
      const taken = add(pictures, to);
      const lost = files.length - pictures.length;
      const unread = lost ? ` ${lost} could not be read as a picture.` : "";
      note(`${taken} added to ${s.sets.own[to].name}.${unread}`);
    },
    add: () => {
      if (!add([pixels()])) return;
      const { name, pictures } = s.sets.own[s.chosen];
      self.say(`${pictures.length} of ${name}.`);
    },
    another: () => {
      const { own: sets } = s.sets;
      if (sets.length >= CLASSES[1]) return;
      s.chosen = sets.push(own(sets.length)) - 1;
      changed();
    },
    less: () => {
      const { own: sets } = s.sets;
      if (sets.length <= CLASSES[0]) return;
      sets.splice(s.chosen, 1);
      Object.assign(s, { chosen: Math.min(s.chosen, sets.length - 1), picked: null, truth: null });
      changed();
    },
    picture: () => {
      Object.assign(s, { truth: null, picked: null });
      if (!s.run) return draw();
      look();
    },
    next,
    change: (options) => {
      Object.assign(s.options, options);
      renew();
      save();
    },
    save: async (name) => {
      const se = name === "se",
        file = `${se ? "se_" : ""}resnet8.safetensors`;
      const content = await s.run.pair.nets[name].safetensors({ names: s.run.names });
      const url = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
      h("a", { href: url, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1e4);
      ui.saved.code.textContent = python({ file, se, names: s.run.names, reduction: s.options.reduction });
      ui.saved.box.hidden = false;
      note(`Saved: ${file}. The lines below load it.`);
    },
    copy: async () => {
      try {
        await navigator.clipboard.writeText(ui.saved.code.textContent);
        note("Copied.");
      } catch {
        ui.saved.code.focus();
      }
    },
  };

  /* ---- The link: seed.steps.r */

  const save = () => link.set("classes", [s.options.seed, s.options.steps, s.options.reduction].join("."));
  const restore = (text) => {
    const [seed, steps, reduction] = text.split(".").map(Number);
    const whole = (v, low, high) => Number.isInteger(v) && v >= low && v <= high;
    if (whole(seed, 0, 999999)) s.options.seed = seed;
    if (whole(steps, 10, 1000)) s.options.steps = steps;
    if ([1, 2, 4, 8, 16].includes(reduction)) s.options.reduction = reduction;
    ui.more.show(s.options);
    if (s.run && s.phase !== "running") renew();
  };

  /* ---- Coming and going */

  const ui = parts({ host: self, options: s.options, on });
  root.append(h("style", {}, pictureCss + trainingCss + css), ui.grid);
  let width = 0;
  const draw = frame(() => width && drawAll(ui, s, width));
  new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    draw();
  }).observe(ui.grid);
  self.ontheme = draw;
  /** The shapes, a few at a time, so that the page does not stall. */
  const fill = async () => {
    while (s.shapes < CHUNKS && self.isConnected) {
      drawShapes(s.sets.drawn, s.shapes++);
      if (s.shapes === 1) show(s.sets.drawn[0].held[0], `a held picture of: ${s.sets.drawn[0].name}`, 0);
      draw();
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (s.source === "drawn" && self.isConnected && !s.run) renew();
  };
  link.follow("classes", restore);

  const near = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && !s.run && self.isConnected && fill(),
    { rootMargin: "300px" },
  );
  near.observe(self);
  const turn = () => {
    if (document.hidden && s.phase === "running") {
      s.run.pair.pause();
      s.away = true;
    } else if (!document.hidden && s.away) {
      s.run?.pair.start();
      setTimeout(() => ((s.away = false), draw()), 1500);
    }
    draw();
  };
  document.addEventListener("visibilitychange", turn);
  self.onend = () => {
    s.run?.pair.close();
    s.run = null;
    ui.picture.stop();
    near.disconnect();
    document.removeEventListener("visibilitychange", turn);
  };
});
