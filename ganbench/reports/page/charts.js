// Charts: drawn when they come into view, and anew when filters or colours change.

const PALETTES = {
  light: ["#0f766e", "#d9682b", "#4f46e5", "#be185d", "#5c8a0a", "#0369a1", "#a16207", "#9333ea", "#b91c1c", "#475569"],
  dark: ["#2dd4bf", "#fb923c", "#8b93ff", "#f472b6", "#a3e635", "#38bdf8", "#eab308", "#c084fc", "#f87171", "#a9b6c5"],
};
const DASHES = ["solid", "dash", "dot", "dashdot"];
const LONGEST = 28;

/** Plotly reads some tags in text: these are names, and are shown as they are. What turns the direction of writing ends with them. */
function plain(text, longest = Infinity) {
  const whole = String(text);
  const cut = [...whole].length > longest ? `${[...whole].slice(0, longest - 1).join("")}…` : whole;
  const isolated = /[\u202a-\u202e\u2066-\u2069]/.test(cut) ? `\u2068${cut}\u2069` : cut;
  return isolated.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

let drawing = null;

/** The library, which is parsed when the first chart comes into view and not when the page opens. */
function plotly() {
  drawing ??= new Promise((resolve) => {
    const script = element("script");
    script.textContent = byId("plotly-text").textContent;
    document.head.append(script);
    resolve(window.Plotly);
  });
  return drawing;
}

function colourOf(place) {
  const palette = PALETTES[theme()];
  return palette[place % palette.length];
}

const translucent = (colour) => `${colour}26`;

const variantPlace = (variant) => Math.max(0, embedded("charts-data").variants.indexOf(variant));

function lineStyle(place) {
  return { color: colourOf(place), dash: DASHES[Math.floor(place / PALETTES.light.length) % DASHES.length], width: 1.8 };
}

function css(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function layout(chart, extra = {}) {
  const grid = { gridcolor: css("--line"), linecolor: css("--line"), zerolinecolor: css("--line"), automargin: true };
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: css("--quiet") };
  const axis = (text, kind) => ({
    ...grid, type: kind || "linear", tickformat: "~g", nticks: kind === "log" ? 4 : 7, title: { text: plain(text, 60), standoff: 8, font: { size: 12 } },
  });
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font, height: 340, margin: { l: 56, r: 12, t: 10, b: 40 },
    xaxis: axis(chart.x, chart.log ? "log" : "linear"), yaxis: axis(chart.y, chart.log_y ? "log" : "linear"),
    hoverlabel: { namelength: LONGEST }, showlegend: true,
    legend: { orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom", font: { size: 12, color: css("--ink") } },
    ...extra,
  };
}

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

const label = (line, lines) => {
  const twice = lines.some((other) => other.variant === line.variant && other.network !== line.network);
  return twice ? `${line.variant} (${line.network})` : line.variant;
};

// ---- a builder of traces for each kind of chart

/** The two ends of a line's 95 % band, the room between them filled; nothing of a line that has none. */
function bandTraces(line, group, colour, percent = 1, shape = "linear") {
  if (!line.low) return [];
  const end = { x: line.x, mode: "lines", line: { width: 0, color: colour, shape }, hoverinfo: "skip", showlegend: false, legendgroup: group };
  const scaled = (values) => values.map((value) => (value === null ? null : value * percent));
  return [{ ...end, y: scaled(line.low) }, { ...end, y: scaled(line.high), fill: "tonexty", fillcolor: translucent(colour) }];
}

/** Bands lie below all curves. */
function profileTraces(chart, lines) {
  const group = (line) => label(line, lines);
  const style = (line) => ({ ...lineStyle(variantPlace(line.variant)), shape: chart.shape });
  return [
    ...lines.flatMap((line) => bandTraces(line, group(line), style(line).color, 100, chart.shape)),
    ...lines.map((line) => ({
      x: line.x, y: line.y.map((part) => part * 100), mode: "lines", name: `${plain(group(line), LONGEST)}, n = ${line.runs}`, line: style(line),
      legendgroup: group(line),
    })),
  ];
}

function bestTraces(chart, lines) {
  return lines.flatMap((line) => {
    const style = lineStyle(variantPlace(line.variant));
    return [
      ...bandTraces(line, line.variant, style.color),
      { x: line.x, y: line.y, mode: line.x.length < 30 ? "lines+markers" : "lines", marker: { size: 5 }, line: style, legendgroup: line.variant,
        name: `${plain(label(line, lines), LONGEST)}${line.lost ? `, ${line.lost} lost` : ""}` },
    ];
  });
}

function stepTraces(chart, lines) {
  const named = new Set();
  return lines.map((line) => {
    const first = !named.has(line.variant);
    named.add(line.variant);
    return {
      x: line.x, y: line.y, mode: "lines+markers", marker: { size: 4 }, line: { ...lineStyle(variantPlace(line.variant)), width: 1 },
      name: plain(line.variant, LONGEST), legendgroup: line.variant, showlegend: first, opacity: 0.8,
      hovertext: plain(`seed ${line.seed}, run ${line.run}`), hoverinfo: "x+y+name+text",
    };
  });
}

// ---- a card a chart

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    entry.target.inView = entry.isIntersecting;
    if (entry.isIntersecting && entry.target.stale) draw(entry.target);
  }
}, { rootMargin: "200px" });

async function draw(plot) {
  plot.stale = false;
  const library = await plotly();
  const { traces, shown } = plot.picture();
  if (traces.length) {
    if (!plot.data) plot.textContent = "";
    await library.react(plot, traces, shown, CONFIG);
  } else {
    if (plot.data) library.purge(plot);
    plot.textContent = "Nothing to draw.";
  }
  plot.dataset.drawn = theme();
}

