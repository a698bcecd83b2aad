/* Photographs for the lamp: shipped ones, a file, the camera. Nothing leaves the page. */
import { h, unpack } from "./core.js";
import { SIDE, sources } from "./photo.js";

/** `show(rgb, name)` gets 32 x 32 x 3 numbers in 0..1. Returns { button, panel }. */
export const photos = ({ host, samples, show }) => {
  const note = h("p", { class: "tiny", role: "status" });
  const pick = (sample) => {
    stop();
    show(
      Float32Array.from(sample.rgb, (v) => v / 255),
      `a ${sample.name}`,
    );
    set(false);
  };
  const thumbs = samples.map((sample) => {
    const canvas = h("canvas", { width: SIDE, height: SIDE }),
      image = new ImageData(SIDE, SIDE);
    sample.rgb = unpack(sample.pixels);
    for (let i = 0; i < SIDE * SIDE; i++) image.data.set([...sample.rgb.slice(3 * i, 3 * i + 3), 255], 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return h("button", { type: "button", class: "thumb", onclick: () => pick(sample) }, canvas, sample.name);
  });
  const { file, input, camera, stop } = sources({
    host,
    take: (rgb, from) => {
      show(
        Float32Array.from(rgb, (v) => v / 255),
        `your ${from}`,
      );
      if (from === "file") set(false);
    },
    note: (text) => (note.textContent = text),
    ended: () => set(false),
  });
  const panel = h("div", { class: "album", hidden: true, id: "album" }, thumbs, file, camera, input, note);
  const set = (on) => {
    panel.hidden = !on;
    toggle.setAttribute("aria-expanded", String(on));
    if (!on && panel.contains(panel.getRootNode().activeElement)) toggle.focus();
  };
  const toggle = h(
    "button",
    { type: "button", "aria-expanded": "false", "aria-controls": "album", onclick: () => set(panel.hidden) },
    "Photo ▾",
  );
  panel.addEventListener("keydown", (event) => event.key === "Escape" && set(false));
  return { button: toggle, panel };
};
