/* Questions to a worker, and its answers:

     const { ask, close } = thread(source, make, told);
     await ask("weights", { step: 10 });

   make(post, later, slice) returns the tasks that the other end knows, { weights: ({ step }) => …, … }; `source` is its
   text, because a worker has no page to import from. A task may post what nobody asked for, which `told` gets, and go
   on working in slices of `slice` ms: later(f) calls f when waiting messages have been read. Where a page may have no
   worker, the page itself computes. What is asked of a closed thread is never answered. */

/** The other end: the answer to a message. */
const respond =
  (tasks, post) =>
  ({ id, task, about }) => {
    try {
      post({ id, result: tasks[task](about) });
    } catch (error) {
      post({ id, error: error.message });
    }
  };

export const thread = (source, make, told) => {
  const waiting = new Map();
  let ids = 0,
    port;
  const settle = ({ id, result, error, ...news }) => {
    if (!id) return told(news);
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  };
  const ask = (task, about) =>
    new Promise((resolve, reject) => {
      const message = { id: ++ids, task, about };
      waiting.set(message.id, { resolve, reject, message });
      port.post(message);
    });
  const inPage = () => {
    let open = true;
    const post = (message) => open && settle(message);
    const answer = respond(
      make(post, (f) => setTimeout(() => open && f()), 12),
      post,
    );
    return { post: (message) => setTimeout(() => open && answer(message)), close: () => (open = false) };
  };
  const inWorker = () => {
    const text = `
      const { port1, port2 } = new MessageChannel(), next = [];
      port1.onmessage = () => next.shift()();
      const post = (message) => postMessage(message), later = (f) => (next.push(f), port2.postMessage(0));
      const answer = (${respond})((${source})(post, later, 8), post);
      onmessage = ({ data }) => answer(data);`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = ({ data }) => settle(data);
    worker.onerror = () => {
      // refused after all, by a policy of the page
      port = inPage();
      for (const { message } of waiting.values()) port.post(message);
    };
    return {
      post: (message) => worker.postMessage(message),
      close: () => (worker.terminate(), URL.revokeObjectURL(url)),
    };
  };
  try {
    port = inWorker();
  } catch {
    port = inPage();
  }
  return { ask, close: () => port.close() };
};
