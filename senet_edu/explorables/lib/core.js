/* What all explorables share: building elements, controls, colors, drawing, theme, state in the link.
   A figure calls figure("se-name", (root, data, self) => {...}); see squeeze.js for a small one. */
import style from "./style.css";
import { suffix } from "./suffix.js";

/** An element: h("p", {class: "note", onclick: f}, "text", child, ...). Attributes that are null or false are left out. */
const build =
  (make) =>
  (tag, attributes = {}, ...children) => {
    const element = make(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value != null && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child != null));
    return element;
  };
export const h = build((tag) => document.createElement(tag));
export const svg = build((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));

/** A number with so many decimals, a true minus sign, and never minus zero. */
export const number = (value, decimals = 2) => {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? (0).toFixed(decimals) : text.replace("-", "\u2212");
};
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/* Controls. Each is an element with a `value` that can be read and set; setting it calls nobody. */

let ids = 0;
/** A labelled slider that shows its value. `tone` is "squeeze", "excitation" or "rescale"; `input` gets the number. */
export const slider = ({ label, min, max, step = 0.01, value, format = (v) => number(v), tone, input }) => {
  const id = `se-${++ids}`;
  const range = h("input", { type: "range", id, min, max, step });
  const shown = h("output", { for: id });
  const box = h(
    "div",
    { class: "slider", style: tone && `--tone: var(--${tone})` },
    h("label", { for: id }, label),
    shown,
    range,
  );
  const show = () => {
    shown.textContent = format(Number(range.value));
    range.setAttribute("aria-valuetext", shown.textContent);
  };
  range.addEventListener("input", () => (show(), input?.(Number(range.value))));
  Object.defineProperty(box, "value", { get: () => Number(range.value), set: (v) => ((range.value = v), show()) });
  box.input = range;
  box.value = value;
  return box;
};

/** One of a few: radio buttons that look like buttons. `options` are pairs of a value and what it is called. */
export const choice = ({ label, options, value, input }) => {
  const name = `se-${++ids}`;
  const radios = options.map(([key, text]) => {
    const radio = h("input", { type: "radio", name, value: key, onchange: () => input?.(key) });
    return h("label", {}, radio, text);
  });
  const box = h("fieldset", {}, h("legend", {}, label), h("div", { class: "options" }, radios));
  const inputs = [...box.querySelectorAll("input")];
  Object.defineProperty(box, "value", {
    get: () => inputs.find((radio) => radio.checked)?.value,
    set: (key) => inputs.forEach((radio) => (radio.checked = radio.value === String(key))),
  });
  box.value = value;
  return box;
};

/** One of many: a menu. `options` as those of `choice`. */
export const menu = ({ label, options, value, input }) => {
  const id = `se-${++ids}`;
  const select = h("select", { id, onchange: () => input?.(select.value) });
  for (const [key, text] of options) select.append(h("option", { value: key }, text));
  const box = h("div", {}, h("label", { for: id, class: "note", style: "display: block" }, label), select);
  Object.defineProperty(box, "value", { get: () => select.value, set: (key) => (select.value = key) });
  box.value = value;
  return box;
};

/** A button. With `pressed` (true or false) it is a switch, and `click` gets the new state. */
export const button = ({ label, pressed, click }) => {
  const element = h("button", { type: "button" }, label);
  if (pressed === undefined) element.addEventListener("click", () => click());
  else {
    Object.defineProperty(element, "value", {
      get: () => element.getAttribute("aria-pressed") === "true",
      set: (on) => element.setAttribute("aria-pressed", String(on)),
    });
    element.value = pressed;
    element.addEventListener("click", () => ((element.value = !element.value), click(element.value)));
  }
  return element;
};

/* Colors: [r, g, b] with 0..255. */

const CIVIDIS = "00224e 0f3070 3a4268 575d6d 707173 8a8779 a69d75 c4b56c e4cf5b fee838"
  .split(" ")
  .map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
const between = (stops, t) => {
  const x = clamp(t, 0, 1) * (stops.length - 1);
  const i = Math.min(Math.floor(x), stops.length - 2);
  return stops[i].map((a, k) => Math.round(a + (stops[i + 1][k] - a) * (x - i)));
};
export const colors = {
  /** A gate, 0..1: the scale of all gates in the book. */
  gate: (t) => between(CIVIDIS, t),
  /** An activation of a map, 0..1: brighter is larger. */
  map: (t) =>
    between(
      [
        [0, 0, 0],
        [255, 255, 255],
      ],
      t,
    ),
  /** A signed number, -1..1: blue is negative, orange positive, white zero. */
  signed: (t) =>
    between(
      [
        [0, 80, 140],
        [120, 180, 220],
        [250, 250, 250],
        [240, 190, 90],
        [178, 100, 0],
      ],
      (t + 1) / 2,
    ),
  css: (rgb) => `rgb(${rgb.join(" ")})`,
  /** Black or white, whichever reads better on a color. */
  on: (rgb) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => sum + weight * (rgb[i] / 255) ** 2.2, 0) > 0.18
      ? "#000"
      : "#fff",
};

