// What hands do to the room: drop a ball on the ground, turn the surface, and play by keys.

import { number, still } from "./dom";
import type { State } from "./state";

interface Player {
  go(step: number): void;
  start(): void;
  toggle(): void;
}

/** Drop the balls where the pointer is, or move them by keys; a finger lifted lets them go. */
export function dropping(state: State, canvas: HTMLCanvasElement, hover: HTMLElement, again: () => void, player: Player): void {
  const under = (event: PointerEvent): [number, number] =>
    state.terrain.coordinates(event.offsetX, event.offsetY, canvas.clientWidth, canvas.clientHeight);
  const drop = (event: PointerEvent): void => {
    state.start = under(event);
    state.t = 0;
    state.guessed = null;
    again();
  };
  let down = false;
  canvas.addEventListener("pointerdown", (event) => {
    down = true;
    canvas.setPointerCapture(event.pointerId);
    drop(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (down) drop(event);
    const [x, y] = under(event);
    hover.textContent = `${state.ground.labels[0]} ${number(x, 3)}, ${state.ground.labels[1]} ${number(y, 3)}: loss ${number(state.terrain.loss(x, y), 4)}`;
  });
  canvas.addEventListener("pointerup", () => {
    if (down && !still()) player.start();
    down = false;
  });
  canvas.addEventListener("pointercancel", () => (down = false));
  canvas.addEventListener("pointerleave", () => (hover.textContent = ""));
  canvas.addEventListener("keydown", (event) => {
    const [[left, right], [bottom, top]] = state.ground.spans;
    const by: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = by[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    state.start = [state.start[0] + (move[0] * (right - left)) / 40, state.start[1] + (move[1] * (top - bottom)) / 40];
    state.t = 0;
    state.guessed = null;
    again();
  });
}

export function turning({ view }: State, canvas: HTMLCanvasElement): void {
  let from: [number, number] | null = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    view.turn -= (event.clientX - from[0]) / 160;
    view.tilt = Math.min(1.4, Math.max(0.12, view.tilt + (event.clientY - from[1]) / 240));
    from = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointerup", () => (from = null));
  canvas.addEventListener("pointercancel", () => (from = null));
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") view.turn += 0.1;
    else if (event.key === "ArrowRight") view.turn -= 0.1;
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** Keys play wherever they are pressed, unless a control wants them itself. */
export function keys(state: State, root: HTMLElement, player: Player): void {
  const press = (event: KeyboardEvent): void => {
    if (!root.isConnected) {
      document.removeEventListener("keydown", press);
      return;
    }
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (/^(INPUT|SELECT|TEXTAREA|BUTTON|SUMMARY|A)$/.test(target.tagName)) return;
    if (event.key === " ") player.toggle();
    else if (event.key === "ArrowRight") player.go(Math.floor(state.t) + 1);
    else if (event.key === "ArrowLeft") player.go(Math.ceil(state.t) - 1);
    else if (event.key === "Home") player.go(0);
    else if (event.key === "End") player.go(1e9);
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", press);
}
