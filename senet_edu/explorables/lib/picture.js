/* Pictures for the network, 32 x 32 pixels: samples, a file, the clipboard, the camera, and a pad to draw on.

     const picture = makePicture({ host, samples, changed });
     picture.data     RGBA, 32 x 32 x 4
     picture.name     of the sample, "" for the reader's own
     picture.choose(name)

   `samples` have {name, about, pixels: RGB, packed}; `changed` is called after every change, also for each frame of
   the camera (`picture.live` is true then). The figure places the elements `thumbs`, `panel` and `under`. */
import { button, choice, clamp, frame, grid, h, pixels, unpack } from "./core.js";

export const makePicture = ({ host, samples, changed }) => {
  const SIDE = 32,
    FINE = 8; // of the picture; the drawing pad's pixels for one of its
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

  const context2d = (side) => h("canvas", { width: side, height: side }).getContext("2d", { willReadFrequently: true });
  /** The mean of every k x k square: a picture of 32k x 32k pixels to one of 32 x 32. */
  const reduce = (context, k) => {
    const { data } = context.getImageData(0, 0, SIDE * k, SIDE * k);
    for (let i = 0; i < SIDE * SIDE; i++)
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let y = 0; y < k; y++)
          for (let x = 0; x < k; x++)
            sum += data[4 * ((Math.floor(i / SIDE) * k + y) * SIDE * k + (i % SIDE) * k + x) + c];
        image.data[4 * i + c] = sum / (k * k); // the array rounds
      }
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
    if (!picture.live) note.textContent = `${sentence(what)} The network sees 32 × 32 pixels. Drop or paste your own.`;
    changed();
  };

  const choose = (name) => {
    const sample = samples.find((one) => one.name === name) ?? samples[0];
    turn++;
    stop();
    for (let i = 0; i < SIDE * SIDE; i++) image.data.set(sample.rgb.slice(3 * i, 3 * i + 3), 4 * i);
    show(sample.name, sample.about);
    fillPad();
  };
  /** The middle square of whatever can be drawn on a canvas. */
  const take = (source, width, height, what) => {
    const side = Math.min(width, height);
    const k = clamp(Math.floor(side / SIDE), 1, 16);
    const context = context2d(SIDE * k);
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, SIDE * k, SIDE * k);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, (width - side) >> 1, (height - side) >> 1, side, side, 0, 0, SIDE * k, SIDE * k);
    reduce(context, k);
    show("", what);
  };
  let turn = 0; // a picture that was chosen while a file was read stays
  const open = async (file) => {
    const mine = ++turn;
    stop();
    try {
      const bitmap = await createImageBitmap(file);
      if (mine !== turn) return;
      take(bitmap, bitmap.width, bitmap.height, "your picture");
      fillPad();
    } catch {
      if (mine === turn) note.textContent = "This file could not be read as a picture. Try a PNG or a JPEG.";
    }
  };

  /* The camera */

  let stream = null;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    picture.live = false;
    camera.textContent = "Camera";
  };
  const start = async () => {
    turn++;
    if (stream) return (stop(), show("", "a picture of your camera"));
    const instead = "Files and drawings work, too.";
    if (!navigator.mediaDevices)
      return (note.textContent = `Browsers lend a camera only to pages that come over https. ${instead}`);
    note.textContent = "Waiting for the camera …";
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      const why = { NotAllowedError: "The browser did not allow the camera.", NotFoundError: "No camera was found." }[
        error.name
      ];
      return (note.textContent = `${why ?? "The camera could not be used."} ${instead}`);
    }
    camera.textContent = "Freeze";
    note.textContent = "What your camera shows. It stays on this device.";
    picture.live = true;
    const video = h("video", { playsinline: true });
    const mine = stream;
    video.muted = true;
    video.srcObject = stream;
    await video.play().catch(() => {});
    while (stream === mine && host.isConnected && !document.hidden) {
      if (video.videoWidth) take(video, video.videoWidth, video.videoHeight, "your camera");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    if (stream === mine) stop();
  };

  /* The pad: strokes are drawn on a fine copy of the picture, and that is reduced */

  const pad = context2d(SIDE * FINE);
  const fillPad = () => {
    pad.imageSmoothingEnabled = false;
    pad.drawImage(view, 0, 0, SIDE * FINE, SIDE * FINE);
  };
  const drawn = frame(() => (reduce(pad, FINE), show("", "your drawing")));
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
  const input = h("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    onchange: () => input.files[0] && open(input.files[0]),
  });
  const file = button({ label: "Open …", click: () => ((input.value = ""), input.click()) });
  const camera = button({ label: "Camera", click: start });
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
      // What is no image is opened, too: that says so.
      if (type === "drop") open(imageIn(event.dataTransfer) ?? event.dataTransfer.files[0]);
    });
  document.addEventListener("paste", (event) => {
    const typing = event.composedPath()[0].closest?.("input, textarea, [contenteditable]");
    const pasted = host.isConnected && !typing && imageIn(event.clipboardData);
    if (pasted) open(pasted);
  });

  const picture = {
    data: image.data,
    name: "",
    live: false,
    choose,
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
