// The keyboard: digits go to the number field, Enter does the next thing, Escape clears.

import { byId } from "./dom.js";
import { lasting } from "./storage.js";

const KEY = "cafe.digits"; // "off": a shortcut of one key must be one that can be switched off

function areOn() {
  return lasting.get(KEY) !== "off";
}

/** Listen to the keyboard: `go(text)` is called for a number that was entered, or for "". */
export function listen(go) {
  const field = byId("number");
  byId("by-number").addEventListener("submit", (event) => {
    event.preventDefault();
    go(field.value.trim());
  });
  byId("digits").checked = areOn();
  byId("digits").addEventListener("change", ({ target }) => {
    lasting.set(KEY, target.checked ? "on" : "off");
  });
  document.addEventListener("keydown", (event) => {
    const isOther = event.ctrlKey || event.altKey || event.metaKey || event.repeat;
    if (isOther || byId("work").hidden || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      field.value = "";
    } else if (/^[0-9]$/.test(event.key) && event.target !== field && areOn()) {
      field.value = "";
      field.focus(); // and the digit is typed there
    } else if (event.key === "Enter" && !event.target.closest("button, a, input, summary")) {
      event.preventDefault();
      go(field.value.trim());
    }
  });
}
