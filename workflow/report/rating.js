// Rating of scans by keyboard or buttons, blind to group. Kept in this browser, saved as qc_decisions.tsv.
"use strict";
(() => {
  const PER_PAGE = 24, COLUMNS = ["scan", "decision", "rater", "reason", "date"];
  const DECISIONS = { k: "keep", e: "exclude", u: "unsure" };
  const $ = id => document.getElementById(id), rating = Boolean($("rater"));
  const grid = $("cards"), look = $("look");
  const cards = [...grid.children], scans = new Set(cards.map(card => card.dataset.scan));
  const key = `morpho-rating:${document.body.dataset.study}`;
  let state = { rater: "", rows: {}, others: [] }, keeps = true, page = 0, shown = cards, current = null;

  try { state = Object.assign(state, JSON.parse(localStorage.getItem(key) || "{}")); } catch { keeps = false; }
  const keep = () => { try { localStorage.setItem(key, JSON.stringify(state)); } catch { keeps = false; } };
  const rowOf = scan => state.rows[scan] || {};
  const cardOf = scan => cards.find(card => card.dataset.scan === scan);

  function tell(text) {
    if (!rating) return;
    const n = cards.filter(card => rowOf(card.dataset.scan).decision).length;
    const others = state.others.length ? ` ${state.others.length} rows of other raters go along into the file.` : "";
    const lost = keeps ? "" : " This browser keeps nothing for pages from disk: save the file before you leave.";
    $("progress").textContent = `${n} of ${cards.length} scans rated.${others}${lost} ${text || ""}`.trim();
  }

  // Paint what is decided on every place that shows the scan.
  function paint(scan) {
    const row = rowOf(scan);
    for (const place of [cardOf(scan), look.dataset.scan === scan ? look : null]) {
      if (!place) continue;
      for (const button of place.querySelectorAll("[data-decision]")) {
        button.setAttribute("aria-pressed", String(button.dataset.decision === row.decision));
      }
      const note = place.querySelector("textarea");
      if (note && note !== document.activeElement) note.value = row.reason || "";
    }
  }

  function change(scan, values) {
    state.rows[scan] = Object.assign({}, rowOf(scan), values, { date: new Date().toISOString().slice(0, 19) + "Z" });
    keep();
    paint(scan);
    tell();
  }

  function decide(scan, decision, move) {
    const same = rowOf(scan).decision === decision;
    change(scan, { decision: same ? "" : decision });
    if (!same && move && $("advance").checked) step(1);
  }

  // Buttons and note under a picture.
  function addMarks(place, scan) {
    const marks = document.createElement("div"), note = document.createElement("textarea");
    marks.className = "marks";
    marks.setAttribute("role", "group");
    marks.setAttribute("aria-label", `Rating of ${scan}`);
    for (const [letter, decision] of Object.entries(DECISIONS)) {
      const button = morpho.button(decision, () => decide(scan, decision, false));
      button.dataset.decision = decision;
      button.setAttribute("aria-keyshortcuts", letter);
      marks.append(button);
    }
    note.setAttribute("aria-label", `Note on ${scan}`);
    note.placeholder = "note";
    note.maxLength = 500;
    note.addEventListener("input", () => change(scan, { reason: note.value }));
    note.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        event.stopPropagation();
        (place === look ? look : cardOf(scan)).focus();
      }
    });
    marks.append(note);
    place.append(marks);
  }

  function choose() {
    const wanted = $("show").value, byName = $("order").value === "name";
    const test = {
      all: () => true,
      open: card => !rowOf(card.dataset.scan).decision,
      rated: card => Boolean(rowOf(card.dataset.scan).decision),
      doubt: card => card.dataset.verdict !== "passed",
    }[wanted];
    shown = cards.filter(test);
    if (byName) shown.sort((a, b) => a.dataset.scan.localeCompare(b.dataset.scan, "en", { numeric: true }));
    grid.append(...shown);
    turn(0);
  }

  function turn(to) {
    const pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
    page = Math.min(Math.max(to, 0), pages - 1);
    const visible = new Set(shown.slice(page * PER_PAGE, (page + 1) * PER_PAGE));
    cards.forEach(card => { card.hidden = !visible.has(card); });
    $("page").textContent = shown.length ? `page ${page + 1} of ${pages}` : "no scan";
    $("back").disabled = page === 0;
    $("on").disabled = page >= pages - 1;
  }

  function select(card, focus = true) {
    if (current) { current.removeAttribute("aria-current"); current.tabIndex = -1; }
    current = card;
    if (!card) return;
    const where = shown.indexOf(card);
    if (Math.floor(where / PER_PAGE) !== page) turn(Math.floor(where / PER_PAGE));
    card.setAttribute("aria-current", "true");
    card.tabIndex = 0;
    if (look.open) open(card); else if (focus) card.focus();
  }

  function step(by) {
    const where = shown.indexOf(current);
    const next = shown[where < 0 ? page * PER_PAGE : where + by];
    if (next) select(next);
  }

  function open(card) {
    look.dataset.scan = card.dataset.scan;
    look.replaceChildren();
    look.tabIndex = -1;
    const head = document.createElement("p"), what = card.querySelector(".what").cloneNode(true);
    head.append(Object.assign(document.createElement("strong"), { textContent: card.dataset.scan }));
    look.append(head);
    if (card.dataset.picture) {
      look.append(Object.assign(document.createElement("img"), {
        src: card.dataset.picture, alt: `Slices of ${card.dataset.scan} with outlines of regions and tissues`,
      }));
    }
    look.append(what);
    if (rating) addMarks(look, card.dataset.scan);
    look.append(morpho.button("Previous", () => step(-1)), " ", morpho.button("Next", () => step(1)), " ",
      morpho.button("Close", () => look.close()));
    paint(card.dataset.scan);
    if (!look.open) look.showModal();
    look.focus();
  }
  look.addEventListener("close", () => { delete look.dataset.scan; if (current) current.focus(); });

  // One line per decision, other raters' lines as they came.
  const clean = text => String(text || "").replace(/\s+/g, " ").trim();
  function fileText() {
    const mine = cards.map(card => card.dataset.scan).filter(scan => rowOf(scan).decision)
      .map(scan => [scan, rowOf(scan).decision, state.rater, rowOf(scan).reason, rowOf(scan).date]);
    return [COLUMNS, ...state.others, ...mine].map(row => row.map(cell => clean(cell) || "n/a").join("\t")).join("\n") + "\n";
  }
  morpho.ratings = fileText;

  function save() {
    if (!clean(state.rater)) {
      tell("Write your name or initials first.");
      $("rater").focus();
      return;
    }
    morpho.download("qc_decisions.tsv", fileText());
    const notes = cards.filter(card => rowOf(card.dataset.scan).reason && !rowOf(card.dataset.scan).decision).length;
    tell(`Saved.${notes ? ` ${notes} notes without a decision are not in the file.` : ""}`);
  }

  // Rows of this rater go on; rows of others are kept as they are and not shown.
  function take(text) {
    const lines = text.replace(/^\ufeff/, "").split(/\r?\n/).filter(line => line.trim()).map(line => line.split("\t"));
    const head = lines.shift() || [], places = COLUMNS.map(name => head.indexOf(name));
    if (places.slice(0, 3).includes(-1)) return tell(`This file has no columns ${COLUMNS.slice(0, 3).join(", ")}. Choose a qc_decisions.tsv.`);
    const rows = lines.map(line => places.map(place => (line[place] || "").replace(/^n\/a$/, "")));
    const raters = new Set(rows.map(row => row[2]));
    if (!clean(state.rater) && raters.size === 1) state.rater = [...raters][0];
    if (!clean(state.rater)) return tell("The file has several raters: write your name as it stands there, then choose it again.");
    $("rater").value = state.rater;
    let mine = 0, strange = 0;
    const others = [];
    for (const [scan, decision, rater, reason, date] of rows) {
      if (!Object.values(DECISIONS).includes(decision)) { strange += 1; continue; }
      if (rater !== state.rater || !scans.has(scan)) { others.push([scan, decision, rater, reason, date]); continue; }
      const known = rowOf(scan);
      if (!known.decision || !(known.date > date)) state.rows[scan] = { decision, reason, date };
      mine += 1;
    }
    const seen = new Set(state.others.map(String));
    state.others.push(...others.filter(row => !seen.has(String(row))));
    keep();
    scans.forEach(paint);
    tell(`${mine} ratings taken from the file.${strange ? ` ${strange} rows have no known decision and were passed over.` : ""}`);
    return undefined;
  }
  morpho.takeRatings = take;

  for (const card of cards) {
    const scan = card.dataset.scan, image = card.querySelector("img");
    card.tabIndex = -1;
    card.addEventListener("focusin", () => { if (card !== current) select(card, false); });
    if (image) image.addEventListener("click", () => { select(card, false); open(card); });
    if (rating) { addMarks(card, scan); paint(scan); }
  }
  if (cards.length) cards[0].tabIndex = 0;
  $("show").addEventListener("change", choose);
  $("order").addEventListener("change", choose);
  $("back").addEventListener("click", () => turn(page - 1));
  $("on").addEventListener("click", () => turn(page + 1));
  if (rating) {
    $("rater").value = state.rater;
    $("rater").addEventListener("input", event => { state.rater = event.target.value; keep(); });
    $("save").addEventListener("click", save);
    $("load").addEventListener("change", async event => {
      const file = event.target.files[0];
      if (file) take(await file.text());
      event.target.value = "";
    });
    $("forget").addEventListener("click", () => {
      if (!confirm("Forget all ratings of this report in this browser?")) return;
      state = { rater: state.rater, rows: {}, others: [] };
      keep();
      scans.forEach(paint);
      tell();
    });
  }

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const near = look.open || grid.contains(event.target), letter = event.key.toLowerCase();
    if (letter === "j" || (near && event.key === "ArrowRight")) step(1);
    else if (near && event.key === "ArrowLeft") step(-1);
    else if (near && event.key === "Enter" && event.target.matches("article, dialog") && current && !look.open) open(current);
    else if (rating && current && near && DECISIONS[letter]) decide(current.dataset.scan, DECISIONS[letter], true);
    else if (rating && current && near && letter === "n") (look.open ? look : current).querySelector("textarea").focus();
    else return;
    event.preventDefault();
  });
  choose();
  tell();
})();
