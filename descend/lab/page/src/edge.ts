// The edge of stability: how large a learning rate may be where a ball is.

import type { State } from "./state";

/** The largest curvature where ball k is now, or where it was last measured. */
export function sharp(state: State, k: number): number | null {
  const walk = state.walks[k];
  if (!walk) return state.ground.sharpness;
  const { at, value } = walk.sharpness;
  let found: number | null = null;
  at.forEach((step, n) => {
    if (step <= state.t + 0.5 && value[n] !== null) found = value[n]!;
  });
  return found ?? value[0] ?? state.ground.sharpness;
}

/** Above which learning rate descent with momentum is not stable where ball k is. */
export function edge(state: State, k: number): number | null {
  const ball = state.balls[k];
  const most = sharp(state, k);
  if (!ball || most === null || most <= 0 || !["sgd", "momentum"].includes(ball.method)) return null;
  return (2 * (1 + (ball.momentum ?? 0))) / most;
}

export function edge_name(state: State, k: number): string {
  return state.balls[k]?.momentum ? "2(1+β)/λ" : "2/λ";
}
