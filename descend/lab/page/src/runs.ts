// Runs: all of them, several overlaid, and each with its findings, its parameters and its landscape, live.

import { here, there, keep } from "./address";
import { api, Refused, type CurveData, type Listed, type Whole } from "./api";
import { finding } from "./breaking";
import { Chart, type Line } from "./chart";
import { duration, fill, h, number } from "./dom";

const LINES = ["#2457d6", "#c2570c", "#0a7145", "#8a3ffc", "#bb1f28", "#00798c"];
const PAGE = 60;
const LOOK = 1500;

export class Runs {
  private readonly list = h("tbody");
  private readonly count = h("p", { class: "note" });
  private readonly wrong = h("p", { class: "wrong", role: "alert" });
  private readonly search = h("input", { type: "search", placeholder: "Search names", "aria-label": "Search runs" });
  private readonly chosen = new Set<string>();
  private readonly chart = new Chart(h("canvas", { class: "chart tall", role: "img", "aria-label": "Curves of the chosen runs" }));
  private readonly series = h("select", { "aria-label": "Which series" });
  private curves = new Map<string, CurveData>();
  private first = 0;
  private timer = 0;

  constructor(readonly root: HTMLElement) {}

  async open(): Promise<void> {
    for (const name of (here().words.runs ?? "").split(",").filter(Boolean)) this.chosen.add(name);
    for (const name of ["loss", "loss/validation", "learning-rate", "gradient/norm", "update/ratio"]) {
      this.series.append(h("option", { value: name }, name));
    }
    this.series.addEventListener("change", () => {
      this.curves.clear();
      void this.draw();
    });
    this.search.addEventListener("input", () => {
      this.first = 0;
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.load(), 150);
    });
    fill(
      this.root,
      h(
        "section",
        { class: "runs" },
        h("h1", {}, "Runs"),
        this.wrong,
        this.starting(),
        h("div", { class: "row" }, this.search, this.series, h("button", { type: "button", onclick: () => this.clear() }, "Choose none")),
        h("div", { class: "card" }, this.chart.canvas),
        h(
          "div",
          { class: "scroll" },
          h(
            "table",
            { class: "list" },
            h("thead", {}, h("tr", {}, ["", "run", "state", "method", "rate", "steps", "loss", "best", "time"].map((t) => h("th", { scope: "col" }, t)))),
            this.list,
          ),
        ),
        h(
          "div",
          { class: "row" },
          h("button", { type: "button", onclick: () => this.turn(-PAGE) }, "Newer"),
          h("button", { type: "button", onclick: () => this.turn(PAGE) }, "Older"),
          this.count,
        ),
      ),
    );
    await this.load();
    const again = (): void => {
      if (!this.root.isConnected || here().room !== "runs" || here().rest) return;
      if (!document.hidden) void this.load(true);
      setTimeout(again, LOOK);
    };
    setTimeout(again, LOOK);
  }

  private starting(): HTMLElement {
    const field = (name: string, label: string, more: Record<string, string> = {}): HTMLElement =>
      h("label", { class: "field" }, label, h("input", { name, autocomplete: "off", ...more }));
    const form = h(
      "form",
      { class: "row start" },
      field("subject", "What to fit", { placeholder: "digits, houses.csv, a folder", required: "" }),
      field("target", "Column", { placeholder: "of a table" }),
      field("method", "Method", { placeholder: "its own" }),
      field("lr", "Rate", { placeholder: "its own", inputmode: "decimal" }),
      field("seconds", "Time", { placeholder: "30s" }),
      h("button", { class: "main" }, "Start"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const body: Record<string, string> = {};
      new FormData(form).forEach((value, key) => {
        if (String(value).trim()) body[key] = String(value).trim();
      });
      api
        .start(body)
        .then(({ run }) => {
          this.chosen.add(run);
          this.wrong.textContent = `${run} has started.`;
          return this.load();
        })
        .catch((error: unknown) => this.fail(error));
    });
    return h("details", { class: "card" }, h("summary", {}, "Start a fit"), form);
  }

  private fail(error: unknown): void {
    this.wrong.textContent = error instanceof Refused ? error.message : String(error);
  }

  private turn(by: number): void {
    this.first = Math.max(0, this.first + by);
    void this.load();
  }

  private clear(): void {
    this.chosen.clear();
    this.curves.clear();
    void this.load();
  }

  private async load(quietly = false): Promise<void> {
    try {
      const page = await api.runs(this.search.value, this.first, PAGE);
      if (this.first >= page.all && this.first) {
        this.first = 0;
        return;
      }
      if (!this.chosen.size && page.runs[0] && !quietly) this.chosen.add(page.runs[0].run);
      const last = Math.min(page.all, this.first + PAGE);
      this.count.textContent = page.all ? `${this.first + 1}–${last} of ${page.all.toLocaleString("en")} in ${page.folder}` : `No runs in ${page.folder}.`;
      fill(this.list, page.runs.map((run) => this.row(run)));
      const said = Object.entries(page.said).map(([name, text]) => `${name}: ${text}`);
      if (said.length) this.wrong.textContent = said.join(" ");
      for (const run of page.runs) {
        if (run.going || page.going.includes(run.run)) this.curves.delete(run.run);
      }
      await this.draw();
      document.documentElement.dataset.listed = String(page.all);
    } catch (error) {
      this.fail(error);
    }
  }

  private row(run: Listed): HTMLElement {
    const box = h("input", { type: "checkbox", "aria-label": `Show the curve of ${run.run}` });
    box.checked = this.chosen.has(run.run);
    box.addEventListener("change", () => {
      if (box.checked) this.chosen.add(run.run);
      else this.chosen.delete(run.run);
      void this.draw();
    });
    const state = run.broken ? "damaged" : run.going ? "going on" : (run.outcome?.name ?? "stopped");
    const metric = Object.entries(run.metrics ?? {})[0];
    return h(
      "tr",
      {},
      h("td", {}, box),
      h("th", { scope: "row" }, h("a", { href: there("runs", run.run) }, run.run)),
      h("td", {}, h("span", { class: `pill ${run.going ? "done" : tone(state)}` }, state)),
      h("td", {}, run.method ?? "–"),
      h("td", { class: "figure" }, number(run.lr, 3)),
      h("td", { class: "figure" }, number(run.steps)),
      h("td", { class: "figure" }, number(run.loss)),
      h("td", { class: "figure" }, metric ? `${metric[0]} ${number(metric[1])}` : number(run.validation_loss)),
      h("td", { class: "figure" }, duration(run.seconds)),
    );
  }

  private async draw(): Promise<void> {
    keep("runs", "", this.chosen.size ? { runs: [...this.chosen].join(",") } : {});
    const lines: Line[] = [];
    let k = 0;
    for (const name of [...this.chosen].slice(0, LINES.length)) {
      try {
        let data = this.curves.get(name);
        if (!data) {
          data = await api.curve(name, this.series.value, 1500);
          this.curves.set(name, data);
        }
        lines.push({ name, colour: LINES[k]!, x: data.steps, y: data.values });
      } catch (error) {
        if (error instanceof Refused) this.chosen.delete(name);
        else throw error;
      }
      k += 1;
    }
    this.chart.show(lines, { x: "step", y: this.series.value, logY: positive(lines), steps: true });
    document.documentElement.dataset.drawn = String(lines.length);
  }
}

