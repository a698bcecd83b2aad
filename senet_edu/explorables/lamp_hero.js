/* The front page: the trained pair of the lamp at once. It drifts through the colors one time; a touch takes over. */
import css from "./lamp_hero.css";
import { colors, figure, frame, h, number, svg } from "./lib/core.js";
import padCss from "./lib/lamp_pad.css";
import { pad } from "./lib/lamp_pad.js";
import { lampInWords } from "./lib/lamp_words.js";
import { engine } from "./lib/lamp_worker.js";
import { unpackHalves } from "./lib/safetensors.js";

const START = { hue: 27, strength: 0.875 };
const TILES = 1000; // the seed of the tiles: those that the figure of chapter 1 begins with
const DRIFT = 4800; // ms, through all hues and back
const FRAME = 50; // ms, at least, between two pictures

figure("se-lamp-hero", (root, { trained }, self) => {
  const nets = {
    plain: engine.network({ channels: 18, training: false }),
    se: engine.network({ se: { reduction: 2 }, training: false }),
  };
  for (const name of ["plain", "se"]) nets[name].load(unpackHalves(trained[name]));
  const { rgb } = engine.picture(engine.random(TILES));

  const cell = (name, title, sub) => {
    const canvas = h("canvas", { width: 36, height: 36, role: "img" }),
      off = h("span", { class: "off" }, sub);
    return {
      canvas,
      off,
      box: h("div", { class: `pic ${name}` }, h("div", { class: "cap" }, h("b", {}, title), off), canvas),
    };
  };
  const cells = {
    lamp: cell("lamp", "Under your lamp", ""),
    plain: cell("plain", "Without SE", ""),
    se: cell("se", "With SE", ""),
    white: cell("white", "White light", "the answer"),
  };
  let touched = false;
  const lamp = pad({
    value: START,
    input: (done) => {
      touched = true;
      call.hidden = true;
      draw();
      if (done) self.say(`Without SE ${cells.plain.off.textContent}, with SE ${cells.se.off.textContent}.`);
    },
  });
  const call = h("span", { class: "call", "aria-hidden": "true" }, "← Move the lamp →");
  lamp.append(call);
  const chart = svg("svg", { viewBox: "0 0 768 64", preserveAspectRatio: "none", "aria-hidden": "true" });
  const bars = h("div", { role: "img" }, chart);

  const paint = (canvas, picture, light = [1, 1, 1]) => {
    const image = new ImageData(36, 36);
    picture.forEach((v, i) => (image.data[4 * Math.floor(i / 3) + (i % 3)] = 255 * v * light[i % 3]));
    for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255;
    canvas.getContext("2d").putImageData(image, 0, 0);
  };
  const columns = Array.from({ length: 32 }, (_, c) => {
    const fill = svg("rect", { x: 24 * c + 1.5, width: 21, rx: 2, stroke: "var(--edge)", "stroke-width": 0.7 });
    chart.append(svg("rect", { x: 24 * c + 1.5, width: 21, height: 64, rx: 2, fill: "var(--faint)" }), fill);
    return fill;
  });
  chart.append(svg("line", { x1: 0, x2: 768, y1: 32, y2: 32, stroke: "var(--ink)", "stroke-dasharray": "2 3" }));

  const show = () => {
    const light = lamp.rgb,
      { hue, strength } = lamp.value,
      words = lampInWords(hue, strength, light);
    call.classList.toggle("left", hue > 180); // in the half without the handle
    paint(cells.lamp.canvas, rgb, light);
    cells.lamp.canvas.style.setProperty("--lamp", `rgb(${light.map((v) => Math.round(255 * v)).join(" ")})`);
    cells.lamp.canvas.setAttribute("aria-label", `Tiles under the lamp: ${words}`);
    for (const name of ["plain", "se"]) {
      nets[name].see(rgb, light);
      nets[name].forward();
      paint(cells[name].canvas, nets[name].output());
      const off = `${number(nets[name].error(), 2)} off`;
      cells[name].off.textContent = off;
      cells[name].canvas.setAttribute("aria-label", `${name === "se" ? "With" : "Without"} SE: ${off}`);
    }
    nets.se
      .gates()
      .flat()
      .forEach((gate, c) => {
        const size = Math.max(2, 64 * gate);
        columns[c].setAttribute("y", 64 - size);
        columns[c].setAttribute("height", size);
        columns[c].setAttribute("fill", colors.css(colors.gate(gate)));
      });
  };
  const draw = frame(show);

  root.append(
    h("style", {}, padCss + css),
    h(
      "div",
      { class: "pics" },
      Object.values(cells).map(({ box }) => box),
    ),
    lamp,
    h(
      "p",
      { class: "lab" },
      h("b", {}, "The 32 gates of the network with SE "),
      h("span", { class: "wide" }, "They follow the lamp. Dashes: one half."),
    ),
    bars,
  );
  bars.setAttribute("aria-label", "The 32 gates of the network with SE; they follow the lamp");
  paint(cells.white.canvas, rgb);
  cells.white.canvas.setAttribute("aria-label", "The same tiles in white light: the answer");
  show();

  /** Once through the hues and back, while it is on the screen and nobody has touched it. */
  let spent = 0,
    visible = false,
    drifting = false;
  const drift = async () => {
    if (drifting || touched || spent >= DRIFT || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    drifting = true;
    let last = performance.now();
    while (visible && !touched && spent < DRIFT && self.isConnected) {
      await new Promise((resolve) => setTimeout(resolve, FRAME));
      const now = performance.now();
      spent = Math.min(DRIFT, spent + Math.min(100, now - last));
      last = now;
      if (touched) break;
      const eased = (1 - Math.cos((2 * Math.PI * spent) / DRIFT)) / 2;
      lamp.value = { hue: START.hue + eased * (345 - START.hue), strength: START.strength };
      draw();
    }
    drifting = false;
  };
  const seen = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible) drift();
  });
  seen.observe(self);
  self.onend = () => seen.disconnect();
});
