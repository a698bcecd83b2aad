/* The pad of the lamp: x is its hue, y its strength, white at the top. For the keyboard it is two sliders. */
import { clamp, colors, h } from "./core.js";
import { color, lampInWords } from "./lamp_words.js";

const MARGIN = 0.2; // of the height, above white and below the strongest: room for the handle

/** An element with `value`, { hue, strength }, and `rgb`. `input(done)`: the reader has moved it,
    done at a gesture's end. */
export const pad = ({ value, input }) => {
  let { hue, strength } = value;
  let exact = null; // three numbers that lie on no point of the pad
  const handle = h("i");
  const slide = (name, max, says) =>
    h("div", {
      role: "slider",
      class: "hidden",
      tabindex: 0,
      "aria-label": name,
      "aria-valuemin": 0,
      "aria-valuemax": max,
      onkeydown: says,
    });
  const rgb = () => exact ?? color(hue, strength);
  const show = () => {
    const [x, y] = [hue / 360, MARGIN + (1 - 2 * MARGIN) * strength];
    const light = colors.css(rgb().map((v) => Math.round(255 * v)));
    handle.style.cssText = `left: ${100 * x}%; top: ${100 * y}%; background: ${light}`;
    const words = lampInWords(hue, strength, rgb());
    sliders[0].setAttribute("aria-valuenow", Math.round(hue));
    sliders[1].setAttribute("aria-valuenow", strength.toFixed(2));
    for (const one of sliders) one.setAttribute("aria-valuetext", words);
  };
  const set = (newHue, newStrength, done) => {
    [hue, strength, exact] = [clamp(newHue, 0, 360), clamp(newStrength, 0, 1), null];
    show();
    input(done);
  };
  const key = (step, page, least, most, change) => (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const by = {
      ArrowLeft: -step,
      ArrowDown: -step,
      ArrowRight: step,
      ArrowUp: step,
      PageDown: -page,
      PageUp: page,
      Home: least,
      End: most,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    change(by);
  };
  const sliders = [
    slide(
      "hue",
      360,
      key(10, 40, -360, 360, (by) => set(hue + by, strength, true)),
    ),
    slide(
      "strength",
      1,
      key(0.05, 0.2, -1, 1, (by) => set(hue, strength + by, true)),
    ),
  ];
  const box = h("div", { class: "pad", role: "group", "aria-label": "Lamp" }, handle, sliders);

  let before = null;
  const at = (event, done) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    const y = ((event.clientY - top) / height - MARGIN) / (1 - 2 * MARGIN);
    set(((event.clientX - left) / width) * 360, y, done);
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    before = [hue, strength];
    box.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") at(event, false);
  });
  box.addEventListener("pointermove", (event) => before && at(event, false));
  box.addEventListener("pointerup", (event) => {
    if (before) at(event, true);
    before = null;
  });
  box.addEventListener("pointercancel", () => {
    // the finger scrolls the page
    if (before) set(...before, true);
    before = null;
  });
  Object.defineProperties(box, {
    value: {
      get: () => ({ hue, strength }),
      set: (wanted) => {
        ({ hue, strength } = wanted);
        exact = wanted.rgb ?? null;
        show();
      },
    },
    rgb: { get: rgb },
    held: { get: () => before !== null },
  });
  show();
  return box;
};
