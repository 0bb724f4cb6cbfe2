// The two charts: the loss by step, and the loss by learning rate.

import { api } from "./api";
import type { Chart, Line, Mark } from "./chart";
import { colour } from "./dom";
import { edge, edge_name } from "./edge";
import { COLOURS, type State } from "./state";

/** What is taken off losses so that they can be drawn on a logarithmic scale. */
function floor(state: State): number {
  const all = state.walks.flatMap((w) => w.loss).filter((v): v is number => v !== null);
  const least = Math.min(state.terrain.scale.low, ...all);
  return least > 0 ? 0 : least - 1e-9;
}

export function show_losses(state: State, chart: Chart): void {
  const low = floor(state);
  const lines: Line[] = state.walks.map((walk, k) => ({
    name: state.name(k),
    colour: COLOURS[k]!,
    x: walk.loss.map((_, n) => n),
    y: walk.loss.map((v) => (v === null ? null : v - low)),
  }));
  const y = low === 0 ? "loss" : "loss above the least";
  chart.show(state.shown ? lines : [], { logY: true, x: "step", y, cursor: state.t, steps: true });
}

/** Ask how each ball would fare at other learning rates, one after the other, and show it when all are known. */
export async function show_rates(state: State, chart: Chart, signal: AbortSignal): Promise<void> {
  const lines: Line[] = [];
  const marks: Mark[] = [];
  for (const [k, walker] of state.walkers().entries()) {
    const found = await api.rates(state.scene, walker, signal);
    if (signal.aborted) return;
    const low = floor(state);
    lines.push({
      name: state.name(k),
      colour: COLOURS[k]!,
      x: found.lr,
      y: found.loss.map((v) => (v === null ? null : Math.min(v, 10 * Math.abs(found.start) + 1) - low)),
    });
    if (walker.lr) marks.push({ x: walker.lr, name: "", colour: COLOURS[k]! });
  }
  const first = edge(state, 0);
  if (first) marks.push({ x: first, name: edge_name(state, 0), colour: colour("bad") });
  chart.show(lines, { logX: true, logY: true, x: "learning rate", y: "loss after 60 steps", marks });
}
