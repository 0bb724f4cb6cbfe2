// The two views of the ground, from above and as a surface, with the balls' ways on them.

import type { Walk } from "./api";
import { fit } from "./dom";
import { COLOURS, type State } from "./state";

/** The ground from above, the ways up to now, and the gradient and the step at each ball. */
export function above(state: State, canvas: HTMLCanvasElement): void {
  const { pen, width, height } = fit(canvas);
  state.terrain.draw(pen, width, height);
  for (const [x, y] of state.ground.minimisers) {
    const [px, py] = state.terrain.place(x, y, width, height);
    cross(pen, px, py);
  }
  if (state.shown) state.walks.forEach((walk, k) => way(pen, state, walk, k, width, height));
  const [sx, sy] = state.terrain.place(...state.start, width, height);
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(sx, sy, 8, 0, 7);
  pen.stroke();
}

function way(pen: CanvasRenderingContext2D, state: State, walk: Walk, k: number, width: number, height: number): void {
  const end = Math.min(Math.floor(state.t), walk.at.length - 1);
  const share = Math.min(state.t - end, 1);
  const tint = COLOURS[k]!;
  const place = (at: [number | null, number | null] | undefined): [number, number] | null =>
    at && at[0] !== null && at[1] !== null ? state.terrain.place(at[0], at[1], width, height) : null;
  pen.strokeStyle = pen.fillStyle = tint;
  pen.lineWidth = 2;
  pen.beginPath();
  let now: [number, number] | null = null;
  for (let n = 0; n <= end; n += 1) {
    const at = place(walk.at[n]);
    if (!at) break;
    if (now) pen.lineTo(...at);
    else pen.moveTo(...at);
    now = at;
  }
  const next = place(walk.at[end + 1]);
  if (now && next && share > 0) {
    now = [now[0] + share * (next[0] - now[0]), now[1] + share * (next[1] - now[1])];
    pen.lineTo(...now);
  }
  pen.stroke();
  if (state.longest() <= 150) {
    for (let n = 0; n <= end; n += 1) {
      const at = place(walk.at[n]);
      if (at) pen.fillRect(at[0] - 1.5, at[1] - 1.5, 3, 3);
    }
  }
  if (!now) return;
  const gradient = walk.gradient[end];
  if (gradient && gradient[0] !== null && gradient[1] !== null) {
    const [[left, right], [bottom, top]] = state.ground.spans;
    const dx = (-gradient[0] / (right - left)) * width;
    const dy = (gradient[1] / (top - bottom)) * height;
    const long = Math.hypot(dx, dy);
    if (long > 0) arrow(pen, now, [now[0] + (dx / long) * 34, now[1] + (dy / long) * 34], "#ffffff", true);
  }
  if (next && !state.playing) arrow(pen, now, next, tint, false);
  marker(pen, now[0], now[1], k, 7);
}

export function beside(state: State, canvas: HTMLCanvasElement): void {
  const { pen, width, height } = fit(canvas);
  pen.clearRect(0, 0, width, height);
  state.relief.draw(pen, state.view, width, height);
  const [[left, right], [bottom, top]] = state.ground.spans;
  const project = state.relief.projection(state.view, width, height);
  const put = (x: number, y: number): [number, number] | null => {
    const u = (x - left) / (right - left);
    const v = (y - bottom) / (top - bottom);
    if (u < -0.01 || v < -0.01 || u > 1.01 || v > 1.01) return null;
    return project(u, v, state.terrain.at(x, y) + 0.015);
  };
  if (!state.shown) return;
  state.walks.forEach((walk, k) => {
    const end = Math.min(Math.floor(state.t), walk.at.length - 1);
    pen.strokeStyle = COLOURS[k]!;
    pen.lineWidth = 2;
    pen.beginPath();
    let now: [number, number] | null = null;
    for (let n = 0; n <= end; n += 1) {
      const at = walk.at[n]!;
      const p = at[0] === null || at[1] === null ? null : put(at[0], at[1]);
      if (!p) {
        now = null;
        continue;
      }
      if (now) pen.lineTo(...p);
      else pen.moveTo(...p);
      now = p;
    }
    pen.stroke();
    if (now) marker(pen, now[0], now[1], k, 7);
  });
}

function cross(pen: CanvasRenderingContext2D, x: number, y: number): void {
  pen.strokeStyle = "#7dffb0";
  pen.lineWidth = 2.5;
  pen.beginPath();
  pen.moveTo(x - 6, y);
  pen.lineTo(x + 6, y);
  pen.moveTo(x, y - 6);
  pen.lineTo(x, y + 6);
  pen.stroke();
}

function arrow(pen: CanvasRenderingContext2D, from: [number, number], to: [number, number], tint: string, thin: boolean): void {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const long = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (long < 2 || long > 4000) return;
  const head = Math.min(9, long / 2);
  pen.strokeStyle = tint;
  pen.lineWidth = thin ? 1.6 : 2.6;
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.lineTo(to[0] - head * Math.cos(angle - 0.45), to[1] - head * Math.sin(angle - 0.45));
  pen.moveTo(...to);
  pen.lineTo(to[0] - head * Math.cos(angle + 0.45), to[1] - head * Math.sin(angle + 0.45));
  pen.stroke();
}

/** A ball's own shape, so that nobody needs its colour. */
function marker(pen: CanvasRenderingContext2D, x: number, y: number, k: number, r: number): void {
  pen.fillStyle = COLOURS[k]!;
  pen.strokeStyle = "#ffffff";
  pen.lineWidth = 1.6;
  pen.beginPath();
  if (k === 0) pen.arc(x, y, r, 0, 7);
  else if (k === 1) pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else {
    const corners: [number, number][] = k === 2 ? [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]] : [[0, -1.25], [1.1, 0], [0, 1.25], [-1.1, 0]];
    corners.forEach(([u, v], n) => (n ? pen.lineTo(x + u * r, y + v * r) : pen.moveTo(x + u * r, y + v * r)));
    pen.closePath();
  }
  pen.fill();
  pen.stroke();
}
