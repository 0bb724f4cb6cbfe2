// What is taken along: a picture, an animation, and the same in Python.

import { fill, h } from "./dom";
import { above } from "./drawing";
import type { State } from "./state";

/** What can be filmed: it goes to a step, and is drawn there. */
interface Stage {
  state: State;
  contour: HTMLCanvasElement;
  go(step: number): void;
  draw(): void;
}

function save(blob: Blob, name: string): void {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function picture(state: State, contour: HTMLCanvasElement): void {
  above(state, contour);
  contour.toBlob((blob) => blob && save(blob, `descend-${state.scene}.png`), "image/png");
}

/** Record the way from its first step to its last. */
export async function film(stage: Stage): Promise<void> {
  const stream = stage.contour.captureStream(30);
  const type = ["video/webm;codecs=vp9", "video/webm", "video/mp4"].find((t) => MediaRecorder.isTypeSupported(t));
  if (!type) throw new Error("This browser cannot record: take `descend landscape --out way.gif`.");
  const recorder = new MediaRecorder(stream, { mimeType: type });
  const parts: Blob[] = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const done = new Promise<void>((resolve) => recorder.addEventListener("stop", () => resolve()));
  recorder.start();
  const longest = stage.state.longest();
  for (let frame = 0; frame <= 120; frame += 1) {
    stage.go((frame / 120) * longest);
    stage.draw();
    await new Promise((resolve) => setTimeout(resolve, 33));
  }
  recorder.stop();
  await done;
  save(new Blob(parts, { type }), `descend-${stage.state.scene}.${type.includes("mp4") ? "mp4" : "webm"}`);
}

export function python(state: State): void {
  const text = code(state);
  const close = (): void => dialog.close();
  const dialog = h(
    "dialog",
    { class: "code", "aria-label": "The same in Python" },
    h("h3", {}, "The same in Python"),
    h("pre", {}, text),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "main", onclick: () => void navigator.clipboard?.writeText(text).then(close, close) }, "Copy"),
      h("button", { type: "button", onclick: close }, "Close"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  fill(document.getElementById("dialogs")!, dialog);
  dialog.showModal();
}

function code(state: State): string {
  const lines = ["import descend", "from descend.lab.scenes import scene", "from descend.lab.walking import Walker, walk", ""];
  lines.push(`ground = scene(${JSON.stringify(state.scene)})`);
  for (const walker of state.walkers()) {
    const more = Object.entries(walker.hyperparameters)
      .map(([name, value]) => `${JSON.stringify(name)}: ${value}`)
      .join(", ");
    const words = [JSON.stringify(walker.method), `lr=${walker.lr}`, `start=(${walker.start.map((v) => Number(v.toPrecision(5))).join(", ")})`, `steps=${walker.steps}`];
    if (more) words.push(`hyperparameters={${more}}`);
    if (walker.batch) words.push(`batch=${walker.batch}`);
    if (walker.noise) words.push(`noise=${walker.noise}`);
    if (walker.seed) words.push(`seed=${walker.seed}`);
    if (walker.fault) words.push(`fault=${JSON.stringify(walker.fault)}`);
    lines.push(`way = walk(ground, Walker(${words.join(", ")}))`);
    lines.push(`print(${JSON.stringify(walker.method)}, float(way["loss"][-1]), way["ended"])`);
  }
  const [first] = state.walkers();
  if (first) {
    const cls = state.catalogue.methods.find((m) => m.name === first.method)!.title;
    const more = Object.entries(first.hyperparameters).map(([name, value]) => `, ${name}=${value}`);
    lines.push("", "# The loop itself, for the first ball:", "import torch", "");
    lines.push("function = ground.problem.fresh_function()");
    lines.push("values = ground.losses.layout.values(ground.at(*(" + first.start.map((v) => Number(v.toPrecision(5))).join(", ") + ")))");
    lines.push("with torch.no_grad():", "    for name, p in function.named_parameters():", "        p.copy_(values[name])");
    lines.push(`opt = descend.${cls}(function.parameters(), lr=${first.lr}${more.join("")})`);
    lines.push("batch = next(iter(ground.problem.train.passes(10**6, torch.device('cpu'))))");
    lines.push(`for step in range(${first.steps}):`, "    opt.zero_grad()");
    lines.push("    loss = ground.problem.loss_of(function, batch)", "    loss.backward()", "    opt.step()");
    lines.push("print(loss.item())");
  }
  return lines.join("\n") + "\n";
}
