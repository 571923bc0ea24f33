"use strict";
// Names of variants, data sets and the like are anybody's: they become text nodes or attributes' values, never markup.

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const name = (text) => element("bdi", {}, String(text));

/** What the page was made with, decoded when it is first asked for. */
const embedded = (() => {
  const decoded = new Map();
  return (id) => {
    if (!decoded.has(id)) decoded.set(id, JSON.parse(byId(id).textContent));
    return decoded.get(id);
  };
})();

// ---- light and dark

const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  return document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
}

function remembered() {
  try { return localStorage.getItem("ganbench-theme"); } catch { return null; } // some browsers keep nothing for files
}

function setTheme(chosen) {
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  byId("theme").textContent = theme() === "dark" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Use ${theme() === "dark" ? "light" : "dark"} colours`);
  document.dispatchEvent(new Event("ganbench:theme"));
}

byId("theme").hidden = false;
byId("theme").addEventListener("click", () => {
  const chosen = theme() === "dark" ? "light" : "dark";
  try { localStorage.setItem("ganbench-theme", chosen); } catch { /* then it lasts as long as the page is open */ }
  setTheme(chosen);
});
dark.addEventListener("change", () => setTheme());

// ---- sorting

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function keyOf(row, column) {
  const cell = row.cells[column];
  if (!cell) return "";
  const text = "v" in cell.dataset ? cell.dataset.v : cell.textContent.trim();
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** Numbers before text, what is empty last whichever way is asked for; rows that are alike keep their order. */
function compare(a, b, sign) {
  if (a === "" || b === "") return (a === "") - (b === "");
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * collator.compare(a, b);
}

function sort(button) {
  const header = button.closest("th");
  const table = header.closest("table");
  const order = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of table.tHead.rows[0].cells) if (other.ariaSort !== null) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", order);
  for (const body of table.tBodies) {
    const keyed = [...body.rows].map((row) => [keyOf(row, header.cellIndex), row]);
    keyed.sort((a, b) => compare(a[0], b[0], order === "ascending" ? 1 : -1));
    body.append(...keyed.map(([, row]) => row));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (button) sort(button);
});

// ---- filters

const filters = { dataset: "", metric: "", variants: [] };

const wanted = {
  dataset: (value) => !filters.dataset || value === filters.dataset,
  metric: (value) => !filters.metric || value === filters.metric,
  variant: (value) => !filters.variants.length || filters.variants.some((part) => value.toLowerCase().includes(part)),
};

function filter() {
  filters.dataset = byId("by-dataset").value;
  filters.metric = byId("by-metric").value;
  filters.variants = byId("by-variant").value.toLowerCase().split(",").map((part) => part.trim()).filter(Boolean);
  for (const [kind, fits] of Object.entries(wanted)) {
    for (const each of document.querySelectorAll(`main [data-${kind}]:not(.real > tr)`)) { // real data are compared with all
      each.dataset[`not${kind}`] = fits(each.dataset[kind]) ? "" : "1";
    }
  }
  for (const each of document.querySelectorAll("main [data-dataset], main [data-metric], main [data-variant]")) {
    each.hidden = Object.keys(wanted).some((kind) => each.dataset[`not${kind}`] === "1");
  }
  for (const table of document.querySelectorAll("table.matrix")) hideColumns(table);
  for (const track of document.querySelectorAll(".track")) {
    const rows = [...track.querySelectorAll("tbody:not(.real) tr")];
    if (!track.hidden) track.hidden = rows.length > 0 && rows.every((row) => row.hidden);
  }
  count();
  document.dispatchEvent(new Event("ganbench:filter"));
}

function hideColumns(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const row of table.rows) {
    if (row.parentElement === table.tHead) continue;
    heads.forEach((head, place) => { row.cells[place].hidden = head.hidden; });
  }
}

function count() {
  const rows = [...document.querySelectorAll("table.ranked tbody tr")];
  const seen = rows.filter((row) => !row.closest("[hidden]")).length;
  byId("shown").textContent = `${seen} of ${rows.length} rows`;
}

byId("filters").hidden = false;
byId("filters").addEventListener("input", filter);
byId("clear").addEventListener("click", () => { byId("filters").reset(); filter(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
setTheme(remembered());
filter(); // a browser that goes back to the page fills the fields in
