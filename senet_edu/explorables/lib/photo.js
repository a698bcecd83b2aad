/* Photographs as 32 x 32 pixels: the middle square of a picture, of a file, or of what a camera shows. Nothing leaves
   the page. */
import { button, clamp, h } from "./core.js";

export const SIDE = 32;

export const context2d = (side) =>
  h("canvas", { width: side, height: side }).getContext("2d", { willReadFrequently: true });

/** The mean of every k x k square of a canvas of 32k x 32k pixels: 32 x 32 x 3 numbers, 0 to 255. */
export const reduced = (context, k) => {
  const { data } = context.getImageData(0, 0, SIDE * k, SIDE * k);
  const rgb = new Float64Array(3 * SIDE * SIDE);
  for (let y = 0; y < SIDE * k; y++)
    for (let x = 0; x < SIDE * k; x++)
      for (let c = 0; c < 3; c++)
        rgb[3 * (Math.floor(y / k) * SIDE + Math.floor(x / k)) + c] += data[4 * (y * SIDE * k + x) + c];
  return rgb.map((sum) => sum / (k * k));
};

/** The middle square of whatever can be drawn on a canvas, as `reduced` gives it. */
export const square = (source, width, height) => {
  const side = Math.min(width, height);
  const k = clamp(Math.floor(side / SIDE), 1, 16);
  const context = context2d(SIDE * k);
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, SIDE * k, SIDE * k);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, (width - side) >> 1, (height - side) >> 1, side, side, 0, 0, SIDE * k, SIDE * k);
  return reduced(context, k);
};

/** The mean of every square of two by two pixels: from 32 x 32 x 3 numbers 16 x 16 x 3. */
export const halved = (rgb) =>
  Uint8ClampedArray.from({ length: (3 * SIDE * SIDE) / 4 }, (_, i) => {
    const [y, x, c] = [Math.floor((2 * i) / (3 * SIDE)), Math.floor(i / 3) % (SIDE / 2), i % 3];
    const at = 3 * (2 * y * SIDE + 2 * x) + c;
    return (rgb[at] + rgb[at + 3] + rgb[at + 3 * SIDE] + rgb[at + 3 * SIDE + 3]) / 4; // the array rounds
  });

/** The other way: each of 16 x 16 pixels as a square of two by two. */
export const doubled = (rgb) =>
  Uint8ClampedArray.from({ length: 3 * SIDE * SIDE }, (_, i) => {
    const [y, x] = [Math.floor(i / (3 * SIDE)), Math.floor(i / 3) % SIDE];
    return rgb[3 * ((y >> 1) * (SIDE / 2) + (x >> 1)) + (i % 3)];
  });

/** Controls that bring a reader's own pictures: a file and the camera.

    `take(rgb, from)` gets a picture `from` "file" or "camera", for the camera every frame; `ended()` is called where
    a reader stops the camera; `note(text)` says what is going on. What was asked for later wins: a file
    that is read slowly does not replace it. Returns { file, input, camera, open, stop, live }. */
export const sources = ({ host, take, note, ended = () => {}, instead = "" }) => {
  let turn = 0;
  let stream = null;
  const stop = () => {
    turn++;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    camera.textContent = "Camera";
  };
  const open = async (from) => {
    stop();
    const mine = turn;
    try {
      const bitmap = await createImageBitmap(from);
      if (mine === turn) take(square(bitmap, bitmap.width, bitmap.height), "file");
    } catch {
      if (mine === turn) note("This file could not be read as a picture. Try a PNG or a JPEG.");
    }
  };
  const film = async () => {
    if (stream) return (stop(), ended());
    stop();
    if (!navigator.mediaDevices) return note(`Browsers lend a camera only to pages that come over https.${instead}`);
    note("Waiting for the camera …");
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      const why = { NotAllowedError: "The browser did not allow the camera.", NotFoundError: "No camera was found." }[
        error.name
      ];
      return note(`${why ?? "The camera could not be used."}${instead}`);
    }
    camera.textContent = "Freeze";
    note("What your camera shows. It stays on this device.");
    const video = h("video", { playsinline: true });
    const mine = stream;
    video.muted = true;
    video.srcObject = stream;
    await video.play().catch(() => {});
    while (stream === mine && host.isConnected && !document.hidden) {
      if (video.videoWidth) take(square(video, video.videoWidth, video.videoHeight), "camera");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    if (stream === mine) stop();
  };
  const input = h("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    onchange: () => input.files[0] && open(input.files[0]),
  });
  const file = button({ label: "Open …", click: () => ((input.value = ""), input.click()) });
  const camera = button({ label: "Camera", click: film });
  return { file, input, camera, open, stop, live: () => stream !== null };
};