const positive = (lines: Line[]): boolean => lines.length > 0 && lines.every((l) => l.y.every((v) => v === null || v > 0));

const tone = (state: string): string =>
  ({ minimum: "good", satisfied: "good", diverged: "bad", "not finite": "bad", damaged: "bad", interrupted: "warn", stopped: "warn" })[state] ?? "done";

/** One run, followed while it goes on. */
export class OneRun {
  private readonly chart = new Chart(h("canvas", { class: "chart tall", role: "img", "aria-label": "Loss by step" }));
  private readonly wrong = h("p", { class: "wrong", role: "alert" });
  private readonly body = h("div");
  private readonly buttons = h("div", { class: "row" });
  private readonly head = h("header");
  private x: number[] = [];
  private y: (number | null)[] = [];
  private source: EventSource | null = null;
  private updates: number[] = [];
  private due = false;

  constructor(
    readonly root: HTMLElement,
    readonly name: string,
  ) {}

  async open(): Promise<void> {
    fill(
      this.root,
      h(
        "section",
        { class: "runs one" },
        h("p", {}, h("a", { href: there("runs") }, "← all runs")),
        this.head,
        this.wrong,
        this.buttons,
        h("div", { class: "card" }, this.chart.canvas),
        this.body,
      ),
    );
    try {
      await this.load();
    } catch (error) {
      this.fail(error);
    }
  }

  close(): void {
    this.source?.close();
  }

  private fail(error: unknown): void {
    this.wrong.textContent = error instanceof Refused ? error.message : String(error);
  }

  private async load(): Promise<void> {
    const [whole, curve] = await Promise.all([api.run(this.name), api.curve(this.name, "loss", 1500)]);
    this.x = curve.steps;
    this.y = curve.values;
    this.draw();
    this.tell(whole);
    if (!whole.facts.finished) this.follow(curve.last ?? 0);
  }

  private draw(): void {
    this.due = false;
    const line = { name: "loss", colour: LINES[0]!, x: this.x, y: this.y };
    this.chart.show([line], { x: "step", y: "loss", logY: positive([line]), steps: true });
  }

