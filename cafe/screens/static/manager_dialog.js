// Dialogs: one to look at something, and one that asks for values, sends them, and stays open with
// what was typed if that goes wrong.

import { byId, fill, make } from "./dom.js";
import { sentence } from "./manager_live.js";
import { withSession } from "./session.js";
import { t } from "./texts.js";

let made = 0;

/** Open a dialog with a title; `closed` is called in the end. Returns its element. */
export function view(title, content, closed = () => {}) {
  made += 1;
  const heading = make("h2", { id: `dialog-${made}` }, title);
  const dialog = make("dialog", { class: "made", "aria-labelledby": heading.id }, heading, content);
  dialog.addEventListener("close", () => {
    dialog.remove();
    // What has opened it may have been made again meanwhile.
    if (document.activeElement === document.body) byId("section-title").focus();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Make the button that closes the dialog it is in. */
export function closing() {
  return make("button", { type: "button", onclick: (event) => event.target.closest("dialog").close() }, t("close"));
}

/**
 * Ask for `fields`, or only whether to go on, and `send(values)`. `explain(problem, values)` may
 * return an element that says more about a refusal. `extra` is an element among the fields.
 */
export function ask({ title, text = null, fields = [], extra = null, submit, explain = () => null }, send) {
  const inputs = fields.map((field) => [field, inputOf(field)]);
  const trouble = make("p", { role: "alert" });
  const more = make("div");
  const form = make(
    "form",
    { method: "dialog" },
    text === null ? null : make("p", {}, text),
    ...inputs.map(([field, input]) => labelOf(field, input)),
    extra,
    trouble,
    more,
    make("p", { class: "buttons" }, make("button", { type: "submit", class: "main" }, submit), closing()),
  );
  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    trouble.textContent = "";
    const values = Object.fromEntries(inputs.map(([field, input]) => [field.name, valueOf(field, input)]));
    try {
      await withSession(() => send(values));
      dialog.close();
    } catch (error) {
      trouble.textContent = sentence(error);
      fill(more, await explain(error, values));
    } finally {
      sending = false;
    }
  });
  const dialog = view(title, form);
  return dialog;
}

function inputOf({ name, label: _label, type = "text", value = "", options = null, hint: _hint, ...rest }) {
  if (options !== null) {
    const select = make("select", { name, ...rest });
    for (const [of, text] of options) select.append(make("option", { value: of }, text));
    select.value = value;
    return select;
  }
  if (type === "area") {
    const area = make("textarea", { name, rows: 3, ...rest });
    area.value = value;
    return area;
  }
  const input = make("input", { name, type, ...rest });
  if (type === "checkbox") input.checked = value === true;
  else input.value = value;
  return input;
}

function labelOf({ label, type, hint }, input) {
  const after = hint === undefined ? null : make("small", {}, hint);
  return type === "checkbox" ? make("label", {}, input, " ", label) : make("label", {}, label, after, input);
}

function valueOf({ type }, input) {
  if (type === "checkbox") return input.checked;
  if (type === "number") return input.value === "" ? null : Number(input.value);
  return input.value.trim();
}

/** Return the value of a field that may be left out: null for an empty one. */
export function orNull(text) {
  return text === "" ? null : text;
}
