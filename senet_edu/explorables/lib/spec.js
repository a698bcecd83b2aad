/* A network of the reader for net.js, from a file of weights: the `model.safetensors` that senet_edu.train writes. It
   holds names, shapes and numbers. Here they become what `export_browser` in net.py makes of a model; what does not fit
   is refused in a sentence that says what was found. */
import { halves } from "./safetensors.js";

const MOST = 3e6; // weights that a page holds and computes in good time
const EPSILON = 1e-5; // of batch norm
const HEADER = 5e6; // bytes
const WIDTHS = { F32: 4, F16: 2 };
const whole = (n) => n.toLocaleString("en-US");
const size = (shape) => shape.reduce((a, b) => a * b, 1);
const refuse = (why) => {
  throw new RangeError(why);
};

/** The numbers of a tensor, as they come from the file. */
const numbers = (bytes, dtype) => {
  if (dtype === "F16") return halves(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
};

/** The tensors of a safetensors file, { name: { shape, data } }, without PyTorch's counters. */
export const tensorsOf = (file) => {
  const none = "it is no safetensors file";
  if (file.length < 10) refuse(none);
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (length > HEADER || 8 + length > file.length) refuse(none);
  let header;
  try {
    header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  } catch {
    refuse(none);
  }
  const entries = Object.entries(header).filter(
    ([name]) => name !== "__metadata__" && !/num_batches_tracked$/.test(name),
  );
  return Object.fromEntries(
    entries.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        if (!WIDTHS[dtype]) refuse(`${name} is stored as ${dtype}; single or half precision is needed`);
        const bytes = file.subarray(8 + length + from, 8 + length + to);
        if (bytes.length !== WIDTHS[dtype] * size(shape)) refuse(`it ends within ${name}: it is not whole`);
        return [name, { shape, data: numbers(bytes, dtype) }];
      },
    ),
  );
};

/** Takes tensors out by name and checks their shapes; what nobody has taken is left. */
const taker = (tensors) => {
  const left = new Set(Object.keys(tensors));
  const take = (name, ...wanted) => {
    const { shape, data } = tensors[name] ?? refuse(`it has no ${name}`);
    if (shape.length !== wanted.length || shape.some((n, i) => wanted[i] !== null && n !== wanted[i]))
      refuse(`its ${name} is ${shape.join(" × ")}, not ${wanted.map((n) => n ?? "any").join(" × ")}`);
    left.delete(name);
    return { shape, data };
  };
  return { take, left, has: (name) => name in tensors };
};

/** A convolution and its batch norm as net.js has them: the weights, and of each output a scale and a shift. */
const convolution = ({ take }, name, norm, ...shape) => {
  const weight = take(`${name}.weight`, ...shape),
    [outputs] = weight.shape;
  const [gain, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
    (part) => take(`${norm}.${part}`, outputs).data,
  );
  const scale = Array.from(gain, (g, o) => g / Math.sqrt(variance[o] + EPSILON));
  return {
    [`${name}.weight`]: weight,
    [`${name}.scale`]: { shape: [outputs], data: Float32Array.from(scale) },
    [`${name}.shift`]: { shape: [outputs], data: Float32Array.from(scale, (s, o) => bias[o] - s * mean[o]) },
  };
};

/** One residual block: { block, parts }. */
const residual = (from, name, stage, i, inputs) => {
  const stride = stage > 1 && i === 0 ? 2 : 1;
  if (from.has(`${name}.conv3.weight`)) refuse("it has bottlenecks, of three convolutions; here a block has two");
  const parts = convolution(from, `${name}.conv1`, `${name}.bn1`, null, inputs, 3, 3);
  const channels = parts[`${name}.conv1.weight`].shape[0];
  if (channels % 4) refuse(`${name} has ${channels} channels, not a multiple of four`);
  Object.assign(parts, convolution(from, `${name}.conv2`, `${name}.bn2`, channels, channels, 3, 3));
  if (stride === 2 || inputs !== channels) {
    const way = `${name}.downsample`;
    Object.assign(parts, convolution(from, `${way}.0`, `${way}.1`, channels, inputs, 1, 1));
  }
  const se = from.has(`${name}.se.fc1.weight`) ? `${name}.se` : null;
  if (se) {
    if (from.has(`${se}.fc1.bias`)) refuse("its SE blocks have biases; here they have none, as in the paper");
    parts[`${se}.fc1.weight`] = from.take(`${se}.fc1.weight`, null, channels);
    parts[`${se}.fc2.weight`] = from.take(`${se}.fc2.weight`, channels, parts[`${se}.fc1.weight`].shape[0]);
  }
  return { block: { name, se, stage, channels, side: 64 / 2 ** stage, stride }, parts };
};

/** What `load` in net.js takes: { spec, bytes }. `about` has classes, mean and std.

    A file does not say where the SE blocks stand, nor their squeeze and gate; they are taken to be the paper's. */
export const specOf = (tensors, about) => {
  const count = Object.values(tensors).reduce((sum, { shape }) => sum + size(shape), 0);
  const from = taker(tensors);
  if (!from.has("conv1.weight"))
    refuse(`it is no ResNet of senet_edu: it has no conv1.weight, but ${Object.keys(tensors)[0] ?? "nothing"}`);
  if (count > MOST) refuse(`it has ${whole(count)} numbers; the page holds up to ${whole(MOST)}`);
  const parts = convolution(from, "conv1", "bn1", null, 3, 3, 3);
  let inputs = parts["conv1.weight"].shape[0];
  if (inputs % 4) refuse(`its stem has ${inputs} channels, not a multiple of four`);
  const blocks = [];
  for (let stage = 1; stage <= 4; stage++)
    for (let i = 0; from.has(`layer${stage}.${i}.conv1.weight`); i++) {
      const made = residual(from, `layer${stage}.${i}`, stage, i, inputs);
      Object.assign(parts, made.parts);
      blocks.push(made.block);
      inputs = made.block.channels;
    }
  if (!blocks.length) refuse("it has no residual block, layer1.0");
  const classes = from.has("fc.weight") && tensors["fc.weight"].shape[0];
  if (classes !== about.classes.length)
    refuse(`it tells ${classes || "no"} classes apart; this figure shows the ten of CIFAR-10`);
  parts["fc.weight"] = from.take("fc.weight", classes, inputs);
  parts["fc.bias"] = from.take("fc.bias", classes);
  for (const name of from.left) refuse(`it has ${name}, which a ResNet with the paper's SE block has not`);

  const spec = { ...about, name: nameOf(blocks), count, blocks, tensors: {}, bytes: 0 };
  for (const [name, { shape, data }] of Object.entries(parts)) {
    if (!data.every(Number.isFinite)) refuse(`${name} has numbers that are not finite`);
    spec.tensors[name] = { dtype: "float32", shape, offset: spec.bytes };
    spec.bytes += 4 * data.length;
  }
  const bytes = new Uint8Array(spec.bytes);
  for (const [name, { data }] of Object.entries(parts))
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), spec.tensors[name].offset);
  return { spec, bytes };
};

const nameOf = (blocks) => `${blocks.some(({ se }) => se) ? "SE-" : ""}ResNet-${2 * blocks.length + 2}`;
