/* A small assembler: functions of WebAssembly with vectors of four numbers, made when a page needs them.

   An instruction is a nested list of bytes, and small functions write them: `add(get(a), get(b))`. So a kernel is made
   for one shape, its sizes constants in the code, which a text or a binary in a file could not be. */

export function seAssembler() {
  const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]); // LEB128
  const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);
  const range = (n) => Array.from({ length: n }, (_, i) => i);

  // Integers are places in memory and counters, by the number of the local variable; so are vectors.
  const get = (local) => [0x20, unsigned(local)];
  const set = (local, ...value) => [value, 0x21, unsigned(local)];
  const integer = (n) => [0x41, signed(n)];
  /** local += by */
  const move = (local, by) => (by ? set(local, get(local), integer(by), 0x6a) : []);
  /** The body so many times; `local` counts down. */
  const loop = (local, times, ...body) =>
    times === 1
      ? body
      : [
          set(local, integer(times)),
          0x03,
          0x40,
          body,
          get(local),
          integer(-1),
          0x6a,
          0x22,
          unsigned(local),
          0x0d,
          0,
          0x0b,
        ];
  const load = (place, offset) => [get(place), 0xfd, 0, 0, unsigned(offset)]; // four numbers
  const splat = (place, offset) => [get(place), 0xfd, 9, 0, unsigned(offset)]; // one number, four times
  const store = (place, offset, value) => [get(place), value, 0xfd, 11, 0, unsigned(offset)];
  const operation =
    (...code) =>
    (...operands) => [operands, 0xfd, code];
  const add = operation(0xe4, 1);
  const mul = operation(0xe6, 1);
  /** The larger of two. The standard's max has rules for NaN that cost several instructions; this one is one. */
  const larger = operation(0xeb, 1);
  const greater = operation(0x44); // all bits one where a > b, else all zero
  const and = operation(0x4e);
  const zero = [0xfd, 12, Array(16).fill(0)];
  /** Four numbers out of the eight of a and b. */
  const shuffle = (a, b, ...lanes) => [a, b, 0xfd, 13, lanes.map((lane) => range(4).map((i) => 4 * lane + i))];
  /** sum += a · b. Not the fused instruction of relaxed SIMD: its last bit differs from machine to machine. */
  const accumulate = (sum, a, b) => set(sum, add(get(sum), mul(get(a), get(b))));

  const INTEGERS = 12,
    VECTORS = 40,
    MOST = 6; // local variables of a function; its parameters
  /** A function of n places, which count numbers of four bytes: body(places, integers, vectors) gets the numbers of the
      local variables, where the places have become bytes. */
  const define = (n, body) => ({
    n,
    code: [
      range(n).map((place) => set(place, get(place), integer(2), 0x74)),
      body(
        range(n),
        range(INTEGERS).map((i) => n + i),
        range(VECTORS).map((i) => n + INTEGERS + i),
      ),
    ],
  });

  /** The module with these functions, exported as "0", "1", …, over a memory imported as ""."m". */
  const assemble = (functions) => {
    const section = (id, ...items) => {
      const bytes = items.flat(Infinity);
      return [id, unsigned(bytes.length), bytes];
    };
    const each = (f) => [unsigned(functions.length), functions.map(f)];
    const name = (i) => [...String(i)].map((digit) => digit.charCodeAt());
    const [i32, v128] = [0x7f, 0x7b];
    const bytes = [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
      section(
        1,
        MOST + 1,
        range(MOST + 1).map((n) => [0x60, n, Array(n).fill(i32), 0]),
      ), // type n: n integers
      section(2, [1, 0, 1, 0x6d, 2, 0, 1]),
      section(
        3,
        each(({ n }) => n),
      ),
      section(
        7,
        each((_, i) => [name(i).length, name(i), 0, unsigned(i)]),
      ),
      section(
        10,
        each(({ code }) => {
          const body = [2, INTEGERS, i32, VECTORS, v128, code, 0x0b].flat(Infinity);
          return [unsigned(body.length), body];
        }),
      ),
    ];
    return new Uint8Array(bytes.flat(Infinity));
  };

  return {
    range,
    get,
    set,
    move,
    loop,
    load,
    splat,
    store,
    add,
    mul,
    larger,
    greater,
    and,
    zero,
    shuffle,
    accumulate,
    define,
    assemble,
  };
}
