/* The inner loop of the page's convolutions: in WebAssembly, and in JavaScript for where there is none. */

export function seKernel() {
  /* ---- The convolution's inner loop, once in WebAssembly with vectors of four, once in JavaScript without

     Maps lie in memory pixel by pixel, their channels side by side, within a border of zeros. So the channels that a
     filter sees in one row of its field, three pixels' worth, are one run of numbers. A kernel computes 8 channels of
     one row of the output:
       x        the field's first number for the first output pixel, in the input
       run      how many numbers of a field's row lie side by side: 3·C, for a 1x1 convolution C (a multiple of 4)
       rows     how many rows a field has; pitch: from one row to the next
       step     from one output pixel's field to the next one's
       w        8 biases, then for each number of the field 8 weights
       y        where the output goes; out: from one output pixel to the next
       pixels   how many (a multiple of 4)
       floor    0 for a ReLU, else -Infinity
     All lengths and places count numbers. */

  const kernelInJavaScript = (m) => {
    const put = (y, floor, v0, v1, v2, v3) => {
      (m[y] = Math.max(v0, floor)), (m[y + 1] = Math.max(v1, floor));
      (m[y + 2] = Math.max(v2, floor)), (m[y + 3] = Math.max(v3, floor));
    };
    return (x, run, rows, pitch, step, w, y, out, pixels, floor) => {
      for (const last = x + pixels * step; x < last; x += 2 * step, y += 2 * out)
        for (let q = 0; q < 8; q += 4) {
          // 2 pixels by 4 channels: what fits into the processor's registers
          let v = w + q;
          let a0 = m[v],
            a1 = m[v + 1],
            a2 = m[v + 2],
            a3 = m[v + 3],
            b0 = a0,
            b1 = a1,
            b2 = a2,
            b3 = a3;
          for (let r = 0; r < rows; r++)
            for (let p = x + r * pitch, end = p + run; p < end; p++) {
              v += 8;
              const a = m[p],
                b = m[p + step],
                w0 = m[v],
                w1 = m[v + 1],
                w2 = m[v + 2],
                w3 = m[v + 3];
              (a0 += a * w0), (a1 += a * w1), (a2 += a * w2), (a3 += a * w3);
              (b0 += b * w0), (b1 += b * w1), (b2 += b * w2), (b3 += b * w3);
            }
          put(y + q, floor, a0, a1, a2, a3), put(y + q + out, floor, b0, b1, b2, b3);
        }
    };
  };

  // The same for 4 pixels by 8 channels, in WebAssembly's text but short: $x is local.get $x, =x is local.set $x, and a
  // load has its offset as a bare number. Lengths are in bytes, skip is pitch - run. x<p> points into the field of
  // pixel p, a<p> and b<p> are its channels 0-3 and 4-7. A turn of the innermost loop takes four numbers of each field.
  const INTS = ["x", "quads", "rows", "skip", "step", "w", "y", "out", "groups"]; // the parameters, and then floor
  const LOCALS = ["x0", "x1", "x2", "x3", "v", "i", "r"];
  const VECTORS = ["low", "high", "field", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"];
  const four = (text) => [0, 1, 2, 3].map(text).join(" ");
  const add = (name, by) => `$${name} ${by} i32.add =${name}`;
  const again = (counter) => `${add(counter, "i32.const -1")} $${counter} br_if 0 end`;
  const TEXT = `
    loop
      ${four((p) => `$x =x${p} ${add("x", "$step")}`)}
      $w v128.load 0 =a0 $w v128.load 16 =b0
      ${four((p) => `$a0 =a${p} $b0 =b${p}`)}
      $w i32.const 32 i32.add =v
      $rows =r
      loop
        $quads =i
        loop
          ${four(
            (u) => `
            $v v128.load ${32 * u} =low
            $v v128.load ${32 * u + 16} =high
            ${four(
              (p) => `
              $x${p} v128.load32_splat ${4 * u} =field
              $a${p} $field $low f32x4.mul f32x4.add =a${p}
              $b${p} $field $high f32x4.mul f32x4.add =b${p}`,
            )}`,
          )}
          ${add("v", "i32.const 128")}
          ${four((p) => add(`x${p}`, "i32.const 16"))}
        ${again("i")}
        ${four((p) => add(`x${p}`, "$skip"))}
      ${again("r")}
      ${four(
        (p) => `
        $y $a${p} $floor f32x4.splat f32x4.max v128.store 0
        $y $b${p} $floor f32x4.splat f32x4.max v128.store 16
        ${add("y", "$out")}`,
      )}
    ${again("groups")}`;
  const OPCODES = {
    // of loads and stores with an alignment of 0, before their offset
    loop: [0x03, 0x40],
    end: [0x0b],
    br_if: [0x0d],
    $: [0x20],
    "=": [0x21],
    "i32.const": [0x41],
    "i32.add": [0x6a],
    "v128.load": [0xfd, 0x00, 0],
    "v128.load32_splat": [0xfd, 0x09, 0],
    "v128.store": [0xfd, 0x0b, 0],
    "f32x4.splat": [0xfd, 0x13],
    "f32x4.add": [0xfd, 0xe4, 1],
    "f32x4.mul": [0xfd, 0xe6, 1],
    "f32x4.max": [0xfd, 0xe9, 1],
  };

  /** A module of this one function. */
  const assemble = () => {
    const leb = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...leb(n >> 7)]); // an integer, LEB128
    const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
    const locals = [...INTS, "floor", ...LOCALS, ...VECTORS];
    const code = TEXT.trim()
      .split(/\s+/)
      .flatMap(
        (word) =>
          OPCODES[word] ??
          (word[0] in OPCODES ? [...OPCODES[word[0]], locals.indexOf(word.slice(1))] : leb(Number(word))),
      );
    const [i32, f32, v128] = [0x7f, 0x7d, 0x7b];
    const body = [2, LOCALS.length, i32, VECTORS.length, v128, ...code, ...OPCODES.end];
    return new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
      ...section(1, [1, 0x60, INTS.length + 1, ...INTS.map(() => i32), f32, 0]), // its type
      ...section(2, [1, 0, 1, 0x6d, 2, 0, 1]), // a memory, imported as ""."m"
      ...section(3, [1, 0]), // one function, of type 0
      ...section(7, [1, 1, 0x6b, 0, 0]), // exported as "k"
      ...section(10, [1, ...leb(body.length), ...body]),
    ]);
  };

  /** Memory for so many numbers and a kernel over it: [Float32Array, kernel, its name]. */
  const makeKernel = (numbers, simd) => {
    try {
      if (simd) {
        const memory = new WebAssembly.Memory({ initial: Math.ceil(numbers / 16384) });
        const { k } = new WebAssembly.Instance(new WebAssembly.Module(assemble()), { "": { m: memory } }).exports;
        const kernel = (x, run, rows, pitch, step, w, y, out, pixels, floor) =>
          k(4 * x, run / 4, rows, 4 * (pitch - run), 4 * step, 4 * w, 4 * y, 4 * out, pixels / 4, floor);
        return [new Float32Array(memory.buffer), kernel, "WebAssembly"];
      }
    } catch {} // no WebAssembly, no vectors in it, or a policy against it
    const m = new Float32Array(numbers);
    return [m, kernelInJavaScript(m), "JavaScript"];
  };

  return { makeKernel };
}
