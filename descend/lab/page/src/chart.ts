// Lines over steps or rates, on linear and logarithmic axes, with a reading where the pointer is.

import { colour, fit, number } from "./dom";

export interface Line {
  name: string;
  colour: string;
  x: number[];
  y: (number | null)[];
  dash?: number[];
}

export interface Mark {
  x: number;
  name: string;
  colour: string;
}

export interface Options {
  logX?: boolean;
  logY?: boolean;
  x: string;
  y: string;
  marks?: Mark[];
  cursor?: number | null;
  steps?: boolean;
}

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 34;

export class Chart {
  private lines: Line[] = [];
  private options: Options = { x: "", y: "" };
  private still: HTMLCanvasElement | null = null;
  private range: [number, number, number, number] = [0, 1, 0, 1];
  private hover: number | null = null;
  onpick: ((x: number) => void) | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    canvas.addEventListener("pointermove", (event) => {
      this.hover = this.value(event.offsetX);
      if (event.buttons && this.onpick) this.onpick(this.hover);
      this.paint();
    });
    canvas.addEventListener("pointerdown", (event) => this.onpick?.(this.value(event.offsetX)));
    canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.paint();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(lines: Line[], options: Options): void {
    this.lines = lines;
    this.options = options;
    this.draw();
  }

  /** Move the cursor alone; what is still stays as it was drawn. */
  cursor(x: number | null): void {
    this.options.cursor = x;
    this.paint();
  }

  private value(px: number): number {
    const [x0, x1] = this.range;
    const t = (px - LEFT) / Math.max(1, this.canvas.clientWidth - LEFT - RIGHT);
    const at = x0 + Math.min(1, Math.max(0, t)) * (x1 - x0);
    return this.options.logX ? 10 ** at : at;
  }

  private ranges(): void {
    const { logX, logY } = this.options;
    const xs: number[] = [];
    const ys: number[] = [];
    for (const line of this.lines) {
      line.x.forEach((x, k) => {
        const y = line.y[k];
        if (!logX || x > 0) xs.push(logX ? Math.log10(x) : x);
        if (y !== null && y !== undefined && Number.isFinite(y) && (!logY || y > 0)) ys.push(logY ? Math.log10(y) : y);
      });
    }
    const spread = (v: number[]): [number, number] => {
      let low = Infinity;
      let high = -Infinity;
      for (const x of v) {
        if (x < low) low = x;
        if (x > high) high = x;
      }
      if (!(low <= high)) return [0, 1];
      return high > low ? [low, high] : [low - 0.5, high + 0.5];
    };
    const [x0, x1] = spread(xs);
    let [y0, y1] = spread(ys);
    const room = 0.05 * (y1 - y0);
    y0 -= room;
    y1 += room;
    this.range = [x0, x1, y0, y1];
  }

