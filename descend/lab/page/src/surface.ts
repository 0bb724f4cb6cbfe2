// The ground as a surface that can be turned: a mesh from back to front, with the ways on it.

import { shade, type Terrain } from "./ground";

export interface View {
  turn: number;
  tilt: number;
}

// Quads as narrow as the ground's own grid where that is not too many: along a sharp valley wider ones are teeth.
const MOST = 20_000;
const TALL = 0.62;

export class Relief {
  private picture: HTMLCanvasElement | null = null;
  private key = "";

  constructor(readonly terrain: Terrain) {}

  /** Where a point of the unit cube lies on the screen. */
  project(x: number, y: number, z: number, view: View, width: number, height: number): [number, number] {
    const c = Math.cos(view.turn);
    const s = Math.sin(view.turn);
    const u = (x - 0.5) * c - (y - 0.5) * s;
    const v = (x - 0.5) * s + (y - 0.5) * c;
    // As large as fits, whichever way it is turned.
    const tall = Math.SQRT1_2 * Math.sin(view.tilt) + (TALL / 2) * Math.cos(view.tilt);
    const size = Math.min((0.48 * width) / Math.SQRT1_2, (0.48 * height) / tall);
    const deep = v * Math.sin(view.tilt);
    const up = (z - 0.5) * TALL * Math.cos(view.tilt);
    return [width / 2 + u * size, height / 2 - (up + deep) * size];
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
        const [px, py] = this.project(a / (columns - 1), b / (rows - 1), z, view, width, height);
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
