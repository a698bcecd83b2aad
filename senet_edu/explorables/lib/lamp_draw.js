/* Fills the elements of the lamp's figure from its state. Nothing here changes the state. */
import { clamp, number } from "./core.js";
import { smooth } from "./curves.js";
import { COLORS } from "./lamp_parts.js";
import { fit, swing } from "./lamp_plots.js";
import { blockNames, guessed, instruction, lampInWords, onThisPicture, status, verdict } from "./lamp_words.js";
import { engine } from "./lamp_worker.js";
import { rich } from "./rich.js";
import { TRAIN } from "./training_controls.js";

const LAMPS = engine.held(engine.PROBES).map(({ lamp }) => lamp);
export const flat = (gates) => gates.flat();

/** A picture, perhaps under a lamp, on a canvas. */
export const paint = (canvas, rgb, light = [1, 1, 1]) => {
  const side = Math.sqrt(rgb.length / 3),
    image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = 255 * clamp(rgb[3 * i + k] * light[k], 0, 1);
    image.data[4 * i + 3] = 255;
  }
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(image, 0, 0);
};

/** The error of gray world on a picture under a lamp: divide by the mean. */
const grayWorld = (rgb, light) => {
  const sums = [0, 0, 0],
    n = rgb.length / 3;
  rgb.forEach((v, i) => (sums[i % 3] += v * light[i % 3]));
  const cured = (v, k) => Math.min(1, (0.5 * v * light[k]) / Math.max(1e-6, sums[k] / n));
  return rgb.reduce((sum, v, i) => sum + Math.abs(cured(v, i % 3) - v), 0) / rgb.length;
};

/** Which color of the lamp the k-th gate follows best: { color: 0, 1, 2, name: "" where it follows none }. */
export const follows = (probes, k) => {
  if (!probes?.mean.length) return { color: 0, name: "" };
  const values = probes.all.map((gates) => flat(gates)[k]);
  const fits = COLORS.map((_, j) =>
    fit(
      LAMPS.map((lamp) => lamp[j]),
      values,
    ),
  );
  const color = fits.reduce(
    (most, one, i) => (Math.abs(one.correlation) > Math.abs(fits[most].correlation) ? i : most),
    0,
  );
  const clear = Math.abs(fits[color].correlation) > 0.5 && Math.abs(0.8 * fits[color].slope) > 0.05;
  return { color, name: clear ? COLORS[color] : "" };
};
const widest = (lists) => {
  const spread = lists[0].map((_, k) => Math.max(...lists.map((l) => l[k])) - Math.min(...lists.map((l) => l[k])));
  return spread.indexOf(Math.max(...spread));
};

