// The barista's page: which orders wait, who has which, and what to do next.

import { once } from "./barista_cards.js";
import { listen } from "./barista_keys.js";
import { release as sendAll, retryNow } from "./barista_finishing.js";
import * as loading from "./barista_loading.js";
import { askName, baristaName, showName } from "./barista_name.js";
import { forgetClaim } from "./barista_starting.js";
import { keepOrders, orderOf } from "./barista_state.js";
import { setClock } from "./barista_times.js";
import { go, send, start, tell, tick, undo } from "./barista_work.js";
import { announce, byId, complain } from "./dom.js";
import { isSignedIn, signOut } from "./session.js";
import { count, t } from "./texts.js";

const TICK = 500; // ms
let wasAway = false;
let wasAsked = false;

function showWork(isOpen) {
  byId("work").hidden = !isOpen;
  byId("signed-out").hidden = isOpen;
  byId("sign-out").hidden = !isSignedIn();
}

function take(listed) {
  if (wasAway) complain("");
  wasAway = false;
  setClock(listed[0]);
  const fresh = keepOrders(listed);
  if (fresh > 0) announce(count("fresh", fresh));
  forgetClaim();
  retryNow();
  showWork(true);
  tick();
  if (baristaName() !== null || wasAsked) return;
  wasAsked = true; // it is asked again when an order is started
  void askName();
}

function hear({ subject, action }) {
  const order = orderOf(subject);
  if (action !== "expire" || order === undefined) return;
  const isMine = order.barista !== null && order.barista === baristaName();
  tell(isMine ? "expired_mine" : "expired", { number: order.number });
}

async function refuse(problem) {
  complain(problem.message);
  loading.stop();
  if (problem.status === 403) await signOut(); // an account that may not work here
  showWork(false);
}

function fail() {
  wasAway = true;
  complain(t("unreachable"));
}

function close() {
  sendAll();
  send(true);
}

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("start").addEventListener("click", once(start));
byId("undo").addEventListener("click", undo);
byId("sign-in-open").addEventListener("click", () => {
  complain("");
  void loading.load();
});
byId("sign-out").addEventListener("click", async () => {
  sendAll();
  send();
  loading.stop();
  await signOut();
  showWork(false);
});
addEventListener("pagehide", close);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") close();
});
listen(go);
showName(tick);
loading.begin({ orders: take, event: hear, refused: refuse, failed: fail });
setInterval(() => {
  if (!byId("work").hidden) tick();
}, TICK);
