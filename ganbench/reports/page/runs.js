// What is behind a row (#row=3) and what is known of a run (#run=3fa9c1d2e0b7), made of the embedded runs when asked for.

const view = byId("view");

function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
}

/** A standard error to two significant digits, and the value to the same place. */
function withError(value, stderr) {
  if (!stderr || value === null) return stderr === 0 ? `${number(value)} ± 0` : number(value);
  const places = 1 - Math.floor(Math.log10(Number(stderr.toPrecision(2))));
  if (places < 0 || places > 7) return `${number(value)} ± ${number(Number(stderr.toPrecision(2)))}`;
  return `${value.toFixed(places)} ± ${stderr.toFixed(places)}`;
}

/** A run's columns as one object. */
function runAt(place) {
  const { texts, runs, bases, settings, provenances } = embedded("stored-data");
  const own = Object.fromEntries(Object.entries(runs).map(([key, column]) => [key, column[place]]));
  for (const key of ["variant", "dataset", "network", "status"]) own[key] = texts[own[key]];
  if (own.error !== null) own.error = texts[own.error];
  const [base, changed, without] = settings[own.settings];
  own.settings = { ...bases[base], ...changed };
  for (const key of without) delete own.settings[key];
  own.provenance = provenances[own.provenance];
  return own;
}

/** The scores of a run; scores lie in the order of runs. */
function scoresOf(place) {
  const { run, track, value, stderr, flags, tracks, flag_sets: sets } = embedded("stored-data").scores;
  const found = [];
  for (let at = run.indexOf(place); at >= 0 && run[at] === place; at += 1) {
    const [metric, version, protocol] = tracks[track[at]];
    found.push({ metric, version, protocol, value: value[at], stderr: stderr[at], flags: sets[flags[at]] });
  }
  return found.sort((a, b) => collator.compare(a.metric, b.metric) || collator.compare(a.protocol, b.protocol));
}

