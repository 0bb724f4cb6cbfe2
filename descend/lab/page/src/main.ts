// Three rooms behind one door.

import { here, there } from "./address";
import { fill, h } from "./dom";
import { explain } from "./explain";
import { Playground } from "./play";
import { OneRun, Runs } from "./runs";

const main = document.querySelector("main")!;
let leave: (() => void) | null = null;
let room = "";

// Everything that goes wrong is seen on the page, by a person or a test.
for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  window.addEventListener(kind, (event) => {
    const said = (event as ErrorEvent).message ?? (event as PromiseRejectionEvent).reason ?? kind;
    document.documentElement.dataset.error = String(said);
  });
}

// The token has become a cookie: it need not stay in the address, nor in the history.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

async function enter(): Promise<void> {
  const place = here();
  const key = `${place.room}/${place.rest}`;
  for (const link of document.querySelectorAll<HTMLElement>("nav.rooms a")) {
    link.toggleAttribute("data-here", link.dataset.room === place.room);
    if (link.dataset.room === place.room) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  delete document.documentElement.dataset.ready;
  delete document.documentElement.dataset.walked;
  leave?.();
  leave = null;
  room = key;
  const root = h("div", { class: "room" });
  fill(main, root);
  document.documentElement.dataset.room = place.room;
  if (place.room === "runs" && place.rest) {
    const one = new OneRun(root, place.rest);
    leave = () => one.close();
    await one.open();
  } else if (place.room === "runs") {
    await new Runs(root).open();
  } else if (place.room === "explain") {
    explain(root, Number(place.rest));
  } else {
    await new Playground(root).open();
  }
  if (room === key) document.documentElement.dataset.ready = key;
}

function rooms(): void {
  const links = [
    ["play", "Playground", there("play")],
    ["runs", "Runs", there("runs")],
    ["explain", "Explain", there("explain", "1")],
  ] as const;
  fill(
    document.querySelector("nav.rooms")!,
    links.map(([name, title, href]) => h("a", { href, "data-room": name }, title)),
  );
}

document.querySelector("a.skip")!.addEventListener("click", (event) => {
  event.preventDefault(); // the part behind # is the room
  main.focus();
});
rooms();
window.addEventListener("hashchange", () => void enter());
void enter();
