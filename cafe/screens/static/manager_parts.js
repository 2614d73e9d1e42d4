// What the sections are made of: buttons that act, lists as tables, and fields to choose from.

import { announce, complain, keepList, make } from "./dom.js";
import { tell } from "./manager_live.js";
import { withSession } from "./session.js";
import { t } from "./texts.js";

let listings = 0; // that were made: their headings have ids

/**
 * Make a button. `act` is called once at a time; what goes wrong is shown. `of` says for those who
 * cannot see the row what the button is about.
 */
export function button(text, act, { of = null, ...attributes } = {}) {
  const label = of === null ? null : `${text}: ${of}`;
  const made = make("button", { type: "button", "aria-label": label, ...attributes }, text);
  made.addEventListener("click", async () => {
    if (made.ariaBusy === "true") return;
    made.ariaBusy = "true";
    complain("");
    announce("");
    try {
      await withSession(act);
    } catch (error) {
      tell(error);
    } finally {
      made.ariaBusy = null;
    }
  });
  return made;
}

/** Put buttons side by side. */
export function buttons(...all) {
  return make("div", { class: "buttons" }, ...all);
}

/** Make a heading within a section. */
export function heading(text) {
  return make("h3", {}, text);
}

/** Make a choice; `change(value)` is called when another is taken. */
export function choice(label, options, change, value = "") {
  const select = make("select", { onchange: () => change(select.value) });
  for (const [of, text] of options) select.append(make("option", { value: of }, text));
  select.value = value;
  return make("label", {}, label, select);
}

/** Make one part of a status that is told by its words, and also by a colour. */
export function badge(text, mood = "") {
  return make("span", { class: `badge ${mood}` }, text);
}

/**
 * Make a table under a heading, whose rows `show(values)` keeps in step: `cells(value)` returns what
 * stands in the columns that `heads` names. A row that stays as it is keeps its elements; one that
 * changes under the focus hands it on. Roles are given, since narrow windows show rows as cards,
 * and a table whose `display` is another is none for browsers; so is a caption for axe.
 */
export function listing(caption, heads, { key, cells, none = t("none") }) {
  const body = make("tbody", { role: "rowgroup" });
  const head = heads.map((one) => make("th", { scope: "col", role: "columnheader" }, one));
  listings += 1;
  const title = make("h3", { id: `listing-${listings}` }, caption);
  const table = make(
    "table",
    { role: "table", tabindex: "-1", "aria-labelledby": title.id },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...head)),
    body,
  );
  const create = (value) => (value === null ? emptyRow() : row(value));
  function emptyRow() {
    return make("tr", { role: "row" }, make("td", { role: "cell", colspan: heads.length }, none));
  }
  function row(value) {
    const made = make("tr", { role: "row", "data-of": key(value) });
    cells(value).forEach((content, index) => {
      const [tag, attributes] = index === 0 ? ["th", { scope: "row", role: "rowheader" }] : ["td", { role: "cell" }];
      made.append(make(tag, { ...attributes, "data-head": heads[index] }, content));
    });
    return made;
  }
  function show(values) {
    const focus = placeOfFocus(body);
    const rows = values.length === 0 ? [null] : values;
    keepList(body, rows, { key: (value) => JSON.stringify(value), create });
    if (focus !== null) giveFocus(body, focus, table);
  }
  return { element: make("div", {}, title, table), show };
}

function placeOfFocus(body) {
  const active = document.activeElement;
  const row = body.contains(active) ? active.closest("tr") : null;
  if (row === null) return null;
  return { active, of: row.dataset.of, index: [...row.querySelectorAll("button")].indexOf(active) };
}

function giveFocus(body, { active, of, index }, otherwise) {
  if (active.isConnected) return;
  const row = [...body.children].find((one) => one.dataset.of === of);
  (row?.querySelectorAll("button")[index] ?? otherwise).focus();
}