/** Draw rows x columns of numbers as pixels on a canvas; `color` takes a number. CSS gives the size on the page. */
export const pixels = (canvas, values, columns, color) => {
  const rows = values.length / columns;
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const image = new ImageData(columns, rows);
  for (let i = 0; i < values.length; i++) {
    image.data.set(color(values[i]), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
};

/** Let a pointer drag a value sideways: `get()` is the value now, `set(value)` takes a new one, and `read(event)` says
    which one lies under the pointer. Up and down scroll a touch screen: a finger that turns out to scroll changes
    nothing. */
export const drag = (element, get, set, read) => {
  let undo = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    undo = get();
    element.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") set(read(event));
  });
  element.addEventListener("pointermove", (event) => undo !== null && set(read(event)));
  element.addEventListener("pointerup", (event) => {
    if (undo !== null) set(read(event));
    undo = null;
  });
  element.addEventListener("pointercancel", () => {
    if (undo !== null) set(undo);
    undo = null;
  });
};

/** Let pointer and arrow keys move over a grid of cells: `enter(row, column, event)`. Enter and space call `press`.
    Dragging calls `press` on every cell that it passes. `columns` may be a function where their number changes.
    Returns {row, column}, the cell of the keyboard. */
export const grid = (element, rows, columns, { enter, press, leave }) => {
  const at = { row: 0, column: 0 };
  const width = () => (typeof columns === "function" ? columns() : columns);
  const go = (row, column, event) => {
    at.row = clamp(row, 0, rows - 1);
    at.column = clamp(column, 0, width() - 1);
    enter?.(at.row, at.column, event);
  };
  const point = (event) => {
    const box = element.getBoundingClientRect();
    go(
      Math.floor(((event.clientY - box.top) / box.height) * rows),
      Math.floor(((event.clientX - box.left) / box.width) * width()),
      event,
    );
  };
  element.tabIndex = 0;
  if (press) element.style.touchAction = "none";
  element.addEventListener("pointermove", (event) => {
    point(event);
    if (event.buttons) press?.(at.row, at.column, event);
  });
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (press) element.setPointerCapture(event.pointerId);
    point(event);
    press?.(at.row, at.column, event);
  });
  element.addEventListener("pointerleave", () => leave?.());
  element.addEventListener("focus", () => element.matches(":focus-visible") && go(at.row, at.column));
  element.addEventListener("blur", () => leave?.());
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (moves[event.key]) go(at.row + moves[event.key][0], at.column + moves[event.key][1], event);
    else if (event.key === "Home") go(at.row, 0, event);
    else if (event.key === "End") go(at.row, width() - 1, event);
    else if (press && (event.key === "Enter" || event.key === " ")) press(at.row, at.column, event);
    else return;
    event.preventDefault();
  });
  return at;
};

/** Call `draw` at most once a frame, however often the returned function is called. */
export const frame = (draw) => {
  let asked = 0;
  return () => (asked ||= requestAnimationFrame(() => ((asked = 0), draw())));
};

/** State in the link, for a teacher to send: `#name=value&…`. Other parts of the hash are left alone. */
export const link = {
  get: (name) => new URLSearchParams(location.hash.slice(1)).get(name),
  set: (name, value) => {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (value == null) parts.delete(name);
    else parts.set(name, value);
    try {
      history.replaceState(
        null,
        "",
        location.pathname + location.search + (parts.size ? `#${String(parts).replaceAll("%2C", ",")}` : ""),
      );
    } catch {} // a sandboxed frame has no history
  },
};

/** Is the page dark? The book, JupyterLab, Colab and VS Code say it each in their own way. */
const dark = () => {
  const { documentElement: html, body } = document;
  const said = html.dataset.theme || html.getAttribute("theme") || body.dataset.jpThemeLight;
  if (said) return said === "dark" || said === "false";
  if (/vscode-(dark|light)/.test(body.className)) return body.className.includes("vscode-dark");
  return false;
};
const themed = new Set();
let dull;
const follow = (element, redraw) => {
  const apply = () => {
    const theme = dark() ? "dark" : "light";
    if (element.getAttribute("theme") === theme) return;
    element.setAttribute("theme", theme);
    redraw?.();
  };
  themed.add(apply);
  if (!dull) {
    dull = new MutationObserver(() => themed.forEach((each) => each()));
    for (const node of [document.documentElement, document.body]) dull.observe(node, { attributes: true });
  }
  apply();
  return () => themed.delete(apply);
};

/** Define a custom element. `setup(root, data, self)` fills the shadow root once; `self.say(text)` speaks to screen
    readers, `self.color("--ink")` reads a color of the theme, and `self.ontheme`, if set, redraws what CSS cannot. */
export const figure = (tag, setup) => {
  if (customElements.get(tag + suffix)) return;
  customElements.define(
    tag + suffix,
    class extends HTMLElement {
      connectedCallback() {
        // Once the element is defined, the parser connects the next one before it has come to what that one holds.
        if (!this.shadowRoot && !this.querySelector("script"))
          return document.addEventListener("DOMContentLoaded", () => this.isConnected && this.connectedCallback(), {
            once: true,
          });
        if (!this.shadowRoot) {
          const root = this.attachShadow({ mode: "open" });
          root.append(h("style", {}, style));
          const live = h("div", { class: "hidden", "aria-live": "polite" });
          let later;
          this.say = (text) => (clearTimeout(later), (later = setTimeout(() => (live.textContent = text), 250)));
          this.color = (name) => getComputedStyle(this).getPropertyValue(name).trim();
          this.setAttribute("theme", dark() ? "dark" : "light");
          setup(root, JSON.parse(this.querySelector("script").textContent), this);
          root.append(live);
        }
        this.unfollow = follow(this, () => this.ontheme?.());
      }
      disconnectedCallback() {
        this.unfollow?.();
      }
    },
  );
};
