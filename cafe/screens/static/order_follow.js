// What the shop tells live: how busy it is, whether it is paused, and where the order stands.

import { byId, complain, say } from "./dom.js";
import { follow } from "./events.js";
import { clock, count, t } from "./texts.js";

let followed = { id: undefined, end: () => {} };

/**
 * Follow the shop, and an order unless `id` is null; nothing changes if that is followed already.
 * `on` has `order(standing)`, `gone()` and `refused(problem)`, and `connected()`.
 */
export function followOrder(id, on) {
  if (followed.id === id) return false;
  followed.end();
  const of = id === null ? "/events" : `/events?order=${encodeURIComponent(id)}`;
  const board = (shown) => {
    if (byId("trouble").textContent === t("unreachable")) complain("");
    showBoard(shown);
    on.connected();
  };
  followed = { id, end: follow(of, { board, order: on.order, gone: on.gone }, on.refused) };
  return true;
}

/** Connect again next time: someone else has signed in. */
export function unfollow() {
  followed.end();
  followed = { id: undefined, end: () => {} };
}

/** Show that the shop takes no orders, or that it does. */
export function showPause(paused, accepting) {
  byId("notice").hidden = accepting;
  for (const button of [byId("pay"), byId("guest").querySelector("button")]) button.disabled = paused !== null;
  if (accepting) return;
  const text = paused === null ? t("not_accepting") : t("paused", { time: clock(new Date(paused.until)) });
  say(byId("notice"), `${text} ${paused?.text ?? ""}`.trim());
}

function showBoard({ paused, accepting, waiting, eta_seconds: eta }) {
  showPause(paused, accepting);
  const minutes = eta === null ? "" : count("minutes", Math.max(1, Math.round(eta / 60)));
  say(byId("wait"), accepting ? `${count("waiting", waiting)} ${minutes}`.trim() : "");
}
