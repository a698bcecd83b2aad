/* Guesses that the reader has committed to, by question. They live as long as the tab, where the page may keep
   anything; in a frame without storage (Colab's are) as long as the frame. */
const here = new Map();
const EVENT = "se-guess";

const storage = () => {
  try {
    return window.sessionStorage;
  } catch {
    return null; // an opaque frame has none, and says so by throwing
  }
};

/** The option that was chosen, or null. An option that the question no longer has counts as none. */
export const guessed = (key, options) => {
  let found = here.get(key);
  try {
    found ??= storage()?.getItem(`se-guess:${key}`);
  } catch {}
  return options.includes(found) ? found : null;
};

export const keep = (key, option) => {
  here.set(key, option);
  try {
    storage()?.setItem(`se-guess:${key}`, option);
  } catch {} // full, or forbidden
  document.dispatchEvent(new CustomEvent(EVENT, { detail: { key, option } }));
};

/** Call `f(option)` whenever this question is answered in the page, be it by another cell's scripts. Returns what
    ends that. */
export const listen = (key, f) => {
  const heard = ({ detail }) => {
    if (detail.key !== key) return;
    here.set(key, detail.option);
    f(detail.option);
  };
  document.addEventListener(EVENT, heard);
  return () => document.removeEventListener(EVENT, heard);
};
