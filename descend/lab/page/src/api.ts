// What the server answers, and how it is asked.

export interface Method {
  name: string;
  title: string;
  summary: string;
  equation: string;
  lr: number | null;
  momentum: number | null;
  family: string;
}

export interface Catalogue {
  scenes: string[];
  methods: Method[];
  faults: Record<string, string>;
  broken: Record<string, string>;
}

export interface Ground {
  name: string;
  title: string;
  teaches: string;
  labels: [string, string];
  spans: [[number, number], [number, number]];
  start: [number, number];
  lr: number;
  minimisers: [number, number][];
  heights: (number | null)[][];
  sharpness: number | null;
  exact: boolean;
  examples: number;
  parameters: number;
}

export interface Walk {
  at: [number | null, number | null][];
  off: (number | null)[];
  loss: (number | null)[];
  gradient: [number | null, number | null][];
  sharpness: { at: number[]; value: (number | null)[] };
  lr: number;
  ended: string;
  diverged: boolean;
}

export interface Walker {
  method: string;
  lr: number | null;
  hyperparameters: Record<string, number>;
  start: [number, number];
  steps: number;
  batch: number | null;
  noise: number;
  seed: number;
  fault: string;
}

export interface Sensitivity {
  lr: number[];
  loss: (number | null)[];
  start: number;
  steps: number;
}

export interface Finding {
  cause: string;
  severity: "info" | "warning" | "error";
  confidence: number;
  evidence: string;
  remedy: string;
  effect: string | null;
}

export interface Diagnosis {
  fault: string;
  broken: string;
  findings: Finding[];
  seconds: number;
}

export interface Listed {
  run: string;
  name: string | null;
  started: string | null;
  finished: string | null;
  method: string | null;
  lr: number | null;
  steps: number | null;
  seconds: number | null;
  loss: number | null;
  validation_loss: number | null;
  metrics: Record<string, number> | null;
  outcome: { name: string; sentence: string } | null;
  count: number | null;
  function: string | null;
  target: string | null;
  going: boolean;
  broken: boolean;
  trajectory?: boolean;
  report?: boolean;
}

export interface Page {
  all: number;
  first: number;
  folder: string;
  runs: Listed[];
  going: string[];
  said: Record<string, string>;
}

export interface ParameterRow {
  name: string;
  shape: number[];
  count?: number;
  norm?: number;
  moved?: number;
  moved_relative?: number | null;
}

export interface Whole {
  facts: Listed & { parameters: ParameterRow[]; command: string | null; settings: Record<string, unknown> };
  series: string[];
  events: [number, number, string, string][];
  findings: Finding[];
}

export interface CurveData {
  series: string;
  steps: number[];
  values: (number | null)[];
  count: number;
  last: number | null;
}

/** What went wrong, in one sentence for a person. */
export class Refused extends Error {}

async function asked<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Refused("The lab does not answer: is `descend lab` still running?");
  }
  if (answer.ok) return (await answer.json()) as T;
  const text = await answer.text();
  let said = text.trim() || `${answer.status}`;
  try {
    said = (JSON.parse(text) as { error?: string }).error ?? said;
  } catch {
    // It was plain text.
  }
  throw new Refused(said);
}

const in_path = encodeURIComponent;

export const api = {
  catalogue: () => asked<Catalogue>("/api/playground"),
  ground: (name: string) => asked<Ground>(`/api/playground/${in_path(name)}`),
  walks: (name: string, walkers: Walker[], signal?: AbortSignal) =>
    asked<{ walks: Walk[] }>(`/api/playground/${in_path(name)}/walks`, { walkers }, signal),
  rates: (name: string, walker: Walker, signal?: AbortSignal) =>
    asked<Sensitivity>(`/api/playground/${in_path(name)}/rates`, walker, signal),
  broken: (fault: string) => asked<Diagnosis>("/api/broken", { fault }),
  runs: (search: string, first: number, count: number) =>
    asked<Page>(`/api/runs?search=${in_path(search)}&first=${first}&count=${count}`),
  run: (name: string) => asked<Whole>(`/api/runs/${in_path(name)}`),
  curve: (name: string, series: string, points: number) =>
    asked<CurveData>(`/api/runs/${in_path(name)}/curve?series=${in_path(series)}&points=${points}`),
  start: (body: Record<string, string>) => asked<{ run: string }>("/api/fit", body),
  stop: (name: string) => asked(`/api/runs/${in_path(name)}/stop`, {}),
  resume: (name: string) => asked(`/api/runs/${in_path(name)}/resume`, {}),
  look: (name: string, kind: string | null) =>
    asked<{ kind: string; said: string[]; seconds: number }>(`/api/runs/${in_path(name)}/look`, { kind }),
};
