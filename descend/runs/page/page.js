// Draws a report's figures from the JSON beside it. Each figure is a function of (its data, the state of
// the buttons, the colours of the page), drawn again whole whenever one of them changes.
(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const state = { axis: "step", scale: {} };
  // On a touch screen a finger on a figure must scroll the page, not zoom the figure.
  const touch = matchMedia("(pointer: coarse)").matches;

  function colours() {
    const style = getComputedStyle(root);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      training: get("accent"), raw: get("accent"), validation: get("validation"), level: get("level"),
      ink: get("ink"), soft: get("soft"), line: get("line"), card: get("card"), bad: get("bad"),
      sans: get("sans"),
    };
  }

  // Seconds at a step, read between the recorded ones.
  function clock(step) {
    const { steps, seconds } = data.clock;
    let low = 0, high = steps.length - 1;
    if (step <= steps[0]) return seconds[0] * (steps[0] > 0 ? step / steps[0] : 1);
    if (step >= steps[high]) { low = Math.max(0, high - 1); }
    else while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle; else high = middle;
    }
    const share = (step - steps[low]) / Math.max(1, steps[high] - steps[low]);
    return seconds[low] + share * (seconds[high] - seconds[low]);
  }
  const AXES = {
    step: { title: "step", at: (step) => step },
    epoch: { title: "epoch", at: (step) => step / data.epoch },
    time: { title: "seconds", at: clock },
  };

  function traces(figure, c) {
    const at = AXES[state.axis].at;
    const made = figure.lines.map((line) => {
      const few = line.y.length <= 40 && line.role !== "level";
      const alone = line.y.filter((y) => y !== null).length <= 1;
      return {
        type: "scatter", name: line.name, x: line.x.map(at), y: line.y,
        mode: alone ? "markers" : few ? "lines+markers" : "lines",
        opacity: line.role === "raw" ? 0.3 : 1,
        line: {
          color: c[line.role], width: { raw: 1, level: 1.5 }[line.role] || 2.2,
          dash: line.role === "level" ? "dash" : "solid", simplify: true,
        },
        marker: { color: c[line.role], size: alone ? 9 : 5 },
        hoverinfo: line.role === "level" ? "skip" : undefined,
        hovertemplate: line.role === "level" ? undefined
          : `%{y:${figure.share ? ".2%" : ".4~g"}}<extra>${line.name}</extra>`,
        connectgaps: false,
      };
    });
    const chosen = figure.lines.find((line) => line.role === "validation");
    const i = chosen ? chosen.x.indexOf(figure.best) : -1;
    if (i >= 0 && chosen.y[i] !== null) {
      made.push({
        type: "scatter", mode: "markers", x: [at(figure.best)], y: [chosen.y[i]], hoverinfo: "skip",
        marker: { size: 11, color: c.card, line: { color: c.validation, width: 2.5 } },
      });
    }
    return made;
  }

  function upright(x, text, colour, c, left, dash) {
    return [
      { type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", layer: "below",
        line: { color: colour, width: 1.2, dash } },
      { x, y: 1, yref: "paper", yanchor: "bottom", xanchor: left ? "right" : "left", text, showarrow: false,
        font: { size: 11.5, color: colour }, borderpad: 1 },
    ];
  }

  function layout(figure, c) {
    const scale = state.scale[figure.key], axis = AXES[state.axis];
    const steps = figure.lines.flatMap((line) => [line.x[0], line.x[line.x.length - 1]]);
    const first = Math.min(...steps), last = Math.max(...steps);
    const marks = [];
    if (figure.best !== null && figure.best >= first && figure.best <= last)
      marks.push(upright(axis.at(figure.best), "best", c.soft, c, figure.best > (first + last) / 2, "dot"));
    if (figure.broken !== null)
      marks.push(upright(axis.at(figure.broken), "not finite", c.bad, c, true, "solid"));
    // Plotly draws a constant in the middle of ±1, where a learning rate of 0.001 looks like nothing.
    const values = figure.lines.flatMap((line) => line.y.filter((y) => y !== null));
    const least = Math.min(...values), most = Math.max(...values);
    const constant = scale === "linear" && least === most && least !== 0;
    const range = constant ? (least > 0 ? [0, 1.6 * least] : [1.6 * least, 0]) : undefined;
    const positive = Math.min(...values.filter((y) => y > 0));
    const decades = scale === "log" ? Math.log10(most / positive) : 0;
    // Powers of ten where the range is wide, plain numbers elsewhere.
    const tickformat = figure.share ? "~%" : decades < 4 ? ",.6~g" : undefined;
    const few = state.axis === "step" && last - first < 8;
    const grid = { gridcolor: c.line, zeroline: false, linecolor: c.line, tickcolor: c.line, automargin: true };
    return {
      autosize: true, showlegend: false, margin: { l: 46, r: 28, t: marks.length ? 22 : 8, b: 34 },
      paper_bgcolor: c.card, plot_bgcolor: c.card,
      font: { family: c.sans, size: 12, color: c.soft },
      hovermode: "x unified", hoverdistance: 60, dragmode: touch ? false : "zoom",
      hoverlabel: { bgcolor: c.card, bordercolor: c.line, font: { family: c.sans, size: 12.5, color: c.ink } },
      xaxis: { ...grid, showgrid: false, showline: true, ticks: "outside", ticklen: 4, nticks: 8, dtick: few ? 1 : undefined,
               title: { text: axis.title, standoff: 6, font: { size: 12 } }, hoverformat: ",.6~g",
               tickformat: state.axis === "step" ? (last > 99999 ? "~s" : ",~g") : "~g",
               spikecolor: c.soft, spikethickness: 1, spikedash: "solid",
               unifiedhovertitle: { text: `${axis.title} %{x}` },
               uirevision: state.axis },
      yaxis: { ...grid, type: scale, range, autorange: range ? false : true, tickformat,
               exponentformat: "power", nticks: scale === "log" ? 6 : 7, uirevision: scale },
      shapes: marks.map((m) => m[0]), annotations: marks.map((m) => m[1]), uirevision: "kept",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: c.soft, activecolor: c.ink },
    };
  }

  const config = {
    responsive: true, displaylogo: false, doubleClick: "reset", showTips: false,
    modeBarButtons: [["toImage", "resetScale2d"]], displayModeBar: touch ? false : "hover",
  };

  let following = false;
  function draw(figure) {
    const place = document.getElementById(`plot-${figure.key}`);
    const c = colours();
    const image = { format: "png", scale: 2, filename: `descend-${figure.key}` };
    return Plotly.react(place, traces(figure, c), layout(figure, c), { ...config, toImageButtonOptions: image });
  }
  const drawAll = () => Promise.all(data.figures.map(draw));

  // A stretch of the descent looked at closely in one figure is looked at in all of them.
  function follow(figure, change) {
    if (following) return;
    const update = {};
    if ("xaxis.range[0]" in change) {
      update["xaxis.range"] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    } else if (change["xaxis.autorange"]) update["xaxis.autorange"] = true;
    else return;
    following = true;
    const others = data.figures.filter((other) => other !== figure);
    Promise.all(others.map((o) => Plotly.relayout(`plot-${o.key}`, { ...update })))
      .finally(() => { following = false; });
  }

  function segmented(place, chosen) {
    place.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const other of place.querySelectorAll("button"))
        other.setAttribute("aria-pressed", String(other === button));
      chosen(button.dataset.choice);
    });
  }

  for (const figure of data.figures) state.scale[figure.key] = figure.log ? "log" : "linear";
  drawAll().then(() => {
    for (const figure of data.figures)
      document.getElementById(`plot-${figure.key}`).on("plotly_relayout", (change) => follow(figure, change));
    root.dataset.ready = "true";
  });
  for (const place of document.querySelectorAll("[data-scale]")) {
    const figure = data.figures.find((f) => f.key === place.dataset.scale);
    segmented(place, (choice) => { state.scale[figure.key] = choice; draw(figure); });
  }
  for (const place of document.querySelectorAll("[data-axis]"))
    segmented(place, (choice) => { state.axis = choice; drawAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numbers = [...body.rows].every((row) => row.cells[column].dataset.value !== undefined);
      // Numbers are most often wanted from the greatest down, names from A.
      const falling = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numbers;
      const rows = [...body.rows].sort((a, b) =>
        (numbers ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, { numeric: true }))
        * (falling ? -1 : 1));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      body.append(...rows);
    }));
  }

  // A box that can be scrolled sideways says so: its edge fades while there is more.
  for (const box of document.querySelectorAll(".scroll, pre")) {
    const look = () => {
      box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 4);
    };
    box.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(box);
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.closest(".code").querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }
})();
