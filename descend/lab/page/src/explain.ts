// Seven short pages, from a function to its curvature, each with one figure that answers to the hand.

import { there } from "./address";
import { Chart } from "./chart";
import { colour, fill, fit, h, number } from "./dom";

interface Page {
  title: string;
  text: string[];
  figure: (at: HTMLElement) => void;
  try?: [string, string];
}

/** Measurements of a spring: how far it stretches under a weight. */
const DATA: [number, number][] = [[0.5, 1.4], [1, 1.9], [1.5, 3.1], [2, 3.4], [2.5, 4.6], [3, 4.9], [3.5, 6.2], [4, 6.4]];
const loss = (a: number, b: number): number => DATA.reduce((s, [x, y]) => s + (a * x + b - y) ** 2, 0) / DATA.length;
const slope = (a: number, b: number): [number, number] => {
  let da = 0;
  let db = 0;
  for (const [x, y] of DATA) {
    const r = (2 * (a * x + b - y)) / DATA.length;
    da += r * x;
    db += r;
  }
  return [da, db];
};

function slider(label: string, min: number, max: number, value: number, step: number, changed: (v: number) => void): HTMLElement {
  const said = h("output", {}, number(value, 3));
  const input = h("input", {
    type: "range",
    min,
    max,
    step,
    value,
    "aria-label": label,
    oninput: () => {
      said.textContent = number(Number(input.value), 3);
      changed(Number(input.value));
    },
  });
  return h("label", { class: "field" }, h("span", {}, `${label} `, said), input);
}

function plot(label: string): { canvas: HTMLCanvasElement; draw: (paint: (pen: CanvasRenderingContext2D, w: number, t: number) => void) => void } {
  const canvas = h("canvas", { class: "chart", role: "img", "aria-label": label });
  let last: ((pen: CanvasRenderingContext2D, w: number, t: number) => void) | null = null;
  const draw = (paint: (pen: CanvasRenderingContext2D, w: number, t: number) => void): void => {
    last = paint;
    const { pen, width, height } = fit(canvas);
    pen.clearRect(0, 0, width, height);
    paint(pen, width, height);
  };
  new ResizeObserver(() => last && draw(last)).observe(canvas);
  return { canvas, draw };
}

function points(pen: CanvasRenderingContext2D, w: number, t: number, a: number, b: number, residuals: boolean): void {
  const X = (x: number): number => 30 + (x / 4.5) * (w - 45);
  const Y = (y: number): number => t - 24 - (y / 8) * (t - 40);
  pen.strokeStyle = colour("line");
  pen.strokeRect(30, 10, w - 45, t - 34);
  pen.lineWidth = 2;
  if (residuals) {
    pen.strokeStyle = colour("bad");
    for (const [x, y] of DATA) {
      pen.beginPath();
      pen.moveTo(X(x), Y(y));
      pen.lineTo(X(x), Y(a * x + b));
      pen.stroke();
    }
  }
  pen.strokeStyle = colour("accent");
  pen.beginPath();
  pen.moveTo(X(0), Y(b));
  pen.lineTo(X(4.5), Y(4.5 * a + b));
  pen.stroke();
  pen.fillStyle = colour("ink");
  for (const [x, y] of DATA) {
    pen.beginPath();
    pen.arc(X(x), Y(y), 4, 0, 7);
    pen.fill();
  }
}

function line_figure(residuals: boolean): (at: HTMLElement) => void {
  return (at) => {
    let a = 0.5;
    let b = 2;
    const { canvas, draw } = plot("Measurements and a line");
    const said = h("p", { class: "said", "aria-live": "polite" });
    const show = (): void => {
      draw((pen, w, t) => points(pen, w, t, a, b, residuals));
      said.textContent = residuals
        ? `Mean squared error ${number(loss(a, b), 3)}. The least possible is ${number(0.0511, 3)}.`
        : `f(x) = ${number(a, 3)} · x + ${number(b, 3)}; f(3) = ${number(3 * a + b, 3)}`;
    };
    fill(at, canvas, slider("a", -1, 3, a, 0.01, (v) => ((a = v), show())), slider("b", -1, 4, b, 0.01, (v) => ((b = v), show())), said);
    show();
  };
}

function curve(pen: CanvasRenderingContext2D, w: number, t: number, f: (x: number) => number, span: [number, number], top: number): { X: (x: number) => number; Y: (y: number) => number } {
  const X = (x: number): number => ((x - span[0]) / (span[1] - span[0])) * w;
  const Y = (y: number): number => t - 16 - (y / top) * (t - 32);
  pen.strokeStyle = colour("accent");
  pen.lineWidth = 2;
  pen.beginPath();
  for (let k = 0; k <= 200; k += 1) {
    const x = span[0] + (k / 200) * (span[1] - span[0]);
    if (k) pen.lineTo(X(x), Y(f(x)));
    else pen.moveTo(X(x), Y(f(x)));
  }
  pen.stroke();
  return { X, Y };
}