  private follow(after: number): void {
    this.source?.close();
    const source = (this.source = new EventSource(`/api/runs/${encodeURIComponent(this.name)}/live?after=${after}`));
    source.addEventListener("points", (event) => {
      const { steps, values } = JSON.parse((event as MessageEvent<string>).data) as { steps: number[]; values: (number | null)[] };
      this.x.push(...steps);
      this.y.push(...values);
      if (this.x.length > 6000) [this.x, this.y] = thin(this.x, this.y, 1500);
      if (!this.due) {
        this.due = true;
        requestAnimationFrame(() => this.draw());
      }
      this.updates.push(performance.now());
      if (this.updates.length > 20) this.updates.shift();
      const [first] = this.updates;
      if (this.updates.length > 5) {
        const rate = ((this.updates.length - 1) * 1000) / (this.updates[this.updates.length - 1]! - first!);
        document.documentElement.dataset.updates = rate.toFixed(1);
      }
    });
    source.addEventListener("ended", () => {
      source.close();
      setTimeout(() => void this.load().catch((error: unknown) => this.fail(error)), 300);
    });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.wrong.textContent = "The lab does not answer any more.";
    };
  }

  private act(what: Promise<unknown>): void {
    what.then(() => setTimeout(() => void this.load(), 700)).catch((error: unknown) => this.fail(error));
  }

  private tell(whole: Whole): void {
    const { facts } = whole;
    const metrics = Object.entries(facts.metrics ?? {});
    fill(
      this.head,
      h("h1", {}, facts.name ?? this.name),
      h("p", {}, facts.outcome?.sentence ?? "It goes on."),
      h(
        "dl",
        { class: "keys" },
        ([["method", facts.method], ["steps", number(facts.steps)], ["loss", number(facts.loss)], ...metrics.map(([k, v]) => [k, number(v)]), ["parameters", number(facts.count)], ["time", duration(facts.seconds)]] as [string, string | null][]).map(
          ([title, value]) => h("div", { class: "key" }, h("dt", {}, title), h("dd", {}, value ?? "–")),
        ),
      ),
    );
    const frame = (what: string): HTMLElement =>
      h("iframe", { src: `/runs/${encodeURIComponent(this.name)}/${what}?${Date.now()}`, title: `${what} of ${this.name}`, sandbox: "allow-scripts" });
    const pane = h("div");
    const kind = h("select", { "aria-label": "Kind of landscape" }, ["path", "random", "curvature"].map((k) => h("option", {}, k)));
    const look = h("button", { type: "button" }, "Landscape");
    look.addEventListener("click", () => {
      look.disabled = true;
      fill(pane, h("p", { class: "note" }, "Looking around the solution…"));
      api
        .look(this.name, kind.value)
        .then(() => fill(pane, frame("landscape")))
        .catch((error: unknown) => fill(pane, h("p", { class: "wrong" }, error instanceof Refused ? error.message : String(error))))
        .finally(() => (look.disabled = false));
    });
    fill(
      this.buttons,
      !facts.finished && h("button", { type: "button", onclick: () => this.act(api.stop(this.name)) }, "Stop"),
      facts.outcome?.name === "interrupted" || !facts.finished
        ? h("button", { type: "button", onclick: () => this.act(api.resume(this.name)) }, "Go on")
        : null,
      h("button", { type: "button", onclick: () => fill(pane, frame("report")) }, "Report"),
      kind,
      look,
    );
    const rows = facts.parameters ?? [];
    fill(
      this.body,
      pane,
      whole.findings.length ? h("h2", {}, "Findings") : null,
      whole.findings.map(finding),
      rows.length ? h("h2", {}, "Parameters, and how far they went") : null,
      rows.length
        ? h(
            "div",
            { class: "scroll" },
            h(
              "table",
              {},
              h("thead", {}, h("tr", {}, ["name", "shape", "norm", "went"].map((t) => h("th", { scope: "col" }, t)))),
              h(
                "tbody",
                {},
                rows.map((row) =>
                  h(
                    "tr",
                    {},
                    h("th", { scope: "row" }, row.name),
                    h("td", {}, (row.shape ?? []).join(" × ")),
                    h("td", { class: "figure" }, number(row.norm)),
                    h("td", { class: "figure" }, row.moved_relative == null ? number(row.moved) : `${number(100 * row.moved_relative, 3)}%`),
                  ),
                ),
              ),
            ),
          )
        : null,
      whole.events.length ? h("h2", {}, "Events") : null,
      whole.events.length
        ? h("ul", { class: "events" }, whole.events.slice(-50).map(([step, , what, text]) => h("li", {}, `step ${number(step)}: ${what}${text ? `, ${text}` : ""}`)))
        : null,
    );
  }
}

/** Fewer points, among them the least and the greatest of each bucket. */
export function thin(x: number[], y: (number | null)[], points: number): [number[], (number | null)[]] {
  const buckets = Math.max(1, Math.floor(points / 2));
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  for (let b = 0; b < buckets; b += 1) {
    const from = Math.floor((b * x.length) / buckets);
    const to = Math.floor(((b + 1) * x.length) / buckets);
    let low = -1;
    let high = -1;
    let gap = -1;
    for (let k = from; k < to; k += 1) {
      const v = y[k];
      if (v === null || v === undefined) gap = k;
      else {
        if (low < 0 || v < y[low]!) low = k;
        if (high < 0 || v > y[high]!) high = k;
      }
    }
    for (const k of [...new Set([low, high, gap])].filter((n) => n >= 0).sort((a, c) => a - c)) {
      xs.push(x[k]!);
      ys.push(y[k]!);
    }
  }
  return [xs, ys];
}
