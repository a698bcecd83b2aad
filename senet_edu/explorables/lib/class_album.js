/* The classes and their pictures as rows. The reader's own can be named, filled and thinned out; the drawn ones can be
   looked at. */

import { ENOUGH, isHeld, SIDE } from "./class_sets.js";
import { h } from "./core.js";
import { halved, square } from "./photo.js";

/** A picture of 16 x 16 x 3 numbers on a canvas of its own. */
export const thumbnail = (pixels) => {
  const canvas = h("canvas", { width: SIDE, height: SIDE });
  const image = new ImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) image.data.set([...pixels.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
};

/** Files as pictures; what is no picture is left out. */
export const readFiles = async (files) => {
  const pictures = [];
  for (const file of files) {
    try {
      const bitmap = await createImageBitmap(file);
      pictures.push(new Uint8Array(halved(square(bitmap, bitmap.width, bitmap.height))));
      bitmap.close();
    } catch {} // counted by what is missing
  }
  return pictures;
};

/** on: { choose(k), name(k, text), pick(k, i), remove(k, i), files(k, files) }. Returns { box, draw(state) } with state
    { sets, own, chosen, hold, picked }. */
export const album = (on) => {
  const box = h("div", { class: "rows" });
  const move = (event, k, i, length) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: length - 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") on.remove(k, i);
    else if (to === undefined || to < 0 || to >= length) return;
    else {
      rows[k].list.children[to].focus(); // at once: the next key may come before the next frame
      on.pick(k, to, true);
    }
    event.preventDefault();
  };
  const thumbs = ({ sets, own, hold, picked }, k) => {
    const { name, pictures } = sets[k];
    const shown = own ? pictures : pictures.slice(0, ENOUGH);
    return shown.map((pixels, i) => {
      const [back, here] = [own && isHeld(i, hold), picked?.[0] === k && picked[1] === i];
      const first = picked?.[0] === k ? here : i === 0;
      return h(
        "button",
        {
          type: "button",
          class: `thumb ${back ? "back" : ""}`,
          "aria-label": `${name}, picture ${i}${back ? ", held back" : ""}`,
          "aria-pressed": String(here),
          tabindex: first ? 0 : -1,
          onclick: () => on.pick(k, i),
          onkeydown: (event) => move(event, k, i, shown.length),
        },
        thumbnail(pixels),
      );
    });
  };
  const drop = (row, k) => {
    for (const type of ["dragover", "dragleave", "drop"])
      row.addEventListener(type, (event) => {
        if (![...event.dataTransfer.types].includes("Files")) return;
        event.preventDefault();
        event.stopPropagation(); // the figure shows one file that is dropped beside
        row.classList.toggle("over", type === "dragover");
        if (type === "drop") on.files(k, [...event.dataTransfer.files]);
      });
  };
  const head = ({ sets, own, chosen }, k) => {
    const { name } = sets[k];
    if (!own) return h("div", { class: "name" }, name);
    const radio = h("input", {
      type: "radio",
      name: "se-class",
      "aria-label": `New pictures go to ${name}`,
      checked: k === chosen,
      onchange: () => on.choose(k),
    });
    const text = h("input", {
      type: "text",
      value: name,
      maxlength: 24,
      "aria-label": `Name of class ${k}`,
      oninput: () => on.name(k, text.value),
      onfocus: () => on.choose(k),
    });
    return h("div", { class: "name" }, h("label", {}, radio), text);
  };
  let keys = "";
  const rows = [];
  /** The rows are made anew only where what they show has changed: a name that is being typed keeps its cursor. */
  const draw = (state, focus) => {
    const { sets, own, chosen, hold, picked } = state;
    const key = JSON.stringify([own, hold, chosen, picked, sets.map(({ pictures }) => pictures.map(identity))]);
    if (key === keys) return;
    keys = key;
    if (rows.length !== sets.length || rows.own !== own) {
      rows.own = own;
      rows.length = 0;
      sets.forEach((_, k) => {
        const [named, list, tally] = [
          h("div"),
          h("div", { class: "thumbs", role: "group" }),
          h("span", { class: "tiny" }),
        ];
        const row = h("div", { class: "row-of" }, named, list, tally);
        if (own) drop(row, k);
        rows.push({ row, named, list, tally });
      });
      box.replaceChildren(...rows.map(({ row }) => row));
    }
    sets.forEach(({ name, pictures }, k) => {
      const { row, named, list, tally } = rows[k];
      row.classList.toggle("chosen", own && k === chosen);
      const radio = named.querySelector("[type=radio]");
      if (radio && named.querySelector("[type=text]").value === name) radio.checked = k === chosen;
      else named.replaceChildren(head(state, k));
      list.setAttribute("aria-label", `Pictures of ${name}`);
      list.replaceChildren(...thumbs(state, k));
      if (!pictures.length) list.append(h("span", { class: "tiny" }, "no pictures yet"));
      tally.textContent = String(pictures.length);
    });
    if (focus) rows[picked[0]]?.list.children[picked[1]]?.focus?.();
  };
  return { box, draw };
};

const known = new WeakMap();
let numbers = 0;
const identity = (pixels) => known.get(pixels) ?? (known.set(pixels, ++numbers), numbers);