function gradient_figure(at: HTMLElement): void {
  let a = 0.4;
  const b = 0.8;
  const { canvas, draw } = plot("The error as a function of one parameter, with its slope");
  const said = h("p", { class: "said", "aria-live": "polite" });
  const show = (): void => {
    const [g] = slope(a, b);
    draw((pen, w, t) => {
      const { X, Y } = curve(pen, w, t, (x) => loss(x, b), [-0.5, 3], 16);
      pen.strokeStyle = colour("validation");
      pen.beginPath();
      pen.moveTo(X(a - 0.7), Y(loss(a, b) - 0.7 * g));
      pen.lineTo(X(a + 0.7), Y(loss(a, b) + 0.7 * g));
      pen.stroke();
      pen.fillStyle = colour("validation");
      pen.beginPath();
      pen.arc(X(a), Y(loss(a, b)), 7, 0, 7);
      pen.fill();
    });
    const way = Math.abs(g) < 0.05 ? "flat: this is the bottom" : g < 0 ? "falling to the right: make a larger" : "rising to the right: make a smaller";
    said.textContent = `Slope ${number(g, 3)}, ${way}.`;
  };
  fill(at, canvas, slider("a", -0.5, 3, a, 0.01, (v) => ((a = v), show())), said);
  show();
}

function descent_figure(at: HTMLElement): void {
  let lr = 0.03;
  const { canvas, draw } = plot("Steps down the error");
  const said = h("p", { class: "said", "aria-live": "polite" });
  const b = 0.8;
  const bend = DATA.reduce((s, [x]) => s + (2 * x * x) / DATA.length, 0);
  const show = (): void => {
    const way = [-0.3];
    for (let k = 0; k < 25; k += 1) {
      const a = way[way.length - 1]!;
      const next = a - lr * slope(a, b)[0];
      way.push(next);
      if (Math.abs(next) > 50) break;
    }
    draw((pen, w, t) => {
      const { X, Y } = curve(pen, w, t, (x) => loss(x, b), [-0.5, 3.4], 18);
      pen.strokeStyle = pen.fillStyle = colour("validation");
      pen.lineWidth = 1.5;
      pen.beginPath();
      way.forEach((a, k) => (k ? pen.lineTo(X(a), Y(loss(a, b))) : pen.moveTo(X(a), Y(loss(a, b)))));
      pen.stroke();
      for (const a of way) {
        pen.beginPath();
        pen.arc(X(a), Y(loss(a, b)), 4, 0, 7);
        pen.fill();
      }
    });
    const edge = 2 / bend;
    said.textContent =
      lr > edge
        ? `${number(lr, 3)} is above 2/λ = ${number(edge, 3)}: each step lands higher than the last.`
        : lr > edge / 2
          ? `${number(lr, 3)} is above 1/λ = ${number(edge / 2, 3)}: it crosses the valley at each step, and comes lower.`
          : `${number(lr, 3)}: after ${way.length - 1} steps a = ${number(way[way.length - 1], 4)}.`;
  };
  fill(at, canvas, slider("Learning rate", 0.005, 0.18, lr, 0.001, (v) => ((lr = v), show())), said);
  show();
}

