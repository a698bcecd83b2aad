/* Photographs for the lamp: shipped ones, a file, the camera. Nothing leaves the page. */
import { button, h, unpack } from "./core.js";

const SIDE = 32;

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
  /** The middle square of what can be drawn on a canvas, each pixel the mean of the area that it covers. */
  const take = (source, width, height, name) => {
    const side = Math.min(width, height),
      k = Math.max(1, Math.min(16, Math.floor(side / SIDE)));
    const context = h("canvas", { width: SIDE * k, height: SIDE * k }).getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, SIDE * k, SIDE * k);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, (width - side) >> 1, (height - side) >> 1, side, side, 0, 0, SIDE * k, SIDE * k);
    const { data } = context.getImageData(0, 0, SIDE * k, SIDE * k),
      rgb = new Float32Array(3 * SIDE * SIDE);
    for (let y = 0; y < SIDE * k; y++)
      for (let x = 0; x < SIDE * k; x++)
        for (let c = 0; c < 3; c++)
          rgb[3 * (Math.floor(y / k) * SIDE + Math.floor(x / k)) + c] +=
            data[4 * (y * SIDE * k + x) + c] / (255 * k * k);
    show(rgb, name);
  };
  const open = async (file) => {
    stop();
    try {
      const bitmap = await createImageBitmap(file);
      take(bitmap, bitmap.width, bitmap.height, "your file");
      set(false);
    } catch {
      note.textContent = "This file could not be read as a picture. Try a PNG or a JPEG.";
    }
  };
  let stream = null;
  const stop = () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    camera.textContent = "Camera";
  };
  const film = async () => {
    if (stream) return (stop(), set(false));
    if (!navigator.mediaDevices)
      return (note.textContent = "Browsers lend a camera only to pages that come over https.");
    note.textContent = "Waiting for the camera …";
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      const why = { NotAllowedError: "The browser did not allow the camera.", NotFoundError: "No camera was found." }[
        error.name
      ];
      return (note.textContent = why ?? "The camera could not be used.");
    }
    camera.textContent = "Freeze";
    note.textContent = "What your camera shows. It stays on this device.";
    const video = h("video", { playsinline: true }),
      mine = stream;
    video.muted = true;
    video.srcObject = stream;
    await video.play().catch(() => {});
    while (stream === mine && host.isConnected && !document.hidden) {
      if (video.videoWidth) take(video, video.videoWidth, video.videoHeight, "your camera");
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
