// The pause, in the header of every section: whether orders are taken, and if not, until when.

import { call } from "./api.js";
import { byId, say } from "./dom.js";
import { ask } from "./manager_dialog.js";
import { keepLoaded, loadAt, tell } from "./manager_live.js";
import { hour } from "./manager_words.js";
import { withSession } from "./session.js";
import { t } from "./texts.js";

/** Keep the state of the pause shown; returns what ends it. */
export function openPause() {
  let timer = null;
  let paused = null;
  async function load() {
    ({ paused } = await call("GET", "/admin/pause"));
    clearTimeout(timer);
    if (paused !== null) timer = loadAt(paused.until, loader.now);
    say(byId("pause-state"), stateOf(paused));
    byId("pause-state").classList.toggle("paused", paused !== null);
    say(byId("pause"), t(paused === null ? "pause" : "resume"));
  }
  const about = ({ action }) => action === "pause" || action === "resume";
  const loader = keepLoaded(["orders"], load, { about });
  byId("pause").onclick = async () => {
    if (paused === null) {
      askForPause(loader.now);
      return;
    }
    try {
      await withSession(() => call("DELETE", "/admin/pause"));
      await loader.now();
    } catch (error) {
      tell(error);
    }
  };
  return () => {
    clearTimeout(timer);
    loader.stop();
  };
}

function stateOf(paused) {
  if (paused === null) return t("taking_orders");
  return `${t("paused_until", { time: hour(paused.until) })} ${paused.text}`.trim();
}

function askForPause(done) {
  const fields = [
    { name: "minutes", label: t("minutes"), type: "number", value: 15, min: 1, max: 1440, required: true },
    { name: "text", label: t("pause_text"), hint: t("pause_hint"), maxlength: 200 },
  ];
  ask({ title: t("pause_title"), fields, submit: t("pause") }, async (values) => {
    await call("PUT", "/admin/pause", { body: values });
    await done();
  });
}
