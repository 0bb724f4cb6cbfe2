// A loss on a grid as a picture: colours, level lines, and where coordinates lie.

import type { Ground } from "./api";

const VALLEY: [number, [number, number, number]][] = [
  [0.0, [18, 30, 74]],
  [0.2, [31, 79, 138]],
  [0.4, [42, 132, 154]],
  [0.6, [94, 178, 146]],
  [0.8, [186, 212, 138]],
  [1.0, [253, 244, 188]],
];
const STEEP = 30;
const LEVELS = 14;

export function shade(height: number): [number, number, number] {
  const at = Math.min(1, Math.max(0, height));
  let k = 0;
  while (k < VALLEY.length - 2 && at > VALLEY[k + 1]![0]) k += 1;
  const [low, a] = VALLEY[k]!;
  const [high, b] = VALLEY[k + 1]!;
  const t = (at - low) / (high - low);
  return [0, 1, 2].map((c) => Math.round(a[c]! + t * (b[c]! - a[c]!))) as [number, number, number];
}

/** Which loss has which height: logarithmic above the least where it is steep. */
export class Scale {
  low = 0;
  high = 1;
  offset: number | null = null;

  constructor(rows: (number | null)[][]) {
    const finite = rows.flat().filter((v): v is number => v !== null && Number.isFinite(v));
    if (!finite.length) return;
    finite.sort((a, b) => a - b);
    this.low = finite[0]!;
    this.high = finite[finite.length - 1]!;
    if (this.high <= this.low) {
      this.high = this.low + 1;
      return;
    }
    const middle = finite[Math.floor((finite.length - 1) / 2)]! - this.low;
    const size = this.high - this.low;
    if (size > STEEP * Math.max(middle, 1e-300) || (this.low > 0 && this.high > STEEP * this.low)) {
      this.offset = -this.low + 1e-3 * Math.max(middle, 1e-3 * size);
    }
  }

  height(loss: number | null): number {
    if (loss === null || !Number.isFinite(loss)) return 1;
    const at = Math.min(this.high, Math.max(this.low, loss));
    if (this.offset === null) return (at - this.low) / (this.high - this.low);
    const least = Math.log(this.low + this.offset);
    return (Math.log(at + this.offset) - least) / (Math.log(this.high + this.offset) - least);
  }
}

/** A ground with its heights from 0 to 1, and a picture of it of any size. */
export class Terrain {
  readonly heights: number[][];
  readonly scale: Scale;
  readonly rows: number;
  readonly columns: number;
  private picture: HTMLCanvasElement | null = null;

  constructor(readonly ground: Ground) {
    this.scale = new Scale(ground.heights);
    this.heights = ground.heights.map((row) => row.map((loss) => this.scale.height(loss)));
    this.rows = this.heights.length;
    this.columns = this.heights[0]?.length ?? 0;
  }

  /** Where coordinates lie in a picture of this size. */
  place(x: number, y: number, width: number, height: number): [number, number] {
    const [[left, right], [bottom, top]] = this.ground.spans;
    return [((x - left) / (right - left)) * width, height - ((y - bottom) / (top - bottom)) * height];
  }

  /** The coordinates of a place in a picture. */
  coordinates(px: number, py: number, width: number, height: number): [number, number] {
    const [[left, right], [bottom, top]] = this.ground.spans;
    return [left + (px / width) * (right - left), bottom + ((height - py) / height) * (top - bottom)];
  }

  /** The loss at coordinates, between the points of the grid; nothing outside. */
  loss(x: number, y: number): number | null {
    return this.between(x, y, (j, i) => this.ground.heights[j]![i] ?? NaN);
  }

  /** The height at coordinates, between the points of the grid; 1 outside. */
  at(x: number, y: number): number {
    return this.between(x, y, (j, i) => this.heights[j]![i]!) ?? 1;
  }

