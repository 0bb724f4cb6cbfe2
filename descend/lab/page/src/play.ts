// The playground: drop a ball on a ground, let up to four methods carry it down, and see why they go as they go.

import { here, keep, read, type Words } from "./address";
import { api, Refused, type Catalogue, type Ground, type Method, type Walk, type Walker } from "./api";
import { broken_panel } from "./breaking";
import { Chart, type Line, type Mark } from "./chart";
import { colour, fill, fit, h, number, still } from "./dom";
import { film, picture, python } from "./exporting";
import { Terrain } from "./ground";
import { Relief, type View } from "./surface";

export interface Ball {
  method: string;
  lr: number | null;
  momentum: number | null;
}

export const COLOURS = ["#ff5a36", "#ffd23f", "#4cc9f0", "#f58bd0"];
export const SHAPES = ["●", "■", "▲", "◆"];
const MOST = 4;
const WAIT = 120;

export class Playground {
  catalogue!: Catalogue;
  ground!: Ground;
  terrain!: Terrain;
  relief!: Relief;
  balls: Ball[] = [];
  start: [number, number] = [0, 0];
  scene = "quadratic";
  batch = 0;
  noise = 0;
  seed = 0;
  steps = 100;
  fault = "";
  guess = false;
  walks: Walk[] = [];
  t = 0;
  playing = false;
  private speed = 30;
  private view: View = { turn: 0.7, tilt: 0.62 };
  private shown = true;
  private guessed: number | null = null;
  private last = 0;
  private timer = 0;
  private abort: AbortController | null = null;
  private frames: number[] = [];

