// What is said about the balls: a sentence, the figures, and a question before the answer is shown.

import { fill, h, number } from "./dom";
import { edge, edge_name, sharp } from "./edge";
import type { State } from "./state";

/** Where each ball ends, as far as it ends anywhere. */
function ends(state: State): number[] {
  return state.walks.map((w) => (w.diverged ? Infinity : (w.loss[w.loss.length - 1] ?? Infinity)));
}

/** How it goes, in a sentence: about the one ball, or about which of several ends lowest. */
export function verdict(state: State): string {
  const walk = state.walks[0];
  const ball = state.balls[0];
  if (!walk || !ball || !state.shown) return "";
  if (state.balls.length > 1) {
    const [least, best] = ends(state)
      .map((end, k) => [end, k] as const)
      .reduce((a, b) => (b[0] < a[0] ? b : a));
    if (!Number.isFinite(least)) return "Every ball leaves the picture.";
    const lost = state.walks.flatMap((w, k) => (w.diverged ? [state.name(k)] : []));
    return `${state.name(best)} ends lowest, at ${number(least)}.${lost.length ? ` ${lost.join(", ")} diverged.` : ""}`;
  }
  if (state.fault) return `${state.catalogue.faults[state.fault]}: ${walk.diverged ? "the ball leaves the valley" : "see what it does to the way"}.`;
  const most = edge(state, 0);
  if (most === null) return walk.ended || `It ends at ${number(walk.loss[walk.loss.length - 1])}.`;
  const lr = walk.lr;
  const name = edge_name(state, 0);
  const curved = number(sharp(state, 0), 3);
  if (lr > most) {
    const above = `The learning rate ${number(lr, 3)} is above ${name} = ${number(most, 3)} (λ = ${curved}, the largest curvature here)`;
    const rises = walk.diverged || (walk.loss[walk.loss.length - 1] ?? Infinity) > (walk.loss[0] ?? 0);
    if (rises) return `${above}: each step lands higher up the other wall than it came from, so it diverges.`;
    return `${above}: here a step overshoots. It goes down all the same, for where it gets to the ground curves less.`;
  }
  if (!ball.momentum && lr > most / 2) {
    return `The learning rate ${number(lr, 3)} lies between 1/λ and ${name} = ${number(most, 3)}: each step crosses the valley, and lands a little lower on the other wall.`;
  }
  return `The learning rate ${number(lr, 3)} is below ${name} = ${number(most, 3)} (λ = ${curved}, the largest curvature here): it goes down. The flattest direction decides how long it takes.`;
}

/** The figures of each ball at this moment, in a table; whether any is another than before. */
export function read_out(state: State, readings: HTMLElement): boolean {
  const rows = state.walks.map((walk, k) => {
    const n = Math.min(Math.round(state.t), walk.at.length - 1);
    const g = walk.gradient[n];
    const a = walk.at[n];
    const b = walk.at[n + 1];
    const length =
      a && b && a[0] !== null && a[1] !== null && b[0] !== null && b[1] !== null ? Math.hypot(b[0] - a[0], b[1] - a[1]) : null;
    const steep = g && g[0] !== null && g[1] !== null ? Math.hypot(g[0], g[1]) : null;
    const most = edge(state, k);
    return [
      state.name(k),
      number(walk.loss[n] ?? null),
      number(steep, 3),
      number(length, 3),
      number(sharp(state, k), 3),
      most === null ? "–" : number(most, 3),
      state.ground.exact ? null : number(walk.off[n] ?? null, 3),
    ];
  });
  const key = JSON.stringify([state.shown, rows]);
  if (readings.dataset.key === key) return false;
  readings.dataset.key = key;
  const titles = ["", "loss", "gradient", "step", "λ", "edge", state.ground.exact ? null : "off the plane"];
  fill(
    readings,
    state.shown &&
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, titles.filter((x) => x !== null).map((x) => h("th", { scope: "col" }, x)))),
        h(
          "tbody",
          {},
          rows.map((row, k) =>
            h(
              "tr",
              {},
              row.filter((x) => x !== null).map((x, n) => (n ? h("td", {}, x) : h("th", { scope: "row", class: `ball-${k}` }, x))),
            ),
          ),
        ),
      ),
  );
  return true;
}

/** Hide the ways until somebody has said which ball ends lowest; then `go` on. */
export function ask(state: State, quiz: HTMLElement, go: () => void): void {
  state.shown = false;
  quiz.hidden = false;
  const reveal = (k: number): void => {
    state.guessed = k;
    state.shown = true;
    const all = ends(state);
    const right = all[k] === Math.min(...all) && Number.isFinite(all[k]!);
    fill(quiz, h("b", {}, right ? "Right." : "Not quite: watch."));
    go();
  };
  fill(
    quiz,
    h("b", {}, "Which ball ends lowest?"),
    state.balls.map((_, k) => h("button", { type: "button", onclick: () => reveal(k) }, state.name(k))),
  );
}
