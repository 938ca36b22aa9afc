/* Draws every figure[data-plot] of a page from its block of JSON.

   Colours follow the system's dark mode, widths the window. Where Plotly is missing, or a figure cannot be drawn, the
   table behind it is opened instead. When all is done, <html> has data-figures="drawn", or "missing". */
(() => {
  "use strict";

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const coarse = window.matchMedia("(pointer: coarse)");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const read = new WeakMap();

  const contentOf = (figure) => {
    if (!read.has(figure)) {
      const block = figure.querySelector(':scope > script[type="application/json"]');
      read.set(figure, JSON.parse(block.textContent));
    }
    return read.get(figure);
  };

  const put = (target, path, value) => {
    const last = path[path.length - 1];
    const holder = path.slice(0, -1).reduce((found, key) => (found[key] ??= {}), target);
    if (value === null) delete holder[last];
    else holder[last] = value;
  };

  /* Panels side by side need room each: on a narrow page the figure then scrolls in its box. */
  const leastWidth = (layout) => {
    const axes = Object.entries(layout).filter(([name]) => /^xaxis\d*$/.test(name)).map(([, axis]) => axis);
    const columns = new Set(axes.map((axis) => axis.domain?.[0] ?? 0)).size;
    return columns > 1 ? `${columns * 9 + 8}rem` : "";
  };

  /* Below the plot, and not at its side, the legend takes height instead of width. */
  const heightOf = (data, layout) => {
    if (layout.height) return `${layout.height}px`;
    if (!narrow.matches || layout.showlegend === false) return "";
    const entries = data.filter((trace) => trace.name && trace.showlegend !== false).length;
    return entries > 1 ? `${19 + entries * 1.25}rem` : "";
  };

  const smaller = (size) => Math.max(10, Math.round(size * 0.75));

  const narrowed = (annotation) => {
    const size = annotation.font?.size;
    const text = annotation.text?.replace(/font-size:\s*(\d+)px/g, (_, written) => `font-size:${smaller(Number(written))}px`);
    return { ...annotation, text, font: size ? { ...annotation.font, size: smaller(size) } : annotation.font };
  };

  /* "Recall: share of the fraud that is caught" becomes "Recall". */
  const shortTitles = (layout) => {
    for (const [name, axis] of Object.entries(layout)) {
      if (!/^[xy]axis\d*$/.test(name) || !axis.title?.text) continue;
      layout[name] = { ...axis, title: { ...axis.title, text: axis.title.text.split(": ")[0] } };
    }
  };

  const fitted = (layout) => {
    const fit = { ...layout, autosize: true };
    delete fit.width;
    if (still.matches) fit.transition = { duration: 0 };
    if (coarse.matches) fit.dragmode = false;
    if (!narrow.matches) return fit;
    const margin = layout.margin ?? {};
    fit.margin = { ...margin, l: Math.min(margin.l ?? 48, 48), r: 12, b: Math.min(margin.b ?? 48, 48) };
    fit.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.2, yanchor: "top" };
    if (fit.legend.title) fit.legend.title = { ...fit.legend.title, side: "top" };
    fit.font = { ...layout.font, size: 12 };
    fit.annotations = (layout.annotations ?? []).map(narrowed);
    shortTitles(fit);
    return fit;
  };

  const failed = (figure) => {
    figure.classList.remove("drawn");
    for (const details of figure.querySelectorAll("details")) details.open = true;
  };

  const draw = async (figure) => {
    try {
      const { dark: changes, ...light } = contentOf(figure);
      const { data, layout } = structuredClone(light);
      if (dark.matches) for (const [path, value] of changes) put({ data, layout }, path, value);
      const plot = figure.querySelector(".plot");
      figure.classList.add("drawn");
      plot.style.height = heightOf(data, layout);
      plot.style.minWidth = leastWidth(layout);
      await window.Plotly.react(plot, data, fitted(layout), config);
    } catch {
      failed(figure);
    }
  };

  let newest = 0;
  const drawAll = async () => {
    const own = ++newest;
    document.documentElement.dataset.figures = "drawing";
    for (const figure of document.querySelectorAll("figure[data-plot]")) {
      // Colours or width have changed again: the newer round draws all of them.
      if (own !== newest) return;
      await draw(figure);
      // Lets the browser answer the reader between two figures.
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (own === newest) document.documentElement.dataset.figures = "drawn";
  };

  if (window.Plotly === undefined) {
    for (const figure of document.querySelectorAll("figure[data-plot]")) failed(figure);
    for (const note of document.querySelectorAll(".no-plotly")) note.hidden = false;
    document.documentElement.dataset.figures = "missing";
    return;
  }
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  drawAll();
})();
