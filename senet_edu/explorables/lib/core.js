/* What all figures share: elements, controls, colors, drawing, packed numbers, theme, state in the link.
   A figure calls figure("se-name", (root, data, self) => {...}); see squeeze.js for a small one. */
import tokens from "../../tokens.json";
import style from "./style.css";
import { suffix } from "./suffix.js";

/* Elements and numbers */

/** An element: h("p", {class: "note", onclick: f}, "text", child, ...). What is null or false is left out. */
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
/** The same with a plus sign where the shown number is positive. */
export const signed = (value, decimals = 2) => {
  const text = number(value, decimals);
  return Number(text) > 0 ? `+${text}` : text;
};
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Bytes from base64. */
export const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
/** Numbers that `pack` in base.py has packed: an array, of arrays where they have several dimensions. */
export const unpack = ({ shape, per, type, base64 }) => {
  const whole = new { uint8: Uint8Array, int8: Int8Array, int16: Int16Array }[type](bytes(base64).buffer);
  let parts = Array.from(whole, (value) => value / per);
  for (const length of shape.slice(1).reverse())
    parts = Array.from({ length: parts.length / length }, (_, i) => parts.slice(i * length, (i + 1) * length));
  return parts;
};

/* Controls. Each is an element with a `value` that can be read and set; setting it calls nobody. */

let ids = 0;
const valued = (element, get, set) => Object.defineProperty(element, "value", { get, set });

/** A labelled slider that shows its value. `tone` is "squeeze", "excitation" or "rescale"; `input` gets the number. */
export const slider = ({ label, min, max, step = 0.01, value, format = (v) => number(v), tone, input }) => {
  const id = `se-${++ids}`;
  const range = h("input", { type: "range", id, min, max, step });
  const shown = h("output", { for: id });
  const style = tone && `--tone: var(--${tone})`;
  const box = h("div", { class: "slider", style }, h("label", { for: id }, label), shown, range);
  const show = () => {
    shown.textContent = format(Number(range.value));
    range.setAttribute("aria-valuetext", shown.textContent);
    range.style.setProperty("--at", (range.value - range.min) / (range.max - range.min));
  };
  range.addEventListener("input", () => {
    show();
    input?.(Number(range.value));
  });
  const set = (v) => {
    range.value = v;
    show();
  };
  valued(box, () => Number(range.value), set);
  box.input = range;
  box.show = show; // where the least, the largest or the format has changed
  box.value = value;
  return box;
};

/** One of a few: radio buttons in a frame, the chosen one with a ring. `options` are pairs of value and name. */
export const choice = ({ label, options, value, input }) => {
  const name = `se-${++ids}`;
  const radios = options.map(([key]) => h("input", { type: "radio", name, value: key, onchange: () => input?.(key) }));
  const labels = options.map(([, text], i) => h("label", {}, radios[i], text));
  const box = h("fieldset", {}, h("legend", {}, label), h("div", { class: "options" }, labels));
  const set = (key) => {
    for (const radio of radios) radio.checked = radio.value === String(key);
  };
  valued(box, () => radios.find((radio) => radio.checked)?.value, set);
  box.value = value;
  return box;
};

/** One of many: a menu. `options` as those of `choice`. */
export const menu = ({ label, options, value, input }) => {
  const id = `se-${++ids}`;
  const choices = options.map(([key, text]) => h("option", { value: key }, text));
  const select = h("select", { id, onchange: () => input?.(select.value) }, choices);
  const box = h("div", { class: "menu" }, h("label", { for: id }, label), select);
  const set = (key) => {
    select.value = key;
  };
  valued(box, () => select.value, set);
  box.value = value;
  return box;
};

/** A button. With `pressed` (true or false) it is a switch, and `click` gets the new state. The `primary` one, at most
    one on the screen, is the next thing to do. */
export const button = ({ label, pressed, primary, click }) => {
  const element = h("button", { type: "button", class: primary && "primary" }, label);
  if (pressed === undefined) {
    element.addEventListener("click", () => click());
    return element;
  }
  const set = (on) => element.setAttribute("aria-pressed", String(on));
  valued(element, () => element.getAttribute("aria-pressed") === "true", set);
  element.value = pressed;
  element.addEventListener("click", () => {
    element.value = !element.value;
    click(element.value);
  });
  return element;
};

/* Colors: [r, g, b] with 0..255. */

