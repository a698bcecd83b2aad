/* Faders for the gates of one block: the reader is the excitation. The outline is the network's own gate. */
import { clamp, colors, h, number } from "./core.js";

/** `input(channel, change)`: `change` makes the new gate of the one that is set now; null gives the own one back. */
export const faders = ({ input }) => {
  const box = h("div", { class: "faders", role: "group", "aria-label": "Gates, one slider a channel" });
  let cells = [],
    chosen = 0;
  const choose = (c, focus) => {
    chosen = clamp(c, 0, cells.length - 1);
    cells.forEach(({ cell }, i) => (cell.tabIndex = i === chosen ? 0 : -1));
    if (focus) cells[chosen].cell.focus();
  };
  const key = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowUp: 0.05, ArrowDown: -0.05, PageUp: 0.2, PageDown: -0.2, Home: -1, End: 1 }[event.key];
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) input(chosen, (gate) => clamp(gate + step, 0, 1));
    else if (side) choose(chosen + side, true);
    else if (event.key === "Delete") input(chosen, () => null);
    else return;
    event.preventDefault();
  };
  const build = (count) => {
    cells = Array.from({ length: count }, (_, c) => {
      const [fill, mark, grip] = ["fill", "mark", "grip"].map((kind) => h("i", { class: kind }));
      const tube = h("div", { class: "tube" }, fill, mark, grip);
      const cell = h(
        "div",
        {
          class: "fader",
          role: "slider",
          "aria-orientation": "vertical",
          "aria-valuemin": 0,
          "aria-valuemax": 1,
          "aria-label": `channel ${c}`,
          onkeydown: key,
        },
        tube,
        h("span", {}, String(c)),
      );
      const set = (event) => {
        const { top, height } = tube.getBoundingClientRect();
        input(c, () => clamp(1 - (event.clientY - top) / height, 0, 1));
      };
      cell.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        event.preventDefault();
        cell.setPointerCapture(event.pointerId);
        choose(c, true);
        set(event);
      });
      cell.addEventListener("pointermove", (event) => cell.hasPointerCapture(event.pointerId) && set(event));
      return { cell, fill, mark, grip };
    });
    box.replaceChildren(h("i", { class: "half" }), ...cells.map(({ cell }) => cell));
    choose(0);
  };
  box.draw = (values, own) => {
    if (cells.length !== values.length) build(values.length);
    cells.forEach(({ cell, fill, mark, grip }, c) => {
      fill.style.cssText = `height: ${100 * values[c]}%; background: ${colors.css(colors.gate(values[c]))}`;
      mark.style.height = `${100 * own[c]}%`;
      grip.style.bottom = `calc(${100 * values[c]}% - 4px)`;
      cell.setAttribute("aria-valuenow", values[c].toFixed(2));
      cell.setAttribute("aria-valuetext", `${number(values[c])}, its own ${number(own[c])}`);
    });
  };
  return box;
};
