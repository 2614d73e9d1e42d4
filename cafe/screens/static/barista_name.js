// Who works at this tablet: asked once, and kept for as long as the browser keeps it.

import { byId, say } from "./dom.js";
import { lasting } from "./storage.js";
import { t } from "./texts.js";

const KEY = "cafe.barista";

/** Return the barista's name; null as long as none was given. */
export function baristaName() {
  return lasting.get(KEY);
}

/** Show the name, and have `changed()` called when it is another. */
export function showName(changed) {
  const show = () => {
    const name = baristaName();
    say(byId("rename"), name === null ? t("no_name") : t("rename", { name }));
  };
  byId("rename").addEventListener("click", () => void askName());
  byId("who").addEventListener("close", () => {
    show();
    changed();
  });
  show();
}

/** Ask for the name; return it, null if none was given. */
export function askName() {
  const dialog = byId("who");
  const form = dialog.querySelector("form");
  const field = form.elements.namedItem("name");
  field.value = baristaName() ?? "";
  form.onsubmit = (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name === "") return;
    lasting.set(KEY, name);
    dialog.close();
  };
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(baristaName()), { once: true });
  });
}