const rgb = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
const between = (stops, t) => {
  const x = clamp(t, 0, 1) * (stops.length - 1);
  const i = Math.min(Math.floor(x), stops.length - 2);
  return stops[i].map((a, k) => Math.round(a + (stops[i + 1][k] - a) * (x - i)));
};
const GATE = tokens.gate.map(rgb);
const SIGNED = { light: tokens.signed.light.map(rgb), dark: tokens.signed.dark.map(rgb) };
export const colors = {
  /** A gate, 0..1: the scale of all gates in the book, in light and dark. */
  gate: (t) => between(GATE, t),
  /** A signed number, -1..1, in the theme of the page: zero is the card's color. */
  signed: (t) => between(SIGNED[theme()], (t + 1) / 2),
  css: (color) => `rgb(${color.join(" ")})`,
  /** Black or white, whichever reads better on a color. */
  on: (color) => {
    const luminance = [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => sum + weight * (color[i] / 255) ** 2.2, 0);
    return luminance > 0.18 ? "#000" : "#fff";
  },
};

/** The scale of all gates, with its half marked: 0 ▭ 1. */
export const gateScale = () => {
  const canvas = h("canvas");
  pixels(
    canvas,
    Array.from({ length: 101 }, (_, i) => i / 100),
    101,
    colors.gate,
  );
  return h("span", { class: "gate-scale", "aria-hidden": "true" }, "0", h("span", {}, canvas, h("i")), "1");
};

// The tokens as custom properties of a figure, in light and dark.
const properties = (values) => Object.entries(values).map(([name, value]) => `--${name}: ${value};`);
const palette = `:host { ${properties(tokens.light).join(" ")} }
:host([theme="dark"]) { ${properties(tokens.dark).join(" ")} }`;

/* Drawing */

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

/** Call `draw` at most once a frame, however often the returned function is called. For paper, which has no frames, at
    once. */
export const frame = (draw) => {
  let asked = false;
  return () => {
    if (printing) return draw();
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
};

/* Pointer and keyboard */

/** Where an event is in an element, [x, y] from its left upper corner, in the element's own CSS pixels: a figure alone
    in a large window is drawn larger, and a page of slides may scale all that is on it. */
export const within = (element, { clientX, clientY }) => {
  const { left, top } = element.getBoundingClientRect();
  const { host } = element.getRootNode();
  const scale = host.getBoundingClientRect().width / Number.parseFloat(getComputedStyle(host).width);
  return [(clientX - left) / scale, (clientY - top) / scale];
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

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

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
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    go(row, Math.floor(((event.clientX - box.left) / box.width) * width()), event);
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
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const move = MOVES[event.key];
    if (move) go(at.row + move[0], at.column + move[1], event);
    else if (event.key === "Home") go(at.row, 0, event);
    else if (event.key === "End") go(at.row, width() - 1, event);
    else if (press && (event.key === "Enter" || event.key === " ")) press(at.row, at.column, event);
    else return;
    event.preventDefault();
  });
  return at;
};

/* State in the link, for a teacher to send: `#name=value&…`, behind the anchor of a heading where there is one:
   `#recap&gates=layer3.0,cat`. An anchor alone is left as it is. */

const parts = () => location.hash.slice(1).split("&").filter(Boolean);
const nameOf = (part) => (part.includes("=") ? part.slice(0, part.indexOf("=")) : null);
const written = new Map(); // what a figure has written itself, and so need not be told
const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // as a broken link may have it
  }
};
export const link = {
  get: (name) => {
    const found = parts().find((part) => nameOf(part) === name);
    return found === undefined ? null : decoded(found.slice(name.length + 1));
  },
  /** `null` takes the name out: the state in which the figure begins. */
  set: (name, value) => {
    written.set(name, value);
    const others = parts().filter((part) => nameOf(part) !== name);
    const text = value == null ? [] : [`${name}=${encodeURIComponent(value).replaceAll("%2C", ",")}`];
    const hash = [...others, ...text].join("&");
    if (hash === location.hash.slice(1)) return;
    try {
      history.replaceState(history.state, "", location.pathname + location.search + (hash && `#${hash}`));
    } catch {} // a sandboxed frame has no history
  },
  /** Call `restore(value)` now and whenever the link brings a state that is not what `set` has written last. Leaving
      the state out, as every link to a heading does, changes nothing. A state that `restore` cannot read is ignored. */
  follow: (name, restore) => {
    const look = () => {
      const value = link.get(name);
      if (value === null || value === written.get(name)) return;
      written.set(name, value);
      try {
        restore(value);
      } catch {}
    };
    addEventListener("hashchange", look);
    look();
  },
};

/* Theme */