/** Draw again what is in view, and the rest when it comes there. */
function redraw(plot) {
  plot.stale = true;
  delete plot.dataset.drawn;
  if (plot.inView) draw(plot);
}

function plotOf(title, picture) {
  const plot = element("div", { class: "plot", role: "group", "aria-label": title });
  plot.picture = picture;
  plot.stale = true;
  seen.observe(plot);
  return plot;
}

function card(chart, traces) {
  const title = `${chart.dataset}: ${chart.title}`;
  const picture = () => {
    const lines = chart.series.filter((line) => wanted.variant(line.variant));
    const shown = layout(chart);
    if (chart.percent) shown.yaxis.range = [-3, 103];
    if (chart.whole) Object.assign(shown.xaxis, { tick0: 1, dtick: 1 });
    return { traces: traces(chart, lines), shown };
  };
  const left = chart.left_out ? element("p", { class: "small" }, `${chart.left_out} runs are left out.`) : null;
  return element("div", { class: "card", "data-dataset": chart.dataset, "data-metric": chart.metric },
    element("h3", {}, name(title)), element("p", { class: "protocol" }, chart.protocol), left, plotOf(title, picture));
}

// ---- training curves

const quantityOf = (column) => (column.includes(" ") ? column.slice(0, column.lastIndexOf(" ")) : "output of the discriminator");
const partOf = (column) => column.slice(column.lastIndexOf(" ") + 1);

/** The columns of several runs, by what they measure: losses together, gradient norms together. */
function quantities(runs, columns) {
  const found = new Map();
  for (const run of runs) {
    for (const place of run.columns) {
      if (columns[place] === "step") continue;
      const quantity = quantityOf(columns[place]);
      if (!found.has(quantity)) found.set(quantity, new Set());
      found.get(quantity).add(place);
    }
  }
  return found;
}

function column(run, place) {
  const at = run.columns.indexOf(place);
  return at < 0 ? null : run.data[at];
}

/** Lines of one column, a run each; runs of a variant have one colour and one entry of the legend. */
function runTraces(runs, place, steps) {
  const named = new Set();
  return runs.filter((run) => column(run, place)).map((run) => {
    const first = !named.has(run.variant);
    named.add(run.variant);
    return {
      x: column(run, steps), y: column(run, place), mode: "lines", connectgaps: false, opacity: 0.85,
      line: { ...lineStyle(variantPlace(run.variant)), width: 1.2 }, name: plain(run.variant, LONGEST), legendgroup: run.variant, showlegend: first,
      hovertext: plain(`seed ${run.seed}, run ${run.run}`), hoverinfo: "x+y+name+text",
    };
  });
}

/** Gradient norms go through orders of magnitude; a loss that comes near 0 once does not. */
const logarithmic = (quantity, traces) => {
  if (!quantity.startsWith("gradient norm")) return false;
  const values = traces.flatMap((trace) => trace.y).filter((value) => value !== null);
  return values.length > 0 && Math.min(...values) > 0 && Math.max(...values) > 50 * Math.min(...values);
};

function trainingCard(dataset) {
  const { columns, runs } = embedded("charts-data").training;
  const own = runs.filter((run) => run.dataset === dataset);
  const steps = columns.indexOf("step");
  const choices = [...quantities(own, columns).values()].flatMap((places) => [...places]);
  const select = element("select", {}, ...choices.map((place) => element("option", { value: place }, columns[place])));
  const plot = plotOf(`${dataset}: training curves`, () => {
    const place = Number(select.value);
    const traces = runTraces(own.filter((run) => wanted.variant(run.variant)), place, steps);
    return { traces, shown: layout({ x: "generator step", y: columns[place], log_y: logarithmic(columns[place], traces) }) };
  });
  select.addEventListener("change", () => redraw(plot));
  return element("div", { class: "card", "data-dataset": dataset },
    element("h3", {}, name(dataset)), element("label", {}, "Curve ", select), plot);
}

/** All curves of one run: a chart a quantity. */
function runCharts(id) {
  const { columns, runs } = embedded("charts-data").training;
  const run = runs.find((each) => each.run === id);
  if (!run) return [];
  const steps = columns.indexOf("step");
  return [...quantities([run], columns)].map(([quantity, places]) => {
    const plot = plotOf(`${quantity} of run ${id}`, () => {
      const traces = [...places].map((place, index) => ({
        x: column(run, steps), y: column(run, place), mode: "lines", name: plain(partOf(columns[place])), line: { ...lineStyle(index), width: 1.5 },
      }));
      return { traces, shown: layout({ x: "generator step", y: quantity, log_y: logarithmic(quantity, traces) }, { height: 280 }) };
    });
    return element("div", { class: "card" }, element("h3", {}, quantity), plot);
  });
}

// ---- all of them

function addCharts() {
  const charts = embedded("charts-data");
  const kinds = { profiles: profileTraces, best_of_k: bestTraces, by_step: stepTraces };
  for (const place of document.querySelectorAll("[data-charts]")) {
    const kind = place.dataset.charts;
    if (kind === "training") place.append(...[...new Set(charts.training.runs.map((run) => run.dataset))].map(trainingCard));
    else place.append(...charts[kind].map((chart) => card(chart, kinds[kind])));
  }
}

addCharts();
filter(); // cards are filtered like tables
const redrawAll = () => document.querySelectorAll(".plot").forEach(redraw);
document.addEventListener("ganbench:filter", redrawAll);
document.addEventListener("ganbench:theme", redrawAll);
