// The dialog that asks why an order could not be delivered.

import { Problem } from "./api.js";
import { byId, say } from "./dom.js";
import { t } from "./texts.js";

const SENT = "sent";

/**
 * Ask for a reason and call `send(reason)`. What is refused is said in the dialog, which stays open
 * with what was typed. Settles when it is closed, with whether the reason was sent.
 */
export function askReason(send) {
  const dialog = byId("failing");
  const form = dialog.querySelector("form");
  const alert = dialog.querySelector("[role=alert]");
  const { reason, text } = form.elements;
  say(alert, "");
  text.oninput = () => (reason.value = "");
  byId("failing-close").onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const why = reason.value || text.value.trim();
    if (why === "") {
      say(alert, t("say_why"));
      text.focus();
      return;
    }
    try {
      await send(why);
      form.reset();
      dialog.close(SENT);
    } catch (error) {
      say(alert, error instanceof Problem ? error.message : t("unreachable"));
    }
  };
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === SENT), { once: true });
  });
}
