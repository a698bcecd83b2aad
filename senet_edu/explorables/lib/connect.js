/* A network of the page: its weights stand behind the figures' scripts, `<script data-se-network="name">`, or in a file
   that this element names. */
import { bytes, h } from "./core.js";
import { worker } from "./worker.js";

const PATIENCE = 20_000; // milliseconds, once the page is there

/** The network in a worker. Throws where the weights do not arrive; they may still be on their way. */
export const connect = async (name) => {
  for (let waited = 0; waited < PATIENCE; waited += document.readyState === "loading" ? 0 : 50) {
    const element = document.querySelector(`script[data-se-network="${name}"]`);
    if (element?.dataset.src) {
      document.head.append(h("script", { src: element.dataset.src }));
      delete element.dataset.src;
    }
    if (element?.textContent && document.readyState !== "loading") {
      const { spec, weights } = JSON.parse(element.textContent);
      return worker(spec, bytes(weights));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the weights, 560 KB, did not arrive");
};
