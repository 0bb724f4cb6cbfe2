// Break it: a fault is switched on in a real network, and the diagnosis finds it, with its proof.

import { api, Refused, type Catalogue, type Diagnosis } from "./api";
import { fill, h } from "./dom";

export function broken_panel(catalogue: Catalogue): HTMLElement {
  const said = h("div", { class: "findings", "aria-live": "polite" });
  const fault = h(
    "select",
    { "aria-label": "What to break in the network" },
    Object.entries(catalogue.broken).map(([name, text]) => h("option", { value: name }, text)),
  );
  fault.selectedIndex = 1;
  const button = h("button", { type: "button", class: "main" }, "Train it, and diagnose");
  button.addEventListener("click", () => {
    button.disabled = true;
    fill(said, h("p", { class: "note" }, "A network learns digits with this fault; somebody watches, and tries remedies. Eight seconds."));
    api
      .broken(fault.value)
      .then((found) => fill(said, told(found)))
      .catch((error: unknown) => fill(said, h("p", { class: "wrong" }, error instanceof Refused ? error.message : String(error))))
      .finally(() => (button.disabled = false));
  });
  return h(
    "details",
    { class: "card breaking" },
    h("summary", {}, "Break a network, and let the diagnosis find it"),
    h("div", { class: "row" }, fault, button),
    said,
  );
}

function told(found: Diagnosis): HTMLElement[] {
  const serious = found.findings.filter((one) => one.severity !== "info");
  const head = h(
    "p",
    {},
    found.fault ? `Broken was: ${found.broken}. ` : "Nothing was broken. ",
    serious.length ? "Found:" : "Nothing serious was found.",
  );
  return [head, ...serious.map(finding)];
}

export function finding(one: { cause: string; severity: string; confidence: number; evidence: string; remedy: string; effect: string | null }): HTMLElement {
  return h(
    "article",
    { class: `finding ${one.severity}` },
    h("h4", {}, one.cause, h("small", {}, ` ${Math.round(one.confidence * 100)}% sure`)),
    h("p", {}, one.evidence),
    h("p", {}, h("b", {}, "Do: "), one.remedy),
    h("p", {}, h("b", {}, "Proof: "), one.effect ?? "not tried"),
  );
}