  private px(x: number, width: number): number {
    const [x0, x1] = this.range;
    const at = this.options.logX ? Math.log10(x) : x;
    return LEFT + ((at - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
  }

  private py(y: number, height: number): number {
    const [, , y0, y1] = this.range;
    const at = this.options.logY ? Math.log10(y) : y;
    return height - BOTTOM - ((at - y0) / (y1 - y0)) * (height - TOP - BOTTOM);
  }

  draw(): void {
    this.ranges();
    const { pen, width, height } = fit(this.canvas);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    this.axes(pen, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM);
    pen.clip();
    for (const line of this.lines) this.line(pen, line, width, height);
    pen.restore();
    for (const mark of this.options.marks ?? []) this.mark(pen, mark, width, height);
    this.still ??= document.createElement("canvas");
    this.still.width = this.canvas.width;
    this.still.height = this.canvas.height;
    this.still.getContext("2d")!.drawImage(this.canvas, 0, 0);
    this.paint();
  }

  private line(pen: CanvasRenderingContext2D, line: Line, width: number, height: number): void {
    pen.strokeStyle = line.colour;
    pen.lineWidth = 1.8;
    pen.setLineDash(line.dash ?? []);
    pen.beginPath();
    let down = false;
    line.x.forEach((x, k) => {
      const y = line.y[k];
      if (y === null || y === undefined || !Number.isFinite(y) || (this.options.logY && y <= 0)) {
        down = false;
        return;
      }
      const at: [number, number] = [this.px(x, width), this.py(y, height)];
      if (down) pen.lineTo(...at);
      else pen.moveTo(...at);
      down = true;
    });
    pen.stroke();
    pen.setLineDash([]);
  }

  private axes(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const [x0, x1, y0, y1] = this.range;
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("soft");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const tick of ticks(y0, y1, 5, this.options.logY)) {
      const y = this.py(this.options.logY ? 10 ** tick : tick, height);
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(width - RIGHT, y);
      pen.stroke();
      pen.fillText(short(this.options.logY ? 10 ** tick : tick), LEFT - 6, y);
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const tick of ticks(x0, x1, Math.max(2, Math.floor(width / 110)), this.options.logX)) {
      const x = this.px(this.options.logX ? 10 ** tick : tick, width);
      pen.fillText(short(this.options.logX ? 10 ** tick : tick), x, height - BOTTOM + 5);
    }
    pen.fillText(this.options.x, LEFT + (width - LEFT - RIGHT) / 2, height - 14);
    pen.save();
    pen.translate(10, TOP + (height - TOP - BOTTOM) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textBaseline = "middle";
    pen.fillText(this.options.y, 0, 0);
    pen.restore();
  }

  private mark(pen: CanvasRenderingContext2D, mark: Mark, width: number, height: number): void {
    const x = this.px(mark.x, width);
    if (!(x >= LEFT && x <= width - RIGHT)) return;
    pen.strokeStyle = pen.fillStyle = mark.colour;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, height - BOTTOM);
    pen.stroke();
    pen.setLineDash([]);
    pen.textAlign = x > width * 0.6 ? "right" : "left";
    pen.textBaseline = "top";
    pen.fillText(mark.name, x + (x > width * 0.6 ? -5 : 5), TOP);
  }

  private paint(): void {
    const { still, canvas } = this;
    if (!still || !still.width) return;
    const pen = canvas.getContext("2d")!;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(still, 0, 0);
    const ratio = canvas.width / Math.max(1, canvas.clientWidth);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const at = this.hover ?? this.options.cursor ?? null;
    if (at === null || !this.lines.length) return;
    const x = this.px(at, width);
    pen.strokeStyle = colour("soft");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, height - BOTTOM);
    pen.stroke();
    for (const line of this.lines) {
      const k = nearest(line.x, at);
      const y = line.y[k];
      if (y === null || y === undefined || (this.options.logY && y <= 0)) continue;
      pen.fillStyle = line.colour;
      pen.beginPath();
      pen.arc(this.px(line.x[k]!, width), this.py(y, height), 4, 0, 7);
      pen.fill();
    }
    if (this.hover === null) return;
    const said = this.lines
      .map((line) => [line, line.y[nearest(line.x, at)] ?? null] as const)
      .map(([line, y]) => `${line.name} ${number(y)}`);
    const words = [`${this.options.x} ${number(this.options.steps ? Math.round(at) : at)}`, ...said];
    pen.font = "12px system-ui, sans-serif";
    const wide = Math.max(...words.map((w) => pen.measureText(w).width)) + 16;
    const left = x + wide + 14 > width ? x - wide - 8 : x + 8;
    pen.fillStyle = colour("card");
    pen.strokeStyle = colour("line");
    pen.beginPath();
    pen.roundRect(left, TOP + 4, wide, words.length * 16 + 10, 6);
    pen.fill();
    pen.stroke();
    pen.fillStyle = colour("ink");
    pen.textAlign = "left";
    pen.textBaseline = "top";
    words.forEach((word, k) => pen.fillText(word, left + 8, TOP + 10 + 16 * k));
  }
}

function ticks(low: number, high: number, count: number, log = false): number[] {
  if (log) {
    const step = Math.max(1, Math.ceil((high - low) / count));
    const found: number[] = [];
    for (let k = Math.ceil(low); k <= high; k += step) found.push(k);
    if (found.length > 1) return found;
    return [low + 0.1 * (high - low), high - 0.1 * (high - low)];
  }
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const found: number[] = [];
  for (let x = Math.ceil(low / step) * step; x <= high + 1e-9 * step; x += step) {
    found.push(Math.abs(x) < 1e-9 * step ? 0 : x);
  }
  return found;
}

/** A number beside an axis, where there is little room. */
function short(value: number): string {
  return Math.abs(value) >= 1e5 ? value.toExponential(0).replace("+", "") : number(value, 3);
}

function nearest(xs: number[], x: number): number {
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && Math.abs(xs[low - 1]! - x) <= Math.abs((xs[low] ?? Infinity) - x)) return low - 1;
  return low;
}