let printing = false;
/** "light" or "dark". The book, JupyterLab, Colab and VS Code say it each in their own way; paper is light. */
const theme = () => {
  const { documentElement: html, body } = document;
  const said = html.dataset.theme || html.getAttribute("theme") || body.dataset.jpThemeLight;
  if (printing) return "light";
  if (said) return said === "dark" || said === "false" ? "dark" : "light";
  return body.className.includes("vscode-dark") ? "dark" : "light";
};
const themed = new Set();
const retheme = () => {
  for (const apply of themed) apply();
};
let watching = false;
const watch = () => {
  if (watching) return;
  watching = true;
  const observer = new MutationObserver(retheme);
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  for (const [event, paper] of [
    ["beforeprint", true],
    ["afterprint", false],
  ])
    addEventListener(event, () => {
      printing = paper;
      retheme();
    });
};

/* The figure alone, for a projector: `#only=live`. */

const alone = (self, name) => {
  const set = (on) => {
    if (on === self.hasAttribute("only")) return;
    self.toggleAttribute("only", on);
    if (self.showPopover) {
      // in the top layer, whatever the page's own layers are
      if (on) self.setAttribute("popover", "manual");
      self[on ? "showPopover" : "hidePopover"]();
      if (!on) self.removeAttribute("popover");
    }
    open.setAttribute("aria-pressed", String(on));
  };
  const choose = (on) => {
    set(on);
    link.set("only", on ? name : null);
  };
  const open = h("button", {
    type: "button",
    class: "alone",
    "aria-label": "This figure alone, for a projector",
    "aria-pressed": "false",
    title: "This figure alone (Escape ends it)",
    onclick: () => choose(!self.hasAttribute("only")),
  });
  open.textContent = "\u2922";
  self.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && self.hasAttribute("only")) choose(false);
  });
  // Each figure of the page looks for itself: the link names one of them.
  const look = () => set(link.get("only") === name);
  const restore = () => {
    addEventListener("hashchange", look);
    look();
  };
  return { open, restore };
};

/* Titles are of level 3, as under a section; of level 2 where the figure opens the page, so that none is skipped. */
const level = (root, self) => {
  const above = [...(self.closest("main") ?? document).querySelectorAll("h2")];
  if (above.some((h2) => h2.compareDocumentPosition(self) & Node.DOCUMENT_POSITION_FOLLOWING)) return;
  for (const title of root.querySelectorAll("h3, h4")) title.setAttribute("aria-level", title.localName[1] - 1);
};

/* The element */

/** Define a custom element. `setup(root, data, self)` fills the shadow root once.
    `self.say(text)` speaks to screen readers, `self.color("--ink")` reads a color of the theme; `self.ontheme`, if set,
    redraws what CSS cannot, and `self.onend` ends what would go on without the element. */
export const figure = (tag, setup) => {
  const name = tag.replace(/^se-/, "");
  const fill = (self) => {
    const root = self.shadowRoot;
    const live = h("div", { class: "hidden", "aria-live": "polite" });
    let later;
    self.say = (text) => {
      clearTimeout(later);
      later = setTimeout(() => {
        live.textContent = text;
      }, 250);
    };
    self.color = (property) => getComputedStyle(self).getPropertyValue(property).trim();
    root.replaceChildren(h("style", {}, palette + style));
    const { open, restore } = alone(self, name);
    try {
      setup(root, JSON.parse(self.querySelector("script").textContent), self);
      level(root, self);
      root.append(open, live);
      restore();
    } catch (error) {
      self.ontheme = null;
      const again = button({ label: "Try again", click: () => fill(self) });
      const words = h("p", { role: "alert" }, `This figure stopped: ${error.message}. The text does not need it.`);
      root.replaceChildren(root.firstChild, h("slot"), words, again);
      console.warn(error);
    }
  };
  class Figure extends HTMLElement {
    connectedCallback() {
      // Once the element is defined, the parser connects the next one before it has come to what that one holds.
      if (!this.shadowRoot && !this.querySelector("script")) {
        document.addEventListener("DOMContentLoaded", () => this.isConnected && this.connectedCallback(), {
          once: true,
        });
        return;
      }
      this.apply ??= () => {
        if (this.getAttribute("theme") === theme()) return;
        this.setAttribute("theme", theme());
        this.ontheme?.();
      };
      watch();
      themed.add(this.apply);
      this.apply();
      if (this.shadowRoot) return;
      this.attachShadow({ mode: "open" });
      fill(this);
    }
    disconnectedCallback() {
      themed.delete(this.apply);
      // A figure that is only moved is connected again by then.
      queueMicrotask(() => this.isConnected || this.onend?.());
    }
  }
  if (!customElements.get(tag + suffix)) customElements.define(tag + suffix, Figure);
};
