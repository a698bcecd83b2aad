/* The network of net.js in a worker, so that the page never stalls:

     const net = worker(spec, bytes);
     const result = await net.run(pixels, options); // null: a newer call overtook this one, or the network was closed
     net.close();

   A worker has no page to import from, so it gets the source of the functions: each of them uses nothing outside. */
import { OPEN_MACHINE, openMachine } from "./kernel.js";
import { seNet } from "./net.js";

export const { load } = seNet(openMachine);

/** The other end: builds the network at the first request, and posts the answer to each. */
export const serve = (post) => {
  let net;
  return ({ spec, bytes, loading, pixels, options }) => {
    try {
      net ??= load(spec, bytes, loading);
      post({ result: net.run(pixels, options), convolutions: net.convolutions, kernel: net.kernel });
    } catch (error) {
      post({ error: error.message });
    }
  };
};

/** As load, but run is async. Answers come in the order of the calls, and the last call is always answered; calls that
    were overtaken before they started resolve to null. Without workers the page itself computes. */
export const worker = (spec, bytes, loading) => {
  let port,
    loaded,
    running = null,
    waiting = null;
  const settle = ({ result, error, ...state }) => {
    if (!running) return; // closed meanwhile
    Object.assign(net, state);
    const { resolve, reject } = running;
    running = null;
    next();
    if (error) reject(new Error(error));
    else resolve(result);
  };
  const next = () => {
    if (running || !waiting) return;
    [running, waiting] = [waiting, null];
    send();
  };
  const send = () => {
    port.post(loaded ? running.request : { spec, bytes, loading, ...running.request });
    loaded = true;
  };
  const inPage = () => {
    const answer = serve(settle);
    return { post: (message) => setTimeout(answer, 0, message), close() {} };
  };
  const inWorker = () => {
    const text = `
      const { load } = (${seNet})(${OPEN_MACHINE});
      const answer = (${serve})(postMessage);
      onmessage = ({ data }) => answer(data);`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const thread = new Worker(url);
    thread.onmessage = ({ data }) => settle(data);
    thread.onerror = () => {
      // refused after all, by a policy of the page
      [port, loaded] = [inPage(), false];
      if (running) send();
    };
    return {
      post: (message) => thread.postMessage(message),
      close: () => (thread.terminate(), URL.revokeObjectURL(url)),
    };
  };
  const net = {
    spec,
    convolutions: 0,
    run: (pixels, options) =>
      new Promise((resolve, reject) => {
        waiting?.resolve(null);
        waiting = { request: { pixels, options }, resolve, reject };
        next();
      }),
    close: () => {
      port.close();
      for (const call of [running, waiting]) call?.resolve(null); // nobody answers them any more
      running = waiting = null;
    },
  };
  try {
    port = inWorker();
  } catch {
    port = inPage();
  }
  return net;
};
