/* Files of weights that PyTorch reads: eight bytes for the length of a header in JSON, the header, the numbers. */

/** weights: { name: { shape, data } } with data a Float32Array, or a BigInt64Array for PyTorch's counters; about:
    strings by name. Returns the bytes. */
export const safetensors = (weights, about = {}) => {
  const bytesOf = { F32: 4, I64: 8 };
  // The longer numbers first, so that all begin at a multiple of their length.
  const tensors = Object.entries(weights)
    .map(([name, { shape, data }]) => ({ name, shape, data, dtype: data instanceof BigInt64Array ? "I64" : "F32" }))
    .sort((a, b) => bytesOf[b.dtype] - bytesOf[a.dtype]);
  let offset = 0;
  const header = { __metadata__: about };
  for (const { name, shape, data, dtype } of tensors)
    header[name] = { dtype, shape, data_offsets: [offset, (offset += bytesOf[dtype] * data.length)] };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8; // numbers begin at a multiple of eight
  const bytes = new Uint8Array(8 + padded + offset).fill(32, 8, 8 + padded);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  for (const { name, data, dtype } of tensors) {
    const at = 8 + padded + header[name].data_offsets[0];
    if (dtype === "I64") data.forEach((value, i) => view.setBigInt64(at + 8 * i, value, true));
    else data.forEach((value, i) => view.setFloat32(at + 4 * i, value, true));
  }
  return bytes;
};

/** Half-precision numbers, little-endian bytes, to a Float32Array. */
export const halves = (bytes) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    bits = new Uint32Array(1),
    value = new Float32Array(bits.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
    const half = view.getUint16(2 * i, true);
    bits[0] = (half & 0x7fff) << 13; // exponent and fraction in the places of single precision; 2^112 mends the bias
    return (half & 0x8000 ? -1 : 1) * value[0] * 2 ** 112;
  });
};

/** Weights that `pack_halves` in lamp.py has packed. */
export const unpackHalves = ({ shapes, base64 }) => {
  const all = halves(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
  let at = 0;
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b);
      return [name, { shape, data: all.slice(at, (at += count)) }];
    }),
  );
};