  private between(x: number, y: number, get: (j: number, i: number) => number): number | null {
    const [[left, right], [bottom, top]] = this.ground.spans;
    const i = ((x - left) / (right - left)) * (this.columns - 1);
    const j = ((y - bottom) / (top - bottom)) * (this.rows - 1);
    if (!(i >= 0 && j >= 0 && i <= this.columns - 1 && j <= this.rows - 1)) return null;
    const i0 = Math.min(this.columns - 2, Math.floor(i));
    const j0 = Math.min(this.rows - 2, Math.floor(j));
    const s = i - i0;
    const t = j - j0;
    return (
      get(j0, i0) * (1 - s) * (1 - t) + get(j0, i0 + 1) * s * (1 - t) + get(j0 + 1, i0) * (1 - s) * t + get(j0 + 1, i0 + 1) * s * t
    );
  }

  /** Draw colours and level lines; the picture is kept until the size changes. */
  draw(pen: CanvasRenderingContext2D, width: number, height: number): void {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const w = Math.max(2, Math.round(width * ratio));
    const t = Math.max(2, Math.round(height * ratio));
    if (!this.picture || this.picture.width !== w || this.picture.height !== t) this.picture = this.render(w, t);
    pen.drawImage(this.picture, 0, 0, width, height);
  }

  private render(w: number, t: number): HTMLCanvasElement {
    const small = document.createElement("canvas");
    small.width = this.columns;
    small.height = this.rows;
    const image = new ImageData(this.columns, this.rows);
    for (let j = 0; j < this.rows; j += 1) {
      for (let i = 0; i < this.columns; i += 1) {
        const [r, g, b] = shade(this.heights[this.rows - 1 - j]![i]!);
        image.data.set([r, g, b, 255], 4 * (j * this.columns + i));
      }
    }
    small.getContext("2d")!.putImageData(image, 0, 0);
    const picture = document.createElement("canvas");
    picture.width = w;
    picture.height = t;
    const pen = picture.getContext("2d")!;
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "high";
    // A pixel's middle is where its point is.
    const across = w / (this.columns - 1);
    const down = t / (this.rows - 1);
    pen.drawImage(small, -across / 2, -down / 2, w + across, t + down);
    pen.strokeStyle = "rgba(255,255,255,0.35)";
    pen.lineWidth = Math.max(1, w / 700);
    pen.beginPath();
    for (let k = 1; k < LEVELS; k += 1) {
      for (const [[x0, y0], [x1, y1]] of this.line(k / LEVELS)) {
        pen.moveTo(x0 * across, t - y0 * down);
        pen.lineTo(x1 * across, t - y1 * down);
      }
    }
    pen.stroke();
    return picture;
  }

  /** A level line in straight pieces, by marching squares. */
  private *line(level: number): Generator<[[number, number], [number, number]]> {
    for (let j = 0; j < this.rows - 1; j += 1) {
      for (let i = 0; i < this.columns - 1; i += 1) {
        const corners: [number, number][] = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
        const h = corners.map(([x, y]) => this.heights[y]![x]!);
        const above = h.map((v) => v >= level);
        if (above.every(Boolean) || !above.some(Boolean)) continue;
        const cuts: [number, number][] = [];
        for (let k = 0; k < 4; k += 1) {
          const n = (k + 1) % 4;
          if (above[k] === above[n]) continue;
          const s = (level - h[k]!) / (h[n]! - h[k]!);
          const [x0, y0] = corners[k]!;
          const [x1, y1] = corners[n]!;
          cuts.push([x0 + s * (x1 - x0), y0 + s * (y1 - y0)]);
        }
        if (cuts.length === 4 && (h[0]! + h[1]! + h[2]! + h[3]!) / 4 >= level !== above[0]) {
          cuts.unshift(cuts.pop()!);
        }
        for (let k = 0; k + 1 < cuts.length; k += 2) yield [cuts[k]!, cuts[k + 1]!];
      }
    }
  }
}
