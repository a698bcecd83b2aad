/* Pictures for the network, 32 x 32 pixels: samples, a file, the clipboard, the camera, and a pad to draw on.

     const picture = makePicture({ host, samples, changed });
     picture.data     RGBA, 32 x 32 x 4
     picture.name     of the sample, "" for the reader's own
     picture.choose(name)
     picture.show(rgb, about) // any other picture, 32 x 32 x 3 numbers in 0..255

   `samples` have {name, about, pixels: RGB, packed}; `sees`: pixels a side that the network sees, 32 or 16, in which
   the picture is shown; `changed` is called after every change, also for each frame of the camera (`picture.live` is
   true then). Dropped files that are `other.is(file)` go to `other.open`. The figure places the elements `thumbs`,
   `panel` and `under`. */
import { button, choice, frame, grid, h, pixels, unpack } from "./core.js";
import { context2d, doubled, halved, reduced, SIDE, sources } from "./photo.js";

export const makePicture = ({ host, samples = [], sees = SIDE, other, changed }) => {
  const FINE = 8; // the drawing pad's pixels for one of the picture's
  const PALETTE = [
    ["#f4f4f2", "white"],
    ["#16181a", "black"],
    ["#8a8c8e", "gray"],
    ["#8cbee8", "sky blue"],
    ["#28587e", "sea blue"],
    ["#5c8c32", "green"],
    ["#7c4e2c", "brown"],
    ["#c8a070", "sand"],
    ["#be1e20", "red"],
    ["#e8a020", "orange"],
  ];
  const image = new ImageData(SIDE, SIDE);
  image.data.fill(255);
  let about = "";

  const put = (whole) => {
    const rgb = sees === SIDE ? whole : doubled(halved(whole));
    for (let i = 0; i < SIDE * SIDE; i++) image.data.set(rgb.slice(3 * i, 3 * i + 3), 4 * i); // the array rounds
  };
  const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;
  const show = (name, what) => {
    picture.name = name;
    about = what;
    view.getContext("2d").putImageData(image, 0, 0);
    view.setAttribute(
      "aria-label",
      drawing.value
        ? "Pad. Paint with the pointer, or move with the arrow keys and paint with the space bar."
        : `The picture as the network sees it: ${what}`,
    );
    thumbs.childNodes.forEach((thumb, i) => thumb.setAttribute("aria-pressed", String(samples[i].name === name)));
    if (!picture.live)
      note.textContent = `${sentence(what)} The network sees ${sees} × ${sees} pixels. Drop or paste your own.`;
    changed();
  };

  const choose = (name) => {
    const sample = samples.find((one) => one.name === name) ?? samples[0];
    stop();
    put(sample.rgb);
    show(sample.name, sample.about);
    fillPad();
  };
  const own = sources({
    host,
    take: (rgb, from) => {
      put(rgb);
      show("", from === "file" ? "your picture" : "your camera");
      if (from === "file") fillPad();
    },
    note: (text) => (note.textContent = text),
    ended: () => show("", "a picture of your camera"),
    instead: " Files and drawings work, too.",
  });
  const { file, input, camera, open, stop } = own;

  /* The pad: strokes are drawn on a fine copy of the picture, and that is reduced */

  const pad = context2d(SIDE * FINE);
  const fillPad = () => {
    pad.imageSmoothingEnabled = false;
    pad.drawImage(view, 0, 0, SIDE * FINE, SIDE * FINE);
  };
  const drawn = frame(() => (put(reduced(pad, FINE)), show("", "your drawing")));
  const view = h("canvas", { width: SIDE, height: SIDE });
  let last;
  grid(view, SIDE, SIDE, {
    press: (row, column, event) => {
      if (!drawing.value) return;
      const box = view.getBoundingClientRect();
      const [x, y] =
        event.type === "keydown"
          ? [(column + 0.5) * FINE, (row + 0.5) * FINE]
          : [
              ((event.clientX - box.left) / box.width) * SIDE * FINE,
              ((event.clientY - box.top) / box.height) * SIDE * FINE,
            ];
      if (event.type !== "pointermove") last = [x, y];
      Object.assign(pad, { strokeStyle: color.value, lineWidth: size.value * FINE, lineCap: "round" });
      pad.beginPath();
      pad.moveTo(...last);
      pad.lineTo(x + 0.01, y); // a line of no length would draw no dot
      pad.stroke();
      last = [x, y];
      drawn();
    },
    enter: (row, column, event) => {
      if (!drawing.value) return;
      cursor.style.cssText = `left: ${(100 * column) / SIDE}%; top: ${(100 * row) / SIDE}%`;
      cursor.hidden = event && event.type !== "keydown"; // the mouse has its own
    },
    leave: () => (cursor.hidden = true),
  });
  const cursor = h("i", { class: "cursor", hidden: true });
  const setDrawing = (on) => {
    stop();
    if (on) fillPad();
    drawing.textContent = on ? "Done" : "Draw";
    view.classList.toggle("pad", on);
    view.style.touchAction = on ? "none" : "";
    view.tabIndex = on ? 0 : -1;
    view.setAttribute("role", on ? "application" : "img");
    file.hidden = camera.hidden = note.hidden = on;
    color.hidden = brush.hidden = !on;
    if (about) show(picture.name, about);
  };

  /* Controls */

  const hidden = (text) => h("span", { class: "hidden" }, text);
  const dot = (name, width, paint = "currentColor") =>
    h("span", { class: "dot", style: `background: ${paint}; height: ${width}px; width: ${width}px` }, hidden(name));
  const drawing = button({ label: "Draw", pressed: false, click: setDrawing });
  const color = choice({
    label: hidden("Color"),
    value: PALETTE[1][0],
    options: PALETTE.map(([value, name]) => [value, dot(name, 19, value)]),
  });
  const size = choice({
    label: hidden("Brush"),
    value: 3,
    options: [
      [1.5, dot("thin", 6)],
      [3, dot("middle", 12)],
      [7, dot("thick", 22)],
    ],
  });
  const fill = button({
    label: "Fill all",
    click: () => ((pad.fillStyle = color.value), pad.fillRect(0, 0, SIDE * FINE, SIDE * FINE), drawn()),
  });
  const brush = h("div", { class: "brush" }, size, fill);
  const note = h("p", { role: "status" });
  const thumbs = h(
    "div",
    { class: "thumbs", role: "group", "aria-label": "Sample pictures" },
    samples.map((sample) => {
      const canvas = h("canvas");
      sample.rgb = unpack(sample.pixels);
      pixels(
        canvas,
        Array.from({ length: SIDE * SIDE }, (_, i) => i),
        SIDE,
        (i) => sample.rgb.slice(3 * i, 3 * i + 3),
      );
      return h(
        "button",
        {
          type: "button",
          class: "thumb",
          "aria-label": sample.name,
          title: sample.name,
          onclick: () => choose(sample.name),
        },
        canvas,
      );
    }),
  );

  const imageIn = (transfer) => [...(transfer?.files ?? [])].find((one) => one.type.startsWith("image/"));
  for (const type of ["dragover", "dragleave", "drop"])
    host.addEventListener(type, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      host.classList.toggle("over", type === "dragover");
      if (type !== "drop") return;
      const { files } = event.dataTransfer,
        its = [...files].find((one) => other?.is(one));
      // What is no image is opened, too: that says so.
      if (its) other.open(its);
      else open(imageIn(event.dataTransfer) ?? files[0]);
    });
  document.addEventListener("paste", (event) => {
    const typing = event.composedPath()[0].closest?.("input, textarea, [contenteditable]");
    const pasted = host.isConnected && !typing && imageIn(event.clipboardData);
    if (pasted) open(pasted);
  });

  const picture = {
    data: image.data,
    name: "",
    get live() {
      return own.live();
    },
    choose,
    show: (rgb, what) => {
      stop();
      put(rgb);
      show("", what);
      fillPad();
    },
    stop,
    thumbs,
    note,
    panel: h(
      "div",
      { class: "shown" },
      h("div", { class: "view" }, view, cursor),
      h("div", { class: "tools" }, file, camera, color, drawing, input),
    ),
    under: h("div", { class: "under" }, note, brush),
  };
  setDrawing(false);
  return picture;
};
