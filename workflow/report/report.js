// Tables of the report: sort by a column, filter by words, copy or download as TSV. Works on pages opened from disk.
"use strict";
window.morpho = window.morpho || {};

// Text of a cell for a table file: plain minus and spaces, no tab.
morpho.plain = text => text.replace(/\u2212/g, "-").replace(/[\u00a0\u202f]/g, " ").replace(/\s+/g, " ").trim();

morpho.tsv = table => [...table.rows].filter(row => !row.hidden)
  .map(row => [...row.cells].map(cell => morpho.plain(cell.textContent)).join("\t")).join("\n") + "\n";

morpho.download = (name, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

// The clipboard may be refused to pages from disk; a hidden text area then serves.
morpho.copy = async text => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};

morpho.button = (label, action) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", action);
  return button;
};

// Number that a text begins with; thousands are parted by narrow spaces.
const numberIn = text => text === "inf" ? Infinity : parseFloat(text.replace(/\u2212/g, "-").replace(/[\u00a0\u202f]/g, ""));

// Sort by a column; a second time, the other way. Cells without a value stay at the end.
function sortBy(table, head, index, heads) {
  const down = head.getAttribute("aria-sort") === "ascending", numeric = head.classList.contains("n");
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = row => row.cells[index].dataset.v ?? row.cells[index].textContent;
  const body = table.tBodies[0];
  const keyed = [...body.rows].map(row => [row, numeric ? numberIn(value(row)) : value(row)]);
  const absent = key => numeric ? Number.isNaN(key) : key === "";
  keyed.sort(([, a], [, b]) => {
    if (absent(a) || absent(b)) return absent(a) - absent(b);
    const order = numeric ? (a < b ? -1 : a > b ? 1 : 0) : a.localeCompare(b, "en", { numeric: true });
    return down ? -order : order;
  });
  body.append(...keyed.map(([row]) => row));
}

// Show the rows that have all words of the filter.
function filterRows(table, words, says) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean), rows = [...table.tBodies[0].rows];
  let shown = 0;
  for (const row of rows) {
    const text = morpho.plain(row.textContent).toLowerCase();
    row.hidden = !wanted.every(word => text.includes(word));
    shown += !row.hidden;
  }
  says.textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
}

function addTools(table) {
  const heads = [...table.tHead.rows[0].cells], caption = table.caption ? table.caption.textContent : "table";
  heads.forEach((head, index) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sortBy(table, head, index, heads));
  });
  const tools = document.createElement("div"), says = document.createElement("span");
  tools.className = "tools";
  says.setAttribute("role", "status");
  if (table.tBodies[0].rows.length > 8) {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "search";
    input.setAttribute("aria-label", `Filter the rows of ${caption}`);
    input.addEventListener("input", () => filterRows(table, input.value, says));
    label.append("Filter ", input);
    tools.append(label);
  }
  const file = `${caption.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "").slice(0, 60) || "table"}.tsv`;
  tools.append(
    morpho.button("Copy as TSV", async () => {
      says.textContent = await morpho.copy(morpho.tsv(table)) ? "copied" : "this browser does not allow to copy";
    }),
    morpho.button("Download TSV", () => morpho.download(file, morpho.tsv(table))),
    says,
  );
  (table.closest(".scroll") || table).before(tools);
}

document.querySelectorAll("table.data").forEach(addTools);

// A closed section does not print, nor does a picture that nobody has scrolled to.
addEventListener("beforeprint", () => {
  document.querySelectorAll("details:not(.explained)").forEach(part => { part.open = true; });
  document.querySelectorAll("img[loading]").forEach(image => { image.loading = "eager"; });
});