  readonly contour = h("canvas", {
    class: "contour",
    tabindex: "0",
    role: "img",
    "aria-label": "The ground from above",
    id: "contour",
  });
  private readonly reliefs = h("canvas", { class: "relief", role: "img", "aria-label": "The ground as a surface", tabindex: "0" });
  private readonly losses = new Chart(h("canvas", { class: "chart", role: "img", "aria-label": "Loss by step" }));
  private readonly rates = new Chart(h("canvas", { class: "chart", role: "img", "aria-label": "Loss by learning rate" }));
  private readonly said = h("p", { class: "said", "aria-live": "polite", id: "said" });
  private readonly wrong = h("p", { class: "wrong", role: "alert" });
  private readonly cards = h("div", { class: "balls" });
  private readonly common = h("div", { class: "common" });
  private readonly readings = h("div", { class: "readings" });
  private readonly title = h("h1");
  private readonly teaches = h("p", { class: "note" });
  private readonly scrub = h("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": "Step", id: "scrub" });
  private readonly play = h("button", { class: "main", id: "play", type: "button" }, "Play");
  private readonly at = h("output", { class: "at" });
  private readonly hover = h("p", { class: "note hover" });
  private readonly quiz = h("div", { class: "quiz", hidden: true });

  constructor(readonly root: HTMLElement) {}

  async open(): Promise<void> {
    this.catalogue = await api.catalogue();
    this.read(here().words);
    this.lay_out();
    this.listen();
    const tick = (now: number): void => {
      if (!this.root.isConnected) return;
      if (this.terrain) this.frame(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    await this.load();
  }

  // The state, in the address ----------------------------------------------------------------------
  private read(words: Words): void {
    this.scene = this.catalogue.scenes.includes(words.scene ?? "") ? words.scene! : "quadratic";
    this.batch = read(words, "batch", 0);
    this.noise = read(words, "noise", 0);
    this.seed = read(words, "seed", 0);
    this.steps = Math.min(1000, Math.max(1, read(words, "steps", 100)));
    this.fault = words.fault && words.fault in this.catalogue.faults ? words.fault : "";
    this.guess = words.guess === "1";
    this.t = read(words, "t", 0);
    const known = new Set(this.catalogue.methods.map((m) => m.name));
    this.balls = (words.balls ?? "")
      .split(";")
      .map((part) => part.split(":"))
      .filter(([method]) => known.has(method ?? ""))
      .slice(0, MOST)
      .map(([method, lr, momentum]) => ({
        method: method!,
        lr: lr ? Number(lr) : null,
        momentum: momentum ? Number(momentum) : null,
      }));
    const [x, y] = (words.start ?? "").split(",").map(Number);
    this.start = Number.isFinite(x) && Number.isFinite(y) ? [x!, y!] : [NaN, NaN];
  }

  words(): Words {
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

  private keep(): void {
    if (here().room === "play") keep("play", "", this.words());
  }

  // Asking ---------------------------------------------------------------------------------------
  private async load(): Promise<void> {
    try {
      this.ground = await api.ground(this.scene);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.terrain = new Terrain(this.ground);
    this.relief = new Relief(this.terrain);
    if (!Number.isFinite(this.start[0])) this.start = [...this.ground.start];
    if (!this.balls.length) this.balls = [{ method: "sgd", lr: this.ground.lr, momentum: 0 }];
    for (const ball of this.balls) ball.lr ??= this.usual(ball.method);
    this.title.textContent = this.ground.title;
    this.teaches.textContent =
      this.ground.teaches + (this.ground.exact ? "" : ` Seen: a plane through ${this.ground.parameters.toLocaleString("en")} parameters.`);
    this.controls();
    await this.walk();
  }

  private usual(method: string): number {
    const own = this.catalogue.methods.find((m) => m.name === method);
    if (method === "sgd" || method === "momentum" || method === "nesterov") return this.ground.lr;
    return own?.lr ?? 0.01;
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

  private method(ball: Ball): Method & { momentum_known: boolean } {
    const own = this.catalogue.methods.find((m) => m.name === ball.method)!;
    return { ...own, momentum_known: own.momentum !== null && own.momentum !== undefined };
  }

  /** Ask for the ways, soon: while a slider moves, only the last place counts. */
  private again(): void {
    this.keep();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.walk(), WAIT);
  }

  private async walk(): Promise<void> {
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    try {
      const { walks } = await api.walks(this.scene, this.walkers(), abort.signal);
      if (abort.signal.aborted) return;
      this.walks = walks;
      this.wrong.textContent = "";
      const longest = Math.max(...walks.map((w) => w.at.length - 1));
      this.scrub.max = String(longest);
      this.t = Math.min(this.t, longest);
      if (this.guess && this.guessed === null && this.balls.length > 1) this.ask();
      else this.shown = true;
      this.chart();
      this.tell();
      document.documentElement.dataset.walked = String(Number(document.documentElement.dataset.walked ?? 0) + 1);
      await this.look_at_rates(abort.signal);
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.fail(error);
    }
  }

  private async look_at_rates(signal: AbortSignal): Promise<void> {
    const lines: Line[] = [];
    const marks: Mark[] = [];
    for (const [k, walker] of this.walkers().entries()) {
      const found = await api.rates(this.scene, walker, signal);
      if (signal.aborted) return;
      const low = this.floor();
      lines.push({
        name: this.name(k),
        colour: COLOURS[k]!,
        x: found.lr,
        y: found.loss.map((v) => (v === null ? null : Math.min(v, 10 * Math.abs(found.start) + 1) - low)),
      });
      if (walker.lr) marks.push({ x: walker.lr, name: "", colour: COLOURS[k]! });
    }
    const edge = this.edge(0);
    if (edge) marks.push({ x: edge, name: this.edge_name(), colour: colour("bad") });
    this.rates.show(lines, { logX: true, logY: true, x: "learning rate", y: "loss after 60 steps", marks });
  }

  private fail(error: unknown): void {
    this.wrong.textContent = error instanceof Refused ? error.message : String(error);
  }

  // Controls -------------------------------------------------------------------------------------
  private lay_out(): void {
    const scenes = h(
      "select",
      {
        id: "scene",
        onchange: () => {
          this.scene = scenes.value;
          this.start = [NaN, NaN];
          this.t = 0;
          for (const ball of this.balls) ball.lr = null;
          void this.load().then(() => this.keep());
        },
      },
      this.catalogue.scenes.map((name) => h("option", { value: name, selected: name === this.scene }, name)),
    );
    const tools = h(
      "div",
      { class: "transport", role: "group", "aria-label": "Playing" },
      h("button", { type: "button", title: "To the start (Home)", "aria-label": "To the start", onclick: () => this.go(0) }, "|◀"),
      h("button", { type: "button", title: "One step back (←)", "aria-label": "One step back", onclick: () => this.go(Math.ceil(this.t) - 1) }, "◀"),
      this.play,
      h("button", { type: "button", title: "One step (→)", "aria-label": "One step", onclick: () => this.go(Math.floor(this.t) + 1) }, "▶"),
      h("button", { type: "button", title: "To the end (End)", "aria-label": "To the end", onclick: () => this.go(1e9) }, "▶|"),
      this.scrub,
      this.at,
    );
    const exports = h(
      "div",
      { class: "exports" },
      h("button", { type: "button", onclick: () => picture(this) }, "Picture"),
      h("button", { type: "button", onclick: () => void film(this).catch((e: unknown) => this.fail(e)) }, "Animation"),
      h("button", { type: "button", onclick: () => python(this) }, "Python"),
      h(
        "button",
        { type: "button", onclick: () => void navigator.clipboard?.writeText(location.href.replace(/\?token=[^#]*/, "")) },
        "Copy link",
      ),
    );
    fill(
      this.root,
      h(
        "section",
        { class: "play" },
        h(
          "aside",
          { class: "side", "aria-label": "What goes down" },
          h("label", { class: "field" }, "Ground", scenes),
          this.cards,
          this.common,
        ),
        h(
          "div",
          { class: "stage" },
          this.title,
          this.teaches,
          this.wrong,
          h("div", { class: "grounds" }, h("div", { class: "card" }, this.contour, this.hover), h("div", { class: "card" }, this.reliefs)),
          tools,
          this.quiz,
          this.said,
          this.readings,
          h("div", { class: "grounds" }, h("div", { class: "card" }, this.losses.canvas), h("div", { class: "card" }, this.rates.canvas)),
          exports,
          broken_panel(this.catalogue),
        ),
      ),
    );
  }

  private controls(): void {
    fill(
      this.cards,
      this.balls.map((ball, k) => this.card(ball, k)),
      this.balls.length < MOST &&
        h(
          "button",
          {
            type: "button",
            class: "add",
            onclick: () => {
              const next = ["momentum", "adam", "rmsprop", "lion"][this.balls.length - 1] ?? "adam";
              this.balls.push({ method: next, lr: this.usual(next), momentum: next === "momentum" ? 0.9 : null });
              this.controls();
              this.again();
            },
          },
          "+ another ball",
        ),
    );
    const { examples } = this.ground;
    const batch = h("input", {
      type: "range",
      min: 0,
      max: 8,
      step: 1,
      value: this.batch ? Math.round(Math.log2(this.batch)) : 8,
      "aria-label": "Examples a step",
      oninput: () => {
        const at = Number(batch.value);
        this.batch = at >= 8 ? 0 : 2 ** at;
        batch_said.textContent = this.batch ? `${this.batch} of ${examples}` : `all ${examples}`;
        this.again();
      },
    });
    const batch_said = h("output", {}, this.batch ? `${this.batch} of ${examples}` : `all ${examples}`);
    const noise = h("input", {
      type: "range",
      min: 0,
      max: 2,
      step: 0.05,
      value: this.noise,
      "aria-label": "Noise in the gradient",
      oninput: () => {
        this.noise = Number(noise.value);
        noise_said.textContent = `${Math.round(this.noise * 100)}%`;
        this.again();
      },
    });
    const noise_said = h("output", {}, `${Math.round(this.noise * 100)}%`);
    const steps = h("input", {
      type: "number",
      min: 1,
      max: 1000,
      value: this.steps,
      "aria-label": "Steps",
      onchange: () => {
        this.steps = Math.min(1000, Math.max(1, Math.round(Number(steps.value)) || 100));
        this.again();
      },
    });
    const fault = h(
      "select",
      {
        id: "fault",
        onchange: () => {
          this.fault = fault.value;
          this.again();
        },
      },
      h("option", { value: "" }, "nothing is broken"),
      Object.entries(this.catalogue.faults).map(([name, said]) =>
        h("option", { value: name, selected: name === this.fault }, said),
      ),
    );
    const guess = h("input", {
      type: "checkbox",
      onchange: () => {
        this.guess = guess.checked;
        this.guessed = null;
        this.again();
      },
    });
    guess.checked = this.guess;
    fill(
      this.common,
      examples ? h("label", { class: "field" }, h("span", {}, "Examples a step ", batch_said), batch) : null,
      h("label", { class: "field" }, h("span", {}, "Noise in the gradient ", noise_said), noise),
      h("label", { class: "field" }, "Steps", steps),
      h("label", { class: "field" }, "Break it", fault),
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            this.seed += 1;
            this.again();
          },
        },
        "Other chance",
      ),
      h("label", { class: "check" }, guess, "Guess first, then reveal"),
    );
  }

  private card(ball: Ball, k: number): HTMLElement {
    const method = h(
      "select",
      {
        "aria-label": `Method of ball ${k + 1}`,
        class: "method",
        onchange: () => {
          ball.method = method.value;
          ball.lr = this.usual(ball.method);
          ball.momentum = this.method(ball).momentum_known ? 0.9 : null;
          this.controls();
          this.again();
        },
      },
      this.catalogue.methods.map((m) => h("option", { value: m.name, selected: m.name === ball.method }, m.title)),
    );
    const low = Math.log10(this.usual(ball.method)) - 2;
    const lr = h("input", {
      type: "range",
      min: low,
      max: low + 4,
      step: 0.01,
      value: Math.log10(ball.lr ?? 0.1),
      class: "lr",
      "aria-label": `Learning rate of ball ${k + 1}`,
      oninput: () => {
        ball.lr = Number((10 ** Number(lr.value)).toPrecision(3));
        lr.setAttribute("aria-valuetext", number(ball.lr, 3));
        lr_said.textContent = number(ball.lr, 3);
        this.again();
      },
    });
    lr.setAttribute("aria-valuetext", number(ball.lr, 3));
    const lr_said = h("output", {}, number(ball.lr, 3));
    const edge = h("div", { class: "edge", "data-ball": k });
    const parts = [
      h(
        "div",
        { class: "head" },
        h("span", { class: `shape ball-${k}` }, SHAPES[k]!),
        method,
        this.balls.length > 1 &&
          h(
            "button",
            {
              type: "button",
              class: "remove",
              "aria-label": `Remove ball ${k + 1}`,
              onclick: () => {
                this.balls.splice(k, 1);
                this.controls();
                this.again();
              },
            },
            "×",
          ),
      ),
      h("p", { class: "equation" }, this.method(ball).equation),
      h("label", { class: "field" }, h("span", {}, "Learning rate ", lr_said), h("div", { class: "edged" }, lr, edge)),
    ];
    if (this.method(ball).momentum_known) {
      const momentum = h("input", {
        type: "range",
        min: 0,
        max: 0.99,
        step: 0.01,
        value: ball.momentum ?? 0,
        "aria-label": `Momentum of ball ${k + 1}`,
        oninput: () => {
          ball.momentum = Number(momentum.value);
          momentum_said.textContent = number(ball.momentum, 2);
          this.again();
        },
      });
      const momentum_said = h("output", {}, number(ball.momentum ?? 0, 2));
      parts.push(h("label", { class: "field" }, h("span", {}, "Momentum ", momentum_said), momentum));
    }
    return h("div", { class: "ball card" }, parts);
  }

  // Going ------------------------------------------------------------------------------------------
  private listen(): void {
    const drop = (event: PointerEvent): void => {
      this.start = this.terrain.coordinates(event.offsetX, event.offsetY, this.contour.clientWidth, this.contour.clientHeight);
      this.t = 0;
      this.guessed = null;
      this.again();
    };
    let down = false;
    this.contour.addEventListener("pointerdown", (event) => {
      down = true;
      this.contour.setPointerCapture(event.pointerId);
      drop(event);
    });
    this.contour.addEventListener("pointermove", (event) => {
      if (down) drop(event);
      const [x, y] = this.terrain.coordinates(event.offsetX, event.offsetY, this.contour.clientWidth, this.contour.clientHeight);
      this.hover.textContent = `${this.ground.labels[0]} ${number(x, 3)}, ${this.ground.labels[1]} ${number(y, 3)}: loss ${number(this.terrain.loss(x, y), 4)}`;
    });
    const up = (): void => {
      if (down && !still()) this.start_playing();
      down = false;
    };
    this.contour.addEventListener("pointerup", up);
    this.contour.addEventListener("pointercancel", () => (down = false));
    this.contour.addEventListener("pointerleave", () => (this.hover.textContent = ""));
    this.contour.addEventListener("keydown", (event) => {
      const [[left, right], [bottom, top]] = this.ground.spans;
      const by: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const move = by[event.key];
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      this.start = [this.start[0] + (move[0] * (right - left)) / 40, this.start[1] + (move[1] * (top - bottom)) / 40];
      this.t = 0;
      this.again();
    });
    let turning: [number, number] | null = null;
    this.reliefs.addEventListener("pointerdown", (event) => {
      turning = [event.clientX, event.clientY];
      this.reliefs.setPointerCapture(event.pointerId);
    });
    this.reliefs.addEventListener("pointermove", (event) => {
      if (!turning) return;
      this.view.turn -= (event.clientX - turning[0]) / 160;
      this.view.tilt = Math.min(1.4, Math.max(0.12, this.view.tilt + (event.clientY - turning[1]) / 240));
      turning = [event.clientX, event.clientY];
    });
    this.reliefs.addEventListener("pointerup", () => (turning = null));
    this.reliefs.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.view.turn += 0.1;
      else if (event.key === "ArrowRight") this.view.turn -= 0.1;
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.play.addEventListener("click", () => (this.playing ? this.pause() : this.start_playing()));
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
    this.losses.onpick = (x) => this.go(Math.round(x));
    document.addEventListener("keydown", (event) => {
      const target = event.target as HTMLElement;
      if (!this.root.isConnected || /^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(target.tagName)) return;
      if (event.key === " ") this.playing ? this.pause() : this.start_playing();
      else if (event.key === "ArrowRight") this.go(Math.floor(this.t) + 1);
      else if (event.key === "ArrowLeft") this.go(Math.ceil(this.t) - 1);
      else if (event.key === "Home") this.go(0);
      else if (event.key === "End") this.go(1e9);
      else return;
      event.preventDefault();
    });
  }

  longest(): number {
    return Math.max(0, ...this.walks.map((w) => w.at.length - 1));
  }

  private start_playing(): void {
    if (this.t >= this.longest()) this.t = 0;
    if (still()) {
      // Nothing moves by itself: the whole way is shown, to be scrubbed through.
      this.go(this.longest());
      return;
    }
    this.playing = true;
    this.last = performance.now();
    this.play.textContent = "Pause";
  }

  private pause(): void {
    this.playing = false;
    this.play.textContent = "Play";
    this.keep();
    this.tell();
  }

  go(step: number): void {
    this.playing = false;
    this.play.textContent = "Play";
    this.t = Math.min(this.longest(), Math.max(0, step));
    this.keep();
    this.tell();
  }

  private frame(now: number): void {
    if (this.playing) {
      this.t += ((now - this.last) / 1000) * Math.max(this.speed, this.longest() / 8);
      this.frames.push(now - this.last);
      if (this.frames.length > 240) this.frames.shift();
      const mean = this.frames.reduce((a, b) => a + b, 0) / this.frames.length;
      document.documentElement.dataset.fps = (1000 / mean).toFixed(1);
      if (this.t >= this.longest()) {
        this.t = this.longest();
        this.pause();
      }
    }
    this.last = now;
    this.draw();
  }

  // Drawing ------------------------------------------------------------------------------------------
  draw(): void {
    if (!this.terrain) return;
    this.above();
    this.beside();
    this.scrub.value = String(Math.round(this.t));
    this.at.textContent = `step ${Math.round(this.t)} of ${this.longest()}`;
    this.losses.cursor(this.t);
    this.read_out();
  }

  /** The ground from above, the ways up to now, and the gradient and the step at each ball. */
  above(): void {
    const { pen, width, height } = fit(this.contour);
    this.terrain.draw(pen, width, height);
    for (const [x, y] of this.ground.minimisers) {
      const [px, py] = this.terrain.place(x, y, width, height);
      cross(pen, px, py);
    }
    if (this.shown) this.walks.forEach((walk, k) => this.way(pen, walk, k, width, height));
    const [sx, sy] = this.terrain.place(...this.start, width, height);
    pen.strokeStyle = "#fff";
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(sx, sy, 8, 0, 7);
    pen.stroke();
  }

  private way(pen: CanvasRenderingContext2D, walk: Walk, k: number, width: number, height: number): void {
    const end = Math.min(Math.floor(this.t), walk.at.length - 1);
    const share = Math.min(this.t - end, 1);
    const tint = COLOURS[k]!;
    const place = (at: [number | null, number | null] | undefined): [number, number] | null =>
      at && at[0] !== null && at[1] !== null ? this.terrain.place(at[0], at[1], width, height) : null;
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
    if (this.longest() <= 150) {
      for (let n = 0; n <= end; n += 1) {
        const at = place(walk.at[n]);
        if (at) pen.fillRect(at[0] - 1.5, at[1] - 1.5, 3, 3);
      }
    }
    if (!now) return;
    const gradient = walk.gradient[end];
    if (gradient && gradient[0] !== null && gradient[1] !== null) {
      const [[left, right], [bottom, top]] = this.ground.spans;
      const dx = (-gradient[0] / (right - left)) * width;
      const dy = (gradient[1] / (top - bottom)) * height;
      const long = Math.hypot(dx, dy);
      if (long > 0) arrow(pen, now, [now[0] + (dx / long) * 34, now[1] + (dy / long) * 34], "#ffffff", true);
    }
    if (next && !this.playing) arrow(pen, now, next, tint, false);
    marker(pen, now[0], now[1], k, 7);
  }

  private beside(): void {
    const { pen, width, height } = fit(this.reliefs);
    pen.clearRect(0, 0, width, height);
    this.relief.draw(pen, this.view, width, height);
    const [[left, right], [bottom, top]] = this.ground.spans;
    const put = (x: number, y: number): [number, number] | null => {
      const u = (x - left) / (right - left);
      const v = (y - bottom) / (top - bottom);
      if (u < -0.01 || v < -0.01 || u > 1.01 || v > 1.01) return null;
      return this.relief.project(u, v, this.terrain.at(x, y) + 0.015, this.view, width, height);
    };
    if (!this.shown) return;
    this.walks.forEach((walk, k) => {
      const end = Math.min(Math.floor(this.t), walk.at.length - 1);
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

  name(k: number): string {
    const ball = this.balls[k];
    return ball ? `${SHAPES[k]} ${this.method(ball).title}` : "";
  }

  /** What is taken off losses so that they can be drawn on a logarithmic scale. */
  private floor(): number {
    const all = this.walks.flatMap((w) => w.loss).filter((v): v is number => v !== null);
    const least = Math.min(this.terrain.scale.low, ...all);
    return least > 0 ? 0 : least - 1e-9;
  }

  private chart(): void {
    const low = this.floor();
    const lines: Line[] = this.walks.map((walk, k) => ({
      name: this.name(k),
      colour: COLOURS[k]!,
      x: walk.loss.map((_, n) => n),
      y: walk.loss.map((v) => (v === null ? null : v - low)),
    }));
    const y = low === 0 ? "loss" : "loss above the least";
    this.losses.show(this.shown ? lines : [], { logY: true, x: "step", y, cursor: this.t, steps: true });
  }

  // Saying -----------------------------------------------------------------------------------------
  /** The largest curvature where ball k is now, or where it was last measured. */
  private sharp(k: number): number | null {
    const walk = this.walks[k];
    if (!walk) return this.ground.sharpness;
    const { at, value } = walk.sharpness;
    let found: number | null = null;
    at.forEach((step, n) => {
      if (step <= this.t + 0.5 && value[n] !== null) found = value[n]!;
    });
    return found ?? value[0] ?? this.ground.sharpness;
  }

  /** Above which learning rate descent with momentum is not stable where ball k is. */
  private edge(k: number): number | null {
    const ball = this.balls[k];
    const sharp = this.sharp(k);
    if (!ball || sharp === null || sharp <= 0 || !["sgd", "momentum"].includes(ball.method)) return null;
    return (2 * (1 + (ball.momentum ?? 0))) / sharp;
  }

  private edge_name(): string {
    return this.balls[0]?.momentum ? "2(1+β)/λ" : "2/λ";
  }

  private tell(): void {
    this.said.textContent = this.verdict();
  }

  private verdict(): string {
    const walk = this.walks[0];
    const ball = this.balls[0];
    if (!walk || !ball || !this.shown) return "";
    if (this.balls.length > 1) {
      const ends = this.walks.map((w, k) => [w.diverged ? Infinity : (w.loss[w.loss.length - 1] ?? Infinity), k] as const);
      const [least, best] = ends.reduce((a, b) => (b[0] < a[0] ? b : a));
      if (!Number.isFinite(least)) return "Every ball leaves the picture.";
      const lost = this.walks.flatMap((w, k) => (w.diverged ? [this.name(k)] : []));
      return `${this.name(best)} ends lowest, at ${number(least)}.${lost.length ? ` ${lost.join(", ")} diverged.` : ""}`;
    }
    if (this.fault) return `${this.catalogue.faults[this.fault]}: ${walk.diverged ? "the ball leaves the valley" : "see what it does to the way"}.`;
    const edge = this.edge(0);
    if (edge === null) return walk.ended || `It ends at ${number(walk.loss[walk.loss.length - 1])}.`;
    const lr = walk.lr;
    const name = this.edge_name();
    const sharp = number(this.sharp(0), 3);
    if (lr > edge) {
      return `The learning rate ${number(lr, 3)} is above ${name} = ${number(edge, 3)} (λ = ${sharp}, the largest curvature here): each step lands higher up the other wall than it came from, so it diverges.`;
    }
    if (!ball.momentum && lr > edge / 2) {
      return `The learning rate ${number(lr, 3)} lies between 1/λ and ${name} = ${number(edge, 3)}: each step crosses the valley, and lands a little lower on the other wall.`;
    }
    return `The learning rate ${number(lr, 3)} is below ${name} = ${number(edge, 3)} (λ = ${sharp}, the largest curvature here): it goes down. The flattest direction decides how long it takes.`;
  }

  private read_out(): void {
    const rows = this.walks.map((walk, k) => {
      const n = Math.min(Math.round(this.t), walk.at.length - 1);
      const g = walk.gradient[n];
      const a = walk.at[n];
      const b = walk.at[n + 1];
      const length =
        a && b && a[0] !== null && a[1] !== null && b[0] !== null && b[1] !== null ? Math.hypot(b[0] - a[0], b[1] - a[1]) : null;
      const steep = g && g[0] !== null && g[1] !== null ? Math.hypot(g[0], g[1]) : null;
      const edge = this.edge(k);
      return [
        this.name(k),
        number(walk.loss[n] ?? null),
        number(steep, 3),
        number(length, 3),
        number(this.sharp(k), 3),
        edge === null ? "–" : number(edge, 3),
        this.ground.exact ? null : number(walk.off[n] ?? null, 3),
      ];
    });
    const key = JSON.stringify(rows);
    if (this.readings.dataset.key === key) return;
    this.readings.dataset.key = key;
    const titles = ["", "loss", "gradient", "step", "λ", "edge", this.ground.exact ? null : "off the plane"];
    fill(
      this.readings,
      this.shown &&
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
    this.edges();
  }

  /** Put the edge of stability on each learning rate's slider. */
  private edges(): void {
    for (const mark of this.cards.querySelectorAll<HTMLElement>(".edge")) {
      const k = Number(mark.dataset.ball);
      const slider = mark.parentElement!.querySelector("input")!;
      const edge = this.edge(k);
      const low = Number(slider.min);
      const share = edge === null ? -1 : (Math.log10(edge) - low) / (Number(slider.max) - low);
      const seen = share >= 0 && share <= 1;
      mark.hidden = !seen;
      if (!seen) continue;
      mark.style.left = `calc(8px + ${share} * (100% - 16px))`;
      mark.textContent = this.balls[k]?.momentum ? "2(1+β)/λ" : "2/λ";
      mark.title = `Above ${number(edge, 3)} it is not stable here`;
    }
  }

  // Guessing ------------------------------------------------------------------------------------------
  private ask(): void {
    this.shown = false;
    this.quiz.hidden = false;
    fill(
      this.quiz,
      h("b", {}, "Which ball ends lowest?"),
      this.balls.map((_, k) =>
        h("button", { type: "button", onclick: () => this.reveal(k) }, this.name(k)),
      ),
    );
  }

  private reveal(k: number): void {
    this.guessed = k;
    this.shown = true;
    const ends = this.walks.map((w) => (w.diverged ? Infinity : (w.loss[w.loss.length - 1] ?? Infinity)));
    const right = ends[k] === Math.min(...ends) && Number.isFinite(ends[k]!);
    fill(this.quiz, h("b", {}, right ? "Right." : "Not quite: watch."));
    this.chart();
    this.t = 0;
    this.start_playing();
  }
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
export function marker(pen: CanvasRenderingContext2D, x: number, y: number, k: number, r: number): void {
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
