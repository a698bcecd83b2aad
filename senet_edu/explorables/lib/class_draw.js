/* Fills the elements of the classifiers' figure from its state. Nothing here changes the state. */
import { series } from "./class_plots.js";
import { lacking, MOST } from "./class_sets.js";
import { guessed, instruction, learned, status, verdict } from "./class_words.js";
import { rich } from "./rich.js";
import { TRAIN } from "./training_controls.js";

/** What came out: shares that are right, of training pictures of the one with SE, and of held ones of both. */
const outcome = ({ logs, run }) => {
  const last = (name, kind) => series(logs[name], kind).at(-1)?.[1] ?? 0;
  const { held, labels, classes } = run?.data ?? { held: null, labels: [], classes: 1 };
  return {
    n: held?.labels.length ?? 0,
    each: Math.round(labels.length / classes),
    train: last("se", "accuracy"),
    held: last("se", "held"),
    se: last("se", "held"),
    plain: last("plain", "held"),
  };
};

const drawSets = (ui, s) => {
  const own = s.source === "own",
    sets = s.sets[s.source];
  ui.source.value = s.source;
  ui.grid.classList.toggle("own", own);
  ui.album.draw({ sets, own, chosen: s.chosen, hold: s.options.hold, picked: s.picked }, s.focus);
  s.focus = false;
  ui.ownTools.hidden = !own;
  ui.another.disabled = sets.length >= 5;
  ui.less.disabled = sets.length <= 2;
  ui.fetch.textContent = `Files for ${sets[s.chosen]?.name ?? ""} …`;
  ui.removePicture.hidden = !s.picked;
  ui.add.hidden = !own;
  const full = (sets[s.chosen]?.pictures.length ?? 0) >= MOST;
  ui.add.disabled = full;
  const live = ui.picture.live ? "Hold to add to" : "Add to";
  ui.add.textContent = full ? `${MOST} are enough` : `${live} ${sets[s.chosen]?.name ?? ""}`;
  return { own, sets };
};

const drawCurves = (ui, s, width) => {
  const narrow = width < 560;
  const gap = width < 880 ? 12 : 24;
  const held = s.run?.data.held ?? (s.source === "drawn" || s.options.hold);
  for (const [i, panel] of ui.curves.entries()) {
    panel.draw({
      width: narrow ? (i ? (width - 12) / 2 : width) : (width - 2 * gap) / 3,
      height: narrow ? 100 : 132,
      total: s.options.steps,
      logs: s.logs,
      classes: s.run?.data.classes ?? s.sets[s.source].length,
      note: i === 2 && !held ? "none are held back" : "",
    });
  }
};

const drawWords = (ui, s, { own, sets }) => {
  const { phase, stale, away, steps } = s;
  const found = outcome(s);
  const lacks = own && (phase === "rest" || stale) ? lacking(sets) : null;
  ui.setSay(s.note || instruction({ phase, own, lacks, stale: stale && !lacks, away, steps }));
  const pictures = s.run?.data.labels.length ?? 0;
  const { seconds, speed } = s.run?.pair ?? { seconds: 0, speed: 0 };
  ui.status.textContent = s.run
    ? status({ phase, steps, total: s.options.steps, speed, ready: s.ready, seconds, seed: s.options.seed, pictures })
    : "Nothing leaves this page.";
  const again = phase === "done" || phase === "blown";
  ui.train.textContent = stale ? "▶ Train again" : TRAIN[phase];
  ui.train.classList.toggle("hollow", again && !stale);
  ui.train.disabled = s.run === null;
  ui.step.disabled = s.run === null || again || phase === "running" || stale;
  ui.restart.hidden = steps === 0;
  ui.verdict.replaceChildren(...rich(verdict({ phase, ...found })));
  ui.learned.textContent = learned({ phase, own, ...found });
  ui.guess.hidden = phase === "done";
  const which = own ? "held pictures of yours" : `${s.run?.data.held.labels.length ?? "the"} held pictures`;
  ui.question.textContent = `Will the network with SE be right more often on ${which}?`;
  const told = phase === "done" && s.guess && found.n;
  ui.outcome.replaceChildren(...(told ? rich(guessed(s.guess, found.plain, found.se)) : []));
  for (const save of Object.values(ui.saves)) save.disabled = steps === 0;
};

const drawAnswer = (ui, s) => {
  const names = s.run?.names ?? s.sets[s.source].map(({ name }) => name);
  const view = s.steps > 0 ? s.view : null;
  ui.answers.draw({ names, view, truth: s.truth });
  ui.strips.draw(view?.se.gates ?? s.view?.se.gates);
  ui.answerTitle.textContent = view ? "What both say of this picture" : "A picture for both: not trained yet";
  ui.next.hidden = !s.run?.data.held || ui.picture.live;
};

export const draw = (ui, s, width) => {
  const now = drawSets(ui, s);
  drawCurves(ui, s, width);
  drawWords(ui, s, now);
  drawAnswer(ui, s);
};
