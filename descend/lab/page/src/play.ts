// The playground: drop a ball on a ground, let up to four methods carry it down, and see why they go as they go.

import { here } from "./address";
import { api, Refused } from "./api";
import { broken_panel } from "./breaking";
import { Chart } from "./chart";
import { controls, mark_edges } from "./controls";
import { show_losses, show_rates } from "./curves";
import { fill, h, still } from "./dom";
import { above, beside } from "./drawing";
import { film, picture, python } from "./exporting";
import { Terrain } from "./ground";
import { dropping, keys, turning } from "./hands";
import { State } from "./state";
import { Relief } from "./surface";
import { ask, read_out, verdict } from "./telling";

const WAIT = 120;
const SPEED = 30;

export class Playground {
  state!: State;
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
    this.state = new State(await api.catalogue(), here().words);
    this.lay_out();
    this.listen();
    const tick = (now: number): void => {
      if (!this.root.isConnected) return;
      if (this.state.terrain) this.frame(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    await this.load();
  }

  // Asking ---------------------------------------------------------------------------------------
  private async load(): Promise<void> {
    const { state } = this;
    const { scene } = state;
    this.abort?.abort();
    clearTimeout(this.timer);
    let ground;
    try {
      ground = await api.ground(scene);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (scene !== state.scene) return; // another one was chosen meanwhile
    state.ground = ground;
    state.terrain = new Terrain(ground);
    state.relief = new Relief(state.terrain);
    if (!Number.isFinite(state.start[0])) state.start = [...ground.start];
    if (!state.balls.length) state.balls = [{ method: "sgd", lr: ground.lr, momentum: 0 }];
    for (const ball of state.balls) ball.lr ??= state.usual(ball.method);
    this.title.textContent = ground.title;
    this.teaches.textContent =
      ground.teaches + (ground.exact ? "" : ` Seen: a plane through ${ground.parameters.toLocaleString("en")} parameters.`);
    controls(state, this.cards, this.common, () => this.again());
    await this.walk();
  }

  /** Ask for the ways, soon: while a slider moves, only the last place counts. */
  private again(): void {
    this.state.keep();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.walk(), WAIT);
  }

  private async walk(): Promise<void> {
    const { state } = this;
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    try {
      const { walks } = await api.walks(state.scene, state.walkers(), abort.signal);
      if (abort.signal.aborted) return;
      state.walks = walks;
      this.wrong.textContent = "";
      const longest = Math.max(...walks.map((w) => w.at.length - 1));
      this.scrub.max = String(longest);
      state.t = Math.min(state.t, longest);
      const asks = state.guess && state.balls.length > 1;
      if (asks && state.guessed === null) ask(state, this.quiz, () => this.reveal());
      else state.shown = true;
      if (!asks) this.quiz.hidden = true;
      this.rates.canvas.style.visibility = state.shown ? "" : "hidden";
      show_losses(state, this.losses);
      this.tell();
      document.documentElement.dataset.walked = String(Number(document.documentElement.dataset.walked ?? 0) + 1);
      await show_rates(state, this.rates, abort.signal);
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.wrong.textContent = error instanceof Refused ? error.message : String(error);
  }

  // Laying out -----------------------------------------------------------------------------------
  private lay_out(): void {
    const { state } = this;
    const scenes = h(
      "select",
      {
        id: "scene",
        onchange: () => {
          state.scene = scenes.value;
          state.start = [NaN, NaN];
          state.t = 0;
          state.guessed = null;
          for (const ball of state.balls) ball.lr = null;
          void this.load().then(() => state.keep());
        },
      },
      state.catalogue.scenes.map((name) => h("option", { value: name, selected: name === state.scene }, name)),
    );
    const tools = h(
      "div",
      { class: "transport", role: "group", "aria-label": "Playing" },
      h("button", { type: "button", title: "To the start (Home)", "aria-label": "To the start", onclick: () => this.go(0) }, "|◀"),
      h("button", { type: "button", title: "One step back (←)", "aria-label": "One step back", onclick: () => this.go(Math.ceil(state.t) - 1) }, "◀"),
      this.play,
      h("button", { type: "button", title: "One step (→)", "aria-label": "One step", onclick: () => this.go(Math.floor(state.t) + 1) }, "▶"),
      h("button", { type: "button", title: "To the end (End)", "aria-label": "To the end", onclick: () => this.go(1e9) }, "▶|"),
      this.scrub,
      this.at,
    );
    const exports = h(
      "div",
      { class: "exports" },
      h("button", { type: "button", onclick: () => picture(state, this.contour) }, "Picture"),
      h("button", { type: "button", onclick: () => void film(this).catch((e: unknown) => this.fail(e)) }, "Animation"),
      h("button", { type: "button", onclick: () => python(state) }, "Python"),
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
          broken_panel(state.catalogue),
        ),
      ),
    );
  }

  // Going ------------------------------------------------------------------------------------------
  private listen(): void {
    dropping(this.state, this.contour, this.hover, () => this.again(), this);
    turning(this.state, this.reliefs);
    keys(this.state, this.root, this);
    this.play.addEventListener("click", () => this.toggle());
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
    this.losses.onpick = (x) => this.go(Math.round(x));
  }

  toggle(): void {
    if (this.state.playing) this.pause();
    else this.start();
  }

  start(): void {
    const { state } = this;
    if (state.t >= state.longest()) state.t = 0;
    if (still()) {
      // Nothing moves by itself: the whole way is shown, to be scrubbed through.
      this.go(state.longest());
      return;
    }
    state.playing = true;
    this.last = performance.now();
    this.play.textContent = "Pause";
  }

  private pause(): void {
    this.state.playing = false;
    this.play.textContent = "Play";
    this.state.keep();
    this.tell();
  }

  go(step: number): void {
    this.state.t = Math.min(this.state.longest(), Math.max(0, step));
    this.pause();
  }

  private reveal(): void {
    show_losses(this.state, this.losses);
    this.rates.canvas.style.visibility = "";
    this.state.t = 0;
    this.start();
  }

  private frame(now: number): void {
    const { state } = this;
    if (state.playing) {
      state.t += ((now - this.last) / 1000) * Math.max(SPEED, state.longest() / 8);
      this.frames.push(now - this.last);
      if (this.frames.length > 240) this.frames.shift();
      const mean = this.frames.reduce((a, b) => a + b, 0) / this.frames.length;
      document.documentElement.dataset.fps = (1000 / mean).toFixed(1);
      if (state.t >= state.longest()) {
        state.t = state.longest();
        this.pause();
      }
    }
    this.last = now;
    this.draw();
  }

  draw(): void {
    const { state } = this;
    if (!state.terrain) return;
    above(state, this.contour);
    beside(state, this.reliefs);
    this.scrub.value = String(Math.round(state.t));
    this.at.textContent = `step ${Math.round(state.t)} of ${state.longest()}`;
    this.losses.cursor(state.t);
    if (read_out(state, this.readings)) mark_edges(state, this.cards);
  }

  private tell(): void {
    this.said.textContent = verdict(this.state);
  }
}
