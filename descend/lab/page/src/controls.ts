// The two panels at the side: a card for each ball, and below them what all balls have in common.

import { fill, h, number } from "./dom";
import { edge, edge_name } from "./edge";
import { MOST, SHAPES, type Ball, type State } from "./state";

/** Fill both panels; `again` asks for the ways after a change. */
export function controls(state: State, cards: HTMLElement, common: HTMLElement, again: () => void): void {
  const anew = (): void => {
    controls(state, cards, common, again);
    again();
  };
  fill(
    cards,
    state.balls.map((ball, k) => card(state, ball, k, again, anew)),
    state.balls.length < MOST &&
      h(
        "button",
        {
          type: "button",
          class: "add",
          onclick: () => {
            const next = ["momentum", "adam", "rmsprop", "lion"][state.balls.length - 1] ?? "adam";
            state.balls.push({ method: next, lr: state.usual(next), momentum: next === "momentum" ? 0.9 : null });
            anew();
          },
        },
        "+ another ball",
      ),
  );
  fill(common, shared(state, again));
}

/** What all balls have in common. */
function shared(state: State, again: () => void): (HTMLElement | null)[] {
  const { examples } = state.ground;
  const batch = h("input", {
    type: "range",
    min: 0,
    max: 8,
    step: 1,
    value: state.batch ? Math.round(Math.log2(state.batch)) : 8,
    "aria-label": "Examples a step",
    oninput: () => {
      const at = Number(batch.value);
      state.batch = at >= 8 ? 0 : 2 ** at;
      batch_said.textContent = state.batch ? `${state.batch} of ${examples}` : `all ${examples}`;
      again();
    },
  });
  const batch_said = h("output", {}, state.batch ? `${state.batch} of ${examples}` : `all ${examples}`);
  const noise = h("input", {
    type: "range",
    min: 0,
    max: 2,
    step: 0.05,
    value: state.noise,
    "aria-label": "Noise in the gradient",
    oninput: () => {
      state.noise = Number(noise.value);
      noise_said.textContent = `${Math.round(state.noise * 100)}%`;
      again();
    },
  });
  const noise_said = h("output", {}, `${Math.round(state.noise * 100)}%`);
  const steps = h("input", {
    type: "number",
    min: 1,
    max: 1000,
    value: state.steps,
    "aria-label": "Steps",
    onchange: () => {
      state.steps = Math.min(1000, Math.max(1, Math.round(Number(steps.value)) || 100));
      again();
    },
  });
  const fault = h(
    "select",
    {
      id: "fault",
      onchange: () => {
        state.fault = fault.value;
        again();
      },
    },
    h("option", { value: "" }, "nothing is broken"),
    Object.entries(state.catalogue.faults).map(([name, said]) =>
      h("option", { value: name, selected: name === state.fault }, said),
    ),
  );
  const guess = h("input", {
    type: "checkbox",
    onchange: () => {
      state.guess = guess.checked;
      state.guessed = null;
      again();
    },
  });
  guess.checked = state.guess;
  return [
    examples ? h("label", { class: "field" }, h("span", {}, "Examples a step ", batch_said), batch) : null,
    h("label", { class: "field" }, h("span", {}, "Noise in the gradient ", noise_said), noise),
    h("label", { class: "field" }, "Steps", steps),
    h("label", { class: "field" }, "Break it", fault),
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          state.seed += 1;
          again();
        },
      },
      "Other chance",
    ),
    h("label", { class: "check" }, guess, "Guess first, then reveal"),
  ];
}

function card(state: State, ball: Ball, k: number, again: () => void, anew: () => void): HTMLElement {
  const method = h(
    "select",
    {
      "aria-label": `Method of ball ${k + 1}`,
      class: "method",
      onchange: () => {
        ball.method = method.value;
        ball.lr = state.usual(ball.method);
        ball.momentum = state.method(ball).momentum_known ? 0.9 : null;
        anew();
      },
    },
    state.catalogue.methods.map((m) => h("option", { value: m.name, selected: m.name === ball.method }, m.title)),
  );
  const low = Math.log10(state.usual(ball.method)) - 2;
  const lr = h("input", {
    type: "range",
    min: low,
    max: low + 4,
    step: 0.01,
    value: Math.log10(ball.lr ?? 0.1),
    class: "lr",
    "aria-label": `Learning rate of ball ${k + 1}`,
    oninput: () => {
      ball.lr = Number((10 ** Number(lr.value)).toPrecision(3));
      lr.setAttribute("aria-valuetext", number(ball.lr, 3));
      lr_said.textContent = number(ball.lr, 3);
      again();
    },
  });
  lr.setAttribute("aria-valuetext", number(ball.lr, 3));
  const lr_said = h("output", {}, number(ball.lr, 3));
  const mark = h("div", { class: "edge", "data-ball": k });
  const parts = [
    h(
      "div",
      { class: "head" },
      h("span", { class: `shape ball-${k}` }, SHAPES[k]!),
      method,
      state.balls.length > 1 &&
        h(
          "button",
          {
            type: "button",
            class: "remove",
            "aria-label": `Remove ball ${k + 1}`,
            onclick: () => {
              state.balls.splice(k, 1);
              anew();
            },
          },
          "×",
        ),
    ),
    h("p", { class: "equation" }, state.method(ball).equation),
    h("label", { class: "field" }, h("span", {}, "Learning rate ", lr_said), h("div", { class: "edged" }, lr, mark)),
  ];
  if (state.method(ball).momentum_known) {
    const momentum = h("input", {
      type: "range",
      min: 0,
      max: 0.99,
      step: 0.01,
      value: ball.momentum ?? 0,
      "aria-label": `Momentum of ball ${k + 1}`,
      oninput: () => {
        ball.momentum = Number(momentum.value);
        momentum_said.textContent = number(ball.momentum, 2);
        again();
      },
    });
    const momentum_said = h("output", {}, number(ball.momentum ?? 0, 2));
    parts.push(h("label", { class: "field" }, h("span", {}, "Momentum ", momentum_said), momentum));
  }
  return h("div", { class: "ball card" }, parts);
}

/** Put the edge of stability on each learning rate's slider. */
export function mark_edges(state: State, cards: HTMLElement): void {
  for (const mark of cards.querySelectorAll<HTMLElement>(".edge")) {
    const k = Number(mark.dataset.ball);
    const slider = mark.parentElement!.querySelector("input")!;
    const most = edge(state, k);
    const low = Number(slider.min);
    const share = most === null ? -1 : (Math.log10(most) - low) / (Number(slider.max) - low);
    const seen = share >= 0 && share <= 1;
    mark.hidden = !seen;
    if (!seen) continue;
    mark.style.left = `calc(8px + ${share} * (100% - 16px))`;
    mark.textContent = edge_name(state, k);
    mark.title = `Above ${number(most, 3)} it is not stable here`;
  }
}
