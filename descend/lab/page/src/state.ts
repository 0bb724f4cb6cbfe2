// What is played with: the ground, the balls, their ways and the moment, and how all of it is kept in the address.

import { here, keep, read, type Words } from "./address";
import type { Catalogue, Ground, Method, Walk, Walker } from "./api";
import type { Terrain } from "./ground";
import type { Relief, View } from "./surface";

export interface Ball {
  method: string;
  lr: number | null;
  momentum: number | null;
}

export const COLOURS = ["#ff5a36", "#ffd23f", "#4cc9f0", "#f58bd0"];
export const SHAPES = ["●", "■", "▲", "◆"];
export const MOST = 4;

function finite(text: string | undefined): number | null {
  const value = Number(text || NaN);
  return Number.isFinite(value) ? value : null;
}

/** One for the whole room: every part of it reads it, and the controls write to it. */
export class State {
  // The ground comes later than the rest, and nothing is drawn before it.
  ground!: Ground;
  terrain!: Terrain;
  relief!: Relief;
  balls: Ball[];
  start: [number, number];
  scene: string;
  batch: number;
  noise: number;
  seed: number;
  steps: number;
  fault: string;
  guess: boolean;
  guessed: number | null = null;
  walks: Walk[] = [];
  shown = true;
  t: number;
  playing = false;
  view: View = { turn: 0.7, tilt: 0.62 };

  constructor(
    readonly catalogue: Catalogue,
    words: Words,
  ) {
    this.scene = catalogue.scenes.includes(words.scene ?? "") ? words.scene! : "quadratic";
    this.batch = read(words, "batch", 0);
    this.noise = read(words, "noise", 0);
    this.seed = read(words, "seed", 0);
    this.steps = Math.min(1000, Math.max(1, Math.round(read(words, "steps", 100))));
    this.fault = words.fault && words.fault in catalogue.faults ? words.fault : "";
    this.guess = words.guess === "1";
    this.t = Math.max(0, read(words, "t", 0));
    const known = new Set(catalogue.methods.map((m) => m.name));
    this.balls = (words.balls ?? "")
      .split(";")
      .map((part) => part.split(":"))
      .filter(([method]) => known.has(method ?? ""))
      .slice(0, MOST)
      .map(([method, lr, momentum]) => ({
        method: method!,
        lr: finite(lr),
        momentum: finite(momentum),
      }));
    const [x, y] = (words.start ?? "").split(",").map(Number);
    this.start = Number.isFinite(x) && Number.isFinite(y) ? [x!, y!] : [NaN, NaN];
  }

  private words(): Words {
    const words: Words = {
      scene: this.scene,
      balls: this.balls.map((b) => [b.method, b.lr ?? "", b.momentum ?? ""].join(":")).join(";"),
      start: this.start.map((v) => Number(v.toPrecision(5))).join(","),
      steps: String(this.steps),
    };
    if (this.batch) words.batch = String(this.batch);
    if (this.noise) words.noise = String(this.noise);
    if (this.seed) words.seed = String(this.seed);
    if (this.fault) words.fault = this.fault;
    if (this.guess) words.guess = "1";
    if (this.t && !this.playing) words.t = String(Math.round(this.t));
    return words;
  }

  keep(): void {
    if (here().room === "play") keep("play", "", this.words());
  }

  usual(method: string): number {
    const own = this.catalogue.methods.find((m) => m.name === method);
    if (method === "sgd" || method === "momentum" || method === "nesterov") return this.ground.lr;
    return own?.lr ?? 0.01;
  }

  method(ball: Ball): Method & { momentum_known: boolean } {
    const own = this.catalogue.methods.find((m) => m.name === ball.method)!;
    return { ...own, momentum_known: own.momentum !== null && own.momentum !== undefined };
  }

  name(k: number): string {
    const ball = this.balls[k];
    return ball ? `${SHAPES[k]} ${this.method(ball).title}` : "";
  }

  walkers(): Walker[] {
    return this.balls.map((ball): Walker => ({
      method: ball.method,
      lr: ball.lr,
      hyperparameters: this.of(ball),
      start: this.start,
      steps: this.steps,
      batch: this.batch || null,
      noise: this.noise,
      seed: this.seed,
      fault: this.fault,
    }));
  }

  private of(ball: Ball): Record<string, number> {
    return ball.momentum === null || !this.method(ball).momentum_known ? {} : { momentum: ball.momentum };
  }

  longest(): number {
    return Math.max(0, ...this.walks.map((w) => w.at.length - 1));
  }
}
