/* The arithmetic of the networks in the page: memory with maps in it, and the kernels that compute on them.

   Each kernel (convolutions.js, passes.js) is there twice: in JavaScript, to read and for where there is nothing else,
   and in WebAssembly with vectors of four, made for one shape when it is needed; about twelve times as fast. Both
   compute the same sums in another order.

   A map (side x side pixels) lies in memory pixel by pixel, the channels of a pixel side by side, and has a border of
   zeros one pixel wide. Channels are filled up with zeros to a multiple of four; they stay zero in maps, weights and
   gradients. All places count numbers.

     const machine = openMachine();
     const x = machine.map(32, 4), y = machine.map(32, 16); // {at: the border's first number, inside: a pixel's}
     const weights = machine.place(9 * 3 * 16), bias = machine.place(16);
     const conv = machine.want("conv", { side: 32, inputs: 3, stored: 4, outputs: 16, relu: true });
     machine.open(); // now the memory is there, machine.m, and the kernels
     conv.run(x.at, weights, bias, y.inside); */
import { seAssembler } from "./assembler.js";
import { seConvolutions } from "./convolutions.js";
import { sePasses } from "./passes.js";

export function seKernel(assembler, ...kernels) {
  const KERNELS = Object.assign({}, ...kernels);

  /** Memory and kernels of one network: see above. */
  return () => {
    const wanted = new Map();
    let size = 4;
    const machine = {
      m: null,
      name: "",
      /** So many numbers, for what begins at a multiple of four. */
      place: (numbers) => (size += (numbers + 3) & ~3) - ((numbers + 3) & ~3),
      /** A map, or one after the other those of so many images, `step` numbers each. */
      map: (side, channels, images = 1) => {
        const step = (side + 2) ** 2 * channels,
          at = machine.place(images * step);
        return { at, inside: at + (side + 3) * channels, side, channels, step };
      },
      /** A kernel by name and shape; its `run` is there once the machine is open. */
      want: (name, shape) => {
        const key = JSON.stringify([name, shape]);
        if (!wanted.has(key)) wanted.set(key, { name, shape, run: null });
        return wanted.get(key);
      },
      /** `simd: false` forbids WebAssembly. */
      open: ({ simd = true } = {}) => {
        const kernels = [...wanted.values()];
        try {
          if (!simd) throw new Error("not wanted");
          const memory = new WebAssembly.Memory({ initial: Math.ceil(size / 16384) });
          const module = new WebAssembly.Module(
            assembler.assemble(kernels.map(({ name, shape }) => KERNELS[name].vector(shape))),
          );
          const { exports } = new WebAssembly.Instance(module, { "": { m: memory } });
          machine.m = new Float32Array(memory.buffer);
          kernels.forEach((kernel, i) => (kernel.run = exports[i]));
          machine.name = "WebAssembly";
        } catch {
          // not wanted, no WebAssembly, no vectors in it, or a policy against it
          machine.m = new Float32Array(size);
          for (const kernel of kernels) kernel.run = KERNELS[kernel.name].plain(machine.m, kernel.shape);
          machine.name = "JavaScript";
        }
        return machine.m;
      },
    };
    return machine;
  };
}

const assembler = seAssembler();
export const openMachine = seKernel(assembler, seConvolutions(assembler), sePasses(assembler));
/** The same as text: a worker has no page to import from, and each of these functions uses nothing outside. */
export const OPEN_MACHINE = `((a) => (${seKernel})(a, (${seConvolutions})(a), (${sePasses})(a)))((${seAssembler})())`;
