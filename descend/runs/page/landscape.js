// Draws the figures of a landscape in the page's own colours, and switches between them.
(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("landscape-data").textContent);
  const plot = document.getElementById("landscape-plot");
  let shown = "contours";

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const line = style.getPropertyValue("--line").trim();
    const { data, layout, frames } = structuredClone(figures[shown]);
    delete layout.template;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { ...layout.font, color: ink };
    for (const axis of ["xaxis", "yaxis"]) {
      if (layout[axis]) Object.assign(layout[axis], { gridcolor: line, zerolinecolor: line });
    }
    if (plot.clientWidth < 560) {
      layout.margin = { l: 44, r: 4, t: 24, b: 54 };
      for (const trace of data) {
        if (trace.colorbar) Object.assign(trace.colorbar, { thickness: 8, title: { text: "" } });
      }
    }
    const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
    Plotly.newPlot(plot, data, layout, options).then(() => {
      if (frames && frames.length) Plotly.addFrames(plot, frames);
      document.documentElement.dataset.landscape = shown;
    });
  }

  for (const button of document.querySelectorAll("[data-views] button")) {
    button.addEventListener("click", () => {
      shown = button.dataset.choice;
      for (const other of button.parentElement.children) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      draw();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