/** A sortable table; a cell is [content, what it sorts by]. Columns in which no line says anything are left out. */
function table(label, allHeads, allLines) {
  const told = allHeads.map((_, place) => allLines.some((line) => (line[place][0].textContent ?? line[place][0]) !== ""));
  const heads = allHeads.filter((_, place) => told[place]);
  const lines = allLines.map((line) => line.filter((_, place) => told[place]));
  const head = element("tr", {}, ...heads.map(([text, kind]) => element("th", { scope: "col", class: kind, "aria-sort": "none" },
    element("button", { type: "button", class: "sort" }, text))));
  const rows = lines.map((line) => element("tr", {}, ...line.map((cell, place) => {
    const [content, key] = cell;
    return element("td", { class: heads[place][1], "data-v": key === undefined ? false : String(key ?? "") }, content);
  })));
  return element("div", { class: "box", role: "region", tabindex: 0, "aria-label": label },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

const facts = (pairs) => element("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== "").flatMap(
  ([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));

const runLink = (id) => element("a", { href: `#run=${id}` }, id);

// ---- the runs behind a row

function rowView(key) {
  const row = embedded("stored-data").rows[key];
  if (!row) return null;
  const lines = row.runs.map((place) => {
    const run = runAt(place);
    const score = scoresOf(place).find((each) => each.metric === row.metric && each.protocol === row.protocol);
    return [[runLink(run.id)], [run.seed, run.seed], [run.status], score ? [withError(score.value, score.stderr), score.value] : ["–", ""],
      [number(run.step), run.step], [number(run.seconds), run.seconds], [name([run.error, ...(score ? score.flags : [])].filter(Boolean).join("; "))]];
  });
  const heads = [["run", "name"], ["seed", "number"], ["ended", "text"], [`${row.metric} ± s.e.`, "number"], ["steps", "number"], ["seconds", "number"], ["remarks", "long"]];
  return {
    title: `${row.variant} on ${row.dataset}`,
    parts: [
      facts([["Metric", row.metric], ["Network", name(row.network)], ["Protocol", row.protocol], ["Versions", row.versions],
        ["Settings", row.settings && name(row.settings)], ["Chosen by", row.selected_by],
        ["Published in", row.source && name(row.source)], ["Remarks", row.source && name(row.flags)]]),
      ...(row.source ? [] : [element("p", { class: "note" }, "The standard error is over the draw of generated samples, of one run."),
        table("Runs behind the row", heads, lines)]),
    ],
  };
}

// ---- a run

function runView(id) {
  const place = embedded("stored-data").runs.id.indexOf(id);
  if (place < 0) return null;
  const run = runAt(place);
  const lines = scoresOf(place).map((score) => [[score.metric], [number(score.value), score.value], [score.stderr === null ? "–" : number(Number(score.stderr.toPrecision(2))), score.stderr],
    [name(score.flags.join("; "))], [name(`${score.protocol} (version ${score.version})`)]]);
  const charts = runCharts(id);
  const settings = Object.entries(run.settings).sort(([a], [b]) => collator.compare(a, b));
  return {
    title: `Run ${id}`,
    parts: [
      facts([["Variant", name(run.variant)], ["Data set", name(run.dataset)], ["Network", name(run.network)], ["Seed", String(run.seed)],
        ["Ended", `${run.status} at step ${number(run.step)} of ${number(run.steps)}`],
        ["Reason", run.error === null ? null : element("span", { class: "bad" }, name(run.error))],
        ["Training", `${number(run.seconds)} s`], ["Evaluation", `${number(run.score_seconds)} s`],
        ["Its files", element("code", {}, `ganbench show ${id}`)]]),
      element("h3", {}, "Scores"),
      lines.length ? table("Scores", [["metric", "text"], ["value", "number"], ["s.e.", "number"], ["flags", "long"], ["protocol", "long"]], lines)
        : element("p", {}, "None."),
      ...pictureOf(id),
      element("h3", {}, "Training curves"),
      charts.length ? element("div", { class: "charts" }, ...charts) : element("p", { class: "note" }, "Not in this page."),
      element("h3", {}, "Settings"),
      settings.length ? element("ul", { class: "settings" }, ...settings.map(([key, value]) => element("li", {}, element("span", {}, name(key), " "), name(value))))
        : element("p", {}, "None."),
      element("h3", {}, "Made with"),
      facts(Object.entries(run.provenance).map(([key, value]) => [key, name(value)])),
    ],
  };
}

/** The run's sample grids, where the page has them. */
function pictureOf(id) {
  const link = [...document.querySelectorAll("#samples figcaption a")].find((each) => each.hash === `#run=${id}`);
  if (!link) return [];
  const images = [...link.closest("figure").querySelectorAll("img")].map((image) => image.cloneNode());
  return [element("h3", {}, "Samples"), element("div", { class: "pictures" }, ...images.map((image) => element("figure", {}, image)))];
}

// ---- by the address, so that going back and links work

function route() {
  const [, kind, key] = /^#(row|run)=(\w+)$/.exec(location.hash) || [];
  const shown = kind === "row" ? rowView(Number(key)) : kind === "run" ? runView(key) : null;
  if (!kind) {
    if (view.open) view.close();
    return;
  }
  const missing = { title: "Not in this page", parts: [element("p", {}, `No ${kind} ${key} is in this page.`)] };
  const { title, parts } = shown || missing;
  byId("view-title").replaceChildren(name(title));
  byId("view-body").replaceChildren(...parts);
  if (!view.open) view.showModal();
  view.scrollTop = 0;
}

byId("close").addEventListener("click", () => view.close());
view.addEventListener("click", (event) => { if (event.target === view) view.close(); }); // beside it
view.addEventListener("close", () => {
  byId("view-body").replaceChildren();
  if (/^#(row|run)=/.test(location.hash)) history.replaceState(null, "", `${location.pathname}${location.search}`);
});
window.addEventListener("hashchange", route);
route();