function random_numbers(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function stochastic_figure(at: HTMLElement): void {
  let size = 1;
  let seed = 1;
  const chart = new Chart(h("canvas", { class: "chart", role: "img", "aria-label": "Error by examples seen" }));
  const said = h("p", { class: "said", "aria-live": "polite" });
  const show = (): void => {
    const draw = random_numbers(seed);
    let a = 0;
    let b = 0;
    const x: number[] = [0];
    const y: number[] = [loss(a, b)];
    for (let seen = size; seen <= 400; seen += size) {
      let da = 0;
      let db = 0;
      for (let k = 0; k < size; k += 1) {
        const [u, v] = size === DATA.length ? DATA[k]! : DATA[Math.floor(draw() * DATA.length)]!;
        const r = (2 * (a * u + b - v)) / size;
        da += r * u;
        db += r;
      }
      a -= 0.04 * da;
      b -= 0.04 * db;
      x.push(seen);
      y.push(loss(a, b));
    }
    chart.show([{ name: "error", colour: colour("accent"), x, y }], { logY: true, x: "examples looked at", y: "error" });
    said.textContent = `${size === DATA.length ? "All examples" : `${size} at random`} a step: ${x.length - 1} steps for 400 looks, and an error of ${number(y[y.length - 1], 3)}.`;
  };
  fill(
    at,
    chart.canvas,
    slider("Examples a step", 1, 8, size, 1, (v) => ((size = v), show())),
    h("button", { type: "button", onclick: () => ((seed += 1), show()) }, "Draw again"),
    said,
  );
  show();
}

function adaptive_figure(at: HTMLElement): void {
  let momentum = 0;
  let ratio = 20;
  const chart = new Chart(h("canvas", { class: "chart", role: "img", "aria-label": "Error by step, three methods" }));
  const said = h("p", { class: "said", "aria-live": "polite" });
  const run = (kind: "descent" | "momentum" | "adam"): number[] => {
    let w = [1, 1];
    const m = [0, 0];
    const v = [0, 0];
    const found: number[] = [];
    for (let k = 1; k <= 80; k += 1) {
      const g = [w[0]!, ratio * w[1]!];
      found.push((w[0]! ** 2 + ratio * w[1]! ** 2) / 2);
      w = w.map((x, i) => {
        if (kind === "adam") {
          m[i] = 0.9 * m[i]! + 0.1 * g[i]!;
          v[i] = 0.999 * v[i]! + 0.001 * g[i]! ** 2;
          return x - (0.08 * m[i]!) / (1 - 0.9 ** k) / (Math.sqrt(v[i]! / (1 - 0.999 ** k)) + 1e-8);
        }
        m[i] = (kind === "momentum" ? momentum : 0) * m[i]! + g[i]!;
        return x - (1.6 / ratio) * m[i]!;
      });
    }
    return found;
  };
  const show = (): void => {
    const x = Array.from({ length: 80 }, (_, k) => k);
    chart.show(
      [
        { name: "descent", colour: colour("accent"), x, y: run("descent") },
        { name: "momentum", colour: colour("validation"), x, y: run("momentum") },
        { name: "Adam", colour: colour("good"), x, y: run("adam") },
      ],
      { logY: true, x: "step", y: "error" },
    );
    said.textContent = `One direction is ${number(ratio)} times as curved as the other. Momentum ${number(momentum, 2)} keeps ${momentum ? `${Math.round(momentum * 100)}%` : "nothing"} of the last step; Adam gives every parameter a step of its own.`;
  };
  fill(
    at,
    chart.canvas,
    slider("Momentum", 0, 0.98, momentum, 0.01, (v) => ((momentum = v), show())),
    slider("How unequal", 1, 200, ratio, 1, (v) => ((ratio = v), show())),
    said,
  );
  show();
}

function curvature_figure(at: HTMLElement): void {
  let bend = 1;
  let lr = 0.9;
  const { canvas, draw } = plot("A parabola and steps on it");
  const said = h("p", { class: "said", "aria-live": "polite" });
  const show = (): void => {
    const way = [1.4];
    for (let k = 0; k < 14; k += 1) way.push(way[k]! * (1 - lr * bend));
    draw((pen, w, t) => {
      const { X, Y } = curve(pen, w, t, (x) => (bend * x * x) / 2, [-2, 2], 4);
      pen.strokeStyle = pen.fillStyle = colour("validation");
      pen.beginPath();
      way.forEach((x, k) => (k ? pen.lineTo(X(x), Y((bend * x * x) / 2)) : pen.moveTo(X(x), Y((bend * x * x) / 2))));
      pen.stroke();
      for (const x of way) {
        pen.beginPath();
        pen.arc(X(x), Y((bend * x * x) / 2), 4, 0, 7);
        pen.fill();
      }
    });
    const factor = 1 - lr * bend;
    const what =
      Math.abs(factor) > 1
        ? "its size is above 1, so each step is longer than the last: lr > 2/λ"
        : Math.abs(factor) < 0.02
          ? "one step ends: Newton's step, lr = 1/λ"
          : factor < 0
            ? "the sign changes at each step: it crosses the valley"
            : "it comes nearer from one side";
    said.textContent = `λ = ${number(bend, 3)}, lr = ${number(lr, 3)}: each step multiplies the distance by 1 − lr·λ = ${number(factor, 3)}; ${what}.`;
  };
  fill(
    at,
    canvas,
    slider("Curvature λ", 0.2, 3, bend, 0.01, (v) => ((bend = v), show())),
    slider("Learning rate", 0.05, 2.4, lr, 0.01, (v) => ((lr = v), show())),
    said,
  );
  show();
}

const PAGES: Page[] = [
  {
    title: "A function",
    text: [
      "Learning needs something that can answer: a function from what is known to what is asked. A straight line is one: from the weight on a spring to how far it stretches. A network that reads digits is another, from 64 brightnesses to ten scores. Both are formulas with numbers in them.",
      "Move the two numbers. The line moves, and its answers with it.",
    ],
    figure: line_figure(false),
  },
  {
    title: "Its parameters",
    text: [
      "The numbers in the formula are its parameters: here slope and height; in a network its weights and biases, up to billions. Choosing them is all that learning is.",
      "What makes a choice good? The error: how far the answers are from what was measured. The red lines are the misses; their mean square is one number, and the smaller the better. Make it small by hand.",
    ],
    figure: line_figure(true),
  },
  {
    title: "The gradient",
    text: [
      "With two parameters hands suffice. With a million they do not: for each parameter one has to know whether a little more of it makes the error larger or smaller, and by how much. That is the slope of the error along this parameter; all slopes together are the gradient.",
      "A blindfolded walker in a valley knows as much: not where the bottom is, but how steep the ground is under the feet.",
    ],
    figure: gradient_figure,
  },
  {
    title: "The descent",
    text: [
      "So step against the slope, and repeat: w ← w − lr · gradient. The learning rate says how far a slope carries. Too small, and the bottom is far away; too large, and the step lands on the other wall, higher than it came from.",
      "Where the ground curves by λ, the border is 2/λ. Find it with the slider.",
    ],
    figure: descent_figure,
    try: ["On a surface", "scene=quadratic&balls=sgd:0.05:0&steps=60"],
  },
  {
    title: "A few examples at a time",
    text: [
      "The error is a mean over all examples, and so is its gradient. A few of them, drawn at random, give nearly the same direction for a fraction of the work: stochastic gradient descent. It goes further for the same number of looks, and near the bottom it does not come to rest.",
      "That is why learning rates fall towards the end, and why batches of a few dozen are usual.",
    ],
    figure: stochastic_figure,
    try: ["A line through 442 patients, eight at a time", "scene=line&balls=sgd:0.1:0&batch=8&steps=150"],
  },
  {
    title: "Momentum, and a step for each",
    text: [
      "In a valley that is steep across and flat along, a rate that is safe across crawls along. Momentum lets steps that agree add up, and those that go to and fro cancel. Adaptive methods, of which Adam is the best known, divide each parameter's step by the size that its gradients had.",
      "Make the valley more unequal, and see who suffers.",
    ],
    figure: adaptive_figure,
    try: ["Four methods in Rosenbrock's valley", "scene=rosenbrock&balls=sgd:0.0005:0;momentum:0.0005:0.9;adam:0.03:;rmsprop:0.01:&steps=400"],
  },
  {
    title: "Curvature",
    text: [
      "How far a slope can be trusted is told by how fast it changes: the curvature, the second derivative. On a parabola each step multiplies the distance to the bottom by 1 − lr · λ. With lr = 1/λ one step ends: that is Newton's method. With lr above 2/λ every step is longer than the last.",
      "In many dimensions there is a curvature for each direction. The largest sets the border for the learning rate, the smallest how long it takes; their ratio is what makes a problem hard, and what second-order methods remove.",
    ],
    figure: curvature_figure,
    try: ["Above the edge", "scene=quadratic&balls=sgd:0.105:0&steps=60"],
  },
];

export function explain(root: HTMLElement, at: number): void {
  const k = Math.min(PAGES.length, Math.max(1, at || 1)) - 1;
  const page = PAGES[k]!;
  const figure = h("div", { class: "card figure" });
  fill(
    root,
    h(
      "article",
      { class: "explain" },
      h(
        "nav",
        { "aria-label": "Pages" },
        h("ol", {}, PAGES.map((p, n) => h("li", {}, h("a", { href: there("explain", String(n + 1)), "aria-current": n === k ? "page" : null }, p.title)))),
      ),
      h(
        "div",
        {},
        h("p", { class: "note" }, `${k + 1} of ${PAGES.length}`),
        h("h1", {}, page.title),
        page.text.map((text) => h("p", {}, text)),
        figure,
        page.try && h("p", {}, h("a", { href: `#/play?${page.try[1]}` }, `${page.try[0]} →`)),
        h(
          "p",
          { class: "row" },
          k > 0 && h("a", { href: there("explain", String(k)) }, `← ${PAGES[k - 1]!.title}`),
          k + 1 < PAGES.length && h("a", { href: there("explain", String(k + 2)), class: "next" }, `${PAGES[k + 1]!.title} →`),
        ),
      ),
    ),
  );
  page.figure(figure);
}
