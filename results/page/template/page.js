"use strict";
// Comforts only: without this script the page has the same content.
const made = (name, words, properties) => Object.assign(document.createElement(name), { textContent: words }, properties);

// A trial is a body of the table with two rows; in the other tables a unit is one row.
const units = (table) => (table.matches(".trials") ? [...table.tBodies] : [...table.tBodies[0].rows]);
const cells = (unit) => (unit.cells || unit.rows[0].cells);

function sort(table, column, direction) {
  const key = (unit) => {
    const { dataset, textContent } = cells(unit)[column];
    return "value" in dataset ? Number(dataset.value) : textContent.trim();
  };
  const order = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return direction * (a - b);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1; // Numbers first: "-" is none.
    return direction * a.localeCompare(b, "en", { numeric: true });
  };
  const sorted = units(table).map((unit) => [key(unit), unit]).sort((a, b) => order(a[0], b[0]));
  for (const [, unit] of sorted) unit.parentNode.append(unit);
  [...table.tHead.rows[0].cells].forEach((head, number) => {
    if (number === column) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function filter(table, text, count) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const all = units(table);
  for (const unit of all) {
    const content = [...cells(unit)].map((cell) => cell.textContent).join(" ").toLowerCase();
    unit.hidden = !words.every((word) => content.includes(word));
  }
  const shown = all.filter((unit) => !unit.hidden).length;
  count.textContent = words.length ? `${shown} of ${all.length}` : "";
}

const tables = [...document.querySelectorAll("table")].filter((table) => units(table).length > 1);
tables.forEach((table, number) => {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = made("button", head.textContent, { type: "button" });
    button.addEventListener("click", () => sort(table, column, head.ariaSort === "ascending" ? -1 : 1));
    head.replaceChildren(button);
  });
  if (units(table).length < 8) return;
  const input = made("input", "", { type: "search", id: `filter-${number}` });
  const count = made("span", "", { role: "status" });
  const tools = made("div", "", { className: "tools" });
  tools.append(made("label", "Filter", { htmlFor: input.id }), input, count);
  input.addEventListener("input", () => filter(table, input.value, count));
  table.parentNode.before(tools);
});

const dialog = made("dialog", "");
const large = made("img", "");
const close = made("button", "Close", { type: "button" });
const frame = made("div", "");
frame.append(large);
dialog.append(close, frame);
document.body.append(dialog);
close.addEventListener("click", () => dialog.close());
large.addEventListener("click", () => large.classList.toggle("large"));
for (const image of document.querySelectorAll("figure img")) {
  const button = made("button", "", { type: "button", ariaLabel: `Enlarge ${image.alt}` });
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => {
    large.src = image.src;
    large.alt = image.alt;
    large.className = "";
    dialog.ariaLabel = image.alt;
    dialog.showModal();
  });
}

// While a sweep runs the page loads itself again; what the reader has chosen stays.
const refresh = document.querySelector("meta[name=refresh-after]");
if (refresh) {
  const kept = "report " + location.pathname;
  const inputs = () => [...document.querySelectorAll(".tools input")];
  const open = () => [...document.querySelectorAll("tbody[id]:has(input:checked)")];
  try {
    const state = JSON.parse(sessionStorage.getItem(kept) || "{}");
    inputs().forEach((input) => {
      input.value = (state.filters || {})[input.id] || "";
      input.dispatchEvent(new Event("input"));
    });
    tables.forEach((table, number) => {
      const [column, direction] = (state.sorts || {})[number] || [-1, 1];
      if (column >= 0) sort(table, column, direction);
    });
    for (const id of state.open || []) document.getElementById(id)?.querySelector("input")?.click();
    scrollTo(0, state.y || 0);
  } catch { /* A browser may forbid storage. */ }
  addEventListener("pagehide", () => {
    const sorts = tables.map((table) => {
      const heads = [...table.tHead.rows[0].cells];
      const column = heads.findIndex((head) => head.ariaSort);
      return [column, heads[column]?.ariaSort === "descending" ? -1 : 1];
    });
    const filters = Object.fromEntries(inputs().map((input) => [input.id, input.value]));
    try {
      sessionStorage.setItem(kept, JSON.stringify({ sorts, filters, open: open().map((one) => one.id), y: scrollY }));
    } catch { /* Then it begins at the top. */ }
  });
  const again = () => (dialog.open ? setTimeout(again, 2000) : location.reload());
  setTimeout(again, 1000 * Number(refresh.content));
}
