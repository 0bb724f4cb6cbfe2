// The ground as a surface that can be turned: a mesh from back to front, with the ways on it.

import { shade, type Terrain } from "./ground";

export interface View {
  turn: number;
  tilt: number;
}

// Quads as narrow as the ground's own grid where that is not too many: along a sharp valley wider ones are teeth.
const MOST = 20_000;
const TALL = 0.62;

interface Box {
  left: number;
  right: number;
  low: number;
  high: number;
}

/** A point of the unit cube, turned and tilted: to the right, and up. */
function seen(x: number, y: number, z: number, view: View): [number, number] {
  const c = Math.cos(view.turn);
  const s = Math.sin(view.turn);
  const deep = (x - 0.5) * s + (y - 0.5) * c;
  return [(x - 0.5) * c - (y - 0.5) * s, (z - 0.5) * TALL * Math.cos(view.tilt) + deep * Math.sin(view.tilt)];
}

export class Relief {
  private picture: HTMLCanvasElement | null = null;
  private key = "";
  private box: Box | null = null;
  private boxed = "";

  constructor(readonly terrain: Terrain) {}

  /** What tells where a point of the unit cube lies on the screen. */
  projection(view: View, width: number, height: number): (x: number, y: number, z: number) => [number, number] {
    const { left, right, low, high } = this.bounds(view);
    const size = Math.min((0.94 * width) / (right - left), (0.9 * height) / (high - low));
    return (x, y, z) => {
      const [u, v] = seen(x, y, z, view);
      return [width / 2 + (u - (left + right) / 2) * size, height / 2 - (v - (low + high) / 2) * size];
    };
  }

  /** How far the surface reaches as it is seen: it is drawn as large as fits. */
  private bounds(view: View): Box {
    const key = `${view.turn.toFixed(3)}×${view.tilt.toFixed(3)}`;
    if (this.box && this.boxed === key) return this.box;
    const { heights, rows, columns } = this.terrain;
    const box = { left: Infinity, right: -Infinity, low: Infinity, high: -Infinity };
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) {
        const [u, v] = seen(i / (columns - 1), j / (rows - 1), heights[j]![i]!, view);
        box.left = Math.min(box.left, u);
        box.right = Math.max(box.right, u);
        box.low = Math.min(box.low, v);
        box.high = Math.max(box.high, v);
      }
    }
    this.boxed = key;
    this.box = box;
    return box;
  }

  draw(pen: CanvasRenderingContext2D, view: View, width: number, height: number): void {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const key = `${width}×${height}×${ratio}×${view.turn.toFixed(3)}×${view.tilt.toFixed(3)}`;
    if (key !== this.key || !this.picture) {
      this.key = key;
      this.picture = this.render(view, width, height, ratio);
    }
    pen.drawImage(this.picture, 0, 0, width, height);
  }

  private render(view: View, width: number, height: number, ratio: number): HTMLCanvasElement {
    const picture = this.picture ?? document.createElement("canvas");
    picture.width = Math.max(2, Math.round(width * ratio));
    picture.height = Math.max(2, Math.round(height * ratio));
    const pen = picture.getContext("2d")!;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { heights, rows, columns } = this.terrain;
    const c = Math.cos(view.turn);
    const s = Math.sin(view.turn);
    const project = this.projection(view, width, height);
    const step = Math.ceil(Math.sqrt((rows * columns) / MOST));
    const quads: { depth: number; i: number; j: number }[] = [];
    for (let j = 0; j < rows - 1; j += step) {
      for (let i = 0; i < columns - 1; i += step) {
        const x = i / (columns - 1) - 0.5;
        const y = j / (rows - 1) - 0.5;
        quads.push({ depth: x * s + y * c, i, j });
      }
    }
    quads.sort((a, b) => b.depth - a.depth);
    pen.lineWidth = 0.6;
    pen.lineJoin = "round";
    for (const { i, j } of quads) {
      const i1 = Math.min(columns - 1, i + step);
      const j1 = Math.min(rows - 1, j + step);
      const corners: [number, number][] = [[i, j], [i1, j], [i1, j1], [i, j1]];
      let sum = 0;
      pen.beginPath();
      corners.forEach(([a, b], k) => {
        const z = heights[b]![a]!;
        sum += z;
        const [px, py] = project(a / (columns - 1), b / (rows - 1), z);
        if (k) pen.lineTo(px, py);
        else pen.moveTo(px, py);
      });
      pen.closePath();
      // Lit from one side, so that the shape is seen where colours change little.
      const slope = heights[j]![i1]! - heights[j]![i]! + (heights[j1]![i]! - heights[j]![i]!);
      const light = Math.min(1.15, Math.max(0.75, 1 - slope * 2.2));
      const [r, g, b] = shade(sum / 4).map((v) => Math.min(255, Math.round(v * light))) as [number, number, number];
      pen.fillStyle = pen.strokeStyle = `rgb(${r},${g},${b})`;
      pen.fill();
      pen.stroke();
    }
    return picture;
  }
}
