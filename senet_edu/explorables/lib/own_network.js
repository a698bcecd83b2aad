/* The reader's own network in the live figure: a `model.safetensors`, chosen or dropped. It stays in the page. */
import { button, h } from "./core.js";
import { specOf, tensorsOf } from "./spec.js";

const INVITES = "Your own network: open or drop the model.safetensors of senet_edu.train. It stays in this page.";

/** `about`: classes, mean, std. `take(made)` gets { spec, bytes }, or null for the network that the figure came with.
    Returns the elements `controls` and `note`, and open(file), is(file). */
export const ownNetwork = ({ about, take }) => {
  let turn = 0;
  const note = h("p", { class: "note own", role: "status" });
  const open = async (file) => {
    const mine = ++turn;
    try {
      const content = new Uint8Array(await file.arrayBuffer());
      if (mine !== turn) return;
      const made = specOf(tensorsOf(content), about);
      const { name, blocks, count } = made.spec,
        gated = blocks.filter(({ se }) => se).length;
      const has = gated ? `${gated} SE blocks, taken to be the paper’s at its place` : "no SE block and so no gates";
      const size = `${blocks.length} blocks, ${count.toLocaleString("en-US")} numbers`;
      note.textContent = `${file.name}: ${name}, ${size}; ${has}.`;
      back.hidden = false;
      take(made);
    } catch (error) {
      if (mine === turn) note.textContent = `${file.name} does not fit here: ${error.message}.`;
    }
  };
  const input = h("input", {
    type: "file",
    accept: ".safetensors",
    hidden: true,
    onchange: () => input.files[0] && open(input.files[0]),
  });
  const choose = button({ label: "Model …", click: () => ((input.value = ""), input.click()) });
  const back = button({
    label: "Ours again",
    click: () => {
      turn++;
      [back.hidden, note.textContent] = [true, ""];
      choose.focus();
      take(null);
    },
  });
  back.hidden = true;
  choose.title = INVITES;
  return { controls: [choose, back, input], note, open, is: (file) => /\.safetensors$/i.test(file.name) };
};