export const drawer = (ui, { open, baselines, measured }) => {
  const drawPictures = (s, here) => {
    const { lamp, plain, se, white } = ui.pictures,
      light = ui.lamp.rgb;
    paint(lamp.canvas, s.scene, light);
    paint(white.canvas, s.scene);
    lamp.canvas.parentNode.style.setProperty("--lamp", `rgb(${light.map((v) => Math.round(255 * v)).join(" ")})`);
    ui.values.replaceChildren(
      ...COLORS.map((name, k) =>
        Object.assign(document.createElement("span"), { textContent: `${name} ${number(light[k])}` }),
      ),
    );
    const { hue, strength } = ui.lamp.value,
      what = s.photo ? `The picture: ${s.photo}` : "36 tiles of random colors";
    lamp.canvas.setAttribute("aria-label", `${what}, under the lamp: ${lampInWords(hue, strength, light)}`);
    white.canvas.setAttribute("aria-label", `${what}, in white light`);
    ui.whiteSub.textContent = s.photo ? `gray world ${number(grayWorld(s.scene, light), 3)}` : "the answer";
    plain.veil.hidden = se.veil.hidden = s.phase !== "rest";
    if (!s.view) return;
    for (const name of ["plain", "se"]) {
      const { output, error } = s.view[name],
        { value, what, fill } = ui.meters[name];
      paint(ui.pictures[name].canvas, output);
      const whose = name === "se" ? "the network with SE" : "the plain network";
      ui.pictures[name].canvas.setAttribute("aria-label", `What ${whose} makes of it: off by ${number(error, 3)}`);
      value.textContent = ui.small[name].textContent = number(error, 3);
      what.textContent = s.phase === "rest" ? "off: not trained" : "off on this picture";
      fill.style.width = `${clamp(error / 0.3, 0, 1) * 100}%`;
    }
    const many = s.errors.se !== undefined && !s.photo && s.gates === "own";
    ui.meters.se.note.textContent = many ? onThisPicture(here, s.errors.plain, s.errors.se) : "";
  };

  const drawCurve = (s, width, height, narrow, compact) => {
    const { plain, se } = s.runs,
      done = s.phase === "done";
    const last = (losses) => smooth(losses)[(s.shown ?? losses.length) - 1] ?? losses[0];
    const running = plain.length && se.length ? { plain: last(plain), se: last(se) } : {};
    const ends = done ? { ...running, ...s.errors } : running;
    const lines = [
      ["do nothing", "none", baselines.nothing, "1 3"],
      ["gray world", "gray", baselines.gray_world, "5 3"],
    ];
    if (s.options.squeeze === "max") lines.push(["white patch", "white", baselines.white_patch, "5 3"]);
    const marks = [1, 100, 200, 400].filter((step) => step <= plain.length);
    const series = (losses) =>
      marks.map((step) => `${number(smooth(losses)[step - 1] ?? 0, 2)} at step ${step}`).join(", ");
    const replaced = s.replaced !== undefined && ends.se !== undefined;
    ui.curve.draw({
      width,
      height,
      narrow,
      compact,
      ends,
      total: s.options.steps,
      runs: s.runs,
      past: s.past,
      shown: s.shown,
      baselines: lines.map(([name, short, error, dash]) => ({ name, short, error, dash })),
      replaced: replaced ? { name: s.gates === "other" ? "swapped" : "frozen", error: s.replaced } : null,
      scrub: done && s.steps > 0,
      exact: done,
      alt: plain.length
        ? `Error on new pictures. Plain: ${series(plain)}. With SE: ${series(se)}.`
        : "Error on new pictures.",
    });
  };

  /** Gates, fan, and what stands in the first panel. Returns the swing. */
  const drawPanels = (s, size) => {
    const narrow = size < 560,
      gap = narrow ? 10 : size < 880 ? 24 : 40,
      height = narrow ? 124 : 168;
    const column = (size - (narrow ? 1 : 3) * gap) / (narrow ? 2 : 4),
      two = narrow ? size : 2 * column + gap;
    const hand = s.gates === "hand" && s.view !== null,
      swapped = open === "fan" && !narrow && !hand; // the faders need the wide place
    ui.grid.classList.toggle("hand", hand);
    ui.tabs.hidden = !hand || s.hand.length < 2;
    const byHand = size < 880 && !ui.tabs.hidden ? "" : "Set the gates"; // the tabs take its place
    ui.panelTitle.textContent = hand ? byHand : swapped && column < 190 ? "Error" : "Error on new pictures";
    ui.best.textContent = hand && s.best !== null ? `best so far ${number(s.best, 3)}` : "";
    if (hand) ui.faders.draw(s.hand[s.block], s.view.se.own[s.block]);
    else drawCurve(s, swapped ? column : two, height, narrow, swapped);

    const blocks = s.options.layers,
      used = s.view?.se.used ?? blocks.map(() => Array(16).fill(0.5));
    const count = used[0]?.length ?? 0,
      known = count && s.probes?.mean.length;
    const own = known ? s.probes.all.map(flat) : [];
    const lists = known && s.gates === "frozen" ? own.map(() => flat(s.probes.mean)) : own;
    const most = known && !s.ring ? widest(own) : 0;
    const ring = s.ring ?? [Math.floor(most / (count || 1)), most % (count || 1)],
      k = ring[0] * count + ring[1];
    const bars = {
      width: narrow ? column + 6 : column,
      height,
      gates: used,
      names: blockNames(blocks),
      ring,
    };
    ui.bars.draw({ ...bars, follows: (b, c) => follows(s.probes, b * count + c).name });
    const color = s.channel ?? follows(s.probes, k).color,
      wide = swing(lists);
    ui.swatches.value = color;
    ui.swing.textContent = known && size >= 880 ? `swing ${number(wide)}` : "";
    ui.axis.textContent = size < 880 ? `${COLORS[color]} →` : `${COLORS[color]} in the lamp →`;
    ui.fan.draw({
      width: swapped ? two : narrow ? column - 6 : column,
      height: height - 24,
      lamps: LAMPS,
      lists,
      ring: k,
      channel: color,
      here: s.view && count ? { lamp: s.view.lamp, gate: flat(used)[k] } : null,
      alt: `Gates against ${COLORS[color]} in the lamp, a line each. A gate swings by ${number(wide)} on average.`,
    });
    return wide;
  };

  const drawFoot = (s, here, wide) => {
    const done = s.phase === "done",
      { phase, gates, replaced, photo, shown, options, guess, errors } = s;
    const claim = verdict({
      phase,
      ...errors,
      gates,
      replaced,
      photo,
      measured,
      shown,
      here: here && { ...here, own: s.view.own },
      hand: here?.se,
      swing: wide,
      start: s.startSwing,
      gray: baselines.gray_world,
      max: options.squeeze === "max",
    });
    if (ui.verdict.dataset.text !== claim) {
      ui.verdict.dataset.text = claim;
      ui.verdict.replaceChildren(...rich(claim));
    }
    ui.guess.hidden = phase !== "rest";
    ui.explain.hidden = phase === "rest" || done;
    const came =
      done && guess && errors.se !== undefined && !shown && !photo ? guessed(guess, errors.plain, errors.se) : "";
    ui.outcome.replaceChildren(...rich(s.note || came));
    ui.save.hidden = ui.copy.hidden = !done;
    ui.whoseBox.hidden = !done || !options.layers.length;
    ui.whose.value = gates;
    ui.later.hidden = done;
    ui.other.hidden = !done || gates !== "other";
  };

  return (s, size) => {
    const here = s.view && { plain: s.view.plain.error, se: s.view.se.error };
    drawPictures(s, here);
    const wide = drawPanels(s, size);
    drawFoot(s, here, wide);
    if (!s.broken) {
      const moved = s.gates === "hand" && here && here.se < s.view.own;
      ui.say.replaceChildren(
        ...rich(instruction({ ...s, parted: s.parted >= 20, worse: here && here.se > here.plain, moved })),
      );
    }
    const label = `${TRAIN[s.phase]}${s.short && s.phase === "rest" ? ", 200 steps" : ""}`;
    if (ui.train.textContent !== label) ui.train.textContent = label;
    ui.train.classList.toggle("hollow", s.phase === "done");
    ui.step.hidden = ui.restart.hidden = s.phase === "rest";
    ui.step.disabled = s.phase !== "paused";
    ui.status.textContent =
      s.anew || status({ ...s, total: s.options.steps, seed: s.options.seed, batch: engine.BATCH });
    ui.fresh.textContent = s.photo ? "Tiles" : "New tiles";
    ui.album.button.setAttribute("aria-pressed", String(Boolean(s.photo)));
  };
};
